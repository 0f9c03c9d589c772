//! Expressions that are only literals with anything between them, in a few alternatives: most of those
//! that people write. They need no regex engine.

use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Alternatives that are spelt out; an expression with more is run as it is.
const MAX_ALTERNATIVES: usize = 16;

/// A literal that follows at least `skip` bytes behind the one before.
struct Gap {
    skip: usize,
    literal: Finder<'static>,
}

/// The alternatives of an expression: each is literals in order.
pub(super) struct Gaps(Vec<Vec<Gap>>);

impl Gaps {
    /// The expression as literals in order; `None` when it is more than that. Entries have no line ends,
    /// so that the dot is any byte.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        let spelt = spell(hir, vec![Spelling::default()])?;
        let gaps: Option<Vec<Vec<Gap>>> = spelt.into_iter().map(Spelling::gaps).collect();
        gaps.map(Self)
    }

    /// The only way in which a plain expression matches.
    pub(super) fn of_plain(spelling: Spelling) -> Option<Self> {
        spelling.gaps().map(|gaps| Self(vec![gaps]))
    }

    /// Where the first of the literals is, of the alternative that begins first.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        self.0.iter().filter_map(|gaps| find(gaps, text)).min()
    }

    /// Whether any alternative matches.
    pub(super) fn is_met(&self, text: &[u8]) -> bool {
        self.0.iter().any(|gaps| find(gaps, text).is_some())
    }
}

/// The earliest way through the literals: taking each as early as possible never misses one.
fn find(gaps: &[Gap], text: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut start = None;
    for gap in gaps {
        let from = at + gap.skip;
        let place = from + gap.literal.find(text.get(from..)?)?;
        start.get_or_insert(place);
        at = place + gap.literal.needle().len();
    }
    start
}

/// One alternative, as far as it is read.
#[derive(Clone, Default)]
pub(super) struct Spelling {
    literals: Vec<(usize, Vec<u8>)>,
    /// What stands between the last literal and the next: nothing, or anything of at least this length.
    gap: Option<usize>,
}

impl Spelling {
    /// An expression of nothing but literals with `.*` and `.+` between, which most are: read without a
    /// parser, which takes most of the time of building.
    pub(super) fn plain(source: &str) -> Option<Self> {
        let mut spelling = Self::default();
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            let gap = ["(.*)", "(.+)", ".*", ".+"]
                .iter()
                .find(|g| rest.starts_with(**g));
            if let Some(gap) = gap {
                spelling.skip(usize::from(gap.contains('+')));
                rest = &rest[gap.len()..];
                continue;
            }
            let escaped = rest.strip_prefix('\\');
            let text = match (escaped, first) {
                (Some(rest), _) => rest
                    .get(..1)
                    .filter(|t| t.as_bytes()[0].is_ascii_punctuation())?,
                (
                    None,
                    '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$',
                ) => {
                    return None;
                }
                _ => &rest[..first.len_utf8()],
            };
            spelling.literal(text.as_bytes());
            rest = &escaped.unwrap_or(rest)[text.len()..];
        }
        (!spelling.literals.is_empty()).then_some(spelling)
    }

    /// The text, when the expression is met wherever it occurs.
    pub(super) fn as_literal(&self) -> Option<&[u8]> {
        match self.literals.as_slice() {
            [(0, text)] if self.gap.is_none_or(|skip| skip == 0) => Some(text),
            _ => None,
        }
    }

    /// The texts that every match has.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().map(|(_, text)| text.as_slice())
    }

    fn literal(&mut self, bytes: &[u8]) {
        match (self.gap.take(), self.literals.last_mut()) {
            (None, Some((_, last))) => last.extend_from_slice(bytes),
            (skip, _) => self.literals.push((skip.unwrap_or(0), bytes.to_vec())),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.gap = Some(self.gap.unwrap_or(0) + bytes);
    }

    /// As a way to match; `None` when that takes an expression.
    fn gaps(self) -> Option<Vec<Gap>> {
        // A gap at the end is only a condition when it must not be empty.
        if self.literals.is_empty() || self.gap.is_some_and(|skip| skip > 0) {
            return None;
        }
        let gap = |(skip, literal): (usize, Vec<u8>)| Gap {
            skip,
            literal: Finder::new(&literal).into_owned(),
        };
        Some(self.literals.into_iter().map(gap).collect())
    }
}

/// Continues each alternative with an expression.
fn spell(hir: &Hir, mut so_far: Vec<Spelling>) -> Option<Vec<Spelling>> {
    match hir.kind() {
        HirKind::Literal(literal) => so_far.iter_mut().for_each(|s| s.literal(&literal.0)),
        HirKind::Capture(capture) => return spell(&capture.sub, so_far),
        HirKind::Concat(parts) => {
            for part in parts {
                so_far = spell(part, so_far)?;
            }
        }
        HirKind::Alternation(parts) if so_far.len() * parts.len() <= MAX_ALTERNATIVES => {
            let branches: Option<Vec<Vec<Spelling>>> =
                parts.iter().map(|p| spell(p, so_far.clone())).collect();
            so_far = branches?.into_iter().flatten().collect();
        }
        HirKind::Repetition(repetition) if repetition.max.is_none() && is_dot(&repetition.sub) => {
            so_far
                .iter_mut()
                .for_each(|s| s.skip(repetition.min as usize));
        }
        _ => return None,
    }
    (so_far.len() <= MAX_ALTERNATIVES).then_some(so_far)
}

/// Any byte but the line end, or any byte at all.
fn is_dot(hir: &Hir) -> bool {
    let HirKind::Class(Class::Bytes(class)) = hir.kind() else {
        return false;
    };
    match class.ranges() {
        [all] => (all.start(), all.end()) == (0, 255),
        [low, high] => (low.start(), low.end(), high.start(), high.end()) == (0, 9, 11, 255),
        _ => false,
    }
}
