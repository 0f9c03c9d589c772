//! What collecting costs, paired: the agent and its peer in turn, on the same host and the same files.
//!
//! Prints, for each of a few rounds and as medians: a small host against `sosreport`, base profile and
//! standard profile; logs against `tar | gzip -6`; peak memory; bytes written against the bundle's size. Run
//! with `cargo bench --bench collect [-- MEGABYTES ROUNDS]`; as root, which `sosreport` needs.

use sitrep_tests::agent::Agent;
use sitrep_tests::usage::{self, Usage};
use sitrep_tests::{corpus, process};
use std::path::Path;

/// Nothing is asked, nothing is sent.
const QUIET: [&str; 6] = [
    "run",
    "--no-send",
    "--yes",
    "--allow-partial",
    "--progress",
    "none",
];

fn main() -> Result<(), String> {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<u64>().ok());
    let (megabytes, rounds) = (numbers.next().unwrap_or(1000), numbers.next().unwrap_or(3));
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    say("| what | Sitrep | peer or limit | ratio |\n|---|---|---|---|");
    host(dir.path(), rounds)?;
    if megabytes > 0 {
        logs(dir.path(), megabytes, rounds)?;
    }
    Ok(())
}

/// One run of ours, and the size of its bundle.
struct Run {
    usage: Usage,
    bundle: u64,
}

fn ours(dir: &Path, name: &str, flags: &[&str]) -> Result<Run, String> {
    let agent = Agent::new(&dir.join(name))?;
    let bundle = dir.join(format!("{name}.tar.gz"));
    let output = ["--output", text(&bundle)];
    let arguments = [&QUIET[..], flags, &output].concat();
    let usage = usage::of(&mut agent.command(&arguments))?;
    let size = std::fs::metadata(&bundle).map_err(|error| error.to_string())?;
    std::fs::remove_file(&bundle).map_err(|error| error.to_string())?;
    Ok(Run {
        usage,
        bundle: size.len(),
    })
}

fn sosreport(dir: &Path, round: u64) -> Result<Usage, String> {
    let place = dir.join(format!("sos-{round}"));
    std::fs::create_dir(&place).map_err(|error| error.to_string())?;
    let mut sos = process::command(Path::new("sosreport"));
    sos.env("HOME", "/root")
        .args(["--batch", "--quiet", "-z", "gzip", "--tmp-dir"])
        .arg(&place);
    let usage = usage::of(&mut sos);
    std::fs::remove_dir_all(&place).map_err(|error| error.to_string())?;
    usage
}

fn host(dir: &Path, rounds: u64) -> Result<(), String> {
    let (mut base, mut standard, mut sos) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let profile = ["--profile", "standard", "--max-time", "10m"];
        standard.push(ours(dir, &format!("standard-{round}"), &profile)?);
        let profile = ["--profile", "minimal", "--max-time", "10m"];
        base.push(ours(dir, &format!("base-{round}"), &profile)?);
        sos.push(sosreport(dir, round)?);
    }
    let cpu = |u: &Usage| u.cpu_s();
    let wall = |u: &Usage| u.wall_s;
    let memory = |u: &Usage| mb(u.peak_rss_bytes);
    for (name, runs) in [("base", &base), ("standard", &standard)] {
        let runs: Vec<Usage> = runs.iter().map(|run| run.usage).collect();
        for (what, of) in [
            ("CPU s", cpu as fn(&Usage) -> f64),
            ("wall s", wall),
            ("peak RSS MB", memory),
        ] {
            let what = format!("{name} profile, {what} (sosreport)");
            row(&what, median(&runs, of), median(&sos, of));
        }
        row(
            &format!("{name} profile, peak RSS MB (limit 24)"),
            median(&runs, memory),
            24.0,
        );
    }
    Ok(())
}

fn logs(dir: &Path, megabytes: u64, rounds: u64) -> Result<(), String> {
    let corpus = corpus::make(megabytes)?;
    let profile = dir.join("logs.toml");
    let profile_text = format!(
        "name = \"logs\"\nversion = \"1\"\ntitle = \"Only the corpus\"\ntags = []\n\n\
         [limits]\nmax_bytes = 4000000000\nmax_seconds = 600\nlog_group_bytes = 4000000000\n\n\
         [[add]]\nfile = \"{}/*.log\"\nlimit = 4000000000\nlog = true\n",
        corpus.display()
    );
    std::fs::write(&profile, profile_text).map_err(|error| error.to_string())?;
    let flags = [
        "--max-size",
        "4G",
        "--max-time",
        "30m",
        "--profile",
        text(&profile),
    ];
    let packed = dir.join("peer.tar.gz");
    let (mut runs, mut peers) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        runs.push(ours(dir, &format!("logs-{round}"), &flags)?);
        let mut gzip = process::command(Path::new("/bin/sh"));
        gzip.args([
            "-c",
            "tar cf - \"$1\" | gzip -6 > \"$2\"",
            "sh",
            text(&corpus),
            text(&packed),
        ]);
        peers.push(usage::of(&mut gzip)?);
    }
    let original = mb(size_of(&corpus));
    let peer = std::fs::metadata(&packed).map_err(|error| error.to_string())?;
    let bundle = runs.first().map_or(1, |run| run.bundle);
    let usages: Vec<Usage> = runs.iter().map(|run| run.usage).collect();
    let (cpu, theirs) = (median(&usages, Usage::cpu_s), median(&peers, Usage::cpu_s));
    row("logs, CPU s (tar | gzip -6)", cpu, theirs);
    row("logs, MB per CPU s (limit 120)", original / cpu, 120.0);
    row(
        "logs, packed to 1 in (tar | gzip -6)",
        original / mb(bundle),
        original / mb(peer.len()),
    );
    row(
        "logs, packed to 1 in (limit 5.9)",
        original / mb(bundle),
        5.9,
    );
    row(
        "logs, peak RSS MB (limit 48)",
        median(&usages, |u| mb(u.peak_rss_bytes)),
        48.0,
    );
    row(
        "logs, written MB (the bundle)",
        median(&usages, |u| mb(u.written_bytes)),
        mb(bundle),
    );
    Ok(())
}

fn size_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "log"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

fn median(usages: &[Usage], of: impl Fn(&Usage) -> f64) -> f64 {
    let mut values: Vec<f64> = usages.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
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
