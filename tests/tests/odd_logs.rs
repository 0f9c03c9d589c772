//! Logs as they are found in the field: one that grows while it is read, encodings, binary data, a line of
//! 1 GB, pipes, and folders with very many files. The real agent reads them below another root.

use sitrep_tests::agent::Agent;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A fake root with logs, and what came out of it.
struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir_all(dir.path().join("root/var/log")).expect("made");
        Self { dir }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join("root/var/log").join(name)
    }

    /// Collects, and answers the manifest's items and the stored text of `/var/log/<name>`.
    fn collect(&self, flags: &[&str], name: &str) -> (serde_json::Value, String) {
        let agent = Agent::new(&self.dir.path().join("customer")).expect("a home");
        let bundle = self.dir.path().join("b.tar.gz");
        let (root, output) = (self.dir.path().join("root"), bundle.display().to_string());
        let root = root.display().to_string();
        let fixed = [
            "run",
            "--root",
            &root,
            "--no-send",
            "--yes",
            "--allow-partial",
            "-o",
            &output,
        ];
        let ended = agent.run(&[&fixed[..], flags].concat()).expect("the agent");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(
            agent.run(&["verify", &output]).expect("the agent").code,
            Some(0)
        );
        let shown = agent
            .run(&["show", &output, "--items", "--json"])
            .expect("the agent");
        let file = format!("sos/var/log/{name}");
        let text = agent
            .run(&["show", &output, "--file", &file])
            .expect("the agent");
        std::fs::remove_file(&bundle).expect("removed");
        (shown.json().expect("JSON"), text.stdout)
    }
}

fn item<'j>(shown: &'j serde_json::Value, origin: &str) -> &'j serde_json::Value {
    let items = shown["items"].as_array().expect("items");
    let found = items.iter().find(|item| item["origin"] == origin);
    found.expect("every log is accounted for")
}

fn line(second: u32) -> String {
    format!(
        "2026-11-20T14:{:02}:{:02}Z app: tick {second}\n",
        second / 60,
        second % 60
    )
}

#[test]
fn a_log_that_grows_while_it_is_read() {
    let root = Root::new();
    let path = root.log("app.log");
    let before: String = (0..3600).map(line).collect();
    std::fs::write(&path, &before).expect("written");
    let stop = AtomicBool::new(false);
    let (shown, text) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::OpenOptions::new()
                .append(true)
                .open(&path)
                .expect("opens");
            while !stop.load(Ordering::Relaxed) {
                writeln!(file, "2026-11-20T15:00:00Z app: and more").expect("written");
            }
        });
        let found = root.collect(&["--include", "logfiles"], "app.log");
        stop.store(true, Ordering::Relaxed);
        found
    });
    let outcome = item(&shown, "/var/log/app.log")["outcome"].clone();
    assert!(outcome == "collected" || outcome == "partial", "{outcome}");
    assert!(
        text.lines().all(|line| line.starts_with("2026-11-20T1")),
        "whole lines"
    );
}

#[test]
fn a_line_of_a_gigabyte_hides_nothing() {
    let root = Root::new();
    let mut file = std::fs::File::create(root.log("app.log")).expect("made");
    file.write_all(line(1).as_bytes()).expect("written");
    // A hole: 1 GB without a line end, which takes no room on the disk.
    file.set_len(1 << 30).expect("set");
    use std::io::Seek as _;
    file.seek(std::io::SeekFrom::End(0)).expect("seek");
    file.write_all(format!("\n{}", line(3000)).as_bytes())
        .expect("written");
    let around = ["--around", "2026-11-20T14:50:00Z", "--window", "5m"];
    let (_, text) = root.collect(&around, "app.log");
    assert_eq!(text, line(3000));
}

#[test]
fn a_line_of_256_megabytes_is_redacted_in_little_memory() {
    let root = Root::new();
    let quick = std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|q| !q.is_empty());
    let megabytes = if quick { 64 } else { 256 };
    let file = std::fs::File::create(root.log("app.log")).expect("made");
    let mut file = std::io::BufWriter::new(file);
    let filler = "value 17 is fine, ".repeat(58_255);
    file.write_all(b"2026-11-20T14:00:01Z app: ")
        .expect("written");
    for _ in 0..megabytes {
        file.write_all(filler.as_bytes()).expect("written");
    }
    file.write_all(b"password=Zx9kq7Hn2vvT4 end\n")
        .and_then(|()| file.flush())
        .expect("written");
    let profile = root.dir.path().join("p.toml");
    let text = "name='p'\nversion='1'\ntitle='p'\n[limits]\nmax_bytes=3000000000\nmax_seconds=900\n\
        [[add]]\nfile='/var/log/app.log'\nlog=true\nlimit=3000000000\n";
    std::fs::write(&profile, text).expect("written");
    let agent = Agent::new(&root.dir.path().join("customer")).expect("a home");
    let bundle = root.dir.path().join("b.tar.gz").display().to_string();
    let below = root.dir.path().join("root").display().to_string();
    let profile = profile.display().to_string();
    let ended = agent
        .run(&[
            "run",
            "--root",
            &below,
            "--profile",
            &profile,
            "--no-send",
            "--yes",
            "--allow-partial",
            "--max-size",
            "3G",
            "--max-time",
            "15m",
            "-o",
            &bundle,
        ])
        .expect("the agent");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read = |name: &str| {
        let script = format!("tar -xzOf \"$1\" --wildcards '*/{name}' | tail -c 10000000");
        let mut command = sitrep_tests::process::command(Path::new("sh"));
        command.args(["-c", &script, "sh", &bundle]);
        let output = sitrep_tests::process::output(&mut command).expect("tar");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let end = read("app.log");
    let end = &end[end.len() - 200..];
    assert!(
        end.contains("password=") && end.ends_with(" end\n"),
        "{end}"
    );
    assert!(!end.contains("Zx9kq7Hn2vvT4"), "{end}");
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).expect("JSON");
    let memory = manifest["cost"]["peak_rss_bytes"]
        .as_u64()
        .expect("a number");
    assert!(memory < 100 << 20, "{memory} bytes");
}

#[test]
fn other_encodings_and_binary_data_are_kept_or_withheld_never_leaked() {
    let root = Root::new();
    let secret = "password=Zx9kq7Hn2vvT4";
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(
            format!("ready\n{secret}\n")
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    std::fs::write(root.log("utf16.log"), utf16).expect("written");
    // In GBK: "error", then the password.
    let gbk = [&b"\xb4\xed\xce\xf3: "[..], secret.as_bytes(), b"\n"].concat();
    std::fs::write(root.log("gbk.log"), gbk).expect("written");
    let noise: Vec<u8> = (0..50_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    std::fs::write(root.log("noise.log"), noise).expect("written");
    for name in ["utf16.log", "gbk.log", "noise.log"] {
        let (shown, text) = root.collect(&[], name);
        let outcome = item(&shown, &format!("/var/log/{name}"))["outcome"].clone();
        assert!(
            outcome.is_string() || outcome.is_null(),
            "{name}: {outcome}"
        );
        assert!(
            !text.replace('\0', "").contains("Zx9kq7Hn2vvT4"),
            "{name}: {text}"
        );
    }
}

#[test]
fn pipes_and_very_many_files() {
    let root = Root::new();
    fifo(&root.log("pipe.log"));
    std::fs::write(root.log("syslog"), line(1)).expect("written");
    let many = root.log("many");
    std::fs::create_dir(&many).expect("made");
    let files = if std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|q| !q.is_empty()) {
        20_000
    } else {
        200_000
    };
    let first = many.join("0.log");
    std::fs::write(&first, line(2)).expect("written");
    for number in 1..files {
        // Links to one file: as many names, without as many blocks.
        std::fs::hard_link(&first, many.join(format!("{number}.log")))
            .or_else(|_| std::fs::write(many.join(format!("{number}.log")), ""))
            .expect("made");
    }
    let (shown, text) = root.collect(&[], "syslog");
    assert_eq!(text, line(1));
    let items = shown["items"].as_array().map_or(0, Vec::len);
    assert!(items < 10_000, "{items} items");
}

fn fifo(path: &Path) {
    let mut command = sitrep_tests::process::command(Path::new("mkfifo"));
    command.arg(path);
    let made = sitrep_tests::process::output(&mut command).expect("mkfifo");
    assert!(made.status.success());
}
