//! The rule format from text to hits: what is measured of the reference engine, and our choices where
//! it is wrong. `machine::tests` has the same semantics in finer steps.

mod measured;
mod refusals;
mod spelled;

use super::engine::Engine;
use super::parse::{Catalogue, LoadError};
use super::run::RunOptions;
use super::source::SourceMap;
use crate::time::UtcMs;

/// 2026-06-01T00:00:00Z.
const NOW: UtcMs = UtcMs(1_780_272_000_000);

fn load(rule: &str) -> Result<Catalogue, Vec<LoadError>> {
    Catalogue::load([("rule.yaml", document(rule))])
}

fn document(rule: &str) -> String {
    format!("rules:\n  - cre: {{id: CRE-2026-0001, severity: 1}}\n    rule: {rule}\n")
}

/// Number of hits, lines of the first one, and whether the rule could be evaluated.
fn run(catalogue: &Catalogue, log: &[u8], chunk: usize) -> (u64, Vec<u64>, bool) {
    let engine = Engine::new(catalogue, &SourceMap::default()).unwrap();
    let options = RunOptions {
        bundle_time: NOW,
        ignore_source: true,
        ..RunOptions::default()
    };
    let mut scan = engine.run(options).file("x.log");
    log.chunks(chunk).for_each(|piece| scan.push(piece));
    let result = scan.finish();
    let outcomes = engine.outcomes(&result);
    let outcome = &outcomes[0];
    (outcome.hits, outcome.first_hit.clone(), outcome.evaluated)
}

fn check_bytes(rule: &str, log: &[u8], hits: u64, first: &[u64]) {
    let catalogue = load(rule).unwrap_or_else(|e| panic!("{rule}: {e:?}"));
    for chunk in [log.len().max(1), 7, 1] {
        let (got, lines, evaluated) = run(&catalogue, log, chunk);
        let text = String::from_utf8_lossy(log);
        assert_eq!((got, lines.as_slice()), (hits, first), "{rule} on\n{text}");
        assert!(evaluated, "{rule} on\n{text}");
    }
}

/// Entries are `SECOND TEXT`; they get a stamp.
fn check(rule: &str, entries: &[&str], hits: u64, first: &[u64]) {
    let line = |entry: &&str| {
        let (second, text) = entry.split_once(' ').unwrap();
        let second: u32 = second.parse().unwrap();
        format!(
            "2026-01-01 00:{:02}:{:02} {text}\n",
            second / 60,
            second % 60
        )
    };
    let log: String = entries.iter().map(line).collect();
    check_bytes(rule, log.as_bytes(), hits, first);
}

fn set(rest: &str) -> String {
    format!("{{set: {{event: {{source: cre.log.x}}, {rest}}}}}")
}

fn sequence(rest: &str) -> String {
    format!("{{sequence: {{event: {{source: cre.log.x}}, {rest}}}}}")
}

#[test]
fn terms_match_as_measured() {
    check(&set("match: [AAA]"), &["0 xAAAx", "1 aaa"], 1, &[1]);
    check(&set("match: [{value: AAA}]"), &["0 AAA", "0 AAA"], 2, &[1]);
    check(
        &set("match: [{regex: 'A{3}$'}]"),
        &["0 AAAb", "1 bAAA"],
        1,
        &[2],
    );
    check(
        &set("match: [{regex: '(?i)oom-killer'}]"),
        &["0 OOM-Killer"],
        1,
        &[1],
    );
    // `field` is parsed and never used.
    check(
        &set("match: [{value: AAA, field: message}]"),
        &["0 level AAA"],
        1,
        &[1],
    );
    check(
        &set("match: [{value: AAA, extract: [{name: x, jq: .a}]}]"),
        &["0 AAA"],
        1,
        &[1],
    );
    // The stamp is part of what a regex sees, but for RFC 3339.
    check(&set("match: [{regex: '^AAA'}]"), &["0 AAA"], 0, &[]);
    check_bytes(
        &set("match: [{regex: '^AAA'}]"),
        b"2026-01-01T00:00:00Z AAA\n",
        1,
        &[1],
    );
    check_bytes(
        &set("match: [{regex: '^AAA'}]"),
        b"2026-01-01T00:00:00Z stdout F AAA\n",
        1,
        &[1],
    );
}

#[test]
fn jq_sees_entries_that_are_json() {
    let error = set(r#"match: [{jq: '.level == "error"'}]"#);
    let log = "{\"ts\":\"2026-01-01T00:00:00Z\",\"level\":\"info\"}\n\
               {\"ts\":\"2026-01-01T00:00:01Z\",\"level\":\"error\"}\nnot json error\n";
    // The line that is no JSON is a part of the entry before, which is no JSON then.
    check_bytes(&error, log.as_bytes(), 0, &[]);
    let log = log.replace("not json error\n", "");
    check_bytes(&error, log.as_bytes(), 1, &[2]);
    let docker =
        r#"{"log":"{\"level\":\"error\"}\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#;
    check_bytes(&error, docker.as_bytes(), 1, &[1]);
    let pair = sequence("window: 5s, order: [{jq: '.a'}, {jq: '.b'}]");
    let log =
        "{\"ts\":\"2026-01-01T00:00:00Z\",\"a\":1}\n{\"ts\":\"2026-01-01T00:00:01Z\",\"b\":1}\n";
    check_bytes(&pair, log.as_bytes(), 1, &[1, 2]);
}

#[test]
fn sets_match_as_measured() {
    let pair = set("window: 10s, match: [AAA, BBB]");
    check(&pair, &["0 AAA BBB"], 1, &[1]);
    check(&pair, &["0 BBB", "10 AAA"], 1, &[1, 2]);
    check(&pair, &["0 BBB", "11 AAA"], 0, &[]);
    let count = set("window: 10s, match: [{value: A1, count: 2}]");
    check(
        &count,
        &["0 A1", "1 A1", "2 A1", "3 A1", "4 A1"],
        2,
        &[1, 2],
    );
    let repeated = set("window: 10s, match: [A1, A1]");
    check(&repeated, &["0 A1", "1 A1"], 1, &[1, 2]);
}

#[test]
fn sequences_match_as_measured() {
    let pair = sequence("window: 10s, order: [AAA, BBB]");
    check(&pair, &["0 AAA BBB"], 0, &[]);
    check(&pair, &["0 AAA", "0 BBB"], 1, &[1, 2]);
    check(&pair, &["0 BBB", "0 AAA"], 0, &[]);
    check(&pair, &["0 AAA", "10 BBB"], 1, &[1, 2]);
    check(&pair, &["0 AAA", "11 BBB"], 0, &[]);
    let four = sequence("window: 100s, order: [AAA, BBB, CCC, DDD]");
    // Where the reference gives a second hit out of order, we give none.
    let entries = [
        "1 AAA", "2 BBB", "3 CCC", "4 AAA", "5 CCC", "6 BBB", "7 DDD", "8 DDD",
    ];
    check(&four, &entries, 1, &[1, 2, 3, 7]);
    let counted = sequence("window: 10s, order: [{value: AAA, count: 2}, BBB]");
    check(
        &counted,
        &["0 AAA", "1 BBB", "2 AAA", "3 BBB"],
        1,
        &[1, 3, 4],
    );
}

#[test]
fn negatives_match_as_measured() {
    let bare = set("match: [AAA], negate: [NNN]");
    check(&bare, &["5 AAA", "5 NNN"], 0, &[]);
    check(&bare, &["5 NNN", "5 AAA"], 1, &[2]);
    check(&bare, &["5 AAA", "6 NNN"], 1, &[1]);
    check(&bare, &["5 AAA NNN"], 0, &[]);
    let pair = sequence("window: 10s, order: [AAA, BBB], negate: [NNN]");
    check(&pair, &["0 NNN", "1 AAA", "3 BBB"], 1, &[2, 3]);
    check(&pair, &["1 AAA", "2 NNN", "3 BBB"], 0, &[]);
    check(&pair, &["1 AAA", "3 BBB", "3 NNN"], 0, &[]);
    check(&pair, &["1 AAA", "3 BBB", "4 NNN"], 1, &[1, 2]);
    let back = set("match: [AAA], negate: [{value: NNN, slide: -10s, window: 10s}]");
    check(&back, &["0 NNN", "8 AAA"], 0, &[]);
    check(&back, &["0 NNN", "18 AAA"], 1, &[2]);
    // The end of the input decides what still waits.
    let ahead = set("match: [AAA], negate: [{value: NNN, slide: 30s, window: 10s}]");
    check(&ahead, &["0 AAA"], 1, &[1]);
    check(&ahead, &["0 AAA", "35 NNN"], 0, &[]);
    check(&ahead, &["0 AAA", "20 NNN"], 1, &[1]);
    let anchored = sequence(
        "window: 30s, order: [AAA, BBB], negate: [{value: NNN, window: 5s, anchor: 1, absolute: true}]",
    );
    check(&anchored, &["0 AAA", "10 BBB", "15 NNN"], 0, &[]);
    check(&anchored, &["0 AAA", "10 BBB", "16 NNN"], 1, &[1, 2]);
    check(&anchored, &["0 AAA", "5 NNN", "10 BBB"], 1, &[1, 3]);
    let relative =
        sequence("window: 30s, order: [AAA, BBB], negate: [{value: NNN, window: 5s, anchor: 1}]");
    check(&relative, &["0 AAA", "10 BBB", "24 NNN"], 0, &[]);
    check(&relative, &["0 AAA", "10 BBB", "26 NNN"], 1, &[1, 2]);
}

#[test]
fn entries_are_what_the_reference_makes_of_lines() {
    let trace = set("match: [{regex: 'Traceback.*ValueError'}]");
    let log = b"2026-01-01 00:00:00 Traceback\n  File x\nValueError: y\n2026-01-01 00:00:01 ok\n";
    check_bytes(&trace, log, 1, &[1]);
    // Lines are joined with nothing between.
    check_bytes(
        &set("match: [{regex: 'on+e$'}]"),
        b"2026-01-01 00:00:00 on\ne\n",
        1,
        &[1],
    );
    let single = set("match: [{regex: 'AAA$'}]");
    check_bytes(
        &single,
        b"2026-01-01 00:00:00 AAA\r\n2026-01-01 00:00:01 b\r\n",
        1,
        &[1],
    );
    check_bytes(&single, b"2026-01-01 00:00:00 AAA", 1, &[1]);
    check_bytes(&single, b"", 0, &[]);
    check_bytes(&single, b"\n\n\n", 0, &[]);
    check_bytes(&single, b"\xef\xbb\xbf2026-01-01 00:00:00 AAA\n", 1, &[1]);
    let pair = sequence("window: 5s, order: [AAA, BBB]");
    check_bytes(
        &pair,
        b"\xef\xbb\xbf2026-01-01 00:00:00 AAA\n2026-01-01 00:00:01 BBB\n",
        1,
        &[1, 2],
    );
    let utf16: Vec<u8> = "\u{feff}2026-01-01 00:00:00 AAA\r\n2026-01-01 00:00:01 BBB\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    check_bytes(&pair, &utf16, 1, &[1, 2]);
    // An offset is read, where the reference ignores it.
    let zones = b"2026-01-01 02:00:00.000000+02:00 AAA\n2026-01-01 00:00:03.000000+00:00 BBB\n";
    check_bytes(&pair, zones, 1, &[1, 2]);
    // Late lines are sorted in, where the reference drops them.
    check_bytes(
        &pair,
        b"2026-01-01 00:00:03 BBB\n2026-01-01 00:00:01 AAA\n",
        1,
        &[1, 2],
    );
    // No year: the latest that is not far ahead of the bundle.
    check_bytes(
        &pair,
        b"Dec 31 23:59:58 h x: AAA\nJan  1 00:00:01 h x: BBB\n",
        1,
        &[1, 2],
    );
}

#[test]
fn what_has_no_time_is_scanned_and_marked() {
    let undated = b"AAA\nBBB\n";
    check_bytes(&set("match: [AAA]"), undated, 1, &[1]);
    let pair = load(&set("window: 5s, match: [AAA, BBB]")).unwrap();
    assert_eq!(run(&pair, undated, 3), (0, Vec::new(), false));
    let joined = load("{set: {window: 5s, match: [{set: {event: {source: a}, match: [AAA]}}, {set: {event: {source: b}, match: [BBB]}}]}}").unwrap();
    assert_eq!(
        run(&joined, b"2026-01-01 00:00:00 AAA BBB\n", 9),
        (0, Vec::new(), false)
    );
    let metric = load(&set("match: [{promql: {expr: 'up == 0', for: 5m}}]")).unwrap();
    assert_eq!(
        run(&metric, b"2026-01-01 00:00:00 up\n", 9),
        (0, Vec::new(), false)
    );
}

#[test]
fn an_entry_longer_than_the_buffer_keeps_its_line_and_its_time() {
    let mut log = b"2026-01-01 00:00:00 AAA ".to_vec();
    log.extend(std::iter::repeat_n(b'x', 9_000_000));
    log.extend_from_slice(b" BBB\n2026-01-01 00:00:02 CCC\n");
    for (rule, first) in [
        (sequence("window: 5s, order: [AAA, CCC]"), vec![1, 2]),
        (sequence("window: 5s, order: [BBB, CCC]"), vec![1, 2]),
    ] {
        let catalogue = load(&rule).unwrap();
        assert_eq!(run(&catalogue, &log, 1 << 20), (1, first, true), "{rule}");
    }
    let mut log = b"2026-01-01 00:00:00 AAA\n".to_vec();
    for _ in 0..300_000 {
        log.extend_from_slice(b"\tat some.java.Frame\n");
    }
    log.extend_from_slice(b"caused by BBB\n2026-01-01 00:00:01 CCC\n");
    let catalogue = load(&sequence("window: 5s, order: [BBB, CCC]")).unwrap();
    let (hits, lines, _) = run(&catalogue, &log, 64 << 10);
    assert_eq!((hits, lines[1]), (1, 300_003));
}

#[test]
fn terms_can_be_named_and_reused() {
    let yaml = "rules:\n  - cre: {id: CRE-2026-0001}\n    rule:\n      sequence:\n        event: {source: x}\n        \
                window: 5s\n        order: [first, {value: second, count: 2}]\n        negate: [{value: bad, window: 1s}]\n\
                terms:\n  first: AAA\n  second: {regex: 'B+'}\n  bad: {value: CCC}\n";
    let catalogue = Catalogue::load([("x.yaml", yaml)]).unwrap();
    let log = |last: &str| {
        format!("2026-01-01 00:00:00 AAA\n2026-01-01 00:00:01 B\n2026-01-01 00:00:02 BB\n{last}")
    };
    assert_eq!(
        run(&catalogue, log("").as_bytes(), 8),
        (1, vec![1, 2, 3], true)
    );
    let negated = log("2026-01-01 00:00:03 CCC\n");
    assert_eq!(run(&catalogue, negated.as_bytes(), 8).0, 0);
}

#[test]
fn documents_of_other_tools_load_unchanged() {
    let yaml = "# a package\n---\nsection: version\nversion: 0.3.56\n---\nsection: rules\nrules:\n  - metadata: \
                {kind: prequel, gen: 1, generation: 2, hash: x, version: 0.1}\n    cre: {id: CRE-2026-0001, severity: 0, \
                title: 404, tags: [1, a], references: [], reports: 3, PREVENTION: x, applications: [{name: a, version: 3.9}, \
                {version: 2}]}\n    rule: {set: {correlations: [hostname], event: {source: cre.log.x, origin: true}, match: \
                [A]}}\n---\n";
    let catalogue = Catalogue::load([("x.yaml", yaml)]).unwrap();
    let signature = &catalogue.signatures[0];
    assert_eq!(
        (
            signature.title.as_str(),
            signature.applications["a"].as_str()
        ),
        ("404", "3.9")
    );
    assert!(signature.rule_id.len() >= 12);
}
