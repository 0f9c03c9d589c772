//! What whoever runs the service does: check, backup and restore onto another pair, verify, roles, stop under load,
//! quotas, metrics, and a deletion that leaves nothing.

use sitrep_tests::collector::{Collector, Setting, Ticket};
use sitrep_tests::pairs::{POSTGRES_OBJECTS, SQLITE_FOLDER, World};
use sitrep_tests::postgres::free_port;
use sitrep_tests::process::{self, Running, wait_for};
use sitrep_tests::uploader::{Sent, Uploader, log_text};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn folder() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

/// Uploads logs of these lengths to a new ticket.
fn filled(collector: &Collector, lengths: &[usize]) -> Result<(Ticket, Vec<Sent>), String> {
    let (ticket, count) = (collector.create_ticket("In operation")?, AtomicU64::new(0));
    let code = collector.create_wide_code(&ticket.id)?;
    let uploader = Uploader::new(&collector.url(), &code, 4 << 20, PATIENCE, &count)?;
    let uploads = lengths.iter().zip(0..);
    let sent: Result<Vec<Sent>, String> = uploads
        .map(|(bytes, n)| uploader.upload(&log_text(7, n, *bytes)))
        .collect();
    let sent = sent?;
    collector.check_all_there(&ticket.id, &sent)?;
    Ok((ticket, sent))
}

#[test]
fn a_backup_of_one_pair_is_restored_on_another_and_verified() -> Result<(), String> {
    let dir = folder()?;
    let from = World::start(SQLITE_FOLDER)?;
    let (ticket, sent) = filled(&from.collector, &[1000, 12 << 20])?;
    let place = dir.path().join("backup").display().to_string();
    let (code, said, fault) = from.collector.administer(&["backup", &place])?;
    assert_eq!(code, Some(0), "{said}{fault}");
    assert!(said.contains("2 bundles"), "{said}");
    let (code, _, fault) = from.collector.administer(&["backup", &place])?;
    assert!(code != Some(0) && fault.contains("not empty"), "{fault}");
    let mut to = World::start(POSTGRES_OBJECTS)?;
    let (code, _, fault) = to.collector.administer(&["restore", &place])?;
    assert!(code != Some(0) && fault.contains("in use"), "{fault}");
    // A second database and prefix of the same servers, empty.
    let url = to
        .postgres
        .as_ref()
        .ok_or("no server")?
        .database("restored")?;
    to.collector.crash();
    to.collector.set("SITREPD_DATABASE_URL", &url);
    to.collector.set("SITREPD_STORAGE_PREFIX", "restored");
    let (code, said, fault) = to.collector.administer(&["restore", &place])?;
    assert_eq!(code, Some(0), "{said}{fault}");
    let (code, said, fault) = to.collector.administer(&["verify"])?;
    assert_eq!(code, Some(0), "{said}{fault}");
    assert!(said.contains("2 bundles are"), "{said}");
    to.collector.start_again()?;
    to.collector.take_token_of(&from.collector);
    to.collector.check_all_there(&ticket.id, &sent)?;
    let (code, said, fault) = to.collector.administer(&["check"])?;
    assert_eq!(code, Some(0), "{said}{fault}");
    Ok(())
}

#[test]
fn verify_names_what_is_not_what_was_received_and_check_what_is_missing() -> Result<(), String> {
    let mut world = World::start(SQLITE_FOLDER)?;
    filled(&world.collector, &[5000, 6000])?;
    let blobs = world.collector.data_dir().join("blobs");
    let blob = std::fs::read_dir(&blobs)
        .map_err(|error| error.to_string())?
        .flatten()
        .next();
    let blob = blob.ok_or("no blob")?.path();
    let mut bytes = std::fs::read(&blob).map_err(|error| error.to_string())?;
    bytes[100] ^= 1;
    std::fs::write(&blob, bytes).map_err(|error| error.to_string())?;
    let (code, said, fault) = world.collector.administer(&["verify"])?;
    assert_eq!(code, Some(1));
    let name = blob
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    assert!(
        said.contains(name) && fault.contains("1 of 2"),
        "{said}{fault}"
    );
    world.collector.set("SITREPD_STORAGE_KIND", "s3");
    world.collector.set("SITREPD_STORAGE_BUCKET", "nowhere");
    world
        .collector
        .set("SITREPD_STORAGE_ENDPOINT", "http://127.0.0.1:9");
    world.collector.set("SITREPD_STORAGE_ACCESS_KEY_ID", "i");
    world
        .collector
        .set("SITREPD_STORAGE_SECRET_ACCESS_KEY", "s-e-c-r-e-t");
    let (code, said, fault) = world.collector.administer(&["check"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        fault.contains("object store") && !fault.contains("s-e-c-r-e-t"),
        "{fault}"
    );
    Ok(())
}

/// A process of one role beside a collector, with its settings.
fn beside(collector: &Collector, role: &str, port: u16) -> Result<Running, String> {
    let mut command = process::command(&sitrep_tests::binaries::sitrepd());
    command
        .args(["serve", "--role", role])
        .env("SITREPD_DATA_DIR", collector.data_dir())
        .env("SITREPD_LISTEN", "127.0.0.1:0")
        .env("SITREPD_TLS_MODE", "off")
        .env("SITREPD_SHUTDOWN_GRACE", "1s")
        .env("SITREPD_METRICS_LISTEN", format!("127.0.0.1:{port}"))
        .stderr(std::process::Stdio::null());
    Running::start(&mut command)
}

#[test]
fn requests_and_jobs_may_have_processes_of_their_own() -> Result<(), String> {
    let (dir, port) = (folder()?, free_port()?);
    let mut setting = Setting::default();
    setting
        .env
        .push(("SITREPD_ROLE".to_owned(), "serve".to_owned()));
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let (ticket, count) = (collector.create_ticket("Roles")?, AtomicU64::new(0));
    let code = collector.create_wide_code(&ticket.id)?;
    let uploader = Uploader::new(&collector.url(), &code, 1 << 20, PATIENCE, &count)?;
    let sent = uploader.upload(&log_text(1, 1, 100_000))?;
    assert_eq!(
        collector.bundles(&ticket.id)?[0]["state"],
        "stored",
        "nobody works here"
    );
    let mut worker = beside(&collector, "work", port)?;
    collector.check_all_there(&ticket.id, &[sent])?;
    let scrape = || {
        let mut curl = process::command(Path::new("curl"));
        curl.args(["-s", &format!("http://127.0.0.1:{port}/metrics")]);
        process::output(&mut curl).map(|told| String::from_utf8_lossy(&told.stdout).into_owned())
    };
    let metrics = scrape()?;
    for line in [
        "sitrepd_jobs{state=\"dead\"} 0",
        "sitrepd_stored_bytes 1",
        "sitrepd_disk_free_bytes",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    worker.signal(libc::SIGTERM);
    assert_eq!(worker.wait(PATIENCE)?, Some(0), "a stop in order");
    // A second one that receives into the same folder gives up after a while.
    let mut second = beside(&collector, "serve", free_port()?)?;
    assert_eq!(second.wait(PATIENCE)?, Some(1));
    Ok(())
}

#[test]
fn a_stop_and_a_start_under_load_lose_nothing() -> Result<(), String> {
    let mut world = World::start(SQLITE_FOLDER)?;
    let ticket = world.collector.create_ticket("Upgrade")?;
    let (count, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut uploaders = Vec::new();
    for _ in 0..4 {
        let code = world.collector.create_wide_code(&ticket.id)?;
        let base = world.collector.url();
        uploaders.push(Uploader::new(&base, &code, 200 << 10, PATIENCE, &count)?);
    }
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = (0u64..)
            .zip(&uploaders)
            .map(|(client, uploader)| {
                let over = &over;
                scope.spawn(move || {
                    let mut sent = Vec::new();
                    while !over.load(Ordering::Relaxed) && sent.len() < 20 {
                        sent.push(uploader.upload(&log_text(
                            client,
                            sent.len() as u64,
                            2 << 20,
                        ))?);
                    }
                    Ok::<_, String>(sent)
                })
            })
            .collect();
        let mut ends = Ok(());
        for _ in 0..5 {
            let wanted = count.load(Ordering::Relaxed) + 10;
            ends = ends.and(wait_for("uploads", PATIENCE, || {
                count.load(Ordering::Relaxed) > wanted
            }));
            world.collector.signal(libc::SIGTERM);
            ends = ends.and(match world.collector.wait_for_end(PATIENCE) {
                Ok(Some(0)) => Ok(()),
                other => Err(format!("ended with {other:?}")),
            });
            ends = ends.and(world.collector.start_again());
        }
        over.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for client in clients {
            sent.extend(client.join().map_err(|_| "a client's thread died")??);
        }
        ends.map(|()| sent)
    })?;
    world.collector.check_all_there(&ticket.id, &sent)
}

#[test]
fn quotas_hold_for_ticket_and_address() -> Result<(), String> {
    let dir = folder()?;
    let mut setting = Setting::default();
    for (name, value) in [("TICKET_BYTES", "1M"), ("ADDRESS_UPLOADS", "3")] {
        setting
            .env
            .push((format!("SITREPD_LIMITS_{name}"), value.to_owned()));
    }
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let (ticket, _) = filled(&collector, &[600_000])?;
    let (code, count) = (collector.create_wide_code(&ticket.id)?, AtomicU64::new(0));
    let uploader = Uploader::new(&collector.url(), &code, 1 << 20, PATIENCE, &count)?;
    let refused = uploader.create_once(500_000)?;
    assert_eq!(refused.status(), 507);
    assert!(refused.headers().contains_key("retry-after"));
    for _ in 0..3 {
        assert_eq!(uploader.create_once(1_000)?.status(), 201);
    }
    assert_eq!(uploader.create_once(1_000)?.status(), 429);
    Ok(())
}

/// Whether a word is in any file below a folder.
fn holds(folder: &Path, word: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holds(&path, word));
        } else if std::fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(word.len()).any(|w| w == word))
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_deletion_leaves_nothing() -> Result<(), String> {
    let world = World::start(SQLITE_FOLDER)?;
    let collector = &world.collector;
    let ticket = collector.create_ticket("Canary")?;
    let code = collector.create_wide_code(&ticket.id)?;
    let canary = format!("canary-{}", std::process::id());
    // A failure that a signature knows, so that there is a finding with the canary as its evidence.
    let line = format!(
        "Nov 21 14:02:00 h app[1]: {canary} write failed: No space left on device (os error 28)\n"
    );
    collector.upload_as_tus_client(
        &code,
        &format!("{canary}.log"),
        line.repeat(2000).as_bytes(),
    )?;
    let bundle = collector.wait_for_verdict(&ticket.id, PATIENCE)?;
    let page = format!("/api/v1/bundles/{bundle}/search?pattern={canary}");
    drop(collector.answer("GET", &page, Some(collector.token()))?);
    collector.part(&format!("/api/v1/bundles/{bundle}/selection?files=0"), 0, 2)?;
    assert!(
        !holds(collector.data_dir(), canary.as_bytes()).is_empty(),
        "it is there before"
    );
    let path = format!("/api/v1/bundles/{bundle}");
    assert_eq!(
        collector
            .answer("DELETE", &path, Some(collector.token()))?
            .0,
        204
    );
    let events = collector.get(&format!("/api/v1/tickets/{}/timeline", ticket.id))?;
    assert!(events.to_string().contains("deleted"), "{events}");
    wait_for("the canary to be gone", PATIENCE, || {
        holds(collector.data_dir(), canary.as_bytes()).is_empty()
    })
    .map_err(|error| {
        format!(
            "{error}: {:?}",
            holds(collector.data_dir(), canary.as_bytes())
        )
    })
}

#[test]
fn a_deletion_leaves_nothing_in_database_server_and_object_store() -> Result<(), String> {
    let world = World::start(POSTGRES_OBJECTS)?;
    let (collector, canary) = (&world.collector, format!("canary-{}", std::process::id()));
    let ticket = collector.create_ticket("Canary")?;
    let code = collector.create_wide_code(&ticket.id)?;
    let line = format!("Nov 21 14:02:00 h app[1]: {canary} No space left on device\n");
    collector.upload_as_tus_client(
        &code,
        &format!("{canary}.log"),
        line.repeat(2000).as_bytes(),
    )?;
    let bundle = collector.wait_for_verdict(&ticket.id, PATIENCE)?;
    let garage = world.garage.as_ref().ok_or("no store")?;
    assert!(garage.objects()? > 0, "it is there before");
    let path = format!("/api/v1/bundles/{bundle}");
    assert_eq!(
        collector
            .answer("DELETE", &path, Some(collector.token()))?
            .0,
        204
    );
    let dump = world.postgres.as_ref().ok_or("no server")?.dump("sitrep")?;
    assert!(dump.len() > 10_000, "{} bytes of a dump", dump.len());
    assert!(!dump.windows(canary.len()).any(|w| w == canary.as_bytes()));
    wait_for("the bucket to be empty", PATIENCE, || {
        garage.objects() == Ok(0)
    })
}
