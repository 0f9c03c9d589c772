//! The contract of the commands: output, exit codes, refusals.

use std::fs;
use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

/// Runs a command line in a folder's name: `@` stands for the folder.
fn ctl(folder: &Path, line: &str) -> (String, String, String) {
    let folder = folder.display().to_string();
    let words = line.split(' ').map(|word| word.replace('@', &folder));
    let parsed =
        Line::try_parse_from(std::iter::once("signature".to_owned()).chain(words)).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&parsed.arguments, &mut out, &mut err);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&folder, "@");
    (text(out), text(err), format!("{code:?}"))
}

fn code(code: u8) -> String {
    format!("{:?}", ExitCode::from(code))
}

const RULES: &str = "rules:\n  - cre: {id: CRE-1}\n    rule: {set: {event: {source: cre.log.x}, match: [AAA]}}\n  \
                     - cre: {id: CRE-2}\n    rule: {sequence: {event: {source: cre.log.x}, window: 5s, order: [AAA, BBB]}}\n";

#[test]
fn run_prints_one_object_for_each_rule_and_log() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("logs")).unwrap();
    write("rule.yaml", RULES);
    write(
        "logs/a.log",
        "2026-01-01 00:00:00 AAA\n2026-01-01 00:00:01 BBB",
    );
    write("logs/b.log", "AAA\n");
    write("logs/c.log", "");
    let (out, err, exit) = ctl(
        folder.path(),
        "run --rules @/rule.yaml --logs @/logs --ignore-source --json",
    );
    let expected = [
        r#"{"rule":"CRE-1","log":"@/logs/a.log","hits":1,"first_hit":[1],"evaluated":true}"#,
        r#"{"rule":"CRE-2","log":"@/logs/a.log","hits":1,"first_hit":[1,2],"evaluated":true}"#,
        r#"{"rule":"CRE-1","log":"@/logs/b.log","hits":1,"first_hit":[1],"evaluated":true}"#,
        r#"{"rule":"CRE-2","log":"@/logs/b.log","hits":0,"first_hit":[],"evaluated":false}"#,
        r#"{"rule":"CRE-1","log":"@/logs/c.log","hits":0,"first_hit":[],"evaluated":true}"#,
        r#"{"rule":"CRE-2","log":"@/logs/c.log","hits":0,"first_hit":[],"evaluated":true}"#,
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    assert_eq!((err.as_str(), exit), ("", code(0)));
    // With sources honoured these logs are nobody's.
    let (out, _, exit) = ctl(folder.path(), "run --rules @/rule.yaml --logs @/logs");
    assert!(
        out.lines()
            .all(|line| line.ends_with("\"evaluated\":false}")),
        "{out}"
    );
    assert_eq!((out.lines().count(), exit), (6, code(0)));
}

#[test]
fn a_refused_rule_is_named_with_file_line_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let bad = RULES.replace("window: 5s, ", "");
    fs::write(folder.path().join("bad.yaml"), bad).unwrap();
    fs::write(folder.path().join("a.log"), "AAA\n").unwrap();
    for line in [
        "run --rules @/bad.yaml --logs @/a.log --ignore-source",
        "lint @/bad.yaml",
        "test @/bad.yaml",
        "explain CRE-1 --rules @/bad.yaml --logs @/a.log",
    ] {
        let (_, err, exit) = ctl(folder.path(), line);
        let expected =
            "error: @/bad.yaml:5: a sequence needs a window\n  hint: for example `window: 30s`\n";
        assert_eq!((err.as_str(), exit), (expected, code(2)), "{line}");
    }
    let (_, err, exit) = ctl(folder.path(), "run --rules @/none.yaml --logs @/a.log");
    assert!(err.starts_with("error: cannot read @/none.yaml"), "{err}");
    assert_eq!(exit, code(2));
}

#[test]
fn test_says_which_test_failed() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "rules:\n  - cre: {id: SIG-1}\n    sitrep:\n      tests:\n        \
                - {name: fires, fires: true, log: 'BBB'}\n    \
                rule: {set: {event: {source: x}, match: [AAA]}}\n";
    fs::write(folder.path().join("r.yaml"), rule).unwrap();
    let (out, _, exit) = ctl(folder.path(), "test @/r.yaml");
    assert!(
        out.contains("@/r.yaml:5: SIG-1 \"fires\": does not fire"),
        "{out}"
    );
    assert_eq!(exit, code(1));
}
