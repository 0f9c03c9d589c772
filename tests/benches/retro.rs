//! What a retro-scan reads: one signature over many stored bundles, of which one in fifty matches.
//!
//! Sends real bundles to a real collector, then runs a new signature over them and prints how many of their bytes it
//! touched, with the indexes it read to tell (limit: 10 % of the bundles' bytes). Run with
//! `cargo bench --bench retro [-- BUNDLES]`.

use std::time::{Duration, Instant};

use sitrep_tests::collector::Collector;
use sitrep_tests::fleet;

/// Bundles that one upload code takes.
const OF_A_TICKET: u64 = 20;
const LIMIT: Duration = Duration::from_secs(600);

fn main() -> Result<(), String> {
    let bundles = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(500);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    for first in (0..bundles).step_by(OF_A_TICKET as usize) {
        let hosts = first..(first + OF_A_TICKET).min(bundles);
        let made: Result<Vec<_>, _> = hosts.map(|n| fleet::bundle(n, n % 50 == 7)).collect();
        collector.send_bundles(&format!("hosts from {first}"), &made?, LIMIT)?;
    }
    collector.post_text("/api/v1/signatures", &fleet::signature("shadow"))?;
    let estimate = collector.get("/api/v1/signatures/OWN-0042/retro-scan-estimate")?;
    say(&format!("estimate: {estimate}"));
    let begun = Instant::now();
    let none = serde_json::Value::Null;
    let started = collector.post("/api/v1/signatures/OWN-0042/retro-scans", &none)?;
    let id = started["id"].as_str().unwrap_or_default();
    let done = collector.wait_for_scan(id, LIMIT)?;
    let seconds = begun.elapsed().as_secs_f64();
    let number = |key: &str| done[key].as_f64().unwrap_or(f64::NAN);
    let share = |bytes: f64| 100.0 * bytes / number("bytes");
    say(&format!(
        "| what | value |\n|---|---|\n\
         | bundles, and of them matching | {} and {} |\n\
         | their bytes | {} |\n\
         | bundles read | {} |\n\
         | bytes read of bundles | {} ({:.2} %) |\n\
         | bytes read of indexes | {} ({:.2} %) |\n\
         | both, of the bundles' bytes (limit 10 %) | {:.2} % |\n\
         | wall seconds, with the wait for the job | {seconds:.2} |",
        done["bundles_done"],
        done["hits"].as_array().map_or(0, Vec::len),
        done["bytes"],
        done["bundles_read"],
        done["bytes_read"],
        share(number("bytes_read")),
        done["index_read"],
        share(number("index_read")),
        share(number("bytes_read") + number("index_read")),
    ));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a program that prints")]
fn say(text: &str) {
    println!("{text}");
}
