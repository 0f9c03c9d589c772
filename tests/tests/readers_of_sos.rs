//! Our bundle and a real sos report of this same host, read by insights-core: ours tells at least as much.

use sitrep_shared::facts::{Facts, Reader, wants};
use sitrep_tests::agent::Agent;
use sitrep_tests::{process, workspace_root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a sos report of a host without systemd holds under these names is the message that there is no
/// systemd; ours says so in the manifest, and has no such file.
const SAYS_NO_SYSTEMD: &str = "systemctl_";
const SAYS_NO_SYSTEMD_ANALYZE: &str = "systemd_analyze";

/// What insights-core found in one archive.
struct Found {
    context: String,
    specs: BTreeSet<String>,
    parsed: BTreeSet<String>,
    refused: serde_json::Value,
}

fn names(found: &serde_json::Value, key: &str) -> BTreeSet<String> {
    let list = found[key].as_array().expect("a list");
    list.iter()
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}

fn read(archive: &Path) -> Found {
    let venv = std::env::var_os("SITREP_TESTS_VENV")
        .map_or_else(|| workspace_root().join("target/venv"), PathBuf::from);
    let mut command = process::command(&venv.join("bin/python"));
    command
        .arg(workspace_root().join("tests/fixtures/readers/insights_specs.py"))
        .arg(archive)
        .env("HOME", "/tmp");
    let output = process::output(&mut command).expect("the reader starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{said}");
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    Found {
        context: found["context"].as_str().unwrap_or_default().to_owned(),
        specs: names(&found, "specs"),
        parsed: names(&found, "parsed"),
        refused: found["refused"].clone(),
    }
}

/// A real sos report of this host.
fn sos_report(dir: &Path) -> PathBuf {
    let mut command = process::command(Path::new("sosreport"));
    command
        .args(["--batch", "--quiet", "-z", "gzip", "--tmp-dir"])
        .arg(dir)
        .env("HOME", dir);
    let output = process::output(&mut command).expect("sosreport starts");
    let archive = std::fs::read_dir(dir)
        .expect("the folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with(".tar.gz"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        archive.is_some(),
        "sosreport (it needs root) made no archive: {said}"
    );
    archive.expect("just looked at")
}

/// The typed facts of an archive, ours or not: both are read by the same reader, from the same files.
fn facts(archive: &Path, place: &Path) -> Facts {
    std::fs::create_dir(place).expect("made");
    let mut command = process::command(Path::new("tar"));
    command.arg("-xzf").arg(archive).arg("-C").arg(place);
    let output = process::output(&mut command).expect("tar");
    assert!(output.status.success(), "{output:?}");
    let mut reader = Reader::new(0);
    let mut folders = vec![place.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a type");
            let name = path.strip_prefix(place).expect("below").to_string_lossy();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && wants(&name) {
                reader.add(&name, &std::fs::read(&path).expect("read"));
            }
        }
    }
    reader.finish()
}

/// What does not change between the two.
fn same_facts(ours: &Facts, theirs: &Facts) {
    let host = |f: &Facts| f.host.clone().unwrap_or_default().name;
    assert_eq!(host(ours), host(theirs));
    let os = |f: &Facts| f.os.clone().map(|os| (os.id, os.version, os.pretty));
    assert_eq!(os(ours), os(theirs));
    let kernel = |f: &Facts| f.kernel.clone().map(|k| (k.release, k.machine, k.tainted));
    assert_eq!(kernel(ours), kernel(theirs));
    let cpu = |f: &Facts| f.cpu.clone().map(|cpu| (cpu.count, cpu.model));
    assert_eq!(cpu(ours), cpu(theirs));
    let memory = |f: &Facts| {
        f.memory
            .clone()
            .map(|m| (m.total_bytes, m.swap_total_bytes))
    };
    assert_eq!(memory(ours), memory(theirs));
    let root = |f: &Facts| {
        let root = f.disks.iter().find(|disk| disk.mount == "/");
        root.map(|disk| (disk.device.clone(), disk.total_bytes))
    };
    assert_eq!(root(ours), root(theirs));
    let links = |f: &Facts| {
        let network = f.network.clone().unwrap_or_default();
        let links = network.interfaces.into_iter();
        links
            .map(|i| (i.name, i.mtu, i.addresses))
            .collect::<Vec<_>>()
    };
    assert_eq!(links(ours), links(theirs));
    let resolver = |f: &Facts| f.resolver.clone().map(|r| (r.nameservers, r.search));
    assert_eq!(resolver(ours), resolver(theirs));
    let packages = |f: &Facts| f.packages.clone().map(|p| (p.manager, p.versions));
    assert_eq!(packages(ours), packages(theirs));
}

#[test]
fn insights_core_learns_as_much_as_from_a_sos_report() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let agent = Agent::new(&dir.path().join("customer")).expect("a home");
    let path = dir.path().join("host.tar.gz");
    let output = path.display().to_string();
    // Reading has the lowest priority; a busy machine must not decide what is compared.
    let time = ["--max-time", "10m"];
    let flags = ["--no-send", "--yes", "--allow-partial", "--output", &output];
    let ended = agent
        .run(&[&["run"][..], &time, &flags].concat())
        .expect("runs");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let report = sos_report(dir.path());
    same_facts(
        &facts(&path, &dir.path().join("ours")),
        &facts(&report, &dir.path().join("theirs")),
    );
    let ours = read(&path);
    let theirs = read(&report);

    assert_eq!(
        (ours.context.as_str(), theirs.context.as_str()),
        ("SosArchiveContext", "SosArchiveContext")
    );
    assert!(
        ours.specs.len() >= theirs.specs.len() && ours.specs.len() >= 82,
        "{} specs from our bundle, {} from a sos report; only there: {:?}",
        ours.specs.len(),
        theirs.specs.len(),
        theirs.specs.difference(&ours.specs).collect::<Vec<_>>()
    );
    assert_eq!(
        ours.refused,
        serde_json::json!({}),
        "a parser refuses content of ours"
    );
    let unread: Vec<&String> = theirs
        .parsed
        .difference(&ours.parsed)
        .filter(|name| {
            Path::new("/run/systemd/system").exists()
                || !(name.contains(SAYS_NO_SYSTEMD) || name.contains(SAYS_NO_SYSTEMD_ANALYZE))
        })
        .collect();
    assert!(
        unread.is_empty(),
        "parsed from a sos report only: {unread:?}"
    );
}
