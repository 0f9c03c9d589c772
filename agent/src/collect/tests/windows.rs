//! Time windows: by the times in the lines, in plain and packed logs, whatever lies between them.

use super::*;
use crate::collect::unpack::Packing;

/// A log of the 24th of November, one line a minute from hour to hour.
fn log(hours: std::ops::Range<i64>) -> String {
    (hours.start * 60..hours.end * 60).map(line).collect()
}

fn line(minute: i64) -> String {
    let (h, m) = (minute / 60, minute % 60);
    format!("2026-11-24T{h:02}:{m:02}:00Z host app: tick\n")
}

fn at(h: i64, m: i64) -> i64 {
    (logtime::days(2026, 11, 24) * 1440 + h * 60 + m) * 60_000
}

/// What a window gives of one log, and how it ended.
fn cut(path: &str, bytes: &[u8], since: i64, until: i64) -> (String, Outcome) {
    let (_dir, host) = fixture(&[(path, bytes)]);
    let params = Params {
        since_ms: Some(since),
        until_ms: Some(until),
        now_ms: at(23, 59),
        ..Params::default()
    };
    let (memory, _) = go(&host, params, &Cancel::new(), |p| {
        let (stored, packing) = Packing::of_name(path);
        let log = logs::LogItem {
            group: "app".to_owned(),
            group_bytes: 8 << 20,
            packing,
        };
        p.log(path, stored, log).tier(Tier::Logs).limit(8 << 20);
    });
    (memory.text(path), memory.outcome(path).0)
}

/// The same text as the host's own program packs it.
fn packed_by(program: &str, text: &str) -> Vec<u8> {
    let (_dir, host) = fixture(&[("/text", text.as_bytes())]);
    let (file, _) = host.open("/text").expect("opens");
    let argv = [program, "-c"].map(str::to_owned);
    let mut out = Vec::new();
    let timeout = Duration::from_secs(30);
    let ended = command::run_on(file.into(), &argv, timeout, &Cancel::new(), &mut |bytes| {
        out.extend_from_slice(bytes);
        true
    });
    assert_eq!(ended.expect("is installed").code, Some(0));
    out
}

#[test]
fn plain_and_packed_logs_give_the_same_lines() {
    let text = log(0..24);
    let expected: String = (11 * 60 + 30..=12 * 60 + 29).map(line).collect();
    let logs = [
        ("/var/log/app", text.clone().into_bytes()),
        ("/var/log/app.1.gz", packed_by("gzip", &text)),
        ("/var/log/app.2.xz", packed_by("xz", &text)),
    ];
    for (path, bytes) in logs {
        let (got, outcome) = cut(path, &bytes, at(11, 30), at(12, 29));
        assert_eq!(
            (got, outcome),
            (expected.clone(), Outcome::Collected),
            "{path}"
        );
        let (got, outcome) = cut(path, &bytes, at(24, 1), at(25, 0));
        assert_eq!((got.as_str(), outcome), ("", Outcome::Skipped), "{path}");
    }
}

#[test]
fn long_stretches_without_times_hide_nothing() {
    // A stack trace of 300 kB, and a line of 300 kB, right where the search would look.
    let trace = "    at com.example.Service.call(Service.java:17)\n".repeat(6_000);
    let long = format!("{}\n", "x".repeat(300_000));
    for filler in [trace, long] {
        let text = format!("{}{filler}{}", log(0..2), log(2..4));
        let (got, _) = cut("/var/log/app", text.as_bytes(), at(3, 0), at(3, 59));
        assert_eq!(got, log(3..4));
        // What follows a line without a time of its own belongs to it.
        let (got, _) = cut("/var/log/app", text.as_bytes(), at(1, 59), at(2, 0));
        assert_eq!(got, format!("{}{filler}{}", line(119), line(120)));
    }
}

#[test]
fn damaged_and_undated_logs_are_partial_and_say_why() {
    let mut bytes = packed_by("xz", &log(0..24));
    bytes.truncate(bytes.len() / 2);
    assert_eq!(
        cut("/var/log/a.xz", &bytes, 0, at(24, 0)).1,
        Outcome::Partial
    );
    let (got, outcome) = cut("/var/log/a", b"no time\nat all\n", at(1, 0), at(2, 0));
    assert_eq!(
        (got.as_str(), outcome),
        ("no time\nat all\n", Outcome::Partial)
    );
}
