//! The same story on every pair of database and store: received in pieces, judged, looked into, downloaded, deleted.

use serde_json::Value;
use sitrep_shared::hash::sha256;
use sitrep_tests::pairs::{
    POSTGRES_FOLDER, POSTGRES_OBJECTS, Pair, SQLITE_AZURE, SQLITE_FOLDER, SQLITE_GOOGLE,
    SQLITE_OBJECTS, World,
};
use sitrep_tests::uploader::{Uploader, log_text};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Two parts and a tail in an object store.
const BYTES: usize = 18 << 20;
const PATIENCE: Duration = Duration::from_secs(300);

fn uploader<'a>(world: &World, ticket: &str, count: &'a AtomicU64) -> Result<Uploader<'a>, String> {
    let code = world.collector.create_wide_code(ticket)?;
    let timeout = Duration::from_secs(60);
    Uploader::new(&world.collector.url(), &code, 3 << 20, timeout, count)
}

fn story(pair: Pair) -> Result<(), String> {
    let (world, count) = (World::start(pair)?, AtomicU64::new(0));
    let ticket = world.collector.create_ticket("On every pair")?;
    let uploader = uploader(&world, &ticket.id, &count)?;
    let log = log_text(1, 1, BYTES);
    let sent = uploader.upload(&log)?;
    // Every length around the borders of parts, and nothing at all.
    let mut all = vec![sent];
    for bytes in [0, 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 16 << 20] {
        all.push(uploader.upload(&log[log.len() - bytes..])?);
    }
    let bundles = || world.collector.all_bundles();
    sitrep_tests::process::wait_for("all verdicts", PATIENCE, || {
        bundles().is_ok_and(|bundles| {
            let waits = |b: &Value| matches!(b["state"].as_str(), Some("stored" | "scanning"));
            bundles.len() == all.len() && !bundles.iter().any(waits)
        })
    })?;
    for bundle in bundles()? {
        let id = bundle["id"].as_str().ok_or("no id")?;
        let stored = world.collector.download(id)?;
        let digest = sha256(&stored).to_string();
        assert_eq!(bundle["sha256"], digest, "{bundle}");
        assert!(all.iter().any(|sent| sent.sha256 == digest));
    }
    let list = bundles()?;
    let big = list.iter().find(|b| b["sha256"] == all[0].sha256.as_str());
    let big = big.ok_or("the long log is not there")?;
    assert_eq!(big["state"], "ready", "{big}");
    look_into(&world, big["id"].as_str().unwrap_or_default(), &log)?;
    end(&world, big["id"].as_str().unwrap_or_default())
}

/// Lines from anywhere, the file by range, search.
fn look_into(world: &World, id: &str, log: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    let at = format!("/api/v1/bundles/{id}");
    let files = world.collector.get(&format!("{at}/files"))?;
    let file = &files["items"][0];
    assert_eq!(file["lines"], lines.len());
    let fid = &file["id"];
    for from in [1, 70_000, lines.len() - 3] {
        let page = world
            .collector
            .get(&format!("{at}/files/{fid}/lines?from={from}&count=3"))?;
        assert_eq!(page["lines"][0]["s"], lines[from - 1], "{page}");
    }
    let middle = world
        .collector
        .part(&format!("{at}/download"), 9_000_000, 1_000)?;
    assert_eq!(middle, log[9_000_000..9_001_000]);
    let inside = world
        .collector
        .part(&format!("{at}/files/{fid}"), 17_000_000, 1_000)?;
    assert_eq!(inside, log[17_000_000..17_001_000]);
    let selection = world
        .collector
        .part(&format!("{at}/selection?files={fid}"), 0, 2)?;
    assert_eq!(selection, [0x1f, 0x8b], "a gzip file");
    Ok(())
}

/// Deletion leaves no bytes and no second answer.
fn end(world: &World, id: &str) -> Result<(), String> {
    let gone = world.collector.answer(
        "DELETE",
        &format!("/api/v1/bundles/{id}"),
        Some(world.collector.token()),
    )?;
    assert_eq!(gone.0, 204, "{}", gone.1);
    assert!(world.collector.bundle(id).is_err());
    assert!(world.collector.download(id).is_err());
    let Some(before) = world.objects()? else {
        return Ok(());
    };
    assert!(before > 0);
    for bundle in world.collector.all_bundles()? {
        let path = format!("/api/v1/bundles/{}", bundle["id"].as_str().ok_or("no id")?);
        let token = Some(world.collector.token());
        assert_eq!(world.collector.answer("DELETE", &path, token)?.0, 204);
    }
    assert_eq!(world.objects()?, Some(0), "of {before}");
    Ok(())
}

#[test]
fn sqlite_and_folder() -> Result<(), String> {
    story(SQLITE_FOLDER)
}

#[test]
fn sqlite_and_object_store() -> Result<(), String> {
    story(SQLITE_OBJECTS)
}

#[test]
fn postgres_and_folder() -> Result<(), String> {
    story(POSTGRES_FOLDER)
}

#[test]
fn postgres_and_object_store() -> Result<(), String> {
    story(POSTGRES_OBJECTS)
}

#[test]
fn sqlite_and_azure() -> Result<(), String> {
    story(SQLITE_AZURE)
}

#[test]
fn sqlite_and_google() -> Result<(), String> {
    story(SQLITE_GOOGLE)
}
