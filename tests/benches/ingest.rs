//! How long after the last byte of a large bundle its findings are on the ticket, against decompressing it.
//!
//! Packs 1 GB of logs into a bundle of about 100 MB with the real agent, sends it to a real collector, and measures from
//! the answer to the last byte until the verdict. Beside it, in turn: `gzip -dc` of the same file, and its decoding by
//! libdeflate in one thread, which is the fastest that we know. Run with `cargo bench --bench ingest [-- MEGABYTES]`.

use std::path::Path;
use std::time::{Duration, Instant};

use sitrep_tests::collector::Collector;
use sitrep_tests::{corpus, process, usage};

const ROUNDS: usize = 3;
const LIMIT: Duration = Duration::from_secs(600);

fn main() -> Result<(), String> {
    let megabytes = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(1000);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let logs = format!("{}/*.log", corpus::make(megabytes)?.display());
    let bundle = corpus::pack(dir.path(), &logs)?;
    let bytes = std::fs::read(&bundle).map_err(|error| error.to_string())?;
    say(&format!("bundle: {:.1} MB", bytes.len() as f64 / 1e6));
    let collector = Collector::start(&dir.path().join("collector"))?;
    let (mut ours, mut gzip, mut fast) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let ticket = collector.create_ticket(&format!("round {round}"))?;
        let code = collector.create_code_only(&ticket.id)?;
        collector.upload_as_tus_client(&code, "bundle.tar.gz", &bytes)?;
        let begun = Instant::now();
        let id = collector.wait_for_verdict(&ticket.id, LIMIT)?;
        ours.push(begun.elapsed().as_secs_f64());
        if round == 0 {
            let findings = collector.findings(&id)?.len();
            say(&format!("findings: {findings}"));
        }
        let mut peer = process::command(Path::new("gzip"));
        peer.arg("-dc").arg(&bundle);
        gzip.push(usage::of(&mut peer)?.wall_s);
        fast.push(decoded(&bytes)?);
    }
    let (ours, gzip, fast) = (median(ours), median(gzip), median(fast));
    say("| seconds, median of 3 | ours | decompression | ratio (limit 1.3) |\n|---|---|---|---|");
    for (what, other) in [("gzip -dc", gzip), ("libdeflate, one thread", fast)] {
        let ratio = ours / other;
        say(&format!(
            "| findings on the ticket ({what}) | {ours:.2} | {other:.2} | {ratio:.2} |"
        ));
    }
    Ok(())
}

/// Seconds that libdeflate takes for all blocks, one after the other.
fn decoded(bytes: &[u8]) -> Result<f64, String> {
    let blocks = corpus::blocks(bytes)?;
    let mut decoder = libdeflater::Decompressor::new();
    let mut out = vec![0u8; 2 << 20];
    let begun = Instant::now();
    for block in blocks {
        let given = decoder.gzip_decompress(&bytes[block], &mut out);
        std::hint::black_box(given.map_err(|error| error.to_string())?);
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a benchmark is a program that prints")]
fn say(text: &str) {
    println!("{text}");
}
