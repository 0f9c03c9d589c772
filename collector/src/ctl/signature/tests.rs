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

#[test]
fn import_makes_a_pack_of_what_is_valid_and_says_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let good = "section: version\nversion: 1.2.3\n---\nsection: rules\nrules:\n  - cre: {id: CRE-7}\n    rule: \
                {set: {event: {source: cre.log.x}, match: ['5.. error']}}\n";
    write("Rules.d/one/good.yaml", good);
    write(
        "Rules.d/bad.yaml",
        "rules:\n  - cre: {id: CRE-8}\n    rule: {set: {match: [A]}}\n",
    );
    write("Rules.d/same.yaml", good);
    write("Rules.d/tags.yaml", "tags: [a]\n");
    write(
        "Rules.d/LICENSE",
        "MIT License\n\nPermission is hereby granted\n",
    );
    write("Rules.d/tool.py", "print(1)\n");
    let (out, err, exit) = ctl(folder.path(), "import @/Rules.d --to @/packs");
    assert_eq!((err.as_str(), exit), ("", code(0)), "{out}");
    assert!(out.contains("refused: bad.yaml:3: "), "{out}");
    assert!(out.contains("CRE-7 is in the pack already"), "{out}");
    let last = out.lines().last().unwrap();
    assert!(
        last.starts_with("@/packs/rules: rules 1.2.3, licence MIT, 1 signatures, 2 refused"),
        "{out}"
    );
    let pack = folder.path().join("packs/rules");
    assert!(pack.join("LICENSE").is_file() && !pack.join("tool.py").exists());
    let text = fs::read_to_string(pack.join("pack.json")).unwrap();
    assert!(
        text.contains("\"licence\": \"MIT\"") && text.contains("CRE-7"),
        "{text}"
    );
    // The pack is rules like any others, and importing again replaces it.
    write("a.log", "a 5xx error\n");
    let (out, _, _) = ctl(
        folder.path(),
        "run --rules @/packs/rules --logs @/a.log --ignore-source",
    );
    assert!(out.contains(r#""rule":"CRE-7""#), "{out}");
    let (_, err, exit) = ctl(folder.path(), "import @/Rules.d --to @/packs --version 2");
    assert_eq!((err.as_str(), exit), ("", code(0)));
    // What is no pack is left alone.
    write("other/rules/x", "");
    let (_, err, exit) = ctl(folder.path(), "import @/Rules.d --to @/other --name rules");
    assert!(err.contains("is no pack") && exit == code(2), "{err}");
}

#[test]
fn replay_counts_bundles() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rule.yaml"), RULES).unwrap();
    fs::create_dir(folder.path().join("bundles")).unwrap();
    for (name, log) in [("one.log", "AAA\n"), ("two.log", "nothing\n")] {
        fs::write(folder.path().join("bundles").join(name), log).unwrap();
    }
    let line = "replay --rules @/rule.yaml --bundles @/bundles --ignore-source";
    let (out, err, exit) = ctl(folder.path(), line);
    assert_eq!((err.as_str(), exit), ("", code(0)));
    assert!(
        out.starts_with("CRE-1: fires in 1 of 2 bundles, 1 hits; not evaluated in 0\n"),
        "{out}"
    );
    assert!(out.contains("CRE-2: fires in 0 of 2 bundles"), "{out}");
    let (out, _, _) = ctl(folder.path(), &format!("{line} --json"));
    assert_eq!(out.lines().count(), 2);
}
