//! The rows of the reference's semantics that need more than one entry: consumption, windows at their
//! edges, negatives shifted and anchored, and the envelopes that logs come in.

use super::{check, check_bytes, load, run, sequence, set};

/// A rule, its entries, the hits and the lines of the first one.
type Row<'a> = (String, &'a [&'a str], u64, &'a [u64]);

fn check_all(rows: &[Row<'_>]) {
    for (rule, entries, hits, first) in rows {
        check(rule, entries, *hits, first);
    }
}

#[test]
fn sets_count_and_consume() {
    let both = set("window: 10s, match: [{value: A1, count: 2}, BBB]");
    let twice = set("window: 10s, match: [{value: AAA, count: 2}]");
    let thrice = set("window: 2s, match: [{value: AAA, count: 3}]");
    let named = set("window: 10s, match: [AAA, BBB, AAA]");
    check_all(&[
        (both.clone(), &["0 A1", "1 BBB", "2 A1"], 1, &[1, 2, 3]),
        (both.clone(), &["0 A1", "1 BBB", "11 A1"], 0, &[]),
        (both, &["0 A1", "1 A1"], 0, &[]),
        // One entry is one match, however often it has the text.
        (twice.clone(), &["0 AAA AAA"], 0, &[]),
        (twice, &["0 AAA", "0 AAA"], 1, &[1, 2]),
        (thrice.clone(), &["0 AAA", "1 AAA", "2 AAA"], 1, &[1, 2, 3]),
        (thrice.clone(), &["0 AAA", "1 AAA", "3 AAA"], 0, &[]),
        (thrice, &["0 AAA", "2 AAA", "3 AAA", "4 AAA"], 1, &[2, 3, 4]),
        (named, &["0 AAA", "1 AAA BBB"], 1, &[1, 2]),
    ]);
}

#[test]
fn sequences_consume_in_order() {
    let pair = sequence("window: 10s, order: [AAA, BBB]");
    let three = sequence("window: 10s, order: [AAA, BBB, CCC]");
    let same = sequence("window: 10s, order: [AAA, AAA]");
    let back = sequence("window: 10s, order: [AAA, BBB, AAA]");
    check_all(&[
        (
            pair.clone(),
            &["0 AAA", "1 BBB", "2 AAA", "3 BBB"],
            2,
            &[1, 2],
        ),
        (
            pair.clone(),
            &["0 AAA", "1 AAA", "2 BBB", "3 BBB"],
            2,
            &[1, 3],
        ),
        (pair, &["0 AAA", "20 AAA", "21 BBB"], 1, &[2, 3]),
        (three.clone(), &["0 AAA", "0 BBB", "0 CCC"], 1, &[1, 2, 3]),
        (three.clone(), &["0 AAA", "0 CCC", "0 BBB"], 0, &[]),
        (three.clone(), &["0 AAA", "5 BBB", "10 CCC"], 1, &[1, 2, 3]),
        (three, &["0 AAA", "5 BBB", "11 CCC"], 0, &[]),
        (same.clone(), &["0 AAA", "0 AAA"], 1, &[1, 2]),
        (same, &["0 AAA"], 0, &[]),
        (back, &["0 AAA", "1 BBB", "2 AAA"], 1, &[1, 2, 3]),
    ]);
}

#[test]
fn negatives_are_shifted_anchored_and_absolute() {
    let shifted = set("match: [AAA], negate: [{value: NNN, slide: 5s, window: 5s}]");
    let absolute = sequence(
        "window: 10s, order: [AAA, BBB], negate: [{value: NNN, window: 2s, absolute: true}]",
    );
    let instant =
        sequence("window: 10s, order: [AAA, BBB], negate: [{value: NNN, absolute: true}]");
    let two = set("match: [AAA], negate: [{value: NNN, window: 5s}, {value: MMM, window: 5s}]");
    let pair = set("window: 10s, match: [AAA, BBB], negate: [NNN]");
    check_all(&[
        (shifted.clone(), &["0 AAA", "4 NNN"], 1, &[1]),
        (shifted.clone(), &["0 AAA", "5 NNN"], 0, &[]),
        (shifted.clone(), &["0 AAA", "10 NNN"], 0, &[]),
        (shifted, &["0 AAA", "11 NNN"], 1, &[1]),
        (absolute.clone(), &["0 AAA", "2 NNN", "5 BBB"], 0, &[]),
        (absolute, &["0 AAA", "3 NNN", "5 BBB"], 1, &[1, 3]),
        (instant.clone(), &["0 AAA", "0 NNN", "5 BBB"], 0, &[]),
        (instant, &["0 AAA", "1 NNN", "5 BBB"], 1, &[1, 3]),
        (two.clone(), &["0 AAA", "3 MMM"], 0, &[]),
        (two.clone(), &["0 AAA", "3 NNN"], 0, &[]),
        (two, &["0 AAA", "6 NNN", "6 MMM"], 1, &[1]),
        (pair.clone(), &["0 BBB", "1 NNN", "2 AAA"], 0, &[]),
        (pair.clone(), &["0 BBB", "2 AAA", "3 NNN"], 1, &[1, 2]),
        // The anchor that was negated goes; a later one takes its place.
        (pair, &["0 AAA", "1 NNN", "2 AAA", "3 BBB"], 1, &[3, 4]),
    ]);
}

#[test]
fn windows_are_durations_as_go_writes_them() {
    let millis = |second: &str, text: &str| format!("2026-01-01 00:00:{second} {text}\n");
    for (window, late, fires) in [
        ("1.5s", "01.500", true),
        ("1.5s", "01.501", false),
        ("1500ms", "01.500", true),
        ("1s500ms", "01.501", false),
        ("1500000us", "01.500", true),
    ] {
        let log = millis("00.000", "AAA") + &millis(late, "BBB");
        let rule = sequence(&format!("window: {window}, order: [AAA, BBB]"));
        let lines: &[u64] = if fires { &[1, 2] } else { &[] };
        check_bytes(&rule, log.as_bytes(), u64::from(fires), lines);
    }
    for bad in ["1 s", "90", "1d", "1w", "s", "1h30", "--1s"] {
        let rule = sequence(&format!("window: '{bad}', order: [AAA, BBB]"));
        assert!(load(&rule).is_err(), "{bad}");
    }
}

#[test]
fn envelopes_are_taken_off() {
    let docker = r#"{"log":"AAA\n","stream":"stdout","time":"2026-01-01T00:00:00.5Z"}"#;
    let one = |condition: &str| set(&format!("match: [{condition}]"));
    let log = |text: &str| text.as_bytes().to_vec();
    for (rule, log, hits) in [
        (one("{regex: '^AAA$'}"), log(docker), 1),
        (one("stdout"), log(docker), 0),
        // Partial lines of CRI are entries of their own.
        (
            one("AAABBB"),
            log("2026-01-01T00:00:00Z stdout P AAA\n2026-01-01T00:00:00Z stdout F BBB\n"),
            0,
        ),
        (
            one("{regex: '^AAA$'}"),
            log("2026-01-01T00:00:00.1+02:00 stderr F AAA\n"),
            1,
        ),
        (one("stderr"), log("2026-01-01T00:00:00Z stderr F AAA\n"), 0),
        (
            one("{regex: '^AAA.* x$'}"),
            log("2026-01-01T00:00:00Z AAA\n at x\n"),
            1,
        ),
        (one("{regex: '^2026'}"), log("2026-01-01 00:00:00 AAA\n"), 1),
        (
            one("{regex: '^2026'}"),
            log("2026-01-01T00:00:00Z AAA\n"),
            0,
        ),
    ] {
        check_bytes(&rule, &log, hits, if hits > 0 { &[1] } else { &[] });
    }
}

#[test]
fn prefixes_of_many_kinds_are_dated() {
    let pair = sequence("window: 5s, order: [AAA, BBB]");
    for (first, second) in [
        (
            "I0102 15:04:05.000001    1 main.go:1] ",
            "E0102 15:04:06.000001    1 main.go:1] ",
        ),
        (
            "2026/01/02 15:04:05 [error] ",
            "2026/01/02 15:04:06 [error] ",
        ),
        (
            "[2026-01-02 15:04:05,000] INFO ",
            "[2026-01-02 15:04:06,000] INFO ",
        ),
        ("2026-01-02 15:04:05,123: ", "2026-01-02 15:04:06,123: "),
        (
            "{\"ts\":1767366245.5,\"msg\":\"",
            "{\"ts\":1767366246.5,\"msg\":\"",
        ),
        (
            "{\"timestamp\" : \"2026-01-02T15:04:05Z\",\"m\":\"",
            "{\"timestamp\" : \"2026-01-02T15:04:06Z\",\"m\":\"",
        ),
        (
            "time=\"2026-01-02T15:04:05Z\" ",
            "time=\"2026-01-02T15:04:06Z\" ",
        ),
        (
            "[7] 2026/01/02 15:04:05.339092 [ERR] ",
            "[7] 2026/01/02 15:04:06.339092 [ERR] ",
        ),
        (
            "2026-01-02T15:04:05.535-0500\tINFO\t",
            "2026-01-02T15:04:06.535-0500\tINFO\t",
        ),
        ("02 Jan 2026 15:04:05.000 ", "02 Jan 2026 15:04:06.000 "),
    ] {
        check_bytes(
            &pair,
            format!("{first}AAA\n{second}BBB\n").as_bytes(),
            1,
            &[1, 2],
        );
        check_bytes(
            &pair,
            format!("# a header\n{first}AAA\n{second}BBB\n").as_bytes(),
            1,
            &[2, 3],
        );
    }
}

#[test]
fn jq_is_true_for_anything_but_null_and_false() {
    for (program, hits) in [
        (".a", 1),
        (".b", 0),
        (".c", 0),
        (".zero", 1),
        (".empty", 1),
        (".missing", 0),
        ("select(.a == 2)", 0),
        ("select(.a == 1)", 1),
        (".list[]", 1),
        (".a.b.c", 0),
        (".a | error", 0),
    ] {
        let line = r#"{"ts":"2026-01-01T00:00:00Z","a":1,"b":false,"c":null,"zero":0,"empty":"","list":[null,1]}"#;
        let rule = set(&format!("match: [{{jq: '{program}'}}]"));
        check_bytes(
            &rule,
            line.as_bytes(),
            hits,
            if hits > 0 { &[1] } else { &[] },
        );
    }
}

#[test]
fn lines_before_the_first_stamp_are_scanned_and_have_no_time() {
    check_bytes(
        &set("match: [AAA]"),
        b"AAA\n2026-01-01 00:00:00 BBB\n",
        1,
        &[1],
    );
    let pair = load(&sequence("window: 5s, order: [AAA, BBB]")).unwrap();
    let (hits, _, _) = run(&pair, b"AAA\n2026-01-01 00:00:00 BBB\n", 7);
    assert_eq!(hits, 0);
}
