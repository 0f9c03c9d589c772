//! Every limit of the reader holds where it is set: a file just within is taken, and one beyond has its reason.

use sitrep_tests::{binaries, process};
use std::path::Path;

/// Makes an archive by a line of Python that writes to `t`, a tarfile being written, with `add(name, data)` at hand.
fn make(path: &Path, body: &str) -> Result<(), String> {
    let script = format!(
        "import io, os, sys, tarfile\n\
         t = tarfile.open(sys.argv[1], sys.argv[2], format=tarfile.PAX_FORMAT)\n\
         def add(name, data=b'x\\n' * 8, **kw):\n    \
             i = tarfile.TarInfo(name); i.size = len(data)\n    \
             for k in kw: setattr(i, k, kw[k])\n    \
             t.addfile(i, io.BytesIO(data))\n\
         {body}\n\
         t.close()\n"
    );
    let packed = path.extension().is_some_and(|end| end == "gz");
    python(&["-c", &script, text(path), if packed { "w:gz" } else { "w" }]).map(drop)
}

fn python(args: &[&str]) -> Result<String, String> {
    let mut command = process::command(Path::new("python3"));
    command.args(args);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = process::output(&mut command)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// Verdict and reason with these settings.
fn inspect(path: &Path, settings: &[&str]) -> Result<(String, String), String> {
    let mut command = process::command(&binaries::sitrepd());
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.args(["inspect", text(path), "--json"]);
    let output = process::output(&mut command)?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = lines
        .lines()
        .last()
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let verdict: serde_json::Value =
        serde_json::from_str(last).map_err(|error| error.to_string())?;
    let word = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    Ok((word("verdict"), word("reason")))
}

/// A limit: its name, what is made, a value that admits it, one that does not, and the reason.
type Case<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

const CASES: [Case<'_>; 13] = [
    (
        "limits.upload_bytes",
        "add('a')",
        "10240",
        "10239",
        "upload_too_large",
    ),
    (
        "reader.unpacked_bytes",
        "add('a')",
        "10240",
        "10239",
        "limit_unpacked",
    ),
    (
        "reader.entry_bytes",
        "add('a')",
        "16",
        "15",
        "limit_unpacked",
    ),
    (
        "reader.entries",
        "[add(str(n)) for n in range(9)]",
        "9",
        "8",
        "limit_entries",
    ),
    (
        "reader.path_bytes",
        "add('a/bcdefgh')",
        "9",
        "8",
        "limit_path",
    ),
    (
        "reader.entries",
        "[add('./', b'', type=tarfile.DIRTYPE) for n in range(9)]",
        "9",
        "8",
        "limit_entries",
    ),
    (
        "reader.path_bytes",
        "add('a', b'', type=tarfile.SYMTYPE, linkname='b' * 9)",
        "9",
        "8",
        "limit_path",
    ),
    (
        "reader.component_bytes",
        "add('a/bcdefgh')",
        "7",
        "6",
        "limit_path",
    ),
    ("reader.depth", "add('a/b/c')", "3", "2", "limit_depth"),
    (
        "reader.header_bytes",
        "add('a', pax_headers={'comment': 'c' * 87})",
        "99",
        "98",
        "limit_header",
    ),
    (
        "reader.headers_total_bytes",
        "[add(str(n), pax_headers={'comment': 'c' * 87}) for n in range(3)]",
        "297",
        "296",
        "limit_header",
    ),
    (
        "reader.manifest_bytes",
        "add('t/meta/manifest.json', b'{\"schema\":\"sitrep.manifest/1\",\"format\":1,\"created\":\"\",\"host\":\"\"}')",
        "64",
        "63",
        "limit_manifest",
    ),
    (
        "reader.json_depth",
        "add('t/meta/manifest.json', b'{\"schema\":\"sitrep.manifest/1\",\"format\":1,\"created\":\"\",\"host\":\"\",\"x\":[[[1]]]}')",
        "4",
        "3",
        "limit_manifest",
    ),
];

#[test]
fn each_limit_holds_where_it_is_set() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    for (limit, body, within, beyond, reason) in CASES {
        let path = folder.path().join(limit);
        make(&path, body)?;
        for (value, expected) in [(within, "ok"), (beyond, reason)] {
            let (_, got) = inspect(&path, &[&format!("{limit}={value}")])?;
            assert_eq!(got, expected, "{limit}={value}");
        }
    }
    Ok(())
}

#[test]
fn what_unpacks_is_bounded_by_what_was_sent() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("zeros.gz");
    make(&path, "add('a', bytes(1 << 20))")?;
    let sent = std::fs::metadata(&path)
        .map_err(|error| error.to_string())?
        .len();
    let enough = (1_100_000_u64).div_ceil(sent);
    for (ratio, expected) in [(enough, "ok"), (enough / 2, "limit_unpacked")] {
        let settings = [
            "reader.unpacked_base_bytes=0".to_owned(),
            format!("reader.unpacked_ratio={ratio}"),
        ];
        let (_, got) = inspect(&path, &[&settings[0], &settings[1]])?;
        assert_eq!(got, expected, "ratio {ratio}");
    }
    let base = inspect(
        &path,
        &[
            "reader.unpacked_base_bytes=2 MiB",
            "reader.unpacked_ratio=0",
        ],
    )?;
    assert_eq!(base.1, "ok");
    Ok(())
}

#[test]
fn decoders_and_holes_are_bounded() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let packed = folder.path().join("window.xz");
    let script = "import lzma, sys\nopen(sys.argv[1], 'wb').write(lzma.compress(b'a log line\\n' * 99, preset=6))";
    python(&["-c", script, text(&packed)])?;
    for (value, expected) in [("32 MiB", "ok"), ("4 MiB", "limit_memory")] {
        let (_, got) = inspect(&packed, &[&format!("reader.decoder_bytes={value}")])?;
        assert_eq!(got, expected, "decoder {value}");
    }
    let holes = folder.path().join("holes");
    let script = "import sys\nf = open(sys.argv[1], 'wb')\n\
                  for n in range(20):\n    f.seek(n << 16); f.write(b'x' * 4096)\n\
                  f.truncate(21 << 16)";
    python(&["-c", script, text(&holes)])?;
    let sparse = folder.path().join("sparse.tar");
    let mut command = process::command(Path::new("tar"));
    command.args([
        "-S",
        "-cf",
        text(&sparse),
        "-C",
        text(folder.path()),
        "holes",
    ]);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    process::output(&mut command)?;
    for (setting, expected) in [
        ("reader.sparse_regions=21", "ok"),
        ("reader.sparse_regions=19", "limit_sparse"),
        ("reader.entry_bytes=1 MiB", "limit_sparse"),
    ] {
        assert_eq!(inspect(&sparse, &[setting])?.1, expected, "{setting}");
    }
    Ok(())
}

#[test]
fn cpu_time_is_bounded() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("long.tar.gz");
    make(
        &path,
        "add('a.log', b'Nov 21 14:02:00 host app[1]: a line of it\\n' * (16 << 20))",
    )?;
    let (verdict, reason) = inspect(&path, &["reader.cpu_base_s=1", "reader.cpu_per_gib_s=0"])?;
    assert_eq!((verdict.as_str(), reason.as_str()), ("reject", "limit_cpu"));
    Ok(())
}

/// The reader's memory, whatever it is given: many long names, and a window as large as is taken.
#[test]
fn the_reader_stays_below_512_mib() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Names that are as long together as they may be, of files that are not empty.
    let names = folder.path().join("names.tar.gz");
    make(
        &names,
        "[add('%06d/' % n + 'm' * 80 + '/' + 'n' * 245, b'x\\n') for n in range(190_000)]",
    )?;
    // Files that each lie below very many links.
    let below = folder.path().join("below.tar.gz");
    make(
        &below,
        "[add('a/' * n + 'a', b'', type=tarfile.SYMTYPE, linkname='b') for n in range(62)]\n\
         [add('a/' * 63 + str(n), b'') for n in range(70_000)]",
    )?;
    let window = folder.path().join("window.zst");
    let script = "import subprocess, sys\n\
                  p = subprocess.Popen(['zstd', '-q', '-1', '--long=27', '-f', '-o', sys.argv[1]], stdin=subprocess.PIPE)\n\
                  line = b''.join(b'%016x a line of the log\\n' % (n * 2654435761) for n in range(100_000))\n\
                  [p.stdin.write(line) for _ in range(60)]\n\
                  p.stdin.close(); sys.exit(p.wait())";
    python(&["-c", script, text(&window)])?;
    let measure = "import json, resource, subprocess, sys\n\
                   out = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE).stdout.decode()\n\
                   print(json.loads(out.strip().split('\\n')[-1])['verdict'], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    for (path, expected) in [(names, "accept"), (below, "neutralise"), (window, "accept")] {
        let sitrepd = binaries::sitrepd();
        let said = python(&[
            "-c",
            measure,
            text(&sitrepd),
            "inspect",
            text(&path),
            "--json",
        ])?;
        let (verdict, kib) = said.trim().rsplit_once(' ').ok_or("two words")?;
        assert_eq!(verdict, expected, "{}", path.display());
        let kib: u64 = kib.parse().map_err(|_| said.clone())?;
        assert!(kib < 512 << 10, "{}: {kib} KiB", path.display());
    }
    Ok(())
}
