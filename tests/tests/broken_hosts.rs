//! Hosts that are broken in a real way: file systems that are full, read-only or dead, no network, no
//! /proc, no threads, no rights. The agent ends by itself, says what it could not do, and what it leaves
//! is a whole bundle or nothing. Needs root, for the namespaces and mounts that make the conditions.

use sitrep_tests::ordinary::{self, Ordinary};
use sitrep_tests::{binaries, process};
use std::path::{Path, PathBuf};
use std::process::Output;

const MINIMAL: &str = "run --profile minimal --no-send --yes --allow-partial --progress none";

/// A place for one test, and the shell that makes the condition.
struct Broken {
    dir: tempfile::TempDir,
}

impl Broken {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for folder in ["home", "at"] {
            std::fs::create_dir(dir.path().join(folder)).expect("made");
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `script` in new namespaces; `$A` is the agent with the flags of a small run, `$S` the agent
    /// alone, `at` an empty folder.
    fn run(&self, namespaces: &str, script: &str) -> (i32, String) {
        let mut command = process::command(Path::new("unshare"));
        let agent = binaries::sitrep();
        command
            .args([namespaces, "sh", "-c", script])
            .env("S", &agent)
            .env("A", format!("{} {MINIMAL}", agent.display()))
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("home/state"))
            .current_dir(self.dir.path());
        said(&process::output(&mut command).expect("unshare starts (as root)"))
    }

    /// The manifest of a bundle, after it was verified.
    fn manifest(&self, name: &str) -> serde_json::Value {
        let mut command = process::command(&binaries::sitrep());
        command
            .args(["verify"])
            .arg(self.path(name))
            .env("HOME", self.path("home"));
        let (code, text) = said(&process::output(&mut command).expect("the agent"));
        assert_eq!(code, 0, "{text}");
        let mut command = process::command(Path::new("tar"));
        command
            .args(["-xzOf"])
            .arg(self.path(name))
            .args(["--wildcards", "*/meta/manifest.json"]);
        let output = process::output(&mut command).expect("tar");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap_or(-1), text)
}

/// Outcome and reason of an item.
fn item<'m>(manifest: &'m serde_json::Value, origin: &str) -> (&'m str, &'m str) {
    let items = manifest["items"].as_array().expect("items");
    let found = items.iter().find(|item| item["origin"] == origin);
    let found = found.expect("every item is accounted for");
    let outcome = found["outcome"].as_str().unwrap_or("collected");
    (outcome, found["reason"].as_str().unwrap_or(""))
}

#[test]
fn a_full_file_system() {
    let host = Broken::new();
    let (code, text) = host.run(
        "-m",
        "truncate -s 4M image && mkfs.ext4 -q -F image && mount -o loop image at && \
         { dd if=/dev/zero of=at/fill bs=4k 2>/dev/null; $A --tmp-dir at -o at/b.tar.gz; code=$?; ls at/*; exit $code; }",
    );
    assert_eq!(code, 8, "{text}");
    assert!(
        text.contains("free") && text.contains("--tmp-dir"),
        "{text}"
    );
    assert!(
        !text.contains("b.tar.gz\n") && !text.contains("spool-"),
        "{text}"
    );
}

#[test]
fn a_file_system_that_fills_up_on_the_way() {
    let host = Broken::new();
    let (code, text) = host.run(
        "-m",
        "mount -t tmpfs -o size=64k none at && $A --tmp-dir at -o b.tar.gz; code=$?; ls at/*; exit $code",
    );
    assert_eq!(code, 8, "{text}");
    assert!(text.contains("hint:") && !text.contains("spool-"), "{text}");
    assert!(!host.path("b.tar.gz").exists());
}

#[test]
fn a_root_that_cannot_be_written() {
    let host = Broken::new();
    let (code, text) = host.run(
        "-m",
        "mount -t tmpfs none at && mount -o remount,bind,ro / && $A; first=$?; \
         $A --tmp-dir at -o at/b.tar.gz && test -s at/b.tar.gz && exit $first",
    );
    assert_eq!(code, 8, "{text}");
    assert!(
        text.contains("read-only") && text.contains("--tmp-dir"),
        "{text}"
    );
}

#[test]
fn no_network_and_no_names() {
    let host = Broken::new();
    let link = "https://support.example.com/u/7K4M-Q2XP-3NRT-8VWY";
    let (code, text) = host.run(
        "-n",
        &format!("$A -o b.tar.gz && $S send b.tar.gz {link} --yes; code=$?; $S check {link}; echo check $?; exit $code"),
    );
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("sitrep check"), "{text}");
    assert!(
        text.contains("check 1") || text.contains("check 5"),
        "{text}"
    );
    host.manifest("b.tar.gz");
}

#[test]
fn no_proc() {
    let host = Broken::new();
    let (code, text) = host.run("-m", "mount -t tmpfs none /proc && $A -o b.tar.gz");
    assert_eq!(code, 0, "{text}");
    let manifest = host.manifest("b.tar.gz");
    assert_eq!(item(&manifest, "/proc/meminfo").0, "absent");
    assert_eq!(item(&manifest, "ps auxwww").0, "absent");
    assert_eq!(item(&manifest, "date").0, "collected");
}

#[test]
fn a_server_that_has_died_under_a_mount() {
    let host = Broken::new();
    // A FUSE file system whose server never answers: whoever looks into it is stuck in the kernel.
    let server = "import os,ctypes,subprocess,sys\n\
        fd=os.open('/dev/fuse',os.O_RDWR)\n\
        data=f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()\n\
        libc=ctypes.CDLL(None,use_errno=True)\n\
        assert libc.mount(b'dead',b'at',b'fuse',0,data)==0,ctypes.get_errno()\n\
        sys.exit(subprocess.call(sys.argv[1:]))\n";
    std::fs::write(host.path("server.py"), server).expect("written");
    let profile = format!(
        "name='p'\nversion='1'\ntitle='p'\ntags=['base']\nmust_only=true\n[[add]]\nfile='{}'\n",
        host.path("at/app.log").display()
    );
    std::fs::write(host.path("p.toml"), profile).expect("written");
    let (code, text) = host.run(
        "-m",
        "python3 server.py $S run --profile ./p.toml --include custom --no-send --yes --allow-partial -o b.tar.gz",
    );
    assert_eq!(code, 0, "{text}");
    let manifest = host.manifest("b.tar.gz");
    let (outcome, reason) = item(&manifest, &host.path("at/app.log").display().to_string());
    assert_eq!(
        (outcome, reason.contains("may hang")),
        ("skipped", true),
        "{reason}"
    );
    assert_eq!(item(&manifest, "df -al -x autofs").0, "collected");
}

#[test]
fn no_root() {
    let host = Broken::new();
    let user = Ordinary::below(host.dir.path()).expect("a user");
    let run = |before: &[&str], output: &str| {
        let flags = MINIMAL.split(' ').chain(["-o", output]);
        let flags: Vec<&str> = flags.collect();
        said(&process::output(&mut user.agent(before, &flags)).expect("setpriv starts (as root)"))
    };
    let (code, text) = run(&[], "b.tar.gz");
    assert_eq!(code, 0, "{text}");
    let manifest = host.manifest("ordinary/b.tar.gz");
    assert_eq!(manifest["agent"]["uid"], ordinary::UID);
    let restricted = std::fs::read_to_string("/proc/sys/kernel/dmesg_restrict");
    if restricted.is_ok_and(|text| text.trim() == "1") {
        assert_eq!(item(&manifest, "dmesg").0, "denied");
        assert!(text.contains("run with sudo"), "{text}");
    }
    assert_eq!(item(&manifest, "ps auxwww").0, "collected");
    // The same user may start no thread and no process any more.
    let (code, text) = run(&["prlimit", "--nproc=1"], "c.tar.gz");
    assert_eq!(code, 0, "{text}");
    let manifest = host.manifest("ordinary/c.tar.gz");
    // Commands need a process; all else is read.
    assert_eq!(item(&manifest, "ps auxwww").0, "collected");
}
