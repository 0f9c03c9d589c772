//! Our bundle and a real sos report of this same host, read by insights-core: ours tells at least as much.

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
    let ours = read(&path);
    let theirs = read(&sos_report(dir.path()));

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
