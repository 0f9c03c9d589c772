//! The rules of the matching part: what a set or a sequence may be, and what is refused.

mod limits;

use serde_saphyr::Spanned;

use super::document::{Nested, RawExtract, RawMachine, RawRule, RawTerm};
use super::duration::parse_ns;
use super::jq;
use super::model::{Matcher, Negative, Positive, Rule, Shape};
use super::parse::{Fault, Terms, line_of};
use super::pattern;
use limits::{Given, fits, times};

/// Machines within machines.
const MAX_DEPTH: usize = 8;
/// Entries that one hit may be made of; bounds what a `count` can ask for.
const MAX_WIDTH: u64 = 100_000;

/// Checks the matching part.
pub(super) fn rule(raw: Spanned<RawRule>, terms: &Terms) -> Result<Rule, Fault> {
    let line = line_of(&raw);
    match (raw.value.set, raw.value.sequence) {
        (Some(set), None) => machine(Shape::Set, set, terms, &mut Nesting::default()),
        (None, Some(sequence)) => {
            machine(Shape::Sequence, sequence, terms, &mut Nesting::default())
        }
        (Some(_), Some(_)) => Err(Fault::new(
            line,
            "both a set and a sequence",
            "make two rules of it",
        )),
        (None, None) => Err(Fault::new(
            line,
            "neither a set nor a sequence",
            "add `set:` or `sequence:`",
        )),
    }
}

/// Where in a nested rule a machine is, and what the machines before it said.
#[derive(Default)]
struct Nesting {
    depth: usize,
    origins: usize,
}

fn machine(
    shape: Shape,
    raw: Spanned<RawMachine>,
    terms: &Terms,
    nesting: &mut Nesting,
) -> Result<Rule, Fault> {
    let line = line_of(&raw);
    let raw = raw.value;
    let conditions = conditions(shape, raw.any, raw.order)
        .map_err(|(missing, hint)| Fault::new(line, missing, hint))?;
    let written = raw.window.filter(|window| !window.value.trim().is_empty());
    let given = Given {
        line,
        window_line: written.as_ref().map_or(line, line_of),
        window: written.is_some(),
        event: raw.event.is_some(),
    };
    let window_ns = written.as_ref().map(window).transpose()?.unwrap_or(0);
    let event = raw.event.map(|e| e.value);
    let origin = event.as_ref().is_some_and(|e| e.origin == Some(true));
    nesting.origins += usize::from(origin);
    if nesting.origins > 1 {
        return Err(Fault::new(
            line,
            "more than one event.origin",
            "only one data source takes the blame: remove the others",
        ));
    }
    let source = event.and_then(|e| e.source).unwrap_or_default();
    let (positives, negatives) = (Vec::new(), Vec::new());
    let mut rule = Rule {
        shape,
        source,
        window_ns,
        positives,
        negatives,
        unsupported: None,
    };
    let mut inner = 0;
    let mut joins = false;
    for condition in conditions {
        let (line, term) = resolve(condition, terms);
        extracts(&term.extract, line)?;
        match &term.nested {
            Some(machine) => {
                inner += 1;
                joins |= machine.is_machine();
                rule.unsupported = Some(nested(machine, terms, nesting)?);
            }
            None => add(
                &mut rule,
                Positive {
                    count: count(&term, line)?,
                    matcher: matcher(&term, line)?,
                },
            ),
        }
    }
    for condition in raw.negate.unwrap_or_default() {
        let (line, term) = resolve(condition, terms);
        match &term.nested {
            Some(machine) => {
                joins |= machine.is_machine();
                rule.unsupported = Some(nested(machine, terms, nesting)?);
            }
            None => rule.negatives.push(negative(&term, line)?),
        }
    }
    if inner > 1 && rule.window_ns == 0 {
        return Err(Fault::new(
            given.window_line,
            "two or more nested conditions need a window",
            "for example `window: 30s`",
        ));
    }
    if joins && (given.event || !rule.positives.is_empty() || !rule.negatives.is_empty()) {
        return Err(Fault::new(
            given.line,
            "conditions on entries and nested machines in one machine",
            "put the conditions into a nested set with its own event.source",
        ));
    }
    if rule.unsupported.is_none() {
        fits(&rule, &given)?;
        times(&rule, &given)?;
    }
    Ok(rule)
}

/// The list that a machine of this shape has; without one, what is missing and a hint.
fn conditions<T>(
    shape: Shape,
    any: Option<Vec<T>>,
    order: Option<Vec<T>>,
) -> Result<Vec<T>, (&'static str, &'static str)> {
    let (list, missing, hint) = match shape {
        Shape::Set => (
            any,
            "a set needs `match`",
            "a sequence has `order`, a set has `match`",
        ),
        Shape::Sequence => (
            order,
            "a sequence needs `order`",
            "a set has `match`, a sequence has `order`",
        ),
    };
    list.filter(|list| !list.is_empty()).ok_or((missing, hint))
}

/// Equal conditions are one with a higher count: anywhere in a set, side by side in a sequence.
fn add(rule: &mut Rule, positive: Positive) {
    let same = match rule.shape {
        Shape::Set => rule
            .positives
            .iter_mut()
            .find(|p| p.matcher == positive.matcher),
        Shape::Sequence => rule
            .positives
            .last_mut()
            .filter(|p| p.matcher == positive.matcher),
    };
    match same {
        Some(same) => same.count = same.count.saturating_add(positive.count),
        None => rule.positives.push(positive),
    }
}

/// Checks what is nested, and says why it is not evaluated.
fn nested(nested: &Nested, terms: &Terms, nesting: &mut Nesting) -> Result<String, Fault> {
    let (shape, raw, name) = match nested {
        Nested::Promql => {
            return Ok("a `promql` query needs metrics, which are not here".to_owned());
        }
        Nested::Script => {
            return Ok("a `script` is never run".to_owned());
        }
        Nested::Set(raw) => (Shape::Set, raw, "set"),
        Nested::Sequence(raw) => (Shape::Sequence, raw, "sequence"),
    };
    if nesting.depth >= MAX_DEPTH {
        return Err(Fault::new(
            line_of(raw),
            "nested too deeply",
            "two levels say everything",
        ));
    }
    nesting.depth += 1;
    machine(shape, (**raw).clone(), terms, nesting)?;
    nesting.depth -= 1;
    Ok(format!(
        "a nested `{name}` joins several data sources, which is not evaluated"
    ))
}

/// Values to take out are checked like conditions, since other tools of the format use them.
fn extracts(extracts: &[RawExtract], line: u64) -> Result<(), Fault> {
    for extract in extracts {
        let term = RawTerm {
            jq: extract.jq.clone(),
            regex: extract.regex.clone(),
            ..RawTerm::default()
        };
        matcher(&term, line)?;
        if extract.name.as_ref().is_none_or(String::is_empty) {
            return Err(Fault::new(
                line,
                "extract without a name",
                "give it a `name`",
            ));
        }
    }
    Ok(())
}

fn window(text: &Spanned<String>) -> Result<i64, Fault> {
    match parse_ns(text.value.trim()) {
        Some(ns) if ns >= 0 => Ok(ns),
        _ => Err(Fault::new(
            line_of(text),
            format!("window `{}` is not a duration", text.value),
            "for example 500ms, 30s, 5m or 24h; there is no unit for days",
        )),
    }
}

/// A plain text, or a `value`, that names a term stands for that term; window options stay its own.
fn resolve(raw: Spanned<RawTerm>, terms: &Terms) -> (u64, RawTerm) {
    let line = line_of(&raw);
    let own = raw.value;
    let Some(named) = own.value.as_ref().and_then(|name| terms.get(name)) else {
        return (line, own);
    };
    let mut term = named.value.clone();
    if own.window.is_some() || own.slide.is_some() || own.anchor.is_some() || own.absolute {
        term.window = own.window;
        term.slide = own.slide;
        term.anchor = own.anchor;
        term.absolute = own.absolute;
    }
    term.count = own.count.or(term.count);
    (line, term)
}

fn matcher(term: &RawTerm, line: u64) -> Result<Matcher, Fault> {
    let given = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
    match (given(&term.value), given(&term.regex), given(&term.jq)) {
        (Some(text), None, None) => Ok(Matcher::Literal(text)),
        (None, Some(expression), None) => {
            pattern::check(&expression).map_err(|e| {
                Fault::new(
                    line,
                    format!("regex `{expression}` does not compile: {e}"),
                    "the syntax is RE2",
                )
            })?;
            Ok(Matcher::Regex(expression))
        }
        (None, None, Some(program)) => {
            jq::Program::compile(&program).map_err(|e| {
                Fault::new(
                    line,
                    format!("jq `{program}` does not compile: {e}"),
                    "try it with jq",
                )
            })?;
            Ok(Matcher::Jq(program))
        }
        (None, None, None) => Err(Fault::new(
            line,
            "empty condition",
            "give it a value, a regex or a jq program",
        )),
        _ => Err(Fault::new(
            line,
            "a condition has one of value, regex and jq",
            "make two conditions of it",
        )),
    }
}

fn count(term: &RawTerm, line: u64) -> Result<u32, Fault> {
    match term.count.unwrap_or(1) {
        n if n < 0 || n > MAX_WIDTH as i64 => Err(Fault::new(
            line,
            format!("count {n} is out of range"),
            "1 to 100000",
        )),
        n => Ok(n.max(1) as u32),
    }
}

fn negative(term: &RawTerm, line: u64) -> Result<Negative, Fault> {
    if term.count.is_some_and(|n| n > 1) {
        return Err(Fault::new(
            line,
            "count is not allowed under negate",
            "one occurrence is enough to negate",
        ));
    }
    if !term.extract.is_empty() {
        return Err(Fault::new(
            line,
            "extract is not allowed under negate",
            "what must not be there has no values",
        ));
    }
    let duration = |text: &Option<String>, key: &str| match text {
        None => Ok(0),
        Some(text) if text.is_empty() => Ok(0),
        Some(text) => parse_ns(text.trim()).ok_or_else(|| {
            Fault::new(
                line,
                format!("{key} `{text}` is not a duration"),
                "for example 30s or -5m",
            )
        }),
    };
    let anchor = term.anchor.unwrap_or(0);
    if !(0..=1).contains(&anchor) {
        return Err(Fault::new(
            line,
            format!("anchor {anchor} is out of range"),
            "0 and 1 are portable: other tools of the format refuse more",
        ));
    }
    Ok(Negative {
        matcher: matcher(term, line)?,
        window_ns: duration(&term.window, "window")?,
        slide_ns: duration(&term.slide, "slide")?,
        anchor: anchor as usize,
        absolute: term.absolute,
    })
}
