//! A real bundle of this host, opened by readers that never heard of Sitrep.

use sitrep_tests::agent::Agent;
use sitrep_tests::{process, workspace_root};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One bundle of this host for all the readers.
fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUNDLE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("host.tar.gz");
        let agent = Agent::new(&dir.path().join("customer")).expect("a home");
        let output = path.display().to_string();
        let ended = agent
            .run(&[
                "run",
                "--no-send",
                "--yes",
                "--allow-partial",
                "--output",
                &output,
            ])
            .expect("the agent");
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        (dir, path)
    });
    path
}

fn run(program: &str, arguments: &[&str]) -> String {
    let mut command = process::command(Path::new(program));
    command.args(arguments).env("HOME", "/tmp").arg(bundle());
    let output = process::output(&mut command).expect("the reader starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} refused the bundle: {stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

fn python() -> String {
    let own = std::env::var_os("SITREP_TESTS_VENV")
        .map_or_else(|| workspace_root().join("target/venv"), PathBuf::from);
    own.join("bin/python").display().to_string()
}

fn script(name: &str) -> String {
    workspace_root()
        .join("tests/fixtures/readers")
        .join(name)
        .display()
        .to_string()
}

#[test]
fn gzip_checks_every_block() {
    run("gzip", &["-t"]);
}

#[test]
fn gnu_tar_lists_the_readme_first_and_the_manifest_last() {
    let listing = run("tar", &["-tzf"]);
    let names: Vec<&str> = listing
        .lines()
        .filter(|name| !name.ends_with('/'))
        .collect();
    assert!(
        names
            .first()
            .is_some_and(|name| name.ends_with("/README.txt")),
        "{:?}",
        names.first()
    );
    assert!(
        names
            .last()
            .is_some_and(|name| name.ends_with("/meta/manifest.json")),
        "{:?}",
        names.last()
    );
}

#[test]
fn seven_zip_finds_no_fault() {
    run("7z", &["t"]);
}

#[test]
fn pythons_tarfile_reads_every_entry() {
    let found: serde_json::Value =
        serde_json::from_str(&run("python3", &[&script("tarfile_check.py")])).expect("JSON");
    assert!(found["entries"].as_u64() > Some(100), "{found}");
    assert!(found["bytes"].as_u64() > Some(100_000), "{found}");
}

#[test]
fn insights_core_takes_it_for_a_sos_report() {
    let found: serde_json::Value =
        serde_json::from_str(&run(&python(), &[&script("insights_specs.py")])).expect("JSON");
    assert_eq!(found["context"], "SosArchiveContext");
    let specs = found["specs"].as_array().map_or(0, Vec::len);
    assert!(specs >= 60, "only {specs} specs: {}", found["specs"]);
}
