//! Walks the program's own source: no text is missing, none is left over, every error can be said.

use super::Lang;
use regex::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Keys that are made from a word of a registry.
const MADE: [&str; 3] = ["source_", "outcome_", "severity_"];

fn sources(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir)
        .expect("the source is there")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
            found.push((path, code.to_owned()));
        }
    }
}

fn code() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found.retain(|(path, _)| {
        let path = path.to_string_lossy();
        !path.contains("/tests") && !path.contains("/lang/") && !path.contains("_tests")
    });
    found
}

#[test]
fn no_text_is_missing_and_none_is_left_over() {
    let code = code();
    let literal = Regex::new(r#""([a-z][a-z0-9_]+)""#).expect("a pattern");
    let words: BTreeSet<&str> = code
        .iter()
        .flat_map(|(_, text)| literal.captures_iter(text))
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    let table = Lang::En.table();
    let unused: Vec<&String> = table
        .keys()
        .filter(|key| !words.contains(key.as_str()))
        .filter(|key| !MADE.iter().any(|made| key.starts_with(made)))
        .collect();
    assert!(unused.is_empty(), "never said: {unused:?}");
    let said =
        Regex::new(r#"(?:\bsay|lang\.text|Lang::En\.text)\(\s*"([a-z0-9_]+)""#).expect("a pattern");
    for (path, text) in &code {
        for found in said.captures_iter(text) {
            let key = &found[1];
            assert!(
                table.contains_key(key),
                "{}: no text {key:?}",
                path.display()
            );
        }
    }
}

#[test]
fn made_keys_are_those_of_the_registries() {
    let outcomes = [
        "collected",
        "partial",
        "skipped",
        "absent",
        "denied",
        "timed_out",
        "failed",
        "refused",
    ];
    let registry = crate::sources::registry();
    let ids: Vec<&str> = registry.iter().map(|source| source.id()).collect();
    let expected: BTreeSet<String> = [
        ("source_", &ids[..]),
        ("outcome_", &outcomes[..]),
        ("severity_", &crate::cli::SEVERITIES[..]),
    ]
    .iter()
    .flat_map(|(made, words)| words.iter().map(move |word| format!("{made}{word}")))
    .collect();
    let there: BTreeSet<String> = Lang::En
        .table()
        .keys()
        .filter(|key| MADE.iter().any(|made| key.starts_with(made)))
        .cloned()
        .collect();
    assert_eq!(there, expected);
}

#[test]
fn every_error_and_hint_has_its_chinese() {
    let literal = r#"(?:format!\(\s*)?"((?:[^"\\]|\\.)*)""#;
    let places = Regex::new(&format!(
        r#"(?:Failure::(?:usage|internal)\(|Failure::new\(\s*[^,]+,|\.hint\(|#\[error\(|\.failure\(|\bone\()\s*{literal}"#
    ))
    .expect("a pattern");
    let hole = Regex::new(r"\{[^}]*\}").expect("a pattern");
    let mut unsaid = BTreeSet::new();
    for (path, text) in code() {
        let path = path.to_string_lossy();
        // Outcomes of items are data of the bundle, not words to the person.
        if path.contains("/collect/") || path.contains("/sources/") {
            continue;
        }
        for found in places.captures_iter(&text) {
            let english = hole.replace_all(&found[1], "{}").into_owned();
            let only_holes = english.replace("{}", "").trim().is_empty();
            if !only_holes && !super::errors::knows(&english) {
                unsaid.insert(format!("{path}: {english}"));
            }
        }
    }
    assert!(unsaid.is_empty(), "{unsaid:#?}");
}
