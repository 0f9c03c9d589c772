//! The redaction engine on the shared samples: the goals of recall, of what must stay, and of
//! consistency. Fails when the samples are absent; `SITREP_SHARED` says where they are.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    reason = "a test says what it found and stops where it cannot go on"
)]

use serde::Deserialize;
use sitrep_shared::redact::{FileContext, Level, Redactor, RedactorBuilder};
use sitrep_tests::samples::{cases, contradicts_itself, piece, shared};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Group {
    id: String,
    files: Vec<File>,
    values: Vec<String>,
    variants: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct File {
    file_name: String,
    text: String,
}

fn redactor(level: Level) -> Redactor {
    RedactorBuilder::new(level, [7; 32])
        .build()
        .expect("the built-in rules compile")
}

fn run(redactor: &Redactor, file: &str, text: &str) -> String {
    let (out, _) = redactor
        .all(FileContext { path: file }, text.as_bytes())
        .expect("text is redacted");
    String::from_utf8_lossy(&out).into_owned()
}

/// Passed and all, by kind.
type Tally = BTreeMap<String, (usize, usize)>;

fn rate(tally: &Tally) -> f64 {
    let (good, all) = tally.values().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    100.0 * good as f64 / all.max(1) as f64
}

/// By the letter of the samples' README. Cases in which a piece of a secret must also survive cannot
/// pass and are counted apart.
fn secrets(level: Level, tier: &str) -> f64 {
    let redactor = redactor(level);
    let mut tally = Tally::new();
    let (mut failed, mut apart) = (Vec::new(), Vec::new());
    let all = cases();
    for case in all
        .iter()
        .filter(|c| !c.secrets.is_empty() && c.tier == tier)
    {
        let out = run(&redactor, &case.file_name, &case.text);
        let left: Vec<&String> = case
            .secrets
            .iter()
            .filter(|s| piece(s, &out).is_some())
            .collect();
        let lost: Vec<&String> = case.keep.iter().filter(|k| !out.contains(*k)).collect();
        if contradicts_itself(case) {
            apart.push(case.id.as_str());
            continue;
        }
        let entry = tally.entry(case.kind.clone()).or_default();
        entry.1 += 1;
        if left.is_empty() && lost.is_empty() {
            entry.0 += 1;
        } else {
            failed.push(format!(
                "{} {} {} left {left:?} lost {lost:?}",
                case.id, case.kind, case.file_name
            ));
        }
    }
    println!(
        "{level} {tier}: {:.1} % of {tally:?}\ncontradict themselves: {apart:?}\n{}",
        rate(&tally),
        failed.join("\n")
    );
    rate(&tally)
}

fn negatives(level: Level, tier: &str) -> f64 {
    let redactor = redactor(level);
    let mut tally = Tally::new();
    for case in cases()
        .iter()
        .filter(|c| c.secrets.is_empty() && c.tier == tier)
    {
        let out = run(&redactor, &case.file_name, &case.text);
        let entry = tally.entry(case.kind.clone()).or_default();
        entry.1 += 1;
        if out == case.text {
            entry.0 += 1;
        } else {
            for (a, b) in case.text.lines().zip(out.lines()).filter(|(a, b)| a != b) {
                println!("{} {}\n  - {a}\n  + {b}", case.id, case.kind);
            }
        }
    }
    println!("{level} negatives {tier}: {:.1} % unchanged", rate(&tally));
    rate(&tally)
}

fn keeps(level: Level) -> f64 {
    let redactor = redactor(level);
    let (mut good, mut all) = (0, 0);
    for case in cases() {
        let out = run(&redactor, &case.file_name, &case.text);
        all += case.keep.len();
        for keep in &case.keep {
            if out.contains(keep.as_str()) {
                good += 1;
            } else {
                println!("{} {} lost {keep:?}", case.id, case.kind);
            }
        }
    }
    100.0 * f64::from(good) / all as f64
}

#[test]
fn secrets_that_must_go_go() {
    assert!(secrets(Level::Standard, "must") >= 98.0);
    assert!(secrets(Level::Strict, "must") >= 98.0);
}

#[test]
fn identifiers_go_at_strict() {
    assert!(secrets(Level::Strict, "should") >= 92.0);
}

#[test]
fn half_of_the_hard_ones_go() {
    assert!(secrets(Level::Standard, "hard") >= 50.0);
    assert!(secrets(Level::Strict, "hard") >= 50.0);
}

#[test]
fn what_is_no_secret_stays() {
    assert!(negatives(Level::Standard, "must") >= 99.0);
    assert!(negatives(Level::Strict, "must") >= 99.0);
    assert!(negatives(Level::Standard, "should") >= 70.0);
}

#[test]
fn what_a_diagnosis_needs_stays() {
    assert!(keeps(Level::Standard) >= 99.0);
    assert!(keeps(Level::Strict) >= 99.0);
}

/// What stands in place of `value`: the longest text between what is before and behind it.
fn token(text: &str, out: &str, value: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for (a, b) in text.lines().zip(out.lines()) {
        // The value on its own, not as the beginning of a longer one.
        let free =
            |i: usize| !a[i + value.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
        let Some(at) = a.match_indices(value).map(|(i, _)| i).find(|i| free(*i)) else {
            continue;
        };
        let (head, tail) = (&a[..at], &a[at + value.len()..]);
        // Context next to the value that redaction leaves: up to the nearest blank or sign.
        let before: String = head
            .chars()
            .rev()
            .take_while(|c| !c.is_whitespace())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        let after: String = tail.chars().take_while(|c| !c.is_whitespace()).collect();
        let words_a: Vec<&str> = a.split_whitespace().collect();
        let words_b: Vec<&str> = b.split_whitespace().collect();
        let place = Some(head.split_whitespace().count() - usize::from(!before.is_empty()));
        if words_a.len() != words_b.len() {
            continue;
        }
        if let Some(word) = place.and_then(|p| words_b.get(p)) {
            let word = word.strip_prefix(before.as_str()).unwrap_or(word);
            tokens.push(word.strip_suffix(after.as_str()).unwrap_or(word).to_owned());
        }
    }
    tokens
}

#[test]
fn one_value_has_one_stand_in_and_two_have_two() {
    let (mut same, mut pairs, mut different, mut both) = (0, 0, 0, 0);
    for line in shared("consistency.jsonl").lines() {
        let group: Group = serde_json::from_str(line).expect("a group");
        let redactor = redactor(Level::Strict);
        let outs: Vec<(String, String)> = group
            .files
            .iter()
            .map(|f| (f.text.clone(), run(&redactor, &f.file_name, &f.text)))
            .collect();
        let of =
            |v: &String| -> Vec<String> { outs.iter().flat_map(|(t, o)| token(t, o, v)).collect() };
        let all: Vec<Vec<String>> = group.values.iter().map(of).collect();
        for (value, tokens) in group.values.iter().zip(&all) {
            assert!(
                outs.iter().all(|(_, o)| !o.contains(value.as_str())),
                "{} leaves {value}",
                group.id
            );
            pairs += 1;
            let one = !tokens.is_empty() && tokens.windows(2).all(|w| w[0] == w[1]);
            same += usize::from(one);
            if !one {
                println!("{} {value}: {tokens:?}", group.id);
            }
        }
        for spellings in &group.variants {
            let tokens: Vec<String> = spellings.iter().flat_map(of).collect();
            pairs += 1;
            same += usize::from(tokens.windows(2).all(|w| w[0] == w[1]));
        }
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                both += 1;
                different += usize::from(a.iter().all(|t| !b.contains(t)));
            }
        }
    }
    println!("same {same} of {pairs}, different {different} of {both}");
    assert!(same * 100 >= pairs * 98);
    assert_eq!(different, both);
}
