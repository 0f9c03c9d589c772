//! The confined reader as the service runs it: the real program as child, real bundles, and bundles that lie.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test says what it found and stops where it cannot go on"
)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::Value;
use sitrep_collector::bundles::browse::index::BrowseIndex;
use sitrep_collector::bundles::browse::read;
use sitrep_collector::bundles::ingest::frame::{Answer, Decision};
use sitrep_collector::bundles::ingest::inspect::inspect;
use sitrep_collector::bundles::ingest::process::{Reader, Task};
use sitrep_collector::bundles::storage::Source;
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::Manifest;

mod support;

use support::bundle;

fn file(data: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

async fn read_bundle(data: &[u8]) -> Answer {
    let reader = Reader::of_program(Path::new(env!("CARGO_BIN_EXE_sitrepd")));
    let task = Task {
        bytes: data.len() as u64,
        ..Task::default()
    };
    reader
        .read(file(data), &task, std::io::sink())
        .await
        .unwrap()
        .0
}

#[tokio::test]
async fn a_bundle_is_accepted_and_can_be_browsed() {
    let data = bundle();
    let answer = read_bundle(&data).await;
    let verdict = answer.verdict.unwrap();
    assert_eq!(
        (verdict.verdict, verdict.reason.as_deref()),
        (Decision::Accept, Some("ok")),
        "{:?}",
        verdict.detail
    );
    assert_eq!(
        verdict.sha256.unwrap(),
        sitrep_shared::hash::sha256(&data).to_string()
    );
    let report: Value = serde_json::from_slice(&answer.report.unwrap()).unwrap();
    let evidence = &report["findings"][0]["evidence"][0];
    assert_eq!(
        (&evidence["file"], &evidence["line"]),
        (&"sos/var/log/syslog".into(), &20_001.into()),
        "{report}"
    );
    assert_eq!(answer.facts.unwrap(), b"{\"schema\":\"sitrep.facts/1\"}");
    assert!(Manifest::parse(&answer.manifest.unwrap(), &Default::default()).is_ok());
    let index = BrowseIndex::open(file(&answer.index.unwrap())).unwrap();
    let entry = index.find("sos/var/log/syslog").unwrap();
    assert_eq!(entry.lines, 20_001);
    for from in [1, 1024, 15_000] {
        let page = read::page(Source::file(file(&data)), &index, &entry, from, 2).unwrap();
        assert_eq!(
            page.lines[1].s,
            format!("Nov 21 14:02:00 h1 app[1]: entry {} of the log", from + 1)
        );
    }
}

#[tokio::test]
async fn whatever_is_wrong_has_its_reason() {
    let good = bundle();
    let cut = &good[..good.len() / 2];
    let mut flipped = good.clone();
    flipped[good.len() / 3] ^= 1;
    let trailing = [&good[..], b"more"].concat();
    for (data, reasons) in [
        (
            &b"\x00\x01\x02\x03\x04\x05\x06 no known kind of file \xff\xfe"[..],
            &["unknown_format"][..],
        ),
        (b"", &["empty", "not_a_bundle", "truncated"]),
        (cut, &["truncated"]),
        (&flipped, &["bad_checksum", "bad_stream"]),
        (&trailing, &["trailing_data"]),
    ] {
        let verdict = read_bundle(data).await.verdict.unwrap();
        assert_eq!(verdict.verdict, Decision::Reject, "{reasons:?}");
        assert!(
            reasons.contains(&verdict.reason.as_deref().unwrap_or_default()),
            "{reasons:?}: {verdict:?}"
        );
    }
}

/// The walls are up before the first byte is read: a child that still waits for input has lost its rights already.
#[test]
fn the_child_is_confined_before_it_reads() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is about this very process"
    )]
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_sitrepd"))
        .args([
            "ingest-child",
            &serde_json::to_string(&Task::default()).unwrap(),
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let began = std::time::Instant::now();
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        if status.contains("Seccomp:\t2") || began.elapsed().as_secs() > 30 {
            break status;
        }
        std::thread::yield_now();
    };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(
        status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
        "{status}"
    );
    let limit = |name: &str| {
        limits
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .trim_start_matches(name)
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(limit("Max cpu time"), "60");
    assert_eq!(limit("Max file size"), "0");
    assert_eq!(limit("Max core file size"), "0");
}

/// `sitrepd inspect` gives the verdict of the ingest, as the last line.
#[tokio::test]
async fn inspecting_gives_the_same_verdict() {
    let reader = Reader::of_program(Path::new(env!("CARGO_BIN_EXE_sitrepd")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (data, decision, last) in [
        (
            bundle(),
            Decision::Accept,
            r#"{"verdict":"accept","reason":"ok""#,
        ),
        (
            b"\x00\x01\x02 nothing known \xff".to_vec(),
            Decision::Reject,
            r#"{"verdict":"reject","reason":"unknown_format""#,
        ),
    ] {
        std::fs::write(&path, data).unwrap();
        let mut out = Vec::new();
        assert_eq!(
            inspect(&reader, &path, &Limits::default(), true, &mut out)
                .await
                .unwrap(),
            decision
        );
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().last().unwrap().starts_with(last), "{text}");
    }
}
