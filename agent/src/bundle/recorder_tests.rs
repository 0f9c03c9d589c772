//! One pass over items: what is stored, what is removed, what is withheld.

use super::output::Output;
use super::recorder::Recorder;
use super::spool::StateDir;
use crate::analysis::Analysis;
use crate::collect::{ItemEnd, ItemStart, Sink};
use crate::ui::Progress;
use crate::ui::tests::{Captured, terminal};
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, Outcome, SCHEMA};
use sitrep_shared::bundle::reader::Index;
use sitrep_shared::bundle::{BundleWriter, WriterOptions};
use sitrep_shared::redact::{Level, RedactorBuilder};
use sitrep_shared::time::UtcMs;
use std::io::Read;

/// A code as it would stand in the list of processes.
const CODE: &str = "7K4M-Q2XP-3NRT-8VWY";

fn start(id: &str) -> ItemStart {
    ItemStart {
        id: id.to_owned(),
        source: "logfiles",
        kind: Kind::File,
        origin: format!("/{id}"),
        path: Some(format!("sos/{id}")),
        start_ms: 0,
    }
}

fn end(outcome: Outcome, bytes: u64) -> ItemEnd {
    ItemEnd {
        outcome,
        reason: None,
        original_bytes: bytes,
        truncated: None,
        exit_code: None,
        duration_ms: 1,
        cpu_ms: 0,
        needs: None,
        why: "",
    }
}

/// Runs items, given as id, chunks and outcome, through a recorder; returns the manifest's items
/// and the text of each that was stored.
fn record(items: &[(&str, &[&[u8]], Outcome)]) -> Vec<(Item, Option<String>)> {
    let home = tempfile::tempdir().expect("a folder");
    let spool = StateDir::open(&home.path().join("s"))
        .and_then(|dir| dir.spool())
        .expect("a spool file");
    let options = WriterOptions {
        top_dir: "local-h-x".to_owned(),
        mtime: UtcMs(0),
        level: 1,
    };
    let writer = BundleWriter::create(Output::File(spool.handle().expect("a handle")), options);
    let redactor = RedactorBuilder::new(Level::Standard, [7; 32])
        .words([CODE.to_owned()])
        .build()
        .expect("rules");
    let analysis = Analysis::new().expect("signatures");
    let mut ui = terminal("", &Captured::default(), &Captured::default());
    let run = analysis.begin(UtcMs(0));
    let mut recorder = Recorder::new(&mut ui, Progress::default(), &redactor, run, writer);
    for (id, chunks, outcome) in items {
        recorder.item(&start(id));
        chunks.iter().for_each(|chunk| recorder.data(chunk));
        let bytes: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        recorder.end(&end(*outcome, bytes as u64));
    }
    assert!(recorder.fault().is_none());
    let recorded = recorder.finish().expect("written");
    let mut manifest = Manifest {
        schema: SCHEMA.to_owned(),
        format: 1,
        items: recorded.items,
        ..Manifest::default()
    };
    recorded.writer.seal(&mut manifest).expect("sealed");
    let mut file = spool.handle().expect("a handle");
    let index = Index::open(&mut file, &Limits::default()).expect("opens");
    let text = |item: &Item| {
        let mut text = String::new();
        let path = item.path.as_deref()?;
        let mut reader = index
            .read(&mut file.try_clone().ok()?, path, 0..item.stored_bytes)
            .ok()
            .map(|mut reader| {
                reader.read_to_string(&mut text).expect("text");
                text.clone()
            });
        reader.take()
    };
    let items = index.manifest.items.clone();
    let texts: Vec<Option<String>> = items.iter().map(text).collect();
    items.into_iter().zip(texts).collect()
}

#[test]
fn secrets_go_across_chunks_and_counts_stay() {
    let chunks: &[&[u8]] = &[
        b"a=1\npassw",
        b"ord=correcthorse",
        b"battery\nargv sitrep run 7K4M-Q2XP",
        b"-3NRT-8VWY\n",
    ];
    let stored = record(&[("app.conf", chunks, Outcome::Collected)]);
    let (item, text) = &stored[0];
    let text = text.as_deref().unwrap_or("");
    assert!(text.starts_with("a=1\npassword="), "{text}");
    assert!(
        !text.contains("correcthorse") && !text.contains("Q2XP"),
        "{text}"
    );
    assert_eq!(
        item.redactions.values().sum::<u64>(),
        2,
        "{:?}",
        item.redactions
    );
}

#[test]
fn what_cannot_be_redacted_is_withheld() {
    // UTF-16 that ends in the middle of a character cannot be decoded without loss.
    let broken: &[&[u8]] = &[b"\xff\xfep\0a\0s\0s\0\x00\xd8"];
    let stored = record(&[
        ("odd.log", broken, Outcome::Collected),
        ("good.log", &[b"fine\n"], Outcome::Collected),
    ]);
    let (item, text) = &stored[0];
    assert_eq!((item.outcome, text), (Outcome::Refused, &None), "{item:?}");
    assert!(
        item.reason
            .as_deref()
            .is_some_and(|reason| reason.contains("withheld")),
        "{item:?}"
    );
    assert_eq!(stored[1].1.as_deref(), Some("fine\n"));
}

#[test]
fn every_item_is_accounted_for() {
    let stored = record(&[
        ("empty", &[], Outcome::Collected),
        ("gone", &[], Outcome::Absent),
        ("shadow", &[], Outcome::Denied),
        ("half", &[b"first\n"], Outcome::TimedOut),
    ]);
    let seen: Vec<(Outcome, Option<&str>)> = stored
        .iter()
        .map(|(item, text)| (item.outcome, text.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            (Outcome::Collected, Some("")),
            (Outcome::Absent, None),
            (Outcome::Denied, None),
            (Outcome::TimedOut, Some("first\n")),
        ]
    );
}
