//! What looking into a very long log costs at the server, from a folder and from an object store: a page of 200 lines
//! anywhere in it, the next error, the line of a time, the first hit of an expression and the whole of it against
//! decompression on all cores; and jumps in the viewer in a real Chromium.
//!
//! Packs a log of 2 GB with the real agent and sends it to real collectors. Run with
//! `cargo bench --bench reading [-- MEGABYTES]`; the object store is the one that `tests/run` builds.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use sitrep_shared::time::UtcMs;
use sitrep_tests::collector::Collector;
use sitrep_tests::corpus;
use sitrep_tests::pairs::{SQLITE_FOLDER, SQLITE_OBJECTS, World};
use sitrep_tests::{process, workspace_root};

/// Places that are looked at.
const PLACES: u64 = 60;
const LIMIT: Duration = Duration::from_secs(900);
/// Expressions: a literal, a choice whose case is ignored, one with classes.
const EXPRESSIONS: [&str; 3] = [
    "no such word anywhere",
    "(?i)nowhere|no way|never at all",
    r"ERROR .* took=8\d\d\d\dms",
];

const PARTS: [&str; 5] = ["scheduler", "storage", "export", "session", "queue"];

fn main() -> Result<(), String> {
    let megabytes = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(2000);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let log = dir.path().join("service.log");
    write(&log, megabytes).map_err(|error| error.to_string())?;
    let bundle = corpus::pack(dir.path(), &log.display().to_string())?;
    std::fs::remove_file(&log).map_err(|error| error.to_string())?;
    let bytes = std::fs::read(&bundle).map_err(|error| error.to_string())?;
    say(&format!(
        "bundle: {:.1} MB of {megabytes} MB\n",
        bytes.len() as f64 / 1e6
    ));
    let unpacked = decompression(&bytes)?;
    say("| store | what | median ms | 95 of 100 within | limit |\n|---|---|---|---|---|");
    for (name, pair) in [("folder", SQLITE_FOLDER), ("S3", SQLITE_OBJECTS)] {
        let world = World::start(pair)?;
        let at = send(&world.collector, &bytes)?;
        look(name, &world.collector, &at)?;
        jumps(name, &world.collector, dir.path(), &at)?;
        search(name, &world.collector, &at, unpacked)?;
    }
    Ok(())
}

/// A service's log: a dated line every few milliseconds, an error in every ten thousand.
fn write(path: &Path, megabytes: u64) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    let (mut written, mut n, mut dice) = (0, 0u64, 88_172_645_463_325_252u64);
    while written < megabytes * 1_000_000 {
        // xorshift: the same log in every run.
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let at = UtcMs(1_795_000_000_000 + i64::try_from(n).unwrap_or(0) * 20).rfc3339();
        let level = if dice % 10_000 == 0 {
            "ERROR"
        } else if dice % 500 == 0 {
            "WARN"
        } else {
            "INFO"
        };
        let (part, took) = (
            PARTS[(dice >> 20) as usize % PARTS.len()],
            (dice >> 30) % 20_000,
        );
        let line = format!(
            "{at} {level} [{part}] job {} of host-{} took={took}ms bytes={}\n",
            dice >> 44,
            dice % 97,
            dice >> 40
        );
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        n += 1;
    }
    out.flush()
}

/// Where the log is: the bundle, the number of the file and its lines.
struct At {
    bundle: String,
    fid: u64,
    lines: u64,
}

fn send(collector: &Collector, bytes: &[u8]) -> Result<At, String> {
    let ticket = collector.create_ticket("A very long log")?;
    let code = collector.create_wide_code(&ticket.id)?;
    collector.upload_as_tus_client(&code, "bundle.tar.gz", bytes)?;
    let bundle = collector.wait_for_verdict(&ticket.id, LIMIT)?;
    let files = collector.get(&format!("/api/v1/bundles/{bundle}/files"))?;
    let list = files["items"].as_array().ok_or("no list of files")?;
    let longest = list.iter().max_by_key(|file| file["bytes"].as_u64());
    let longest = longest.ok_or("no file")?;
    Ok(At {
        fid: longest["id"].as_u64().unwrap_or(0),
        lines: longest["lines"].as_u64().unwrap_or(0),
        bundle,
    })
}

fn look(store: &str, collector: &Collector, at: &At) -> Result<(), String> {
    let file = format!("/api/v1/bundles/{}/files/{}", at.bundle, at.fid);
    let page = format!("/bundles/{}/files/{}", at.bundle, at.fid);
    // Far apart and in no order.
    let lines: Vec<u64> = (0..PLACES)
        .map(|n| 1 + n * 7919 * (at.lines / 997) % at.lines)
        .collect();
    let times: Vec<String> = lines
        .iter()
        .map(|line| {
            let there = collector.get(&format!("{file}/lines?from={line}&count=1"))?;
            let text = there["lines"][0]["s"].as_str().unwrap_or_default();
            Ok(text.split(' ').next().unwrap_or_default().to_owned())
        })
        .collect::<Result<_, String>>()?;
    timed(store, "a page of 200 lines", 50.0, &lines, |line| {
        let told = collector.get(&format!("{file}/lines?from={line}&count=200"))?;
        let count = told["lines"].as_array().map_or(0, Vec::len) as u64;
        if count == 200.min(at.lines + 1 - line) {
            Ok(())
        } else {
            Err(format!("{count} lines at {line}"))
        }
    })?;
    timed(
        store,
        "the viewer opened at a line",
        200.0,
        &lines,
        |line| collector.page(&format!("{page}?L={line}")).map(drop),
    )?;
    timed(store, "the next error", 200.0, &lines, |line| {
        collector
            .get(&format!("{file}/place?level=error&from={line}"))
            .map(drop)
    })?;
    timed(store, "the error before", 200.0, &lines, |line| {
        collector
            .get(&format!("{file}/place?level=error&back=true&from={line}"))
            .map(drop)
    })?;
    timed(store, "the line of a time", 200.0, &times, |time| {
        let time = time.replace(' ', "%20").replace('+', "%2B");
        collector
            .get(&format!("{file}/place?time={time}"))
            .map(drop)
    })
}

/// Jumps in the viewer, in a real browser, and the drawing of the whole file that it shows above the lines.
fn jumps(store: &str, collector: &Collector, home: &Path, at: &At) -> Result<(), String> {
    let page = format!("/bundles/{}/files/{}", at.bundle, at.fid);
    let begun = Instant::now();
    collector.page(&format!("{page}/overview"))?;
    let whole = ms(begun.elapsed());
    say(&format!(
        "| {store} | errors and warnings of the whole file | {whole:.0} | | |"
    ));
    let root = workspace_root();
    let world = serde_json::json!({
        "url": collector.url(),
        "password": collector.admin_password(),
        "modules": root.join("target/node"),
        "shots": root.join("target/screenshots"),
        "chromium": "/usr/bin/chromium",
    });
    let mut command = process::command(Path::new("node"));
    command.arg(root.join("tests/fixtures/browser/jumps.mjs"));
    command.args([world.to_string(), page, at.lines.to_string()]);
    let output = process::output(command.env("HOME", home))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let told: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    for (kind, what) in [
        ("opened", "the viewer opened, in Chromium"),
        ("line", "a jump to a line, in Chromium"),
        ("error", "a jump to an error, in Chromium"),
    ] {
        let list = told[kind].as_array().into_iter().flatten();
        let mut took: Vec<f64> = list.filter_map(Value::as_f64).collect();
        took.sort_by(f64::total_cmp);
        let (half, most) = (took.len() / 2, took.len() * 95 / 100);
        say(&format!(
            "| {store} | {what} | {:.1} | {:.1} | 200 |",
            took.get(half).ok_or("no jumps")?,
            took[most]
        ));
    }
    Ok(())
}

fn timed<T>(
    store: &str,
    what: &str,
    limit_ms: f64,
    places: &[T],
    ask: impl Fn(&T) -> Result<(), String>,
) -> Result<(), String> {
    let mut took = Vec::new();
    for place in places {
        let begun = Instant::now();
        ask(place)?;
        took.push(ms(begun.elapsed()));
    }
    took.sort_by(f64::total_cmp);
    let (half, most) = (took[took.len() / 2], took[took.len() * 95 / 100]);
    say(&format!(
        "| {store} | {what} | {half:.1} | {most:.1} | {limit_ms} |"
    ));
    Ok(())
}

fn search(store: &str, collector: &Collector, at: &At, unpacked_s: f64) -> Result<(), String> {
    let ask = |pattern: &str| -> Result<(Option<f64>, f64), String> {
        let query = pattern
            .bytes()
            .fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        let url = format!(
            "{}/api/v1/bundles/{}/search?limit=1000000&pattern={query}",
            collector.url(),
            at.bundle
        );
        let client = reqwest::blocking::Client::builder().timeout(LIMIT).build();
        let client = client.map_err(|error| error.to_string())?;
        let begun = Instant::now();
        let answer = client.get(url).bearer_auth(collector.token()).send();
        let answer = answer.and_then(reqwest::blocking::Response::error_for_status);
        let mut first = None;
        for line in BufReader::new(answer.map_err(|error| error.to_string())?).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let told: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            if told["done"].is_null() {
                first.get_or_insert_with(|| ms(begun.elapsed()));
            } else if told["done"] != true {
                return Err("the search broke off".to_owned());
            }
        }
        Ok((first, begun.elapsed().as_secs_f64()))
    };
    let (first, _) = ask("ERROR")?;
    say(&format!(
        "| {store} | first hit of a word | {:.1} | | 300 |",
        first.ok_or("no hit")?
    ));
    for pattern in EXPRESSIONS {
        let (_, all) = ask(pattern)?;
        say(&format!(
            "| {store} | all of `{}` | {:.0}, {:.2} times decompression on all cores | | |",
            pattern.replace('|', "\\|"),
            all * 1000.0,
            all / unpacked_s
        ));
    }
    Ok(())
}

/// Seconds that libdeflate takes for all blocks on all cores.
fn decompression(bytes: &[u8]) -> Result<f64, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let blocks = corpus::blocks(bytes)?;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let (mut decoder, mut out) = (libdeflater::Decompressor::new(), vec![0u8; 2 << 20]);
                while let Some(block) =
                    blocks.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let given = decoder.gzip_decompress(&bytes[block.clone()], &mut out);
                    std::hint::black_box(given.is_ok());
                }
            });
        }
    });
    Ok(begun.elapsed().as_secs_f64())
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

#[expect(clippy::print_stdout, reason = "a benchmark is a program that prints")]
fn say(text: &str) {
    println!("{text}");
}
