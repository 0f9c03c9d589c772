//! Why a signature fires on a log, or why it does not: each condition by itself, then together.

use super::engine::{Engine, EngineError};
use super::finding::Evidence;
use super::model::{Matcher, Positive, Rule, Shape, Signature, Status};
use super::parse::Catalogue;
use super::run::{RunOptions, condition_only};
use super::scan::{FileResult, FileScan, RuleHits};
use super::source::SourceMap;
use crate::time::UtcMs;

/// Lines of a condition that are named.
const MAX_LINES: usize = 8;

/// A window that everything is within: a hundred years.
const ANY_WINDOW_NS: i64 = 100 * 366 * 86_400 * 1_000_000_000;

/// Explains one signature on one log, which `feed` hands to the scan.
///
/// # Errors
/// The signature does not compile; the inner error is that of `feed`.
pub fn explain<E>(
    signature: &Signature,
    sources: &SourceMap,
    options: RunOptions,
    path: &str,
    mut feed: impl FnMut(&mut FileScan<'_>) -> Result<(), E>,
) -> Result<Result<String, E>, EngineError> {
    let Some(rule) = &signature.rule else {
        let requires = signature
            .extension
            .as_ref()
            .and_then(|e| e.requires.as_deref());
        return Ok(Ok(format!(
            "{path}: {} looks at facts only, not at logs: {}",
            signature.id,
            requires.unwrap_or_default()
        )));
    };
    let mut live = signature.clone();
    if let Some(extension) = &mut live.extension {
        extension.status = Status::Live;
    }
    let mut signatures = vec![live];
    let positives = rule.positives.iter().map(|p| &p.matcher);
    let matchers: Vec<&Matcher> = positives
        .chain(rule.negatives.iter().map(|n| &n.matcher))
        .collect();
    signatures.extend(matchers.iter().map(|m| condition_only(signature, rule, m)));
    for rule in [clear(rule), unordered(rule), wide(rule)] {
        signatures.push(Signature {
            extension: None,
            rule: Some(rule),
            ..signature.clone()
        });
    }
    let engine = Engine::new(&Catalogue { signatures }, sources)?;
    let mut scan = engine.run(options).file(path);
    if let Err(error) = feed(&mut scan) {
        return Ok(Err(error));
    }
    let result = scan.finish();
    let told = Told {
        engine: &engine,
        signature,
        rule,
        file: &result,
    };
    Ok(Ok(told.text()))
}

/// The rule without its negatives.
fn clear(rule: &Rule) -> Rule {
    Rule {
        negatives: Vec::new(),
        ..rule.clone()
    }
}

/// The same conditions in any order.
fn unordered(rule: &Rule) -> Rule {
    let mut positives: Vec<Positive> = Vec::new();
    for positive in &rule.positives {
        match positives.iter_mut().find(|p| p.matcher == positive.matcher) {
            Some(same) => same.count += positive.count,
            None => positives.push(positive.clone()),
        }
    }
    Rule {
        shape: Shape::Set,
        positives,
        ..clear(rule)
    }
}

/// The same conditions however far apart.
fn wide(rule: &Rule) -> Rule {
    Rule {
        window_ns: ANY_WINDOW_NS,
        ..clear(rule)
    }
}

/// What there is to tell about one signature on one log.
struct Told<'a> {
    engine: &'a Engine,
    signature: &'a Signature,
    rule: &'a Rule,
    file: &'a FileResult,
}

impl Told<'_> {
    /// The hits of the signature with this index in the engine: 0 the whole, then its conditions.
    fn hits(&self, index: usize) -> Option<&RuleHits> {
        let found = self.file.rules.iter().find(|(i, _)| *i as usize == index);
        found.map(|(_, hits)| hits).filter(|hits| hits.hits > 0)
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        let outcomes = self.engine.outcomes(self.file);
        let Some(whole) = outcomes.first() else {
            return String::new();
        };
        let verdict = if whole.hits > 0 {
            format!(
                "fires {} times, first on lines {:?}",
                whole.hits, whole.first_hit
            )
        } else {
            "does not fire".to_owned()
        };
        lines.push(format!(
            "{}: {} {verdict}",
            self.file.path, self.signature.id
        ));
        lines.extend(
            whole
                .reason
                .as_ref()
                .map(|r| format!("  not evaluated: {r}")),
        );
        let dated = if self.file.dated {
            "dated"
        } else {
            "without time stamps"
        };
        lines.push(format!("  {} lines, {dated}", self.file.lines));
        self.conditions(&mut lines);
        match self.hits(0) {
            Some(hits) => lines.extend(hits.first.iter().map(entry)),
            None if whole.evaluated => lines.push(format!("  because {}", self.because())),
            None => {}
        }
        let requires = self
            .signature
            .extension
            .as_ref()
            .and_then(|e| e.requires.as_deref());
        if let Some(requires) = requires {
            lines.push(format!(
                "  a finding also needs facts, which are not looked at here: {requires}"
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn conditions(&self, lines: &mut Vec<String>) {
        let rule = self.rule;
        for (index, positive) in rule.positives.iter().enumerate() {
            let needed = if positive.count > 1 {
                format!(" × {}", positive.count)
            } else {
                String::new()
            };
            let met = met(self.hits(index + 1));
            lines.push(format!("  {}{needed}: {met}", shown(&positive.matcher)));
        }
        for (index, negative) in rule.negatives.iter().enumerate() {
            let met = met(self.hits(index + 1 + rule.positives.len()));
            lines.push(format!("  not {}: {met}", shown(&negative.matcher)));
        }
        if rule.width() > 1 {
            let order = if rule.shape == Shape::Sequence {
                "in this order"
            } else {
                "in any order"
            };
            lines.push(format!(
                "  together {order} within {}",
                seconds(rule.window_ns)
            ));
        }
    }

    /// Why it does not fire, when it could be evaluated.
    fn because(&self) -> String {
        let rule = self.rule;
        for (index, positive) in rule.positives.iter().enumerate() {
            let has = self.hits(index + 1).map_or(0, |hits| hits.hits);
            if has < u64::from(positive.count) {
                let wanted = shown(&positive.matcher);
                return format!("{wanted} is met by {has} of {} entries", positive.count);
            }
        }
        let first = 1 + rule.positives.len() + rule.negatives.len();
        let (clear, unordered, wide) = (first, first + 1, first + 2);
        if self.hits(clear).is_some() {
            "a condition that must not be met is met in its window".to_owned()
        } else if rule.shape == Shape::Sequence && self.hits(unordered).is_some() {
            "the conditions are met within the window, but not in this order".to_owned()
        } else if let Some(hits) = self.hits(wide) {
            let times = || hits.first.iter().filter_map(|e| e.time_ms);
            let apart = times().max().zip(times().min()).map_or(0, |(l, f)| l - f);
            format!(
                "the conditions are met, but not within the window: first over {} s",
                apart as f64 / 1000.0
            )
        } else if rule.shape == Shape::Sequence {
            "the conditions are met, but not in this order".to_owned()
        } else {
            "the conditions are not met by enough entries with a time".to_owned()
        }
    }
}

/// One entry of a hit.
fn entry(evidence: &Evidence) -> String {
    let time = evidence
        .time_ms
        .map_or_else(String::new, |ms| format!(" at {}", UtcMs(ms).rfc3339()));
    let text = evidence.text.lines().next().unwrap_or_default();
    format!("  line {}{time} {}: {text}", evidence.line, evidence.why)
}

fn seconds(ns: i64) -> String {
    format!("{} s", ns as f64 / 1e9)
}

fn shown(matcher: &Matcher) -> String {
    match matcher {
        Matcher::Literal(text) => format!("{text:?}"),
        Matcher::Regex(expression) => format!("/{expression}/"),
        Matcher::Jq(program) => format!("jq {program}"),
    }
}

/// How often a condition is met, and where and when first.
fn met(hits: Option<&RuleHits>) -> String {
    let Some(hits) = hits.filter(|h| h.hits > 0) else {
        return "no entry".to_owned();
    };
    let entries = hits.first.iter().chain(&hits.more).take(MAX_LINES);
    let places: Vec<String> = entries
        .map(|e| match e.time_ms {
            Some(ms) => format!("{} at {}", e.line, UtcMs(ms).rfc3339()),
            None => e.line.to_string(),
        })
        .collect();
    let more = if hits.hits > places.len() as u64 {
        ", …"
    } else {
        ""
    };
    format!("{} entries: line {}{more}", hits.hits, places.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(rule: &str, log: &str) -> String {
        let yaml = format!("rules:\n  - cre: {{id: CRE-1}}\n    rule: {rule}\n");
        let catalogue = Catalogue::load([("x.yaml", yaml)]).unwrap();
        let options = RunOptions {
            ignore_source: true,
            ..RunOptions::default()
        };
        let sources = SourceMap::default();
        let signature = &catalogue.signatures[0];
        let explained = explain(signature, &sources, options, "x.log", |scan| {
            scan.push(log.as_bytes());
            Ok::<(), ()>(())
        });
        explained.unwrap().unwrap()
    }

    /// A log with one letter tripled at each second.
    fn log(entries: &[(u32, &str)]) -> String {
        let line = |(second, text): &(u32, &str)| format!("2026-01-01 00:00:{second:02} {text}\n");
        entries.iter().map(line).collect()
    }

    #[test]
    fn says_why_a_rule_does_not_fire() {
        let check = |rule: &str, entries: &[(u32, &str)], expected: &str| {
            let text = explained(rule, &log(entries));
            assert!(text.contains("CRE-1 does not fire"), "{text}");
            assert!(text.contains(expected), "{text}");
        };
        let set = "{set: {window: 5s, event: {source: x}, match: [AAA, BBB], negate: [CCC]}}";
        check(
            set,
            &[(0, "AAA"), (9, "BBB")],
            "not within the window: first over 9 s",
        );
        check(set, &[(0, "AAA")], "\"BBB\" is met by 0 of 1 entries");
        check(
            set,
            &[(0, "AAA"), (1, "CCC"), (2, "BBB")],
            "must not be met is met in its window",
        );
        check(set, &[(0, "AAA")], "in any order within 5 s");
        check(set, &[(0, "AAA")], "not \"CCC\": no entry");
        let sequence = "{sequence: {window: 5s, event: {source: x}, order: [AAA, BBB]}}";
        check(sequence, &[(0, "BBB"), (1, "AAA")], "but not in this order");
        let count = "{set: {window: 5s, event: {source: x}, match: [{value: AAA, count: 3}]}}";
        check(count, &[(0, "AAA"), (1, "AAA")], "met by 2 of 3 entries");
    }

    #[test]
    fn says_why_a_rule_fires() {
        let rule = "{sequence: {window: 5s, event: {source: x}, order: [AAA, {regex: 'B+'}]}}";
        let text = explained(rule, &log(&[(0, "AAA"), (3, "BBB")]));
        assert!(
            text.contains("CRE-1 fires 1 times, first on lines [1, 2]"),
            "{text}"
        );
        let last = "line 2 at 2026-01-01T00:00:03Z matches /B+/: 2026-01-01 00:00:03 BBB";
        assert!(text.contains(last), "{text}");
    }
}
