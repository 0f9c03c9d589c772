//! The command line as a person sees it: help, errors, exit codes, in a terminal of our own.

use crate::bundle::sample;
use crate::ui::tests::{Captured, io};
use std::ffi::OsString;

/// One call: exit code, stdout, stderr as one text for a snapshot.
fn sitrep(args: &[&str], env: &[(&str, &str)]) -> String {
    let (out, err) = (Captured::default(), Captured::default());
    let io = io("", env, &out, &err);
    let args = std::iter::once("sitrep")
        .chain(args.iter().copied())
        .map(OsString::from);
    let code = crate::run(args, io);
    format!(
        "exit {code}\n-- stdout\n{}-- stderr\n{}",
        out.text(),
        err.text()
    )
}

#[test]
fn help_of_every_command() {
    insta::assert_snapshot!("help", sitrep(&["--help"], &[]));
    for entry in super::COMMANDS {
        insta::assert_snapshot!(
            format!("help_{}", entry.name),
            sitrep(&[entry.name, "--help"], &[])
        );
    }
}

#[test]
fn wrong_calls() {
    insta::assert_snapshot!("wrong_command", sitrep(&["runn"], &[]));
    insta::assert_snapshot!("wrong_flag", sitrep(&["version", "--jsn"], &[]));
    insta::assert_snapshot!("no_command", sitrep(&[], &[]));
}

#[test]
fn the_command_line_is_consistent() {
    super::command().debug_assert();
}

#[test]
fn completions_know_every_command() {
    let script = sitrep(&["completions", "bash"], &[]);
    for entry in super::COMMANDS {
        assert!(script.contains(entry.name), "{}", entry.name);
    }
}

#[test]
fn configuration_shows_origins_and_reports_every_fault() {
    let shown = sitrep(
        &["config", "show"],
        &[("SITREP_URL", "https://support.example.com")],
    );
    insta::assert_snapshot!("config_show", shown);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    std::fs::write(
        &file,
        "ulr = 1\n[redact]\nmode = \"loud\"\n[limits]\nmax_size = \"x\"\n",
    )
    .expect("written");
    let path = file.to_str().expect("utf-8");
    let faults = sitrep(&["--config", path, "version"], &[]).replace(path, "c.toml");
    insta::assert_snapshot!("config_faults", faults);
}

#[test]
fn a_bundle_is_shown_and_verified() {
    let home = tempfile::tempdir().expect("a folder");
    let draft = sample::draft(&home.path().join("state"));
    let file = home.path().join("b.tar.gz");
    draft.keep(&file).expect("kept");
    let path = file.to_str().expect("utf-8");
    for (name, args) in [
        ("show", &["show", path][..]),
        ("show_items", &["show", path, "--items"][..]),
        ("show_file", &["show", path, "--file", "/etc/hosts"][..]),
        ("show_no_file", &["show", path, "--file", "nothing"][..]),
        (
            "show_missing_file",
            &["show", path, "--file", "security/shadow"][..],
        ),
        ("show_findings", &["show", path, "--findings"][..]),
        ("show_finding", &["show", path, "--finding", "SIG-0087"][..]),
        ("show_redactions", &["show", path, "--redactions"][..]),
    ] {
        insta::assert_snapshot!(name, sitrep(args, &[]).replace(path, "b.tar.gz"));
    }
    assert!(sitrep(&["verify", path], &[]).starts_with("exit 0"));
    let mut bytes = std::fs::read(&file).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).expect("written");
    assert!(sitrep(&["verify", path], &[]).starts_with("exit 1"));
    std::fs::write(&file, &bytes[..middle]).expect("written");
    insta::assert_snapshot!(
        "show_cut_off",
        sitrep(&["show", path], &[]).replace(path, "b.tar.gz")
    );
    insta::assert_snapshot!("no_such_bundle", sitrep(&["show", "/nonexistent"], &[]));
}

#[test]
fn sending_without_a_code_says_what_is_missing() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("b.tar.gz");
    sample::draft(&home.path().join("state"))
        .keep(&file)
        .expect("kept");
    let (path, state) = (file.to_str().expect("utf-8"), home.path().join("s"));
    let env = [("SITREP_STATE_DIR", state.to_str().expect("utf-8"))];
    insta::assert_snapshot!(
        "send_no_code",
        sitrep(&["send", path], &env).replace(path, "b.tar.gz")
    );
    insta::assert_snapshot!("send_bad_code", sitrep(&["send", path, "nonsense"], &env));
    let plain = "http://support.example.com/u/7K4M-Q2XP-3NRT-8VWY";
    insta::assert_snapshot!("send_plain_http", sitrep(&["send", path, plain], &env));
}

/// A host of a few files, among them a log with a known problem and a secret.
fn small_host(root: &std::path::Path) {
    for (path, text) in [
        ("etc/hostname", "web1\n"),
        ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
        ("etc/resolv.conf", "nameserver 127.0.0.1\n"),
        (
            "var/log/syslog",
            "2026-11-21T14:00:00Z web1 app: password=hunter2hunter2 7K4M-Q2XP-3NRT-8VWY\n",
        ),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
}

#[test]
fn without_a_terminal_a_run_needs_a_decision() {
    for (name, args) in [
        ("run_no_terminal", &["run"][..]),
        ("run_yes_alone", &["run", "--yes"][..]),
        ("run_send_without_code", &["run", "--yes", "--send"][..]),
        (
            "run_redact_off",
            &["run", "--redact", "off", "--no-send"][..],
        ),
        (
            "run_no_profile",
            &["run", "--no-send", "--profile", "nothing"][..],
        ),
    ] {
        let home = tempfile::tempdir().expect("a folder");
        let state = home.path().join("s");
        let env = [("SITREP_STATE_DIR", state.to_str().expect("utf-8"))];
        insta::assert_snapshot!(name, sitrep(args, &env));
        let left = std::fs::read_dir(&state).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{name} left something behind");
    }
}

#[test]
fn a_run_keeps_a_whole_bundle_and_nothing_else() {
    let home = tempfile::tempdir().expect("a folder");
    let (root, state, file) = (
        home.path().join("root"),
        home.path().join("s"),
        home.path().join("b.tar.gz"),
    );
    small_host(&root);
    let env = [("SITREP_STATE_DIR", state.to_str().expect("utf-8"))];
    let (root, path) = (root.to_str().expect("utf-8"), file.to_str().expect("utf-8"));
    let run = [
        "run",
        "--no-send",
        "--root",
        root,
        "-o",
        path,
        "--json",
        "--allow-partial",
    ];
    let output = sitrep(&run, &env);
    assert!(output.starts_with("exit 0"), "{output}");
    assert!(
        output.contains("\"schema\":\"sitrep.result/1\""),
        "{output}"
    );
    assert!(sitrep(&["verify", path], &env).starts_with("exit 0"));
    assert_eq!(
        std::fs::read_dir(&state).expect("made").count(),
        0,
        "the state directory is empty"
    );
    let again = sitrep(&run, &env);
    assert!(
        again.starts_with("exit 2") && again.contains("will not overwrite"),
        "{again}"
    );
}
