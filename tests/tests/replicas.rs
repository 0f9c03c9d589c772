//! Grown: three collector processes, one PostgreSQL, three Garage nodes, and a line that breaks and switches replicas
//! while one replica stands still for a while and one node dies. Nothing may be lost, nothing may come twice.

use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::garage::Garage;
use sitrep_tests::postgres::Postgres;
use sitrep_tests::switch::Switch;
use sitrep_tests::uploader::{Sent, Uploader, log_text};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Clients at once; each has a code of its own, which takes twenty bundles.
const CLIENTS: u64 = 16;
/// How long a client waits for one answer: a replica that stands still must not hold it for ever.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What the drill is like.
struct Plan {
    uploads: u64,
    stopped: Duration,
}

fn quick() -> bool {
    std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|quick| !quick.is_empty())
}

/// Uploads of one client: small ones, and every fifth takes two parts of a multipart upload.
fn uploads(uploader: &Uploader<'_>, client: u64, count: u64) -> Result<Vec<Sent>, String> {
    (0..count)
        .map(|n| {
            let bytes = if n % 5 == 2 { 11 << 20 } else { 1 << 20 };
            let sent = uploader.upload(&log_text(client, n, bytes));
            sent.map_err(|error| format!("client {client}, upload {n}: {error}"))
        })
        .collect()
}

#[test]
fn replicas_nodes_and_lines_fail_and_nothing_is_lost_or_double() -> Result<(), String> {
    let plan = if quick() {
        Plan {
            uploads: 32,
            stopped: Duration::from_secs(10),
        }
    } else {
        Plan {
            uploads: 200,
            stopped: Duration::from_secs(90),
        }
    };
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let postgres = Postgres::start()?;
    let mut garage = Garage::start(&dir.path().join("garage"), 3)?;
    let mut setting = Setting::default();
    let url = postgres.database("sitrep")?;
    setting.env.push(("SITREPD_DATABASE_URL".to_owned(), url));
    setting.env.extend(garage.settings(garage.port(0), ""));
    let first = Collector::start_with(&dir.path().join("r0"), setting)?;
    let replicas = [
        first.replica(&dir.path().join("r1"))?,
        first.replica(&dir.path().join("r2"))?,
    ];
    let ticket = first.create_ticket("Many replicas")?;
    let targets = vec![
        first.address(),
        replicas[0].address(),
        replicas[1].address(),
    ];
    let seed = u64::from(std::process::id()) * 0x9e37_79b9;
    let switch = Switch::start(targets, seed).map_err(|error| error.to_string())?;
    let base = format!("http://{}", switch.address());
    let (acknowledged, began) = (AtomicU64::new(0), Instant::now());
    let mut uploaders = Vec::new();
    for _ in 0..CLIENTS {
        let code = first.create_wide_code(&ticket.id)?;
        uploaders.push(Uploader::new(
            &base,
            &code,
            512 << 10,
            TIMEOUT,
            &acknowledged,
        )?);
    }
    let sent = std::thread::scope(|scope| {
        let clients: Vec<_> = (0u64..)
            .zip(&uploaders)
            .map(|(n, uploader)| {
                let count = plan.uploads / CLIENTS + u64::from(n < plan.uploads % CLIENTS);
                scope.spawn(move || uploads(uploader, n, count))
            })
            .collect();
        let reached = |acknowledgements| {
            sitrep_tests::process::wait_for("the drill to go on", Duration::from_secs(120), || {
                acknowledged.load(Ordering::Relaxed) >= acknowledgements
            })
        };
        let fault = reached(plan.uploads / 2).and_then(|()| {
            replicas[0].signal(libc::SIGSTOP);
            let stopped = Instant::now();
            let going = reached(plan.uploads);
            garage.kill(2);
            while stopped.elapsed() < plan.stopped {
                std::thread::park_timeout(Duration::from_millis(100));
            }
            replicas[0].signal(libc::SIGCONT);
            going
        });
        let mut sent = Vec::new();
        for client in clients {
            sent.extend(client.join().map_err(|_| "a client's thread died")??);
        }
        fault.map(|()| sent)
    })
    .map_err(|error: String| format!("seed {seed}: {error}"))?;
    let took = began.elapsed();
    first.check_all_there(&ticket.id, &sent)?;
    assert_eq!(sent.len() as u64, plan.uploads);
    let line = format!(
        "{} uploads in {took:?} over {} broken connections, {} acknowledgements, seed {seed}; 0 lost, 0 double\n",
        sent.len(),
        switch.broken(),
        acknowledged.load(Ordering::Relaxed)
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes())
        .map_err(|error| error.to_string())
}
