//! What literals are found in, and what they let through.

use super::*;

fn best(expression: &str) -> Vec<String> {
    let first = of_expression(expression)
        .into_iter()
        .next()
        .unwrap_or_default();
    let shown = |l: Literal| {
        let text = String::from_utf8(l.text).unwrap();
        if l.any_case {
            format!("{}*", text.to_lowercase())
        } else {
            text
        }
    };
    first.into_iter().map(shown).collect()
}

#[test]
fn finds_what_every_match_contains() {
    let check = |expression: &str, expected: &[&str]| {
        assert_eq!(best(expression), expected, "{expression}");
    };
    check(
        "Discarding message(.+)in an old incarnation(.+)of this",
        &["in an old incarnation"],
    );
    check("(?i)OOM-killer", &["oom-killer*"]);
    check("foobarba|barbazbar", &["foobarba", "barbazbar"]);
    check("(alpha|beta) failed", &["alpha failed", "beta failed"]);
    check("xylophon(.*connection refused)?y+", &["xylophon"]);
    check(r"\d+ items? lost", &[" item"]);
    check(r"5\d\d", &["5"]);
    check("status=(?:4[0-9]{2}|5[0-9]{2})", &["status="]);
    check("AOF.*corrupted|corrupt.*AOF", &["corrupted", "corrupt"]);
    check(".*", &[]);
    check("a|.*", &[]);
    check("(timeouts: )+5", &["timeouts: "]);
    check("[Ee]rror code", &["error code*"]);
}

#[test]
fn each_alternative_has_requirements_of_its_own() {
    let of = |expression: &str| {
        let branches = branches(&pattern::parse(expression).unwrap());
        branches.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(of("S3.*connection.*failed|InvalidBucketName"), [3, 1]);
    assert_eq!(of("(alpha.*beta|gamma)"), [2, 1]);
    assert_eq!(of("alpha|.*"), [0_usize; 0]);
    assert_eq!(of(".*"), [0_usize; 0]);
    let hir = pattern::parse("connection.*frobnicate").unwrap();
    let options = &branches(&hir)[0];
    let rarity = Rarity::of(b"cannot frobnicate\nfrobnicate twice\n");
    let text = |set: &Required| String::from_utf8(set[0].text.clone()).unwrap();
    assert_eq!(
        text(cheapest(options, &rarity, true).unwrap()),
        "connection"
    );
    let rarity = Rarity::of(b"connection lost\nconnection reset\n");
    assert_eq!(
        text(cheapest(options, &rarity, true).unwrap()),
        "frobnicate"
    );
}

#[test]
fn a_rare_short_literal_is_better_than_a_common_long_one() {
    let hir = pattern::parse("S3.*connection.*lost").unwrap();
    let options = &branches(&hir)[0];
    let chosen = |sample: &str, with_short: bool| {
        let rarity = Rarity::of(sample.as_bytes());
        let set = cheapest(options, &rarity, with_short).unwrap();
        String::from_utf8(set[0].text.clone()).unwrap()
    };
    let common = "a connection was lost\n".repeat(20);
    assert_eq!(chosen(&common, true), "S3");
    assert_eq!(chosen(&common, false), "connection");
    assert_eq!(chosen("a connection was lost\n", true), "connection");
    let both = "a connection to S3 was lost\n".repeat(20);
    assert_eq!(chosen(&both, true), "connection");
}
