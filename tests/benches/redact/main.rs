//! Redaction alone, on one core: megabytes per CPU-second at each level, against the limit of reading the
//! same bytes line by line, against peers in turn on the same files, and the bounds that hostile input must
//! not move.
//!
//! `cargo bench --bench redact -- [FOLDER]`: FOLDER holds `*.log`; without it a corpus of log lines is made
//! in memory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a benchmark is a program that prints"
)]

use sitrep_shared::redact::{FileContext, Level, Redactor, RedactorBuilder};
use std::path::{Path, PathBuf};

mod bounds;
mod peers;

/// CPU seconds that this process has used.
fn cpu() -> f64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[expect(
        unsafe_code,
        reason = "the clock of the process has no safe interface in std"
    )]
    // SAFETY: the pointer is to a valid timespec that outlives the call.
    unsafe {
        libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut t);
    }
    t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
}

fn redactor(level: Level) -> Redactor {
    RedactorBuilder::new(level, [5; 32])
        .build()
        .expect("the built-in rules compile")
}

/// Redacts as the agent does: in chunks of 64 KiB.
fn redact(redactor: &Redactor, path: &str, input: &[u8]) -> (u64, usize) {
    let mut stream = redactor.stream(FileContext { path });
    let (mut out, mut bytes) = (Vec::with_capacity(512 * 1024), 0);
    for chunk in input.chunks(64 * 1024) {
        stream.push(chunk, &mut out).expect("redacted");
        bytes += out.len();
        out.clear();
    }
    let report = stream.finish(&mut out).expect("redacted");
    (report.total, bytes + out.len())
}

fn lines(input: &[u8]) -> u64 {
    let mut n = 0;
    let mut at = 0;
    while let Some(i) = input[at..].iter().position(|b| *b == b'\n') {
        n += 1;
        at += i + 1;
    }
    n
}

/// A log of `mb` megabytes whose addresses and users come from `distinct` values.
fn made(mb: usize, distinct: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(mb << 20);
    let mut n: u32 = 12345;
    let mut next = |most: u32| {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (n >> 8) % most
    };
    while out.len() < mb << 20 {
        let v = next(distinct);
        let (a, b, c) = (v >> 16 & 255, v >> 8 & 255, v & 255);
        let line = match next(10) {
            0 => format!(
                "Jan  7 04:{:02}:{:02} web sshd[{}]: Failed password for invalid user u{v} from 10.{a}.{b}.{c} port {} ssh2\n",
                next(60),
                next(60),
                next(30000),
                next(60000)
            ),
            1 => format!(
                "2026-01-07 04:{:02}:{:02},123 INFO [IPC Server handler {}] org.apache.hadoop.ipc.Server: task {v} on /10.{a}.{b}.{c}:50010 done\n",
                next(60),
                next(60),
                next(32)
            ),
            2 if next(200) == 0 => {
                format!("app: connecting with user=app password=Zx9{v}kQ!m timeout=30\n")
            }
            _ => format!(
                "2026-01-07 04:{:02}:{:02}.{:03} 2931 INFO nova.compute.manager [instance: {:08x}] VM started, {} bytes in {} ms\n",
                next(60),
                next(60),
                next(1000),
                next(u32::MAX >> 8),
                next(99999),
                next(999)
            ),
        };
        out.extend_from_slice(line.as_bytes());
    }
    out
}

fn corpus(folder: Option<&Path>) -> Vec<(String, Vec<u8>)> {
    let Some(folder) = folder else {
        return vec![("made.log".to_owned(), made(48, 100_000))];
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of logs")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .collect();
    files.sort();
    files.retain(|p| p.extension().is_some_and(|e| e == "log"));
    files
        .into_iter()
        .map(|p| {
            (
                p.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                std::fs::read(&p).expect("a log"),
            )
        })
        .collect()
}

/// Median of some runs of `work`, in CPU seconds.
fn timed(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..3)
        .map(|_| {
            let start = cpu();
            work();
            cpu() - start
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[1]
}

/// Rates at standard and at strict.
fn throughput(files: &[(String, Vec<u8>)]) -> [f64; 2] {
    let mut rates = [0.0; 2];
    let bytes: usize = files.iter().map(|(_, b)| b.len()).sum();
    let mb = bytes as f64 / 1e6;
    let limit = mb
        / timed(|| {
            std::hint::black_box(files.iter().map(|(_, b)| lines(b)).sum::<u64>());
        });
    println!(
        "{mb:.0} MB of logs in {} files\n{:<34} {limit:>8.0} MB/CPU-s",
        files.len(),
        "limit: line by line, nothing else"
    );
    for (n, level) in [Level::Standard, Level::Strict].into_iter().enumerate() {
        let redactor = redactor(level);
        let (mut total, mut rows) = (0, Vec::new());
        let seconds = timed(|| {
            rows.clear();
            total = 0;
            for (name, bytes) in files {
                let start = cpu();
                total += redact(&redactor, name, bytes).0;
                rows.push((name.clone(), bytes.len() as f64 / 1e6 / (cpu() - start)));
            }
        });
        let rate = mb / seconds;
        rates[n] = rate;
        println!(
            "{:<34} {rate:>8.0} MB/CPU-s   {:.2} of the limit, {total} values removed",
            format!("redact {level}"),
            rate / limit
        );
        for (name, rate) in rows {
            println!("    {name:<30} {rate:>8.0}");
        }
    }
    rates
}

fn main() {
    let folder = std::env::args()
        .skip(1)
        .find(|a| !a.starts_with("--"))
        .map(PathBuf::from);
    let files = corpus(folder.as_deref());
    let rates = throughput(&files);
    bounds::all();
    peers::all(&files, rates);
}
