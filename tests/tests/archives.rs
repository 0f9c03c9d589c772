//! The strict reader against a corpus of honest, odd and hostile archives: each gets the verdict
//! that is written beside it, and where an archive is taken, GNU tar lists the same names.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test says what it found and stops where it cannot go on"
)]

use std::fs::File;
use std::io::BufRead;
use std::path::Path;

use sitrep_shared::archive::{self, Entry, Kind, Report, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_tests::{process, workspace_root};

/// One line of the corpus.
struct Case {
    file: String,
    verdict: String,
    reason: String,
    listed: bool,
}

fn corpus(folder: &Path) -> Vec<Case> {
    let script = workspace_root().join("tests/fixtures/archives/make.py");
    let mut command = process::command(Path::new("python3"));
    command.arg(script).arg(folder);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = process::output(&mut command).expect("python3 starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("plain text");
    text.lines()
        .map(|line| {
            let word: Vec<&str> = line.split(' ').collect();
            let [file, verdict, reason, listed] = word[..] else {
                panic!("a line of four words: {line}")
            };
            Case {
                file: file.into(),
                verdict: verdict.into(),
                reason: reason.into(),
                listed: listed == "list",
            }
        })
        .collect()
}

#[derive(Default)]
struct Names(Vec<String>);

impl Visitor for Names {
    fn entry(&mut self, entry: &Entry<'_>, _: &mut dyn BufRead) -> Result<(), Reject> {
        let slash = if entry.kind == Kind::Directory {
            "/"
        } else {
            ""
        };
        self.0.push(format!("{}{slash}", entry.path));
        Ok(())
    }
}

fn inspect(path: &Path) -> (Report, Vec<String>) {
    let mut file = File::open(path).expect("the corpus is there");
    let mut names = Names::default();
    let report = archive::inspect(&mut file, &Limits::default(), &mut names);
    (report, names.0)
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accept",
        Verdict::Neutralise => "neutralise",
        Verdict::Reject => "reject",
    }
}

fn gnu_tar(path: &Path) -> Vec<String> {
    let mut command = process::command(Path::new("tar"));
    command
        .args(["--quoting-style=literal", "-tf"])
        .arg(path)
        .env("LC_ALL", "C.UTF-8");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = process::output(&mut command).expect("tar starts");
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("names in UTF-8");
    let names = text
        .lines()
        .map(|name| name.strip_prefix("./").unwrap_or(name).to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_archive_gets_its_verdict_and_the_same_list() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = corpus(folder.path());
    assert!(cases.len() > 180, "only {} archives", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let path = folder.path().join(&case.file);
        let (report, names) = inspect(&path);
        let right = verdict(report.verdict) == case.verdict
            && (case.reason == "-" || case.reason == report.reason);
        if !right {
            wrong.push(format!(
                "{}: {:?} {} ({}), expected {} {}",
                case.file, report.verdict, report.reason, report.detail, case.verdict, case.reason
            ));
        }
        if case.listed && names != gnu_tar(&path) {
            wrong.push(format!(
                "{}: GNU tar lists other names than {names:?}",
                case.file
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
