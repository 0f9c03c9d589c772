//! What the main job costs, as ratios of figures taken in the same run.
//!
//! Prints: the agent's peak memory and CPU for 1 GB of logs against `tar | gzip
//! -6` of the same files; the base profile against `sosreport`; the collector's
//! memory while it receives and analyses that bundle; the size of the release
//! binary. Run with `cargo bench --bench main_job [-- MEGABYTES]`.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::corpus;
use sitrep_tests::usage::{self, Usage};
use sitrep_tests::{binaries, process};
use std::path::Path;
use std::time::Duration;

fn main() -> Result<(), String> {
    let megabytes = std::env::args()
        .filter_map(|word| word.parse().ok())
        .next()
        .unwrap_or(1000);
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    say("| what | Sitrep | peer or limit | ratio |\n|---|---|---|---|");
    binary_size()?;
    base_collection(dir.path())?;
    logs(dir.path(), megabytes)
}

fn binary_size() -> Result<(), String> {
    let bytes = std::fs::metadata(binaries::sitrep())
        .map_err(|error| error.to_string())?
        .len();
    row("agent binary, MB (limit 10)", mb(bytes), 10.0);
    Ok(())
}

fn base_collection(dir: &Path) -> Result<(), String> {
    let agent = Agent::new(&dir.join("base"))?;
    let bundle = dir.join("base.tar.gz");
    let ours = usage::of(&mut agent.command(&[
        "run",
        "--no-send",
        "--yes",
        "--allow-partial",
        "--output",
        text(&bundle),
    ]))?;
    let sos_dir = dir.join("sos");
    std::fs::create_dir(&sos_dir).map_err(|error| error.to_string())?;
    let mut sos = process::command(Path::new("sosreport"));
    sos.env("HOME", "/root").args([
        "--batch",
        "--quiet",
        "-z",
        "gzip",
        "--tmp-dir",
        text(&sos_dir),
    ]);
    let theirs = usage::of(&mut sos)?;
    row("this host, wall s (sosreport)", ours.wall_s, theirs.wall_s);
    row("this host, CPU s (sosreport)", ours.cpu_s(), theirs.cpu_s());
    row(
        "this host, peak RSS MB (sosreport)",
        mb(ours.peak_rss_bytes),
        mb(theirs.peak_rss_bytes),
    );
    row(
        "this host, written MB (sosreport)",
        mb(ours.written_bytes),
        mb(theirs.written_bytes),
    );
    Ok(())
}

fn logs(dir: &Path, megabytes: u64) -> Result<(), String> {
    let corpus = corpus::make(megabytes)?;
    let profile = dir.join("logs.toml");
    let profile_text = format!(
        "name = \"logs\"\nversion = \"1\"\ntitle = \"Only the corpus\"\ntags = []\n\n\
         [limits]\nmax_bytes = 4000000000\nmax_seconds = 600\nlog_group_bytes = 4000000000\n\n\
         [[add]]\nfile = \"{}/*.log\"\nlimit = 4000000000\nlog = true\n",
        corpus.display()
    );
    std::fs::write(&profile, profile_text).map_err(|error| error.to_string())?;
    let agent = Agent::new(&dir.join("logs"))?;
    let bundle = dir.join("logs.tar.gz");
    let arguments = [
        "run",
        "--no-send",
        "--yes",
        "--allow-partial",
        "--max-size",
        "4G",
        "--max-time",
        "600s",
        "--profile",
        text(&profile),
        "--output",
        text(&bundle),
    ];
    let ours = usage::of(&mut agent.command(&arguments))?;
    let mut gzip = process::command(Path::new("/bin/sh"));
    gzip.args([
        "-c",
        "tar cf - \"$1\" | gzip -6 > \"$2\"",
        "sh",
        text(&corpus),
        text(&dir.join("peer.tar.gz")),
    ]);
    let theirs = usage::of(&mut gzip)?;
    let original = size_of(&corpus);
    let packed = std::fs::metadata(&bundle)
        .map_err(|error| error.to_string())?
        .len();
    let peer = std::fs::metadata(dir.join("peer.tar.gz"))
        .map_err(|error| error.to_string())?
        .len();
    row(
        "logs into a bundle, MB per CPU s (tar | gzip -6)",
        per_cpu_s(original, &ours),
        per_cpu_s(original, &theirs),
    );
    row(
        "logs into a bundle, packed to 1 in (tar | gzip -6)",
        mb(original) / mb(packed),
        mb(original) / mb(peer),
    );
    row(
        "logs into a bundle, peak RSS MB (limit 48)",
        mb(ours.peak_rss_bytes),
        48.0,
    );
    row(
        "logs into a bundle, written MB (the bundle)",
        mb(ours.written_bytes),
        mb(packed),
    );
    receive(dir, &agent, &bundle)
}

/// The same bundle sent to a collector: its own peak memory, children apart.
fn receive(dir: &Path, agent: &Agent, bundle: &Path) -> Result<(), String> {
    let collector = Collector::start(&dir.join("collector"))?;
    let ticket = collector.create_ticket("benchmark")?;
    let link = collector.create_code(&ticket.id)?;
    let sent = usage::of(&mut agent.command(&["send", text(bundle), &link, "--yes"]))?;
    collector.wait_for_verdict(&ticket.id, Duration::from_secs(300))?;
    row(
        "collector, peak RSS MB (limit 150)",
        mb(collector.peak_rss_bytes().unwrap_or_default()),
        150.0,
    );
    row(
        "agent sending, peak RSS MB (limit 48)",
        mb(sent.peak_rss_bytes),
        48.0,
    );
    Ok(())
}

fn size_of(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let logs = entries.flatten().filter(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "log")
    });
    logs.filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn per_cpu_s(bytes: u64, usage: &Usage) -> f64 {
    mb(bytes) / usage.cpu_s()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn row(what: &str, ours: f64, other: f64) {
    say(&format!(
        "| {what} | {ours:.2} | {other:.2} | {:.3} |",
        ours / other
    ));
}

#[expect(clippy::print_stdout, reason = "a benchmark is a program that prints")]
fn say(text: &str) {
    println!("{text}");
}
