//! A sent bundle is taken back by who sent it, and by nobody else; what is left is a line in the timeline.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use std::path::Path;
use std::time::Duration;

const SEND: [&str; 8] = [
    "--profile",
    "minimal",
    "--yes",
    "--send",
    "--allow-partial",
    "--json",
    "--max-time",
    "300s",
];

/// How many files of bundles, and of what was derived from them, the collector keeps.
fn kept_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let entries = entries.flatten().map(|entry| entry.path());
    entries
        .map(|path| {
            if path.is_dir() {
                kept_files(&path)
            } else {
                let part = |name: &str| path.components().any(|c| c.as_os_str() == name);
                usize::from(part("blobs") || part("derived"))
            }
        })
        .sum()
}

#[test]
fn who_sent_a_bundle_takes_it_back() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Sent by mistake")?;
    let link = collector.create_code(&ticket.id)?;
    let sender = Agent::new(&dir.path().join("sender"))?;
    let sent = sender.run(&[&["run", &link], &SEND[..]].concat())?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let result = sent.json()?;
    let receipt = result["receipt"].as_str().unwrap_or_default().to_owned();
    let said = sender.run(&["status"])?;
    assert!(said.stdout.contains(&receipt), "{}", said.stdout);
    let bundle = collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    assert_eq!(collector.bundle(&bundle)?["receipt"], receipt.as_str());
    assert!(kept_files(collector.data_dir()) > 0, "where does it lie?");

    // Another host has no code, and a made-up one, or the upload code, opens nothing.
    let other = Agent::new(&dir.path().join("other"))?;
    let refused = other.run(&["delete", &receipt, "--yes"])?;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let guess = format!("{}/u/7K4M-Q2XP-7K4M-Q2XP", collector.url());
    for code in [&guess, &link] {
        let refused = other.run(&["delete", &receipt, "--yes", "--code", code])?;
        assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    }
    assert_eq!(collector.bundle(&bundle)?["receipt"], receipt.as_str());

    // Without a person nothing is decided.
    let asked = sender.run(&["delete", &receipt])?;
    assert_eq!(asked.code, Some(2), "{}", asked.stderr);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);

    let proof = sender.run(&["delete", &receipt, "--yes", "--json"])?;
    assert_eq!(proof.code, Some(0), "{}", proof.stderr);
    let proof = proof.json()?;
    assert_eq!(proof["sha256"], result["bundle"]["sha256"], "{proof}");
    assert_eq!(proof["receipt"], receipt.as_str(), "{proof}");
    assert!(collector.bundles(&ticket.id)?.is_empty());
    assert_eq!(kept_files(collector.data_dir()), 0);
    let timeline = collector.get(&format!("/api/v1/tickets/{}/timeline", ticket.id))?;
    assert!(
        timeline.to_string().contains("\"deleted\""),
        "the engineers are not told: {timeline}"
    );

    let left = collector.get(&format!("/api/v1/tickets/{}", ticket.id))?;
    assert!(left["top_finding"].is_null(), "{left}");
    assert_eq!(left["tags"], serde_json::json!([]), "{left}");

    // It is over.
    let again = sender.run(&["delete", &receipt, "--yes"])?;
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    let said = sender.run(&["status"])?;
    assert!(said.stdout.contains("deleted"), "{}", said.stdout);
    Ok(())
}

#[test]
fn what_was_streamed_is_taken_back_with_the_code_that_was_shown() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Streamed by mistake")?;
    let link = collector.create_code(&ticket.id)?;
    let sender = Agent::new(&dir.path().join("sender"))?;
    let sent = sender.run(&[&["run", &link, "--stream"], &SEND[..]].concat())?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(sent.stderr.contains("--code"), "{}", sent.stderr);
    let result = sent.json()?;
    let receipt = result["receipt"].as_str().unwrap_or_default().to_owned();
    let code = result["withdrawal_code"].as_str().unwrap_or_default();
    let code = format!("{}/u/{code}", collector.url());
    let other = Agent::new(&dir.path().join("other"))?;
    let gone = other.run(&["delete", &receipt, "--code", &code, "--yes"])?;
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    assert!(gone.stdout.contains(&receipt), "{}", gone.stdout);
    assert!(collector.bundles(&ticket.id)?.is_empty());
    Ok(())
}
