//! What pages cost: the server's time for each with 100,000 tickets and 20,000 bundles of metadata, and the sizes of
//! script and style as they travel.
//!
//! Fills a real collector's SQLite, asks for each page in turn, and prints the median and the 95th percentile beside the
//! limit. Run with `cargo bench --bench pages [-- TICKETS]`.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use sitrep_tests::collector::Collector;
use sitrep_tests::{process, workspace_root};

/// Times each page is asked for.
const ROUNDS: usize = 60;
/// A page that takes longer than this in all is asked for less often, but five times.
const LONGEST: Duration = Duration::from_secs(6);

/// Pages, and their limits in milliseconds.
const PAGES: [(&str, f64); 16] = [
    ("/tickets", 30.0),
    ("/tickets?view=closed", 30.0),
    ("/tickets?view=all&q=export", 40.0),
    ("/tickets/new", 30.0),
    ("/tickets/TKT-{last}", 40.0),
    ("/bundles", 40.0),
    ("/bundles/{bundle}", 40.0),
    ("/search?q=export+host", 150.0),
    ("/search?q=%E7%A3%81%E7%9B%98", 150.0),
    ("/kb", 30.0),
    ("/signatures", 30.0),
    ("/signatures/SIG-0001", 30.0),
    ("/coverage", 60.0),
    ("/stats", 80.0),
    ("/admin", 40.0),
    ("/macros", 40.0),
];

/// Assets of a page, and their limits in bytes, compressed.
const ASSETS: [(&str, &[&str], usize); 4] = [
    ("script of ordinary pages", &["desk.js"], 16 * 1024),
    ("script of the viewer", &["viewer.js"], 30 * 1024),
    ("script of the upload", &["upload.js"], 6 * 1024),
    ("style", &["site.css"], 14 * 1024),
];

fn main() -> Result<(), String> {
    let tickets: usize = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(100_000);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let data = dir.path().join("collector");
    let collector = Collector::start(&data)?;
    fill(&data, tickets)?;
    say("| what | median | 95 of 100 within | limit |\n|---|---|---|---|");
    for (path, limit) in PAGES {
        let path = known(path, tickets);
        let mut took = Vec::new();
        let all = Instant::now();
        while took.len() < ROUNDS && (took.len() < 5 || all.elapsed() < LONGEST) {
            let begun = Instant::now();
            collector.page(&path)?;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        let (half, most) = (ms(took[took.len() / 2]), ms(took[took.len() * 95 / 100]));
        say(&format!(
            "| `{path}` | {half:.1} ms | {most:.1} ms | {limit} ms |"
        ));
    }
    paints(&collector, dir.path(), tickets)?;
    for (name, files, limit) in ASSETS {
        let mut bytes = 0;
        for file in files {
            bytes += packed(&collector.page(&format!("/assets/{file}"))?)?;
        }
        say(&format!("| {name} | {bytes} bytes | | {limit} bytes |"));
    }
    Ok(())
}

/// The address of a page of what was filled in.
fn known(path: &str, tickets: usize) -> String {
    // As the script makes it: a UUID that is a number.
    let digits = format!("{:032x}", (2_u128 << 100) + (tickets / 5 - 1) as u128);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    let id = parts.join("-");
    path.replace("{last}", &(2000 + tickets - 1).to_string())
        .replace("{bundle}", &id)
}

fn fill(data: &Path, tickets: usize) -> Result<(), String> {
    let files = std::fs::read_dir(data).map_err(|error| error.to_string())?;
    let database = files
        .filter_map(|file| Some(file.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "db"));
    let database = database.ok_or("the collector has no database file")?;
    let mut command = process::command(Path::new("python3"));
    command.arg(workspace_root().join("tests/fixtures/pages/fill.py"));
    command
        .arg(database)
        .arg(tickets.to_string())
        .arg((tickets / 5).to_string());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let output = process::output(&mut command)?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// When something of a page is first seen in a real browser.
fn paints(collector: &Collector, home: &Path, tickets: usize) -> Result<(), String> {
    let root = workspace_root();
    let world = serde_json::json!({
        "url": collector.url(),
        "password": collector.admin_password(),
        "modules": root.join("target/node"),
        "shots": root.join("target/screenshots"),
        "chromium": "/usr/bin/chromium",
    });
    let mut command = process::command(Path::new("node"));
    command.arg(root.join("tests/fixtures/browser/paint.mjs"));
    command.arg(world.to_string()).env("HOME", home);
    // What the browser alone takes: a page of two letters.
    command.arg("/healthz");
    for (path, _) in PAGES {
        command.arg(known(path, tickets));
    }
    let output = process::output(&mut command)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let told: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
        let (path, paint) = (told["path"].as_str().unwrap_or_default(), &told["paint_ms"]);
        say(&format!(
            "| first paint of `{path}` | {paint} ms | | 100 ms |"
        ));
    }
    Ok(())
}

fn packed(bytes: &[u8]) -> Result<usize, String> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).map_err(|error| error.to_string())?;
    Ok(packer.finish().map_err(|error| error.to_string())?.len())
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

#[allow(clippy::print_stdout, reason = "a program that prints")]
fn say(text: &str) {
    println!("{text}");
}
