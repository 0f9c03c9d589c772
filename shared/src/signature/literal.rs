//! Literals that every match of an expression must contain: what the prefilter looks for.
//!
//! All literals are ASCII case-folded, since the prefilter is: it may give a candidate too many,
//! never one too few.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::pattern;

/// Alternatives of one requirement; more are not worth looking for.
const MAX_ALTERNATIVES: usize = 64;
/// Strings kept while a run of literals and small classes is multiplied out.
const MAX_PRODUCT: usize = 16;
/// Bytes beyond which a literal is cut: a longer one finds nothing better.
const MAX_BYTES: usize = 48;

/// Folded literals of which every match contains at least one.
pub(super) type Required = Vec<Vec<u8>>;

/// All requirements of an expression, best first; each one alone is a valid prefilter.
pub(super) fn of_expression(expression: &str) -> Vec<Required> {
    let Ok(translated) = pattern::translate(expression) else {
        return Vec::new();
    };
    let parse = |unicode: bool| {
        let mut parser = ParserBuilder::new().unicode(unicode).utf8(false).build();
        parser.parse(&translated).ok()
    };
    let Some(hir) = parse(false).or_else(|| parse(true)) else {
        return Vec::new();
    };
    let mut all = walk(&hir).required;
    all.retain(|set| set.iter().all(|l| !l.is_empty()));
    all.sort_by_key(|set| std::cmp::Reverse(score(set)));
    all
}

/// The requirement of a plain literal.
pub(super) fn of_literal(text: &str) -> Required {
    vec![fold(text.as_bytes())]
}

/// How selective a requirement is: its shortest literal counts, and many alternatives cost.
fn score(set: &Required) -> usize {
    let shortest = set.iter().map(Vec::len).min().unwrap_or(0).min(32);
    (shortest * 4).saturating_sub(set.len())
}

fn fold(bytes: &[u8]) -> Vec<u8> {
    let mut folded = bytes.to_ascii_lowercase();
    folded.truncate(MAX_BYTES);
    folded
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
        HirKind::Empty | HirKind::Look(_) => Part::exact(vec![Vec::new()]),
        HirKind::Literal(literal) => Part::exact(vec![literal.0.to_ascii_lowercase()]),
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
        if end > 0x7f || end - start > 8 {
            return Part::unknown();
        }
        bytes.extend((start..=end).map(|b| (b as u8).to_ascii_lowercase()));
    }
    bytes.sort_unstable();
    bytes.dedup();
    if bytes.is_empty() || bytes.len() > 4 {
        return Part::unknown();
    }
    Part::exact(bytes.into_iter().map(|b| vec![b]).collect())
}

fn concat(parts: &[Hir]) -> Part {
    let mut required = Vec::new();
    let mut run: Required = vec![Vec::new()];
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
                required.push(std::mem::replace(&mut run, vec![Vec::new()]));
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
    required.retain(|set| set.iter().all(|l| !l.is_empty()));
    for literal in required.iter_mut().flatten() {
        literal.truncate(MAX_BYTES);
    }
    Part {
        exact: None,
        required,
    }
}

fn product(left: &Required, right: &Required) -> Required {
    let pairs = left.iter().flat_map(|l| {
        right
            .iter()
            .map(move |r| [l.as_slice(), r.as_slice()].concat())
    });
    pairs.collect()
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
            .filter(|s| s.iter().all(|l| !l.is_empty()))
            .max_by_key(score);
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
mod tests {
    use super::*;

    fn best(expression: &str) -> Vec<String> {
        let first = of_expression(expression)
            .into_iter()
            .next()
            .unwrap_or_default();
        first
            .into_iter()
            .map(|l| String::from_utf8(l).unwrap())
            .collect()
    }

    #[test]
    fn finds_what_every_match_contains() {
        let check = |expression: &str, expected: &[&str]| {
            assert_eq!(best(expression), expected, "{expression}")
        };
        check(
            "Discarding message(.+)in an old incarnation(.+)of this node",
            &["in an old incarnation"],
        );
        check("(?i)OOM-killer", &["oom-killer"]);
        check("foo|barbaz", &["foo", "barbaz"]);
        check("(alpha|beta) failed", &["alpha failed", "beta failed"]);
        check("x(.*connection refused)?y+", &["x"]);
        check(r"\d+ items? lost", &[" item"]);
        check(r"5\d\d", &["5"]);
        check(".*", &[]);
        check("a|.*", &[]);
        check("(timeout: )+5", &["timeout: "]);
        check("[Ee]rror code", &["error code"]);
    }
}
