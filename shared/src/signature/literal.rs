//! Literals that every match of an expression must contain: what the prefilter looks for.
//!
//! A requirement may be weaker than the expression, never stronger: the prefilter may give a
//! candidate too many, never one too few.

pub(super) mod rarity;

use std::cmp::Reverse;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::pattern;
use super::prefilter::GRAM_BYTES;
use rarity::Rarity;

/// Alternatives of one requirement; more are not worth looking for.
const MAX_ALTERNATIVES: usize = 64;
/// Strings kept while a run of literals and small classes is multiplied out.
const MAX_PRODUCT: usize = 16;
/// Bytes beyond which a literal is cut: a longer one finds nothing better.
pub(super) const MAX_BYTES: usize = 48;

/// A short literal must be this much rarer than a long one to be looked for in its place.
const MUCH_RARER: usize = 16;

/// A text that must occur.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Literal {
    pub text: Vec<u8>,
    /// In any ASCII case.
    pub any_case: bool,
}

impl Literal {
    fn new(text: &[u8]) -> Self {
        let text = text[..text.len().min(MAX_BYTES)].to_vec();
        Self {
            text,
            any_case: false,
        }
    }

    fn joined(&self, other: &Self) -> Self {
        let text = [self.text.as_slice(), &other.text].concat();
        Self {
            text,
            any_case: self.any_case || other.any_case,
        }
    }

    fn cut(&mut self) {
        self.text.truncate(MAX_BYTES);
    }
}

/// Literals of which every match contains at least one.
pub(super) type Required = Vec<Literal>;

/// What the prefilter may look for, for each way in which an expression can match: of the requirements
/// of each branch one is enough. Without branches, or with an empty one, every entry must be looked at.
pub(super) fn branches(hir: &Hir) -> Vec<Vec<Required>> {
    match hir.kind() {
        HirKind::Capture(capture) => branches(&capture.sub),
        HirKind::Alternation(parts) if parts.len() <= MAX_ALTERNATIVES => {
            let branches: Vec<Vec<Required>> = parts.iter().map(of_hir).collect();
            if branches.iter().any(Vec::is_empty) {
                return Vec::new();
            }
            branches
        }
        _ => {
            let all = of_hir(hir);
            if all.is_empty() {
                Vec::new()
            } else {
                vec![all]
            }
        }
    }
}

/// All requirements of a parsed expression, best first; each one alone is a valid prefilter.
fn of_hir(hir: &Hir) -> Vec<Required> {
    ranked(walk(hir).required)
}

/// Requirements that can be looked for, best first.
pub(super) fn ranked(mut all: Vec<Required>) -> Vec<Required> {
    all.retain(|set| !set.is_empty() && set.iter().all(|l| !l.text.is_empty()));
    all.iter_mut().flatten().for_each(Literal::cut);
    all.sort_by_cached_key(cost);
    all
}

/// All requirements of an expression of a rule.
pub(super) fn of_expression(expression: &str) -> Vec<Required> {
    pattern::parse(expression)
        .map(|hir| of_hir(&hir))
        .unwrap_or_default()
}

/// The requirement that costs least in logs like those counted. Where even that one is common, a rare one
/// that is too short for the filter is better, as long as there are few of these: `with_short`.
pub(super) fn cheapest<'a>(
    options: &'a [Required],
    rarity: &Rarity,
    with_short: bool,
) -> Option<&'a Required> {
    let least = options.iter().map(too_short).min()?;
    let best = options.iter().filter(|set| too_short(set) == least);
    let best = best.min_by_key(|set| cost_in(set, rarity))?;
    let at_most = || best.iter().map(|l| rarity.at_most(&l.text)).sum();
    if !with_short || least > 0 || !rarity.is_common(at_most()) {
        return Some(best);
    }
    let common = occurrences(best, rarity);
    if !rarity.is_common(common) {
        return Some(best);
    }
    let short = options
        .iter()
        .filter(|set| (2..GRAM_BYTES).contains(&shortest(set)) && set.len() == 1)
        .map(|set| (occurrences(set, rarity), set))
        .min_by_key(|(count, _)| *count);
    let better = short.filter(|(count, _)| count * MUCH_RARER <= common);
    Some(better.map_or(best, |(_, set)| set))
}

fn occurrences(set: &Required, rarity: &Rarity) -> usize {
    set.iter().map(|l| rarity.occurrences(&l.text)).sum()
}

/// The requirement of a plain literal.
pub(super) fn of_literal(text: &[u8]) -> Required {
    vec![Literal::new(text)]
}

fn cost(set: &Required) -> (usize, u32, Reverse<usize>, usize) {
    cost_in(set, Rarity::built_in())
}

/// What a requirement costs: too short for the filter, and the shorter the worse, since one byte is
/// on every line; common in logs; short; many.
fn cost_in(set: &Required, rarity: &Rarity) -> (usize, u32, Reverse<usize>, usize) {
    let shortest = shortest(set);
    let common = set.iter().map(|l| rarity.rarest(&l.text)).sum();
    (too_short(set), common, Reverse(shortest.min(24)), set.len())
}

fn shortest(set: &Required) -> usize {
    set.iter().map(|l| l.text.len()).min().unwrap_or(0)
}

/// By how much a requirement is too short for the filter.
fn too_short(set: &Required) -> usize {
    GRAM_BYTES.saturating_sub(shortest(set))
}

/// What is known about a part of an expression.
struct Part {
    /// The part matches exactly one of these, apart from case.
    exact: Option<Required>,
    /// Requirements that hold for every match of the part.
    required: Vec<Required>,
}

impl Part {
    fn unknown() -> Self {
        Self {
            exact: None,
            required: Vec::new(),
        }
    }

    fn exact(set: Required) -> Self {
        Self {
            exact: Some(set),
            required: Vec::new(),
        }
    }

    /// Everything that is required, the exact set included.
    fn all(self) -> Vec<Required> {
        let mut all = self.required;
        all.extend(self.exact);
        all
    }
}

fn walk(hir: &Hir) -> Part {
    let mut part = part_of(hir);
    if let Some(set) = part.exact.clone() {
        part.required.push(set);
    }
    part
}

fn part_of(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::exact(vec![Literal::new(b"")]),
        HirKind::Literal(literal) => Part::exact(vec![Literal::new(&literal.0)]),
        HirKind::Class(class) => class_part(class),
        HirKind::Capture(capture) => part_of(&capture.sub),
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (1, Some(1)) => part_of(&repetition.sub),
            (0, _) => Part::unknown(),
            _ => Part {
                exact: None,
                required: part_of(&repetition.sub).all(),
            },
        },
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(parts) => alternation(parts),
    }
}

/// A class of one letter in both cases, or of very few bytes, is as good as a literal.
fn class_part(class: &Class) -> Part {
    let mut bytes: Vec<u8> = Vec::new();
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|r| (r.start().into(), r.end().into()))
            .collect(),
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|r| (r.start().into(), r.end().into()))
            .collect(),
    };
    for (start, end) in ranges {
        if end > 0x7f || end - start > 3 {
            return Part::unknown();
        }
        bytes.extend((start..=end).map(|b| b as u8));
    }
    if let [upper, lower] = bytes[..]
        && upper.is_ascii_uppercase()
        && upper.to_ascii_lowercase() == lower
    {
        return Part::exact(vec![Literal {
            text: vec![lower],
            any_case: true,
        }]);
    }
    if bytes.is_empty() || bytes.len() > 4 {
        return Part::unknown();
    }
    Part::exact(bytes.into_iter().map(|b| Literal::new(&[b])).collect())
}

fn concat(parts: &[Hir]) -> Part {
    let mut required = Vec::new();
    let empty = || vec![Literal::new(b"")];
    let mut run: Required = empty();
    let mut whole = true;
    for part in parts.iter().map(part_of) {
        required.extend(part.required);
        match part.exact {
            Some(set) if run.len() * set.len() <= MAX_PRODUCT => run = product(&run, &set),
            Some(set) => {
                // Too many to multiply out: the run so far and the new alternatives stand apart.
                required.push(std::mem::replace(&mut run, set));
                whole = false;
            }
            None => {
                required.push(std::mem::replace(&mut run, empty()));
                whole = false;
            }
        }
    }
    if whole {
        return Part {
            exact: Some(run),
            required,
        };
    }
    required.push(run);
    Part {
        exact: None,
        required,
    }
}

fn product(left: &Required, right: &Required) -> Required {
    left.iter()
        .flat_map(|l| right.iter().map(|r| l.joined(r)))
        .collect()
}

fn alternation(parts: &[Hir]) -> Part {
    let mut exact: Option<Required> = Some(Vec::new());
    let mut union: Option<Required> = Some(Vec::new());
    for part in parts.iter().map(part_of) {
        exact = exact.zip(part.exact.clone()).map(|(mut all, set)| {
            all.extend(set);
            all
        });
        let best = part
            .all()
            .into_iter()
            .filter(|s| s.iter().all(|l| !l.text.is_empty()))
            .min_by_key(cost);
        union = union.zip(best).map(|(mut all, set)| {
            all.extend(set);
            all
        });
    }
    let exact = exact.filter(|set| set.len() <= MAX_ALTERNATIVES);
    let required = match union.filter(|set| set.len() <= MAX_ALTERNATIVES) {
        Some(set) if exact.is_none() => vec![set],
        _ => Vec::new(),
    };
    Part { exact, required }
}

#[cfg(test)]
mod tests;
