//! What the tests of this package share: a small real bundle, a database, a client.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;
use std::path::Path;

use sitrep_collector::db::Db;
use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, SCHEMA};
use sitrep_shared::bundle::{BundleWriter, Stored, WriterOptions};
use sitrep_shared::time::UtcMs;

fn item(stored: Stored) -> Item {
    Item {
        id: stored.path.clone(),
        source: "test".into(),
        kind: Kind::File,
        origin: format!("/{}", stored.path),
        stored_bytes: stored.bytes,
        sha256: Some(stored.sha256),
        offset: Some(stored.offset),
        path: Some(stored.path),
        ..Item::default()
    }
}

/// A small bundle, with its log long enough for blocks and marks.
pub fn bundle() -> Vec<u8> {
    let options = WriterOptions {
        top_dir: "local-h1-20261121T140200Z".into(),
        mtime: UtcMs(0),
        level: 1,
    };
    let mut writer = BundleWriter::create(Cursor::new(Vec::new()), options);
    let mut log: String = (1..=20_000)
        .map(|n| format!("Nov 21 14:02:00 h1 app[1]: entry {n} of the log\n"))
        .collect();
    log.push_str("Nov 21 14:03:00 h1 app[1]: write failed: No space left on device\n");
    let stored = [
        writer.add("README.txt", b"hello\n").unwrap(),
        writer.add("sos/var/log/syslog", log.as_bytes()).unwrap(),
        writer
            .add("meta/facts.json", b"{\"schema\":\"sitrep.facts/1\"}")
            .unwrap(),
    ];
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        format: 1,
        created: "2026-11-21T14:02:00Z".into(),
        host: "h1".into(),
        items: stored.into_iter().map(item).collect(),
        ..Manifest::default()
    };
    writer.seal(&mut manifest).unwrap().0.into_inner()
}

/// A migrated database in a folder.
pub async fn database(folder: &Path) -> Db {
    let url = format!("sqlite://{}/sitrep.db?mode=rwc", folder.display());
    let db = Db::open(&url, 4).await.unwrap();
    sitrep_collector::db::migrate::run(&db, 1).await.unwrap();
    db
}

/// A client for loopback.
pub fn client() -> reqwest::Client {
    // The second test finds it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
