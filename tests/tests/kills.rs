//! Power cuts on every pair of database and store: the collector is killed at random moments while eight clients
//! upload. No acknowledged byte may be lost, and no upload may become two bundles.

use sitrep_tests::collector::Collector;
use sitrep_tests::pairs::{
    POSTGRES_FOLDER, POSTGRES_OBJECTS, Pair, SQLITE_FOLDER, SQLITE_OBJECTS, World,
};
use sitrep_tests::uploader::{Sent, Uploader, log_text};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Clients at once.
const CLIENTS: u64 = 8;
/// Bytes of an upload; every fourth client's take more than one part in an object store.
const SMALL: usize = 3 << 20;
const LARGE: usize = 9 << 20;
/// How long acknowledgements are waited for before the next kill comes all the same.
const PATIENCE: Duration = Duration::from_secs(60);

/// One pair at a time: four collectors and eight clients each would only wait for each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Marsaglia's xorshift: kills at other moments each time, from the seed that is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What the clients and the one who kills share.
struct Shared {
    base: String,
    codes: Vec<String>,
    acknowledged: AtomicU64,
    over: AtomicBool,
}

impl Shared {
    fn uploads(&self, client: u64) -> Result<Vec<Sent>, String> {
        let large = client.is_multiple_of(4);
        let (bytes, chunk) = if large {
            (LARGE, 256 << 10)
        } else {
            (SMALL, 64 << 10)
        };
        let code = &self.codes[usize::try_from(client).unwrap_or(0)];
        let timeout = Duration::from_secs(30);
        let uploader = Uploader::new(&self.base, code, chunk, timeout, &self.acknowledged)?;
        let mut sent = Vec::new();
        // A code takes twenty bundles.
        while !self.over.load(Ordering::Relaxed) && sent.len() < 20 {
            let data = log_text(client, sent.len() as u64, bytes);
            sent.push(uploader.upload(&data)?);
        }
        Ok(sent)
    }
}

/// Kills after a random number of acknowledgements; gives how long the returns took, sorted.
fn kill(
    shared: &Shared,
    collector: &mut Collector,
    kills: u64,
    random: &mut Random,
) -> Result<Vec<Duration>, String> {
    let mut returns = Vec::new();
    for kill in 0..kills {
        let wanted = shared.acknowledged.load(Ordering::Relaxed) + random.below(3 * CLIENTS);
        let began = Instant::now();
        while shared.acknowledged.load(Ordering::Relaxed) < wanted && began.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        for _ in 0..random.below(20_000) {
            std::hint::spin_loop();
        }
        let began = Instant::now();
        collector
            .crash_and_restart()
            .map_err(|error| format!("kill {kill}: {error}"))?;
        returns.push(began.elapsed());
    }
    returns.sort_unstable();
    Ok(returns)
}

fn drill(pair: Pair) -> Result<(), String> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let quick = std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|quick| !quick.is_empty());
    let kills = if quick { 10 } else { 100 };
    let mut world = World::start(pair)?;
    let ticket = world.collector.create_ticket("Power cuts")?;
    let seed = (u64::from(std::process::id()) * 0x9e37_79b9) | 1;
    let codes: Result<Vec<String>, String> = (0..CLIENTS)
        .map(|_| world.collector.create_wide_code(&ticket.id))
        .collect();
    let shared = Shared {
        base: world.collector.url(),
        codes: codes?,
        acknowledged: AtomicU64::new(0),
        over: AtomicBool::new(false),
    };
    let (sent, returns) = std::thread::scope(|scope| {
        let shared = &shared;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| scope.spawn(move || shared.uploads(n)))
            .collect();
        let returns = kill(shared, &mut world.collector, kills, &mut Random(seed));
        shared.over.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for client in clients {
            sent.extend(client.join().map_err(|_| "a client's thread died")??);
        }
        Ok::<_, String>((sent, returns?))
    })
    .map_err(|error| format!("{pair:?}, seed {seed}: {error}"))?;
    world.collector.check_all_there(&ticket.id, &sent)?;
    let slowest = returns.last().copied().unwrap_or_default();
    let line = format!(
        "{pair:?}: {kills} kills, seed {seed}: {} uploads, {} acknowledgements, return median {:?}, slowest {slowest:?}\n",
        sent.len(),
        shared.acknowledged.load(Ordering::Relaxed),
        returns[returns.len() / 2],
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes())
        .map_err(|error| error.to_string())
}

#[test]
fn sqlite_and_folder() -> Result<(), String> {
    drill(SQLITE_FOLDER)
}

#[test]
fn sqlite_and_object_store() -> Result<(), String> {
    drill(SQLITE_OBJECTS)
}

#[test]
fn postgres_and_folder() -> Result<(), String> {
    drill(POSTGRES_FOLDER)
}

#[test]
fn postgres_and_object_store() -> Result<(), String> {
    drill(POSTGRES_OBJECTS)
}
