//! Windows of time over several logs.

use super::*;
use crate::bundles::browse::search::tests::stored;

#[test]
fn lines_of_several_files_stand_in_the_order_of_their_times() {
    let long = format!(
        "2026-11-21T00:30:00Z INFO {}\n2026-11-21T00:40:00Z WARN b3\n",
        "x".repeat(20_000)
    );
    let a = "2026-11-21T00:00:30Z ERROR a1\n  continued a2\n2026-11-21T02:00:00Z INFO too late\n";
    let b = format!("2026-11-20T23:59:59Z INFO too early\n2026-11-21T00:00:20Z INFO b1\n{long}");
    let of = stored(&[
        ("sos/var/log/a.log", a.as_bytes().to_vec()),
        ("sos/var/log/b.log", b.into_bytes()),
        ("sos/var/log/undated.log", b"one\ntwo\n".to_vec()),
        (
            "sos/etc/hosts",
            b"2026-11-21T00:00:30Z ERROR no log\n".to_vec(),
        ),
    ]);
    let from_ms = 1_795_219_200_000; // 2026-11-21T00:00:00Z
    let window = Window {
        from_ms,
        to_ms: from_ms + 3_600_000,
        collected_ms: from_ms,
        errors: false,
    };
    let told = read((&of.1, of.2), &of.3, window).unwrap();
    let lines: Vec<_> = told
        .entries
        .iter()
        .map(|e| (e.line, e.level, e.text.len().min(40)))
        .collect();
    assert_eq!(lines[..3], [(2, "info", 28), (1, "error", 29), (2, "", 14)]);
    assert_eq!(told.entries.len(), 5);
    assert_eq!(
        (told.entries[3].line, told.entries[4].line),
        (3, 4),
        "a long line is one line"
    );
    assert_eq!((told.parts.len(), told.files), (60, 2));
    assert_eq!((told.parts[0].errors, told.parts[0].others), (1, 2));
    assert_eq!(
        (told.parts[40].warnings, told.parts[40].from_ms),
        (1, from_ms + 2_400_000)
    );
    assert_eq!(told.undated, ["sos/var/log/undated.log"]);
    let window = Window {
        errors: true,
        ..window
    };
    let errors = read((&of.1, of.2), &of.3, window).unwrap();
    assert_eq!((errors.entries.len(), errors.parts), (1, told.parts));
}

#[test]
fn of_a_long_log_only_what_is_near_the_window_is_read() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for n in 0..20_000u32 {
        let (hour, minute, second) = (n / 3600, n / 60 % 60, n % 60);
        let stamp = format!("2026-11-21T{hour:02}:{minute:02}:{second:02}Z");
        writeln!(text, "{stamp} line {}\n  and more of it", 2 * n + 1).unwrap();
    }
    let of = stored(&[("long.log", text.into_bytes())]);
    let old = of.3.of_first_version();
    let from_ms = 1_795_219_200_000; // 2026-11-21T00:00:00Z
    let window = |from: i64, to: i64| Window {
        from_ms: from_ms + from * 1000,
        to_ms: from_ms + to * 1000,
        collected_ms: from_ms,
        errors: false,
    };
    for (from, to) in [
        (0, 5),
        (7_000, 7_060),
        (19_990, 30_000),
        (-9, 0),
        (20_000, 20_001),
    ] {
        let window = window(from, to);
        let told = read((&of.1, of.2), &of.3, window).unwrap();
        assert_eq!(told, read((&of.1, of.2), &old, window).unwrap(), "{from}");
    }
    let told = read((&of.1, of.2), &of.3, window(7_000, 7_060)).unwrap();
    assert_eq!(told.entries.len(), 120);
    assert_eq!(
        (told.entries[0].line, told.entries[1].line),
        (14_001, 14_002)
    );
    let (entry, window) = (of.3.find("long.log").unwrap(), window(7_000, 7_060));
    let span = of.3.within(&entry, (window.from_ms, window.to_ms)).unwrap();
    assert_eq!(
        (span.lines, span.to - span.from < entry.size / 10),
        (13_312, true)
    );
}

#[test]
fn windows_at_the_ends_of_time_are_empty() {
    let of = stored(&[("a.log", b"2026-11-21T00:00:30Z x\n".to_vec())]);
    for (from_ms, to_ms) in [
        (i64::MIN, i64::MIN),
        (i64::MAX, i64::MIN),
        (i64::MAX - 1, i64::MAX),
        (5, 5),
    ] {
        let window = Window {
            from_ms,
            to_ms,
            collected_ms: 0,
            errors: false,
        };
        assert!(
            read((&of.1, of.2), &of.3, window)
                .unwrap()
                .entries
                .is_empty()
        );
    }
}
