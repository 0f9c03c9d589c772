//! Hosts that are not like the developer's: a clock that is years off, no systemd, the inside of a
//! container, a million files, more logs than fit. Each is the real condition, made in namespaces and with
//! files that have holes. Needs root, for the namespaces.

use sitrep_tests::{binaries, process};
use std::path::{Path, PathBuf};

const FLAGS: &str = "--no-send --yes --allow-partial --progress none";

struct Odd {
    dir: tempfile::TempDir,
}

impl Odd {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("home")).expect("made");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `script`; `$S` is the agent, `$F` the flags of a quiet run.
    fn run(&self, before: &[&str], script: &str) -> String {
        let mut words = before.iter().copied().chain(["sh", "-ec", script]);
        let mut command = process::command(Path::new(words.next().expect("a program")));
        command
            .args(words)
            .env("S", binaries::sitrep())
            .env("F", FLAGS)
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("home/state"))
            .current_dir(self.dir.path());
        let output = process::output(&mut command).expect("starts (as root)");
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{text}");
        text
    }

    fn entry(&self, name: &str) -> String {
        let mut command = process::command(Path::new("tar"));
        command
            .arg("-xzOf")
            .arg(self.path("b.tar.gz"))
            .args(["--wildcards", &format!("*/{name}")]);
        let output = process::output(&mut command).expect("tar");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn manifest(&self) -> serde_json::Value {
        serde_json::from_str(&self.entry("meta/manifest.json")).expect("JSON")
    }
}

fn items(manifest: &serde_json::Value) -> &Vec<serde_json::Value> {
    manifest["items"].as_array().expect("items")
}

fn outcome<'m>(manifest: &'m serde_json::Value, origin: &str) -> (&'m str, &'m str) {
    let found = items(manifest).iter().find(|item| item["origin"] == origin);
    let found = found.expect("every item is accounted for");
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    (text("outcome"), text("reason"))
}

#[test]
fn a_clock_that_is_years_off() {
    let host = Odd::new();
    std::fs::create_dir_all(host.path("root/var/log")).expect("made");
    let lines = "2026-11-20T14:00:00Z app: before\n2026-11-20T14:50:00Z app: the trouble\n";
    std::fs::write(host.path("root/var/log/app.log"), lines).expect("written");
    // The host believes it is 2003; what is asked for is a time of the lines, not of its clock.
    host.run(
        &["faketime", "2003-03-03 03:03:03"],
        "$S run --root root --around 2026-11-20T14:50:00Z --window 5m $F -o b.tar.gz; $S verify b.tar.gz",
    );
    let manifest = host.manifest();
    assert!(
        manifest["created"]
            .as_str()
            .is_some_and(|at| at.starts_with("2003-")),
        "{}",
        manifest["created"]
    );
    assert_eq!(
        host.entry("sos/var/log/app.log"),
        "2026-11-20T14:50:00Z app: the trouble\n"
    );
    assert!(
        manifest["duration_ms"]
            .as_u64()
            .is_some_and(|ms| ms < 600_000)
    );
}

#[test]
fn a_clock_that_jumps_while_it_runs() {
    let host = Odd::new();
    // Every look at the clock is a day later than the one before; the kernel's own count goes on as ever.
    host.run(
        &["faketime", "--exclude-monotonic", "-f", "+0 i86400.0"],
        "$S run --profile minimal $F -o b.tar.gz; $S verify b.tar.gz",
    );
    assert_eq!(outcome(&host.manifest(), "/proc/meminfo").0, "collected");
}

#[test]
fn inside_a_container_without_systemd() {
    let host = Odd::new();
    // Namespaces of its own for everything, another root on an overlay-like copy-less mount, its own /proc,
    // no /run, no /sys: what a small container looks like from inside.
    let text = host.run(
        &["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork"],
        "mkdir c && mount -t tmpfs none c && cd c && mkdir proc dev etc run tmp usr var out \
         && mount --rbind /usr usr && for d in bin lib lib64 sbin; do ln -s usr/$d $d; done \
         && mount -t proc none proc && touch dev/null && mount --bind /dev/null dev/null \
         && cp $S out/sitrep && printf 'root:x:0:0::/:/bin/sh\\n' > etc/passwd && touch .dockerenv \
         && hostname box && chroot . /out/sitrep run --profile standard $F --tmp-dir /out -o /out/b.tar.gz \
         && cp out/b.tar.gz ..",
    );
    let manifest = host.manifest();
    let (state, reason) = outcome(&manifest, "systemctl list-units");
    assert_eq!(state, "absent", "{reason} {text}");
    assert!(reason.contains("systemd does not run"), "{reason}");
    assert_eq!(outcome(&manifest, "ps auxwww").0, "collected");
    assert_eq!(outcome(&manifest, "ip -d address").0, "collected");
    assert_eq!(host.entry("sos_commands/host/hostname").trim(), "box");
    let broken: Vec<_> = items(&manifest)
        .iter()
        .filter(|item| item["outcome"] == "failed" || item["outcome"] == "timed_out")
        .map(|item| format!("{}: {}", item["origin"], item["reason"]))
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn a_million_files_below_proc_and_logs() {
    let host = Odd::new();
    let files = if std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|quick| !quick.is_empty()) {
        50_000
    } else {
        1_000_000
    };
    // On a file system in memory: a folder like /proc/sys and one of logs, with half of the files each.
    let script = format!(
        "mkdir root && mount -t tmpfs -o nr_inodes=2000000,size=4g none root \
         && mkdir -p root/proc/sys/many root/var/log/many root/proc/1 \
         && python3 -c \"\nfor i in range({half}):\n    open(f'root/proc/sys/many/{{i}}','w').close()\n    \
         open(f'root/var/log/many/{{i}}.log','w').close()\n\" \
         && printf 'MemTotal: 1000 kB\\n' > root/proc/meminfo \
         && $S run --root root --profile standard $F -o b.tar.gz && $S verify b.tar.gz",
        half = files / 2
    );
    host.run(&["unshare", "--mount"], &script);
    let manifest = host.manifest();
    assert!(
        items(&manifest).len() < 10_000,
        "{}",
        items(&manifest).len()
    );
    assert_eq!(outcome(&manifest, "/proc/meminfo").0, "collected");
    let cost = &manifest["cost"];
    let memory = cost["peak_rss_bytes"].as_u64().expect("a number");
    assert!(memory < 100 << 20, "{memory} bytes");
}

#[test]
fn twenty_gigabytes_of_logs() {
    let host = Odd::new();
    let logs = host.path("root/var/log");
    std::fs::create_dir_all(&logs).expect("made");
    let newest = "2026-11-20T14:50:00Z app: the newest line\n";
    for number in 0..20 {
        use std::io::{Seek as _, SeekFrom, Write as _};
        let mut file = std::fs::File::create(logs.join(format!("app{number}.log"))).expect("made");
        // A hole of a gigabyte, and lines at its end: as large, without the disk.
        file.set_len(1 << 30).expect("set");
        file.seek(SeekFrom::End(0)).expect("seek");
        for _ in 0..50_000 {
            file.write_all(b"\n2026-11-20T14:49:00Z app: before it")
                .expect("written");
        }
        file.write_all(format!("\n{newest}").as_bytes())
            .expect("written");
    }
    host.run(
        &["env"],
        "$S run --root root --max-size 20M --max-time 10m $F -o b.tar.gz; $S verify b.tar.gz",
    );
    let manifest = host.manifest();
    let stored: u64 = items(&manifest)
        .iter()
        .filter_map(|item| item["stored_bytes"].as_u64())
        .sum();
    assert!(stored < 30_000_000, "{stored} bytes");
    let logs: Vec<_> = items(&manifest)
        .iter()
        .filter(|item| {
            item["origin"]
                .as_str()
                .is_some_and(|o| o.starts_with("/var/log/app"))
        })
        .collect();
    assert_eq!(logs.len(), 20);
    // The newest lines are those that are kept; what did not fit says so.
    let kept: Vec<_> = logs
        .iter()
        .filter(|item| item["path"].is_string())
        .collect();
    assert!(!kept.is_empty());
    for item in &kept {
        let name = item["path"].as_str().expect("a path");
        assert!(host.entry(name).ends_with(newest), "{name}");
    }
    assert!(
        logs.iter()
            .all(|item| item["path"].is_string() || item["reason"].is_string())
    );
    let memory = manifest["cost"]["peak_rss_bytes"]
        .as_u64()
        .expect("a number");
    assert!(memory < 100 << 20, "{memory} bytes");
}
