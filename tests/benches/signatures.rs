//! Signature scan: MB per CPU-second with evidence (signature, file, line), and its ratio to reading
//! the same bytes and, when they are on the machine, to `rg -f`, `grep -F -f`, YARA-X and vectorscan with
//! the same patterns; then unpacking and scanning together.
//!
//! `signatures PATTERNS… -- LOG…`: each pattern file has one expression a line and is one set. Such
//! sets and logs come from the generators in the shared folder's `perf/`. Without arguments: the
//! built-in catalogue over the sample logs in the shared folder.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark is a program that prints, and stops when it cannot run"
)]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sitrep_shared::archive::{self, Entry, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_shared::signature::{Catalogue, Engine, FileScan, RunOptions, SourceMap};
use sitrep_shared::time::UtcMs;

/// Bytes handed to a scan at once, as the agent and the collector do.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes of each file that are compressed, to unpack and scan them.
const PACKED_BYTES: usize = 16 * 1024 * 1024;
/// Runs of each; the median counts.
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let split = arguments.iter().position(|a| a == "--");
    let (patterns, logs) = match split {
        Some(at) => (arguments[..at].to_vec(), arguments[at + 1..].to_vec()),
        None => (Vec::new(), sample_logs()),
    };
    let files: Vec<(String, Vec<u8>)> = logs
        .iter()
        .map(|l| (l.clone(), fs::read(l).unwrap()))
        .collect();
    let bytes: usize = files.iter().map(|f| f.1.len()).sum();
    let read = median(|| {
        let lines: usize = files
            .iter()
            .map(|f| f.1.iter().filter(|b| **b == b'\n').count())
            .sum();
        black_box(lines) as u64
    });
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{megabytes:.0} MB in {} files; reading them {:.0}, counting lines {:.0} MB/CPU-s",
        files.len(),
        megabytes / median(|| reading(&logs)).0,
        megabytes / read.0
    );
    if patterns.is_empty() {
        scan("built-in", Catalogue::embedded().unwrap(), &files, read.0);
    }
    for set in &patterns {
        let text = fs::read_to_string(set).unwrap();
        let ours = scan(set, catalogue(&text), &files, read.0);
        peers(Path::new(set), &logs, megabytes, ours);
        vectorscan(Path::new(set), &logs, megabytes, ours);
    }
}

/// One signature for each line of a pattern file.
fn catalogue(patterns: &str) -> Catalogue {
    let document = |(number, pattern): (usize, &str)| {
        let quoted = serde_json::Value::from(pattern);
        let text = format!(
            "rules: [{{cre: {{id: BENCH-{number:06}}}, rule: {{set: {{event: {{source: x}}, match: [{{regex: {quoted}}}]}}}}}}]"
        );
        (format!("{number}"), text)
    };
    let documents: Vec<(String, String)> = patterns.lines().enumerate().map(document).collect();
    let good = documents
        .iter()
        .filter_map(|d| Catalogue::load([d.clone()]).ok());
    let signatures: Vec<_> = good.flat_map(|c| c.signatures).collect();
    println!("\n{} of {} patterns", signatures.len(), documents.len());
    Catalogue { signatures }
}

/// Scans all files, and prints; returns MB per CPU-second.
fn scan(name: &str, catalogue: Catalogue, files: &[(String, Vec<u8>)], read_s: f64) -> f64 {
    let sources = SourceMap::embedded().unwrap();
    let heap = resident_bytes();
    let start = cpu_s();
    let engine = Engine::new(&catalogue, &sources).unwrap();
    let build_ms = (cpu_s() - start) * 1000.0;
    let built = resident_bytes().saturating_sub(heap) as f64 / 1e6;
    let options = RunOptions {
        bundle_time: UtcMs(1_790_000_000_000),
        ignore_source: true,
        ..RunOptions::default()
    };
    packed(&engine, options, files);
    let (seconds, hits) = median(|| {
        let mut hits = 0;
        for (path, bytes) in files {
            let mut file = engine.run(options).file(path);
            bytes.chunks(CHUNK_BYTES).for_each(|chunk| file.push(chunk));
            let result = file.finish();
            hits += engine.outcomes(&result).iter().map(|o| o.hits).sum::<u64>();
        }
        hits
    });
    let megabytes = files.iter().map(|f| f.1.len()).sum::<usize>() as f64 / 1e6;
    let rate = megabytes / seconds;
    println!(
        "{name}: {} signatures, {rate:.0} MB/CPU-s, {hits} hits; built in {build_ms:.0} ms and {built:.1} MB, \
         {:.1} MB after scanning; {:.2} of counting lines",
        engine.len(),
        resident_bytes().saturating_sub(heap) as f64 / 1e6,
        read_s / seconds,
    );
    rate
}

/// Reads the files, and nothing more.
fn reading(logs: &[String]) -> u64 {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    for log in logs {
        let mut file = File::open(log).unwrap();
        while let Some(length) = Some(file.read(&mut chunk).unwrap()).filter(|n| *n > 0) {
            bytes += length as u64;
        }
    }
    bytes
}

/// Scans what an archive holds.
struct Scanned<'s, 'e>(&'s mut FileScan<'e>);

impl Visitor for Scanned<'_, '_> {
    fn entry(&mut self, _: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        loop {
            let chunk = data.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.0.push(chunk);
            let taken = chunk.len();
            data.consume(taken);
        }
    }
}

/// Unpacks and scans, as the collector reads files of others: some of the bytes, compressed before.
fn packed(engine: &Engine, options: RunOptions, files: &[(String, Vec<u8>)]) {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = 0;
    let mut pack = |(index, (_, text)): (usize, &(String, Vec<u8>))| {
        let path = folder.path().join(format!("{index}.gz"));
        let part = &text[..text.len().min(PACKED_BYTES)];
        bytes += part.len();
        let level = flate2::Compression::default();
        let mut gz = flate2::write::GzEncoder::new(File::create(&path).unwrap(), level);
        gz.write_all(part).unwrap();
        gz.finish().unwrap();
        path
    };
    let packed: Vec<PathBuf> = files.iter().enumerate().map(&mut pack).collect();
    let (seconds, _) = median(|| {
        let mut lines = 0;
        for path in &packed {
            let mut scan = engine.run(options).file("x.log");
            let mut file = File::open(path).unwrap();
            archive::inspect(&mut file, &Limits::default(), &mut Scanned(&mut scan));
            lines += scan.finish().lines;
        }
        lines
    });
    let rate = bytes as f64 / 1e6 / seconds;
    println!("unpack and scan: {rate:.0} MB (unpacked) per CPU-s, on one core");
}

/// The same patterns with tools that only name the line, or only the rule.
fn peers(set: &Path, logs: &[String], megabytes: f64, ours: f64) {
    let folder = tempfile::tempdir().unwrap();
    let fixed = folder.path().join("fixed");
    // An empty line is a pattern that is on every line.
    let text = fs::read_to_string(set.with_extension("fixed")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    fs::write(&fixed, lines.join("\n") + "\n").unwrap();
    let yara = set.with_extension("yar");
    let runs: [(&str, Vec<&str>, &Path); 4] = [
        ("rg", vec!["-c", "-f"], set),
        ("rg", vec!["-c", "-F", "-f"], &fixed),
        ("grep", vec!["-c", "-F", "-f"], &fixed),
        ("python3", vec!["-c", YARA_X], &yara),
    ];
    for (program, options, patterns) in runs {
        if !patterns.exists() || fs::metadata(patterns).unwrap().len() < 2 {
            continue;
        }
        let name = match program {
            "python3" => "yara-x".to_owned(),
            _ => format!("{program} {}", options.join(" ")),
        };
        match child(program, &options, patterns, logs) {
            Some(seconds) => {
                let rate = megabytes / seconds;
                println!(
                    "  {name}: {rate:.1} MB/CPU-s; ours is {:.1} times that",
                    ours / rate
                );
            }
            None => println!("  {name}: not on this machine, or stopped after a minute"),
        }
    }
}

/// Vectorscan with the same patterns, as a program of the shared folder that is compiled here: whole
/// process, so that reading and compiling the patterns count, as for the others.
fn vectorscan(set: &Path, logs: &[String], megabytes: f64, ours: f64) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("vectorscan").display().to_string();
    let source = sitrep_tests::shared_data()
        .unwrap()
        .join("perf/bench/vectorscan.c");
    let compile = ["-O2", "-o", &program, &source.display().to_string(), "-lhs"];
    let none = Path::new("");
    let built = child("cc", &compile, none, &[]).is_some();
    match child(
        &program,
        &[],
        set,
        &[vec!["1".to_owned()], logs.to_vec()].concat(),
    ) {
        Some(seconds) if built => {
            let rate = megabytes / seconds;
            println!(
                "  vectorscan: {rate:.1} MB/CPU-s; ours is {:.2} times that",
                ours / rate
            );
        }
        _ => println!("  vectorscan: does not build or run on this machine"),
    }
}

/// YARA-X by its Python package, when it is installed; building the rules is counted, as for the others.
const YARA_X: &str = "
import sys, yara_x
scanner = yara_x.Scanner(yara_x.compile(open(sys.argv[1]).read()))
for path in sys.argv[2:]:
    scanner.scan(open(path, 'rb').read())
";

/// CPU seconds of a child, stopped after a minute of CPU; `None` when it cannot be started.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark runs its peers as they are"
)]
fn child(program: &str, options: &[&str], patterns: &Path, logs: &[String]) -> Option<f64> {
    let before = children_s();
    let limited = format!("ulimit -t 60; exec {program} \"$@\"");
    // Into a pipe: GNU grep stops at the first match when nobody reads it.
    let output = Command::new("/bin/sh")
        .args(["-c", &limited, program])
        .args(options)
        .args(Some(patterns).filter(|p| !p.as_os_str().is_empty()))
        .args(logs)
        .env("LC_ALL", "C")
        .stderr(Stdio::null())
        .output();
    // 1 is no match for grep and a missing module for Python, whose start takes no time to speak of.
    let code = output.ok()?.status.code()?;
    let failed = code > 1 || (program == "python3" && code != 0);
    (!failed).then(|| children_s() - before)
}

fn sample_logs() -> Vec<String> {
    let folder = sitrep_tests::shared_data().unwrap().join("logs/loghub");
    let mut logs: Vec<PathBuf> = Vec::new();
    for system in fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir())
    {
        logs.extend(fs::read_dir(system).unwrap().map(|e| e.unwrap().path()));
    }
    logs.retain(|p| p.extension().is_some_and(|e| e == "log"));
    logs.sort();
    logs.iter().map(|p| p.display().to_string()).collect()
}

/// The median CPU seconds of some rounds, and what the last gave.
fn median(mut work: impl FnMut() -> u64) -> (f64, u64) {
    let mut times = Vec::new();
    let mut result = 0;
    for _ in 0..ROUNDS {
        let start = cpu_s();
        result = work();
        times.push(cpu_s() - start);
    }
    times.sort_by(f64::total_cmp);
    (times[ROUNDS / 2].max(1e-6), result)
}

/// CPU seconds (user and system) of this process.
fn cpu_s() -> f64 {
    usage_s(libc::RUSAGE_SELF)
}

fn children_s() -> f64 {
    usage_s(libc::RUSAGE_CHILDREN)
}

#[allow(unsafe_code)]
fn usage_s(who: libc::c_int) -> f64 {
    // SAFETY: a zeroed rusage is valid, and getrusage fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Memory of this process, in bytes.
fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|p| p.parse().ok())
        .unwrap_or(0);
    pages * 4096
}
