//! The question as a person sees and answers it.

use super::{Decision, ask};
use crate::bundle::sample;
use crate::ui::tests::{Captured, terminal};
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_shared::bundle::reader::{Entry, Visitor, verify};
use std::io::BufRead;

fn session(
    answers: &str,
    host: Option<&str>,
) -> (Decision, String, crate::bundle::Draft, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a folder");
    let mut draft = sample::draft(&home.path().join("state"));
    let err = Captured::default();
    let mut ui = terminal(answers, &Captured::default(), &err);
    let decision = ask(&mut ui, &mut draft, host).expect("no failure");
    (decision, err.text(), draft, home)
}

#[test]
fn there_is_no_default() {
    for (answers, host, expected) in [
        ("s\n", Some("h"), Decision::Send),
        ("\n\ny\ns\n", Some("h"), Decision::Send),
        ("s\nk\n", None, Decision::Keep),
        ("q\n", Some("h"), Decision::Quit),
        ("", Some("h"), Decision::Quit),
    ] {
        let (decision, ..) = session(answers, host);
        assert_eq!(decision, expected, "{answers:?} {host:?}");
    }
}

struct Paths(Vec<String>);

impl Visitor for Paths {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        self.0.push(entry.path.to_owned());
        let _ = std::io::copy(data, &mut std::io::sink());
        Ok(())
    }
}

#[test]
fn deselected_items_go_with_all_that_was_derived_from_them() {
    let (decision, screen, draft, home) =
        session("d\n1 network/*\n\nn\nplease hurry\nk\n", Some("h"));
    assert_eq!(decision, Decision::Keep);
    assert!(screen.contains("SIG-0087"), "{screen}");
    assert_eq!(draft.findings["findings"], serde_json::json!([]));
    assert_eq!(draft.redaction["total"], 0);
    assert!(draft.facts.get("os").is_none());
    let (sha256, target) = (draft.sha256.clone(), home.path().join("b.tar.gz"));
    draft.keep(&target).expect("kept");
    let mut paths = Paths(Vec::new());
    let file = std::fs::File::open(&target).expect("there");
    let verified = verify(file, &Limits::default(), &mut paths).expect("a whole bundle");
    assert_eq!(verified.sha256.to_string(), sha256);
    assert_eq!(verified.manifest.note.as_deref(), Some("please hurry"));
    assert!(
        !paths
            .0
            .iter()
            .any(|path| ["sos/dmesg", "sos/etc/hosts", "sos/kernel"].contains(&path.as_str())),
        "{:?}",
        paths.0
    );
    assert!(
        paths.0.iter().any(|path| path == "sos/var/log/syslog"),
        "{:?}",
        paths.0
    );
}

#[test]
fn the_screen_in_full() {
    let (_, screen, ..) = session("v\n1\n\nr\nd\n9\n3\n\nq\n", Some("support.example.com"));
    insta::assert_snapshot!(mask(&screen));
}

/// Digests and sizes change with the compressor's version.
fn mask(text: &str) -> String {
    let mut masked = String::new();
    for (number, part) in text.split("sha256 ").enumerate() {
        masked.push_str(if number == 0 {
            part
        } else {
            part.get(11..).unwrap_or("")
        });
        masked.push_str("sha256 …");
    }
    masked
}
