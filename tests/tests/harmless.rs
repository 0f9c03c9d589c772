//! What a run does to its host, as the kernel saw it: nothing written but below the agent's own folder and
//! where the bundle goes, no secret written, no program started that is not there, no module loaded, bounds
//! that hold.

use sitrep_tests::agent::Agent;
use sitrep_tests::{binaries, process};
use std::path::Path;

/// Stands in a log of the fake application.
const SECRET: &str = "Zx9-kq7Hn2-vvT4";

/// The text of one entry of a bundle.
fn entry(bundle: &Path, name: &str) -> String {
    let mut command = process::command(Path::new("tar"));
    command
        .arg("-xzOf")
        .arg(bundle)
        .args(["--wildcards", &format!("*/{name}")]);
    let output = process::output(&mut command).expect("tar");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The path that a traced system call names, and whether it failed.
fn call<'l>(line: &'l str, name: &str) -> Option<(&'l str, bool)> {
    let from = line.find(&format!("{name}("))?;
    let path = line[from..].split('"').nth(1)?;
    Some((path, line.contains(") = -1 ")))
}

#[test]
fn the_kernel_saw_no_harm() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let agent = Agent::new(&dir.path().join("customer")).expect("a home");
    let (log, trace) = (dir.path().join("app.log"), dir.path().join("trace"));
    std::fs::write(&log, format!("db: password={SECRET}\nready\n")).expect("written");
    let profile = dir.path().join("p.toml");
    let text = format!(
        "name='p'\nversion='1'\ntitle='p'\ntags=['base']\n[[add]]\nfile='{}'\nlog=true\n",
        log.display()
    );
    std::fs::write(&profile, text).expect("written");
    let bundle = dir.path().join("b.tar.gz");
    let (profile, output) = (profile.display().to_string(), bundle.display().to_string());
    let run = agent.command(&[
        "run",
        "--profile",
        &profile,
        "--no-send",
        "--yes",
        "--allow-partial",
        "-o",
        &output,
    ]);
    let mut command = process::command(Path::new("strace"));
    command
        .args(["-f", "-qq", "-s", "4096", "-e", "signal=none", "-e"])
        .arg("trace=openat,open,creat,execve,mkdir,mkdirat,unlink,unlinkat,rename,renameat2,symlink,write,init_module,finit_module")
        .arg("-o")
        .arg(&trace)
        .arg(binaries::sitrep())
        .args(run.get_args())
        .envs(run.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .current_dir(agent.home());
    let ended = process::output(&mut command).expect("strace starts");
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let trace = std::fs::read(&trace).expect("the trace");
    judge(&String::from_utf8_lossy(&trace), dir.path());

    let stored = entry(&bundle, "app.log");
    assert!(
        stored.contains("password=") && !stored.contains(SECRET),
        "{stored}"
    );
    let manifest: serde_json::Value =
        serde_json::from_str(&entry(&bundle, "meta/manifest.json")).expect("JSON");
    assert_eq!(manifest["cost"]["modules_added"], serde_json::json!([]));
    assert!(
        manifest["cost"]["commands"].as_u64().is_some(),
        "{}",
        manifest["cost"]
    );
}

fn judge(trace: &str, own: &Path) {
    let own = own.display().to_string();
    let mut started = 0;
    for line in trace.lines() {
        assert!(
            !line.contains("init_module("),
            "a module was loaded: {line}"
        );
        assert!(
            !line.contains(SECRET) || !line.contains("write("),
            "written: {line}"
        );
        if let Some((program, failed)) = call(line, "execve") {
            started += 1;
            assert!(!failed, "{program} was started and is not there: {line}");
        }
        for name in ["openat", "open", "creat"] {
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"]
                .iter()
                .any(|flag| line.contains(flag));
            if let (Some((path, _)), true) = (call(line, name), writes) {
                let harmless = path.starts_with(&own)
                    || path.starts_with("spool-")
                    || ["/dev/null", "/dev/tty"].contains(&path);
                assert!(harmless, "opened for writing: {line}");
            }
        }
        for name in [
            "mkdir",
            "mkdirat",
            "unlink",
            "unlinkat",
            "rename",
            "renameat2",
            "symlink",
        ] {
            if let Some((path, false)) = call(line, name) {
                assert!(
                    path.starts_with(&own) || path.starts_with("spool-"),
                    "changed: {line}"
                );
            }
        }
    }
    assert!(started > 0, "the trace is empty");
}

#[test]
fn bounds_hold_for_the_agent_and_its_commands() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let agent = Agent::new(&dir.path().join("customer")).expect("a home");
    let profile = dir.path().join("p.toml");
    // The process table and the control groups of a process tell where it is while it runs.
    let text = "name='p'\nversion='1'\ntitle='p'\ntags=['base']\nmust_only=true\n[[add]]\nfile='/proc/self/cgroup'\n";
    std::fs::write(&profile, text).expect("written");
    let (profile, bundle) = (profile.display().to_string(), dir.path().join("b.tar.gz"));
    let output = bundle.display().to_string();
    let ended = agent
        .run(&[
            "run",
            "--profile",
            &profile,
            "--include",
            "custom",
            "--max-memory",
            "512M",
            "--max-cpu",
            "100%",
            "--no-send",
            "--yes",
            "--allow-partial",
            "-o",
            &output,
        ])
        .expect("the agent");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let manifest: serde_json::Value =
        serde_json::from_str(&entry(&bundle, "meta/manifest.json")).expect("JSON");
    let groups = entry(&bundle, "proc/self/cgroup");
    // A host that offers no such group says so; then nothing may look as if the bounds held.
    match manifest["cost"]["notes"].as_array() {
        Some(notes) => {
            assert!(
                notes[0]
                    .as_str()
                    .is_some_and(|note| note.contains("do not hold")),
                "{notes:?}"
            );
            assert!(!groups.contains("/sitrep-"), "{groups}");
        }
        None => assert!(groups.contains("/sitrep-"), "{groups}"),
    }
    for hierarchy in ["memory", "cpu", ""] {
        let left = std::fs::read_dir(Path::new("/sys/fs/cgroup").join(hierarchy))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("sitrep-"))
            .count();
        assert_eq!(left, 0, "a group was left in {hierarchy}");
    }
}

#[test]
fn strict_redaction_is_searched_once_more() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let agent = Agent::new(&dir.path().join("customer")).expect("a home");
    let flags = [
        "run",
        "--profile",
        "minimal",
        "--no-send",
        "--yes",
        "--allow-partial",
        "--redact",
        "strict",
    ];
    let bundle = dir.path().join("b.tar.gz").display().to_string();
    let ended = agent
        .run(&[&flags[..], &["-o", &bundle]].concat())
        .expect("runs");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // A word that the text which replaces a secret holds itself can never be removed.
    let words = dir.path().join("words");
    std::fs::write(&words, "REMOVED\nVmallocTotal\n").expect("written");
    let words = words.display().to_string();
    let second = dir.path().join("c.tar.gz").display().to_string();
    let more = ["--redact-word-file", &words, "-o", &second];
    let ended = agent.run(&[&flags[..], &more].concat()).expect("runs");
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("still look like secrets") && ended.stderr.contains("--exclude"),
        "{}",
        ended.stderr
    );
    assert!(!Path::new(&second).exists());
}
