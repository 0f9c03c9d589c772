//! What hostile input must not move: cost by size and by the number of distinct values, one hostile line,
//! memory for a line without an end.

use super::{made, redact, redactor, timed};
use sitrep_shared::redact::{FileContext, Level};

/// Pieces of which a hostile line is made.
const HOSTILE: [&str; 24] = [
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
    "secrets: {",
    "password=\"a\" + ",
    "&lt;password&gt;",
    "token - ",
    "password(\"",
    "api_keys:\r",
    "x-auth: Basic ",
    "{\"key\":\"token\",",
];

/// Longest time for 1 MiB in one line, in milliseconds.
const LINE_MS: f64 = 100.0;

pub(crate) fn all() {
    for level in [Level::Standard, Level::Strict] {
        growth(level);
        line(level);
    }
    endless();
}

/// Ten times the input, a hundred times the distinct values.
fn growth(level: Level) {
    let redactor = redactor(level);
    let time = |input: &[u8]| {
        timed(|| {
            redact(&redactor, "x.log", input);
        })
    };
    let (small, large) = (made(3, 1000), made(30, 1000));
    let ratio = time(&large) / time(&small);
    println!(
        "{level}: ten times the input costs {ratio:.1} times (limit 11): {}",
        said(ratio <= 11.0)
    );
    let (few, many) = (made(16, 10_000), made(16, 1_000_000));
    let ratio = time(&many) / time(&few);
    println!(
        "{level}: a hundred times the distinct values cost {ratio:.2} times (limit 1.5): {}",
        said(ratio <= 1.5)
    );
}

/// The slowest of the hostile lines, in CPU time.
fn line(level: Level) {
    let redactor = redactor(level);
    let slowest = HOSTILE
        .iter()
        .map(|piece| {
            let line = piece.repeat((1 << 20) / piece.len());
            let seconds = timed(|| {
                redact(&redactor, "x.log", line.as_bytes());
            });
            (seconds * 1e3, *piece)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or_default();
    println!(
        "{level}: slowest hostile line of 1 MiB {:.0} ms, of {:?} (limit {LINE_MS:.0}): {}",
        slowest.0,
        slowest.1,
        said(slowest.0 <= LINE_MS)
    );
}

/// 1 GB without a line end, given in pieces; memory is that of the process.
fn endless() {
    let redactor = redactor(Level::Strict);
    let mut stream = redactor.stream(FileContext { path: "x.log" });
    let piece = "some words password=Zx9kQ2mV7pL4 from 10.1.2.3 and more of them; ".repeat(1000);
    let (mut out, mut bytes, before) = (Vec::new(), 0, peak_mb());
    while bytes < 1_000_000_000 {
        stream.push(piece.as_bytes(), &mut out).expect("plain text");
        bytes += piece.len();
        out.clear();
    }
    stream.finish(&mut out).expect("plain text");
    let grown = peak_mb() - before;
    println!(
        "strict: a line of 1 GB takes {grown} MB more memory (limit 8): {}",
        said(grown <= 8)
    );
}

/// Peak memory of this process in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kb.unwrap_or_default() / 1000
}

fn said(holds: bool) -> &'static str {
    if holds { "holds" } else { "DOES NOT HOLD" }
}
