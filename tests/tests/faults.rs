//! The database gone: the right status at once, nothing lost, and all is well again without a restart.

use reqwest::blocking::Response;
use sitrep_tests::collector::Collector;
use sitrep_tests::pairs::{POSTGRES_FOLDER, World};
use sitrep_tests::process::wait_for;
use sitrep_tests::uploader::{Uploader, log_text};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

fn uploader<'a>(
    collector: &Collector,
    ticket: &str,
    count: &'a AtomicU64,
) -> Result<Uploader<'a>, String> {
    let code = collector.create_wide_code(ticket)?;
    Uploader::new(
        &collector.url(),
        &code,
        1 << 20,
        Duration::from_secs(60),
        count,
    )
}

/// Sends the next chunk; the answer, whatever it is, and how long it took.
fn send(
    uploader: &Uploader<'_>,
    url: &str,
    data: &[u8],
    at: usize,
) -> Result<(Response, Duration), String> {
    let began = Instant::now();
    let answer = uploader
        .patch(url, data, at)
        .send()
        .map_err(|error| error.to_string())?;
    Ok((answer, began.elapsed()))
}

fn retry_after(answer: &Response) -> bool {
    answer.headers().contains_key("retry-after")
}

#[test]
fn a_database_that_is_gone_is_said_at_once_and_comes_back() -> Result<(), String> {
    let (mut world, count) = (World::start(POSTGRES_FOLDER)?, AtomicU64::new(0));
    let ticket = world.collector.create_ticket("Database gone")?;
    let uploader = uploader(&world.collector, &ticket.id, &count)?;
    let data = log_text(1, 1, 5 << 20);
    let url = uploader.create(data.len())?;
    let (first, _) = send(&uploader, &url, &data, 0)?;
    assert_eq!(first.status(), 204);
    let postgres = world.postgres.as_mut().ok_or("no server")?;
    postgres.stop()?;
    let (gone, took) = send(&uploader, &url, &data, 1 << 20)?;
    assert_eq!(gone.status(), 503);
    assert!(retry_after(&gone));
    // At most the wait for a connection, and what this machine is busy with.
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(world.collector.answer("GET", "/readyz", None)?.0, 503);
    assert_eq!(world.collector.answer("GET", "/healthz", None)?.0, 200);
    postgres.resume()?;
    wait_for("readiness", PATIENCE, || {
        world
            .collector
            .answer("GET", "/readyz", None)
            .is_ok_and(|(status, _)| status == 200)
    })?;
    let stands = uploader.stands(&url)?;
    assert_eq!(stands, 1 << 20, "what was acknowledged and nothing else");
    let sent = uploader.go_on(&url, &data, stands)?;
    world.collector.check_all_there(&ticket.id, &[sent])
}
