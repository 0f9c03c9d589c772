//! One condition, ready to run: what the prefilter must see before it is worth running.

use std::sync::OnceLock;

use memchr::memmem::Finder;
use regex::bytes::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::jq::Program;
use super::literal::{self, Required};
use super::model::Matcher;
use super::pattern;

/// How a condition is checked on an entry's text.
enum Check {
    Literal(Box<Finder<'static>>),
    /// Literals in order with anything between: no regex engine is needed.
    Gaps(Vec<Gap>),
    Regex(Box<Expression>),
    Jq(Box<Program>),
}

/// A literal that follows at least `skip` bytes behind the one before.
struct Gap {
    skip: usize,
    literal: Finder<'static>,
}

/// An expression that is compiled when it is first needed: of thousands, few ever are.
struct Expression {
    source: String,
    /// Literals that must occur too; cheaper to look for than to run the expression.
    others: Vec<Finder<'static>>,
    compiled: OnceLock<Option<Regex>>,
}

/// A condition shared by all rules that have it.
pub(super) struct Term {
    check: Check,
    /// What the prefilter looks for; `None` when every entry must be looked at.
    pub required: Option<Required>,
    /// The condition is that the required literal occurs, and nothing more.
    pub is_its_literal: bool,
}

impl Term {
    /// Compiles a condition that was checked when it was read.
    pub(super) fn compile(matcher: &Matcher) -> Result<Self, String> {
        Ok(match matcher {
            Matcher::Literal(text) => Self {
                check: Check::Literal(Box::new(Finder::new(text.as_bytes()).into_owned())),
                required: Some(literal::of_literal(text)),
                // Line ends are not in the matched text, but in the prefilter's.
                is_its_literal: text.len() <= literal::MAX_BYTES && !text.contains(['\r', '\n']),
            },
            Matcher::Regex(expression) => Self::expression(expression)?,
            Matcher::Jq(code) => Self {
                check: Check::Jq(Box::new(Program::compile(code)?)),
                required: None,
                is_its_literal: false,
            },
        })
    }

    fn expression(source: &str) -> Result<Self, String> {
        let hir = pattern::parse(source)?;
        let mut required = literal::of_hir(&hir).into_iter();
        let first = required.next();
        let others = required.filter_map(|set| match set.as_slice() {
            [only] if !only.any_case && only.text.len() > 1 => {
                Some(Finder::new(&only.text).into_owned())
            }
            _ => None,
        });
        let check = match gaps(&hir) {
            Some(gaps) => Check::Gaps(gaps),
            None => Check::Regex(Box::new(Expression {
                source: source.to_owned(),
                others: others.collect(),
                compiled: OnceLock::new(),
            })),
        };
        Ok(Self {
            check,
            required: first,
            is_its_literal: false,
        })
    }

    /// Whether the text meets the condition.
    pub(super) fn is_met(&self, text: &[u8]) -> bool {
        match &self.check {
            Check::Regex(expression) => expression.is_met(text),
            _ => self.find(text).is_some(),
        }
    }

    /// Where in the text the condition is met: the offset of the match's start.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.check {
            Check::Literal(finder) => finder.find(text),
            Check::Gaps(gaps) => find_gaps(gaps, text),
            Check::Regex(expression) => expression.find(text),
            Check::Jq(program) => program.is_met(text).then_some(0),
        }
    }
}

impl Expression {
    fn find(&self, text: &[u8]) -> Option<usize> {
        self.regex()?.find(text).map(|m| m.start())
    }

    fn is_met(&self, text: &[u8]) -> bool {
        self.others.iter().all(|other| other.find(text).is_some())
            && self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// Syntax was checked at loading; what is too large to compile is refused there as well.
    fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| pattern::compile(&self.source).ok())
            .as_ref()
    }
}

/// The earliest way through the literals: taking each as early as possible never misses one.
fn find_gaps(gaps: &[Gap], text: &[u8]) -> Option<usize> {
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

/// An expression that is only literals and `.*` or `.+` between them. Entries have no line ends, so
/// that the dot is any byte.
fn gaps(hir: &Hir) -> Option<Vec<Gap>> {
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let mut gaps = Vec::new();
    let mut skip = 0;
    for part in parts {
        match part.kind() {
            HirKind::Literal(literal) => {
                gaps.push(Gap {
                    skip,
                    literal: Finder::new(&literal.0).into_owned(),
                });
                skip = 0;
            }
            _ => skip += any_bytes(part)?,
        }
    }
    // A gap at the end is only a condition when it must not be empty.
    (skip == 0 && !gaps.is_empty()).then_some(gaps)
}

/// How many bytes at least, for a part that is any bytes: `.*` 0, `(.+)` 1.
fn any_bytes(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Capture(capture) => any_bytes(&capture.sub),
        HirKind::Repetition(repetition) if repetition.max.is_none() => {
            is_dot(&repetition.sub).then_some(repetition.min as usize)
        }
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_expressions_find_the_same() {
        let check = |expression: &str, text: &str, as_gaps: bool| {
            let term = Term::compile(&Matcher::Regex(expression.to_owned())).unwrap();
            assert_eq!(
                matches!(term.check, Check::Gaps(_)),
                as_gaps,
                "{expression}"
            );
            let found = pattern::compile(expression)
                .unwrap()
                .is_match(text.as_bytes());
            assert_eq!(
                term.find(text.as_bytes()).is_some(),
                found,
                "{expression} on {text}"
            );
        };
        for text in [
            "abc x def",
            "abcdef",
            "def abc",
            "abc  def ghi",
            "ABC x DEF",
            "abc1def",
            "abc.def",
        ] {
            check("abc.*def", text, true);
            check("abc(.+)def", text, true);
            check("abc.+def.*", text, true);
            check(".*abc", text, true);
            check("abc.+.+def", text, true);
            check("abc.+", text, false);
            check(r"abc\d+def", text, false);
            check("(?i)abc.*def", text, false);
            check("^abc.*def$", text, false);
        }
    }
}
