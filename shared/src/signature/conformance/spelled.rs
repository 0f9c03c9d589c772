//! Rules of the kinds that people write for containers and services: conditions on nested JSON, spellings
//! of YAML, entries of many lines, and negatives round them.

use super::{check, check_bytes, document, load, run, sequence, set};
use crate::signature::parse::Catalogue;

/// One line as a service in a cluster writes it.
const LINE: &str = r#"{"time":"2026-01-01T00:00:00Z","level":"Error","msg":"reconcile failed: conflict","status":503,"code":"E11","retry":null,"ok":false,"tags":["db","slow"],"kubernetes":{"labels":{"app.kubernetes.io/name":"api"},"pod":"api-7"},"errors":[{"kind":"x"},{"kind":"Timeout","after":1.5}],"inner":"{\"a\":{\"b\":2}}"}"#;

/// Programs that give something for it.
const MET: &[&str] = &[
    r#".level == "Error""#,
    r#".level | ascii_downcase == "error""#,
    r#"select(.status >= 500)"#,
    r#"select(.status > 499 and .status < 600)"#,
    r#".msg | contains("conflict")"#,
    r#".msg | test("reconcile (failed|lost)")"#,
    r#".msg | test("RECONCILE"; "i")"#,
    r#".msg | startswith("reconcile")"#,
    r#".msg | endswith("conflict")"#,
    r#"select(.msg | contains("conflict")) | .level"#,
    r#".kubernetes.labels["app.kubernetes.io/name"] == "api""#,
    r#".kubernetes["pod"] | startswith("api-")"#,
    r#".errors[] | select(.kind == "Timeout")"#,
    r#".errors | map(.kind) | index("Timeout")"#,
    r#"any(.errors[]; .kind == "Timeout")"#,
    r#".errors | any(.kind == "Timeout")"#,
    r#"[.errors[].kind] | contains(["Timeout"])"#,
    r#".errors[1].after > 1"#,
    r#".errors[-1].kind == "Timeout""#,
    r#".errors | length > 1"#,
    r#".tags | index("slow") != null"#,
    r#".tags | join(",") == "db,slow""#,
    r#".inner | fromjson | .a.b == 2"#,
    r#".retry == null and (.ok | not)"#,
    r#".missing // "none""#,
    r#"has("msg") and (has("nothing") | not)"#,
    r#".. | strings | select(. == "Timeout")"#,
    r#"if .status == 503 then "down" else null end"#,
    r#"to_entries[] | select(.key == "code")"#,
    r#"(.status | tostring) + .code == "503E11""#,
    r#".status as $s | [500, 503] | index($s)"#,
    r#".msg | split(": ") | .[1] == "conflict""#,
    r#"[.errors[] | .after // 0] | add == 1.5"#,
    r#"try (.msg | fromjson) catch "text""#,
    r#".msg? // empty"#,
    r#".errors | first | .kind == "x""#,
    r#""\(.level): \(.msg)" | test("^Error: reconcile")"#,
    r#".msg | capture("(?<what>[a-z]+) failed") | .what == "reconcile""#,
    r#".level | IN("Error", "Fatal")"#,
    r#"select(.level == ("Error", "Fatal"))"#,
    r#"def bad: .status >= 500; bad"#,
    r#"[limit(1; .errors[])] | length == 1"#,
    r#"reduce .errors[] as $e (0; . + 1) == 2"#,
    r#".code | ltrimstr("E") | tonumber == 11"#,
    r#".errors | all(has("kind"))"#,
    r#"getpath(["kubernetes", "pod"])"#,
    r#"[paths] | length > 3"#,
    r#".msg | ascii_upcase | contains("CONFLICT")"#,
    r#".msg | gsub("[a-z]+"; "x") | startswith("x x")"#,
    r#".msg | [scan("[a-z]+")] | length == 3"#,
    r#"IN(.code; "E10", "E11")"#,
    r#"[.errors[] | {kind}] | INDEX(.kind) | has("Timeout")"#,
    r#".status | toarray | .[0] == 503"#,
    r#".errors[] | select(isvalid(.after + 1)) | .kind == "Timeout""#,
    r#"[leaf_paths] | length > 3"#,
    r#".errors | group_by(.kind) | length == 2"#,
    r#".errors | sort_by(.kind) | .[0].kind == "Timeout""#,
    r#"[.errors[].kind] | unique | inside(["Timeout", "x", "y"])"#,
    r#".time | fromdateiso8601 > 1700000000"#,
    r#".errors[0:1][0].kind == "x""#,
    r#"if .level == "Warn" then false elif .status > 500 then true else false end"#,
    r#"first(.errors[] | select(.kind != "x")) | .kind"#,
    r#". as {level: $l, tags: [$first]} | $l == "Error" and $first == "db""#,
    r#".kubernetes | keys == ["labels", "pod"]"#,
    r#".errors | map(select(.after)) | .[0].after | floor == 1"#,
    r#"label $out | .errors[] | if .kind == "Timeout" then ., break $out else empty end"#,
    r#".msg | explode | implode | length > 5"#,
    r#".msg | @base64 | @base64d | test("conflict$")"#,
    r#"[.. | numbers] | max == 503"#,
    r#"with_entries(select(.key | startswith("l"))) | length == 1"#,
    r#".missing?.deeper? == null"#,
    r#".a.b.c == null"#,
    r#".msg | ltrimstr("reconcile ") | startswith("failed")"#,
    r#".msg | sub("(?<w>failed)"; "was \(.w)") | contains("was failed")"#,
    r#"[.tags[] | length] == [2, 4]"#,
    r#".tags | to_entries | any(.value == "slow" and .key == 1)"#,
    r#"walk(if type == "number" then 1 else . end) | .status == 1"#,
    r#"del(.msg) | has("msg") | not"#,
    r#".status % 100 == 3"#,
    r#".errors | min_by(.after).kind == "x""#,
    r#"@json "x\(.tags)" == "x[\"db\",\"slow\"]""#,
    "# a comment\n.level",
    r#".["level"]"#,
    r#"."level""#,
    r#".kubernetes."pod""#,
    r#".kubernetes.labels | .["app.kubernetes.io/name"] | ascii_upcase == "API""#,
    r#"[.level, .code] | join("-") | . == "Error-E11""#,
    r#"isempty(.errors[] | select(.kind == "z"))"#,
    r#".level as $x | $x | test("^err"; "ix")"#,
    r#"[range(3)] | length == 3"#,
    r#"try error("x") catch . == "x""#,
];

/// Programs that give nothing, null, false or an error.
const NOT_MET: &[&str] = &[
    r#".level == "error""#,
    r#".status >= 504"#,
    ".retry",
    ".ok",
    ".nothing.at.all",
    r#"select(.nothing | contains("x"))"#,
    r#".errors[] | select(.kind == "Other")"#,
    ".msg | fromjson",
    // An error takes back what came before it.
    r#".errors[] | .kind, (.after | test("x"))"#,
    ".level, (.msg | tonumber)",
    "empty",
    "null",
    "false",
];

#[test]
fn jq_programs_over_nested_json_mean_what_jq_means() {
    let all = MET
        .iter()
        .map(|p| (p, 1))
        .chain(NOT_MET.iter().map(|p| (p, 0)));
    for (program, hits) in all {
        let quoted = serde_json::Value::from(*program);
        let rule = set(&format!("match: [{{jq: {quoted}}}]"));
        let lines: &[u64] = if hits > 0 { &[1] } else { &[] };
        check_bytes(&rule, format!("{LINE}\n").as_bytes(), hits, lines);
    }
}

#[test]
fn json_is_read_as_the_reference_reads_it() {
    let error = set(r#"match: [{jq: '.level == "error"'}]"#);
    for text in [
        r#"{"level":"error","raw":"\ud800"}"#.as_bytes(),
        b"{\"level\":\"error\",\"raw\":\"\xff\xfe\"}",
        r#"{"level":"info","level":"error"}"#.as_bytes(),
        br#"  {"level":"error"}  "#,
        br#"{"level":"error","n":123456789012345678901234567890.5e3}"#,
        b"2026-01-01T00:00:00Z {\"level\":\"error\"}",
        b"2026-01-01T00:00:00.5Z stdout F {\"level\":\"error\"}",
    ] {
        check_bytes(&error, text, 1, &[1]);
    }
    // A plain stamp stays in the text, which is no JSON then.
    check_bytes(
        &error,
        b"2026-01-01 00:00:00 {\"level\":\"error\"}\n",
        0,
        &[],
    );
    let deep = format!(
        "{{\"level\":\"error\",\"a\":{}{}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    check_bytes(&error, deep.as_bytes(), 1, &[1]);
    check_bytes(&set("match: [{jq: '. == 7'}]"), b"7\n8\n", 1, &[1]);
    check_bytes(&set("match: [{jq: '.[0].a'}]"), b"[{\"a\":1}]\n", 1, &[1]);
}

#[test]
fn jq_takes_part_in_sequences_and_negatives() {
    let line = |second: u32, state: &str| {
        format!("{{\"ts\":\"2026-01-01T00:00:{second:02}Z\",\"state\":\"{state}\"}}\n")
    };
    let rule = sequence(
        "window: 30s, order: [{jq: '.state == \"lost\"', count: 2}, {jq: '.state == \"dead\"'}], \
         negate: [{jq: '.state == \"back\"', window: 5s}]",
    );
    let log = line(0, "lost") + &line(1, "lost") + &line(4, "dead");
    check_bytes(&rule, log.as_bytes(), 1, &[1, 2, 3]);
    check_bytes(&rule, (log.clone() + &line(9, "back")).as_bytes(), 0, &[]);
    check_bytes(&rule, (log + &line(10, "back")).as_bytes(), 1, &[1, 2, 3]);
}

#[test]
fn yaml_is_read_in_all_its_spellings() {
    let fires = |yaml: &str, log: &str| {
        let catalogue =
            Catalogue::load([("x.yaml", yaml)]).unwrap_or_else(|e| panic!("{yaml}\n{e:?}"));
        run(&catalogue, log.as_bytes(), 9).0
    };
    let head =
        "rules:\n  - cre: {id: CRE-2026-0001}\n    rule:\n      set:\n        event: {source: x}\n";
    for (rest, log, hits) in [
        ("        match:\n          - 404\n", "GET 404\n", 1),
        ("        match:\n          - true\n", "is true\n", 1),
        (
            "        match:\n        - \"a\\tb: [x]\"\n",
            "a\tb: [x]\n",
            1,
        ),
        ("        match:\n          - 'it''s'\n", "it's\n", 1),
        (
            "        match:\n          - value: >-\n              one\n              two\n",
            "one two\n",
            1,
        ),
        (
            "        match:\n          - value: |-\n              one\n",
            "one\n",
            1,
        ),
        (
            "        match:\n          - regex: |-\n              a\\d+\n",
            "a17\n",
            1,
        ),
        (
            "        match:\n          - value: \"x: \\\"y\\\"\"\n",
            "x: \"y\"\n",
            1,
        ),
        (
            "        match:\n          - value: 2026-01-01\n",
            "on 2026-01-01\n",
            1,
        ),
        (
            "        match:\n          - value: 1.10\n",
            "version 1.10\n",
            1,
        ),
        ("        match:\n          - value: 0x1F\n", "at 0x1F\n", 1),
        ("        match:\n          - value: off\n", "is off\n", 1),
        (
            "        window: \"\"\n        match:\n          - AAA\n",
            "AAA\n",
            1,
        ),
        (
            "        match: # comment\n          - AAA # another\n          # last\n",
            "AAA\n",
            1,
        ),
    ] {
        assert_eq!(fires(&format!("{head}{rest}"), log), hits, "{rest}");
        let windows = format!("{head}{rest}").replace('\n', "\r\n");
        assert_eq!(fires(&windows, log), hits, "{rest}");
    }
    let anchors = "base: &base\n  event: {source: x}\n  window: 5s\nterms:\n  bad: &bad {value: AAA}\n\
                   rules:\n  - cre: {id: CRE-2026-0001}\n    rule:\n      set:\n        <<: *base\n        \
                   match: [*bad, BBB]\n";
    assert_eq!(
        fires(
            anchors,
            "2026-01-01 00:00:00 AAA\n2026-01-01 00:00:01 BBB\n"
        ),
        1
    );
}

#[test]
fn a_whole_package_in_one_file_loads() {
    let rule = |number: usize| {
        let text = document(&set("match: [AAA]"));
        let one = text.strip_prefix("rules:\n").unwrap();
        one.replace("CRE-2026-0001", &format!("CRE-2026-{number:05}"))
    };
    let rules: String = (0..5_000).map(rule).collect();
    let catalogue = Catalogue::load([("x.yaml", format!("rules:\n{rules}"))]).unwrap();
    assert_eq!(catalogue.signatures.len(), 5_000);
}

#[test]
fn entries_of_many_lines_are_one_text() {
    let go = "E0101 00:00:00.000001       1 runtime.go:79] Observed a panic: \"nil\"\n\
              goroutine 12 [running]:\n\tmain.main()\n\
              I0101 00:00:01.000000       1 main.go:1] next\n";
    let java = "2026-01-01 00:00:00,123 ERROR [main] failed\r\njava.lang.IllegalStateException: x\r\n\
                \tat a.B.c(B.java:1)\r\nCaused by: java.io.IOException: No space left on device\r\n\
                2026-01-01 00:00:01,000 INFO ok\r\n";
    for (expression, log, hits) in [
        ("Observed a panic.*goroutine 12", go, 1),
        ("main\\\\(\\\\)$", go, 1),
        ("panic.*next", go, 0),
        ("IllegalStateException.*Caused by.*No space left", java, 1),
        ("failed.*INFO", java, 0),
        // Joined with nothing between, but a literal is looked for within lines.
        ("failedjava\\\\.lang", java, 0),
        ("faile[a-z]java\\\\.lang", java, 1),
    ] {
        let rule = set(&format!("match: [{{regex: \"{expression}\"}}]"));
        let lines: &[u64] = if hits > 0 { &[1] } else { &[] };
        check_bytes(&rule, log.as_bytes(), hits, lines);
    }
    let pair = sequence("window: 5s, order: ['No space left', 'INFO ok']");
    check_bytes(&pair, java.as_bytes(), 1, &[1, 5]);
}

#[test]
fn negatives_look_back_ahead_and_from_the_second_condition() {
    let late = sequence(
        "window: 60s, order: [AAA, BBB, CCC], negate: [{value: NNN, anchor: 1, slide: -5s, window: 10s, absolute: true}]",
    );
    check(&late, &["0 AAA", "20 BBB", "40 CCC"], 1, &[1, 2, 3]);
    check(
        &late,
        &["0 AAA", "14 NNN", "20 BBB", "40 CCC"],
        1,
        &[1, 3, 4],
    );
    check(&late, &["0 AAA", "15 NNN", "20 BBB", "40 CCC"], 0, &[]);
    check(&late, &["0 AAA", "20 BBB", "25 NNN", "40 CCC"], 0, &[]);
    check(
        &late,
        &["0 AAA", "20 BBB", "26 NNN", "40 CCC"],
        1,
        &[1, 2, 4],
    );
    // The second condition that was negated goes, and a later one takes its place.
    check(
        &late,
        &["0 AAA", "15 NNN", "20 BBB", "30 BBB", "40 CCC"],
        1,
        &[1, 4, 5],
    );
    let never_back = set(
        "match: [AAA], negate: [{value: NNN, window: 10s}, {regex: 'M{3}', slide: -3s, window: 3s}]",
    );
    check(&never_back, &["5 AAA"], 1, &[1]);
    check(&never_back, &["2 MMM", "5 AAA"], 0, &[]);
    check(&never_back, &["1 MMM", "5 AAA", "16 NNN"], 1, &[2]);
    check(&never_back, &["1 MMM", "5 AAA", "15 NNN"], 0, &[]);
    check(&never_back, &["5 AAA", "12 AAA", "16 NNN"], 1, &[1]);
    let narrower = sequence("window: 10s, order: [AAA, BBB], negate: [{value: NNN, window: -2s}]");
    check(&narrower, &["0 AAA", "3 NNN", "5 BBB"], 0, &[]);
    check(&narrower, &["0 AAA", "4 NNN", "5 BBB"], 1, &[1, 3]);
    let counted = set("window: 10s, match: [{value: AAA, count: 3}], negate: [{value: NNN}]");
    check(&counted, &["0 AAA", "1 AAA", "2 AAA"], 1, &[1, 2, 3]);
    check(&counted, &["0 AAA", "1 NNN", "1 AAA", "2 AAA"], 0, &[]);
    check(
        &counted,
        &["0 AAA", "1 AAA", "2 AAA", "3 NNN"],
        1,
        &[1, 2, 3],
    );
}

#[test]
fn a_number_that_only_looks_like_a_stamp_dates_nothing() {
    let pair = sequence("window: 5s, order: [AAA, BBB]");
    let log = "2026-01-01 00:00:00,100 {\"time\":1767366245} AAA\n2026-01-01 00:00:03,100 {\"time\":99} BBB\n";
    check_bytes(&pair, log.as_bytes(), 1, &[1, 2]);
    let millis = "{\"ts\":1767366245000,\"m\":\"AAA\"}\n{\"ts\":1767366249000,\"m\":\"BBB\"}\n";
    check_bytes(&pair, millis.as_bytes(), 1, &[1, 2]);
    check_bytes(&pair, millis.replace("249000", "251000").as_bytes(), 0, &[]);
    let micros =
        "{\"time\":1767366245000000,\"m\":\"AAA\"}\n{\"time\":1767366249000000,\"m\":\"BBB\"}\n";
    check_bytes(&pair, micros.as_bytes(), 1, &[1, 2]);
}

#[test]
fn what_joins_machines_is_loaded_or_refused_as_the_reference_does() {
    let script = load(&set(
        "match: [{script: {code: 'return true', language: lua}}]",
    ))
    .unwrap();
    assert_eq!(
        run(&script, b"2026-01-01 00:00:00 x\n", 9),
        (0, Vec::new(), false)
    );
    let inner = "{set: {event: {source: a}, match: [A]}}";
    for (rule, message) in [
        (
            set(&format!("window: 5s, match: [{inner}]")),
            "nested machines",
        ),
        (
            format!("{{set: {{window: 5s, match: [{inner}, B]}}}}"),
            "nested machines",
        ),
        (
            sequence(
                "window: 5s, order: [{value: A, count: 2}, B], negate: [{value: N, anchor: 1}]",
            ),
            "repeats a condition",
        ),
    ] {
        let errors = load(&rule).expect_err(&rule);
        assert!(errors[0].message.contains(message), "{rule}: {errors:?}");
        assert!(
            !errors[0].hint.is_empty() && errors[0].line == 3,
            "{errors:?}"
        );
    }
}
