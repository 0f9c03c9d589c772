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
use std::io::{BufRead, Cursor};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sitrep_shared::archive::{self, Entry, Kind, Report, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_shared::bundle::manifest::{Manifest, SCHEMA};
use sitrep_shared::bundle::{BundleWriter, WriterOptions};
use sitrep_shared::time::UtcMs;
use sitrep_tests::{binaries, process, workspace_root};

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
    command.args(["-B", "-W", "ignore"]).arg(script).arg(folder);
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

/// The last line of `sitrepd inspect --json`: verdict and reason.
fn inspected(path: &Path) -> (String, String) {
    let mut command = process::command(&binaries::sitrepd());
    command.arg("inspect").arg(path).arg("--json");
    let output = process::output(&mut command).expect("sitrepd starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let verdict: serde_json::Value = serde_json::from_str(last).expect("a line of JSON");
    let word = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
    (word("verdict"), word("reason"))
}

/// The service's own reader, confined in its child, says the same. Bombs are left to the faster test below.
#[test]
fn sitrepd_inspect_gives_each_its_verdict() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases: Vec<Case> = corpus(folder.path())
        .into_iter()
        .filter(|case| !case.file.starts_with("bomb-"))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (verdict, reason) = inspected(&folder.path().join(&case.file));
                    if verdict != case.verdict || (case.reason != "-" && reason != case.reason) {
                        let text = format!(
                            "{}: {verdict} {reason}, expected {} {}",
                            case.file, case.verdict, case.reason
                        );
                        wrong.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A bundle of ours stays one when it is damaged: what it lacks is told, and it is not taken for another's archive.
#[test]
fn a_damaged_bundle_is_not_taken_for_anothers_archive() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = WriterOptions {
        top_dir: "t".into(),
        mtime: UtcMs(0),
        level: 1,
    };
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        format: 1,
        created: "2026-01-01T00:00:00Z".into(),
        ..Default::default()
    };
    let writer = BundleWriter::create(Cursor::new(Vec::new()), options);
    let (whole, _) = writer.seal(&mut manifest).expect("a bundle");
    let whole = whole.into_inner();
    let path = folder.path().join("bundle");
    let judge = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("write");
        inspected(&path)
    };
    let said = |verdict: &str, reason: &str| (verdict.to_owned(), reason.to_owned());
    assert_eq!(judge(&whole), said("accept", "ok"));
    for lost in [1, 34, 35, 36, 60] {
        let cut = judge(&whole[..whole.len() - lost]);
        assert_eq!(cut, said("reject", "truncated"), "{lost}");
    }
    let more = [&whole[..], b"more"].concat();
    assert_eq!(judge(&more), said("reject", "trailing_data"));
}

#[test]
fn every_archive_gets_its_verdict_and_the_same_list() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = corpus(folder.path());
    assert!(cases.len() > 360, "only {} archives", cases.len());
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
