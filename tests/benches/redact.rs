//! Redaction alone, on one core: megabytes per CPU-second at each level, against the limit of reading the
//! same bytes (memchr for line ends) and against peers when they are on PATH.
//!
//! `cargo bench -p sitrep-tests --bench redact -- [FOLDER]`: FOLDER holds `*.log`; without it a corpus of
//! log lines is made in memory. Prints ratios, linearity in size and in the number of distinct values, and
//! the time of one hostile line.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a benchmark is a program that prints"
)]

use sitrep_shared::redact::{FileContext, Level, Redactor, RedactorBuilder};
use std::path::{Path, PathBuf};
use std::time::Instant;

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

fn throughput(files: &[(String, Vec<u8>)]) {
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
    for level in [Level::Standard, Level::Strict] {
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
        println!(
            "{:<34} {rate:>8.0} MB/CPU-s   {:.2} of the limit, {total} values removed",
            format!("redact {level}"),
            rate / limit
        );
        for (name, rate) in rows {
            println!("    {name:<30} {rate:>8.0}");
        }
        for (peer, figure) in [
            ("secretlint", 53.0),
            ("ripsecrets", 7.1),
            ("sos clean", 0.17),
        ] {
            println!(
                "    {:.0} x {peer} (its best recorded figure, {figure})",
                rate / figure
            );
        }
    }
}

fn linear() {
    for level in [Level::Standard, Level::Strict] {
        let redactor = redactor(level);
        let time = |input: &[u8]| {
            timed(|| {
                redact(&redactor, "x.log", input);
            })
        };
        let (small, large) = (made(3, 1000), made(30, 1000));
        println!(
            "{level}: ten times the input costs {:.1} times",
            time(&large) / time(&small)
        );
        let (few, many) = (made(16, 10_000), made(16, 1_000_000));
        println!(
            "{level}: a hundred times the distinct values cost {:.2} times",
            time(&many) / time(&few)
        );
        for piece in [
            "password=",
            "a:b@",
            "<password>",
            "://",
            "-----BEGIN ",
            "\"key\":\"",
            "1.1.",
            "a.b.",
            "::",
            "[[[[{{{{",
            "\\\\\\\"",
            "curl -u ",
            "data: {",
            "$6$",
            "eyJ",
            "-us1",
        ] {
            let line = piece.repeat((1 << 20) / piece.len());
            let start = Instant::now();
            redact(&redactor, "x.log", line.as_bytes());
            let ms = start.elapsed().as_secs_f64() * 1e3;
            if ms > 50.0 {
                println!("{level}: 1 MiB line of {piece:?}: {ms:.0} ms");
            }
        }
    }
}

fn main() {
    let folder = std::env::args()
        .skip(1)
        .find(|a| !a.starts_with("--"))
        .map(PathBuf::from);
    let files = corpus(folder.as_deref());
    throughput(&files);
    linear();
    peers(folder.as_deref());
}

/// Runs peers that are installed on the same folder, and prints their rates.
#[expect(clippy::disallowed_methods, reason = "peers are programs of their own")]
fn peers(folder: Option<&Path>) {
    let Some(folder) = folder else { return };
    for (program, args) in [("ripsecrets", vec![]), ("secretlint", vec!["--no-color"])] {
        let start = Instant::now();
        let ran = std::process::Command::new(program)
            .args(args)
            .arg(folder)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        match ran {
            Ok(_) => println!(
                "{program}: {:.1} s wall for the folder",
                start.elapsed().as_secs_f64()
            ),
            Err(_) => println!("{program}: not installed"),
        }
    }
}
