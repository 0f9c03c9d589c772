//! Limits that only the whole rule can be judged by: what may stand together, and where a window must be.

use std::collections::BTreeSet;

use super::super::model::{Matcher, Rule, Shape};
use super::super::parse::Fault;
use super::MAX_WIDTH;

/// Distinct positive conditions of a rule; the reference has the same limit.
const MAX_TERMS: usize = 64;

/// What was written, beside what it means.
pub(super) struct Given {
    pub line: u64,
    pub window_line: u64,
    pub window: bool,
    pub event: bool,
}

/// Limits that only the whole rule can be judged by.
pub(super) fn fits(rule: &Rule, given: &Given) -> Result<(), Fault> {
    let fault = |message: &str, hint: &str| Err(Fault::new(given.line, message, hint));
    let width: u64 = rule.positives.iter().map(|p| u64::from(p.count)).sum();
    let distinct: BTreeSet<&Matcher> = rule.positives.iter().map(|p| &p.matcher).collect();
    if !given.event || rule.source.is_empty() {
        return fault(
            "rule without event.source",
            "say which data source it reads",
        );
    }
    if distinct
        .len()
        .max(rule.positives.len())
        .max(rule.negatives.len())
        > MAX_TERMS
    {
        return fault("more than 64 conditions", "split the rule");
    }
    if width > MAX_WIDTH {
        return fault("a hit is made of too many entries", "lower `count`");
    }
    if rule.negatives.iter().any(|n| n.anchor as u64 >= width) {
        return fault(
            "anchor beyond the last condition",
            "anchors count positive conditions from 0",
        );
    }
    let repeats = distinct.len() as u64 != width;
    if rule.shape == Shape::Sequence && repeats && rule.negatives.iter().any(|n| n.anchor > 0) {
        return fault(
            "an anchor in a sequence that repeats a condition",
            "anchor 0 works; other tools of the format refuse the rest",
        );
    }
    Ok(())
}

/// Where a window must be and where it must not.
pub(super) fn times(rule: &Rule, given: &Given) -> Result<(), Fault> {
    let fault = |message: &str, hint: &str| Err(Fault::new(given.window_line, message, hint));
    let width = rule.width();
    match rule.shape {
        Shape::Sequence if width < 2 => fault(
            "a sequence needs two or more conditions",
            "use a set for a single one",
        ),
        Shape::Sequence if rule.window_ns == 0 => {
            fault("a sequence needs a window", "for example `window: 30s`")
        }
        Shape::Set if width > 1 && rule.window_ns == 0 => fault(
            "a set with two or more conditions needs a window",
            "for example `window: 30s`",
        ),
        Shape::Set if width == 1 && given.window => fault(
            "a window needs two or more conditions",
            "remove `window`, or add a condition or a `count`",
        ),
        _ => Ok(()),
    }
}
