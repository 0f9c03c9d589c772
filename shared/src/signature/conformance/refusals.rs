//! What is refused, where it says so, and what it advises.

use super::{document, load, sequence, set};
use crate::signature::parse::Catalogue;

#[test]
fn rules_that_mean_nothing_are_refused_with_place_and_hint() {
    let both = "{set: {event: {source: x}, match: [A]}, sequence: {event: {source: x}, window: 1s, order: [A, B]}}";
    let origins = "{set: {window: 5s, match: [{set: {event: {source: a, origin: true}, match: [A]}}, {set: {event: {source: b, origin: true}, match: [B]}}]}}";
    let inner = "{set: {window: 5s, match: [{set: {event: {source: a}, match: [A, B]}}]}}";
    let no_window = "{set: {match: [{set: {event: {source: a}, match: [A]}}, {set: {event: {source: b}, match: [B]}}]}}";
    let many: Vec<String> = (0..65).map(|n| format!("t{n}")).collect();
    let many = set(&format!("window: 5s, match: [{}]", many.join(", ")));
    let refused = [
        (both.to_owned(), "both a set and a sequence"),
        ("{}".to_owned(), "neither a set nor a sequence"),
        (origins.to_owned(), "more than one event.origin"),
        (inner.to_owned(), "needs a window"),
        (no_window.to_owned(), "need a window"),
        (many, "more than 64 conditions"),
        ("{set: {match: [A]}}".to_owned(), "without event.source"),
        (set("order: [A, B], window: 1s"), "a set needs `match`"),
        (set("match: []"), "a set needs `match`"),
        (set("match: [A], window: 5s"), "a window needs two or more"),
        (set("match: [A, B]"), "needs a window"),
        (set("match: [A, B], window: 1d"), "not a duration"),
        (set("match: [A, B], window: -5s"), "not a duration"),
        (sequence("order: [A], window: 5s"), "two or more conditions"),
        (sequence("order: [A, B]"), "needs a window"),
        (
            set("match: [{value: A, regex: B}]"),
            "one of value, regex and jq",
        ),
        (set("match: [{count: 2}], window: 1s"), "empty condition"),
        (set("match: [{regex: '('}]"), "does not compile"),
        (set("match: [{regex: 'a**'}]"), "does not compile"),
        (set("match: [{jq: '.a =='}]"), "does not compile"),
        (set("match: [{value: A, count: -1}]"), "out of range"),
        (
            set("match: [A], negate: [{value: B, count: 2}]"),
            "count is not allowed",
        ),
        (
            set("match: [A], negate: [{value: B, anchor: 2}]"),
            "anchor 2 is out of range",
        ),
        (
            set("match: [A], negate: [{value: B, anchor: 1}]"),
            "anchor beyond",
        ),
        (
            set("match: [A], negate: [{value: B, window: soon}]"),
            "not a duration",
        ),
        (
            set("match: [A], negate: [{value: B, extract: [{name: x, jq: .a}]}]"),
            "extract is not allowed",
        ),
        (
            set("match: [{value: A, extract: [{jq: .a}]}]"),
            "extract without a name",
        ),
    ];
    for (rule, message) in refused {
        let errors = load(&rule).expect_err(&rule);
        let error = &errors[0];
        assert!(error.message.contains(message), "{rule}: {error}");
        assert!(
            error.line == 3 && !error.hint.is_empty(),
            "{rule}: {error:?}"
        );
    }
}

#[test]
fn files_that_are_no_rules_are_refused_with_place_and_hint() {
    let good = "    rule: {set: {event: {source: x}, match: [A]}}\n";
    let check = |yaml: &str, line: u64, message: &str| {
        let errors = Catalogue::load([("x.yaml", yaml)]).expect_err(yaml);
        assert_eq!(errors[0].line, line, "{errors:?}");
        assert!(errors[0].message.contains(message), "{errors:?}");
        assert!(
            !errors[0].hint.is_empty() && !errors[0].message.contains("Options"),
            "{errors:?}"
        );
    };
    check("", 1, "no rules");
    check("tags: []\n", 1, "no rules");
    check(
        &format!("rules:\n  - metadata: {{}}\n{good}"),
        2,
        "without `cre`",
    );
    check(
        &format!("rules:\n  - cre: {{severity: 1}}\n{good}"),
        2,
        "without cre.id",
    );
    check(
        &format!("rules:\n  - cre: {{id: x}}\n{good}"),
        2,
        "not valid",
    );
    check(
        &format!("rules:\n  - cre: {{id: CRE-1, severity: 9}}\n{good}"),
        2,
        "severity 9",
    );
    check(
        &format!("rules:\n  - metadata: {{id: short}}\n    cre: {{id: CRE-1}}\n{good}"),
        2,
        "metadata.id `short`",
    );
    check("rules:\n  - cre: {id: CRE-1}\n", 2, "rule without `rule`");
    check(
        &format!("rules:\n  - cre: {{id: CRE-1, id: CRE-2}}\n{good}"),
        2,
        "duplicate",
    );
    check(
        &format!("rules:\n  - cre: {{id: CRE-1, impactScore: 7.5}}\n{good}"),
        2,
        "invalid",
    );
    let twice = document("{set: {event: {source: x}, match: [A]}}");
    let errors = Catalogue::load([("a.yaml", &twice), ("b.yaml", &twice)]).unwrap_err();
    assert!(errors[0].file == "b.yaml" && errors[0].message.contains("used twice"));
}
