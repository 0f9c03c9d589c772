//! Why a signature fires on a log, or why it does not: each condition by itself, then together.

use std::fmt::Write as _;

use super::engine::{Engine, EngineError};
use super::model::{Matcher, Rule, Shape, Signature, Status};
use super::parse::Catalogue;
use super::run::{RunOptions, condition_only};
use super::scan::{FileResult, FileScan, RuleHits};
use super::source::SourceMap;

/// Lines of a condition that are named.
const MAX_LINES: usize = 8;

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
        return Ok(Ok(format!(
            "{path}: {} looks at facts only, not at logs",
            signature.id
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
    let engine = Engine::new(&Catalogue { signatures }, sources)?;
    let mut scan = engine.run(options).file(path);
    if let Err(error) = feed(&mut scan) {
        return Ok(Err(error));
    }
    let result = scan.finish();
    Ok(Ok(text(&engine, signature, rule, &result)))
}

fn text(engine: &Engine, signature: &Signature, rule: &Rule, file: &FileResult) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |part: String| {
        let _ = writeln!(text, "{part}");
    };
    let outcomes = engine.outcomes(file);
    let Some(whole) = outcomes.first() else {
        return text;
    };
    let verdict = if whole.hits > 0 {
        format!(
            "fires {} times, first on lines {:?}",
            whole.hits, whole.first_hit
        )
    } else {
        "does not fire".to_owned()
    };
    line(format!("{}: {} {verdict}", file.path, signature.id));
    if let Some(reason) = &whole.reason {
        line(format!("  not evaluated: {reason}"));
    }
    line(format!(
        "  {} lines, {}",
        file.lines,
        if file.dated {
            "dated"
        } else {
            "without time stamps"
        }
    ));
    let hits = |index: usize| {
        file.rules
            .iter()
            .find(|(i, _)| *i as usize == index)
            .map(|(_, h)| h)
    };
    for (index, positive) in rule.positives.iter().enumerate() {
        let needed = if positive.count > 1 {
            format!(" × {}", positive.count)
        } else {
            String::new()
        };
        line(format!(
            "  {}{needed}: {}",
            shown(&positive.matcher),
            met(hits(index + 1))
        ));
    }
    for (index, negative) in rule.negatives.iter().enumerate() {
        let at = index + 1 + rule.positives.len();
        line(format!(
            "  not {}: {}",
            shown(&negative.matcher),
            met(hits(at))
        ));
    }
    if rule.needs_time() {
        let order = if rule.shape == Shape::Sequence {
            "in this order"
        } else {
            "in any order"
        };
        line(format!(
            "  together {order} within {}",
            seconds(rule.window_ns)
        ));
    }
    text
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
            Some(ms) => format!("{} at {}", e.line, crate::time::UtcMs(ms).rfc3339()),
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

    #[test]
    fn names_the_condition_that_is_missing() {
        let yaml = "rules:\n  - cre: {id: CRE-1}\n    rule:\n      set:\n        window: 5s\n        \
                    event: {source: cre.log.x}\n        match: [AAA, BBB]\n        negate: [CCC]\n";
        let catalogue = Catalogue::load([("x.yaml", yaml)]).unwrap();
        let sources = SourceMap::default();
        let options = RunOptions {
            ignore_source: true,
            ..RunOptions::default()
        };
        let log = b"2026-01-01 00:00:00 AAA\n2026-01-01 00:00:09 BBB\n";
        let explained = explain(
            &catalogue.signatures[0],
            &sources,
            options,
            "x.log",
            |scan| {
                scan.push(log);
                Ok::<(), ()>(())
            },
        );
        let text = explained.unwrap().unwrap();
        assert!(text.contains("CRE-1 does not fire"), "{text}");
        assert!(
            text.contains("\"AAA\": 1 entries: line 1 at 2026-01-01T00:00:00Z"),
            "{text}"
        );
        assert!(text.contains("\"BBB\": 1 entries: line 2"), "{text}");
        assert!(text.contains("not \"CCC\": no entry"), "{text}");
        assert!(text.contains("in any order within 5 s"), "{text}");
    }
}
