//! One condition, ready to run: what the prefilter must see before it is worth running.

mod gaps;

use std::sync::OnceLock;

use memchr::memmem::Finder;
use regex::bytes::Regex;
use regex_syntax::hir::HirKind;

use super::jq::Program;
use super::literal::{self, Required};
use super::model::Matcher;
use super::pattern;
use gaps::{Gaps, Spelling};

/// Literals that are looked for before an expression is run.
const MAX_OTHERS: usize = 4;

/// How a condition is checked on an entry's text.
enum Check {
    Literal(Box<Finder<'static>>),
    /// Literals in order with anything between: no regex engine is needed.
    Gaps(Gaps),
    Regex(Box<Expression>),
    Jq(Box<Program>),
}

/// An expression that is compiled when it is first needed: of thousands, few ever are.
struct Expression {
    source: String,
    /// For each way to match, literals that must occur; cheaper to look for than to run the expression.
    others: Vec<Vec<Finder<'static>>>,
    compiled: OnceLock<Option<Regex>>,
}

/// A condition shared by all rules that have it.
pub(super) struct Term {
    check: Check,
    /// For each way to meet it, what the prefilter may look for; empty when every entry must be looked at.
    pub branches: Vec<Vec<Required>>,
    /// The condition is that the required literal occurs, and nothing more.
    pub is_its_literal: bool,
}

impl Term {
    /// Compiles a condition that was checked when it was read.
    pub(super) fn compile(matcher: &Matcher) -> Result<Self, String> {
        Ok(match matcher {
            Matcher::Literal(text) => Self::literal(text.as_bytes()),
            Matcher::Regex(expression) => Self::expression(expression)?,
            Matcher::Jq(code) => Self {
                check: Check::Jq(Box::new(Program::compile(code)?)),
                branches: Vec::new(),
                is_its_literal: false,
            },
        })
    }

    fn literal(text: &[u8]) -> Self {
        Self {
            check: Check::Literal(Box::new(Finder::new(text).into_owned())),
            branches: vec![vec![literal::of_literal(text)]],
            // Line ends are not in the matched text, but in the prefilter's.
            is_its_literal: text.len() <= literal::MAX_BYTES
                && !text.iter().any(|b| matches!(b, b'\r' | b'\n')),
        }
    }

    /// An expression that needs no parser.
    fn plain(source: &str) -> Option<Self> {
        let spelling = Spelling::plain(source)?;
        if let Some(text) = spelling.as_literal() {
            return Some(Self::literal(text));
        }
        let required = spelling.texts().map(literal::of_literal).collect();
        Some(Self {
            branches: vec![literal::ranked(required)],
            check: Check::Gaps(Gaps::of_plain(spelling)?),
            is_its_literal: false,
        })
    }

    fn expression(source: &str) -> Result<Self, String> {
        if let Some(plain) = Self::plain(source) {
            return Ok(plain);
        }
        let hir = pattern::parse(source)?;
        if let HirKind::Literal(literal) = hir.kind() {
            return Ok(Self::literal(&literal.0));
        }
        let branches = literal::branches(&hir);
        let check = match Gaps::of(&hir) {
            Some(gaps) => Check::Gaps(gaps),
            None => Check::Regex(Box::new(Expression {
                source: source.to_owned(),
                others: branches.iter().map(|b| others(b)).collect(),
                compiled: OnceLock::new(),
            })),
        };
        Ok(Self {
            check,
            branches,
            is_its_literal: false,
        })
    }

    /// Whether the lines of a folded entry have every literal of a way to meet the condition, so that it
    /// does not matter which of them the prefilter looks for.
    pub(super) fn is_within(&self, lines: &[u8]) -> bool {
        let has = |set: &Required| set.iter().any(|literal| literal.find(lines).is_some());
        self.branches.is_empty() || self.branches.iter().any(|branch| branch.iter().all(has))
    }

    /// Whether the text meets the condition.
    pub(super) fn is_met(&self, text: &[u8]) -> bool {
        match &self.check {
            Check::Regex(expression) => expression.is_met(text),
            Check::Gaps(gaps) => gaps.is_met(text),
            _ => self.find(text).is_some(),
        }
    }

    /// Where in the text the condition is met: the offset of the match's start.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.check {
            Check::Literal(finder) => finder.find(text),
            Check::Gaps(gaps) => gaps.find(text),
            Check::Regex(expression) => expression.find(text),
            Check::Jq(program) => program.is_met(text).then_some(0),
        }
    }
}

/// The literals that every match of a branch has.
fn others(branch: &[Required]) -> Vec<Finder<'static>> {
    let single = branch.iter().filter_map(|set| match set.as_slice() {
        [literal] if !literal.any_case && literal.text.len() > 1 => {
            Some(Finder::new(&literal.text).into_owned())
        }
        _ => None,
    });
    single.take(MAX_OTHERS).collect()
}

impl Expression {
    fn find(&self, text: &[u8]) -> Option<usize> {
        self.regex()?.find(text).map(|m| m.start())
    }

    fn is_met(&self, text: &[u8]) -> bool {
        let has = |branch: &Vec<Finder<'_>>| branch.iter().all(|other| other.find(text).is_some());
        (self.others.is_empty() || self.others.iter().any(has))
            && self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// Syntax was checked at loading; what is too large to compile is refused there as well.
    fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| pattern::compile(&self.source).ok())
            .as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, text: &str, as_gaps: bool) {
        let term = Term::compile(&Matcher::Regex(expression.to_owned())).unwrap();
        let is_gaps = matches!(term.check, Check::Gaps(_));
        assert_eq!(is_gaps, as_gaps, "{expression}");
        let regex = pattern::compile(expression).unwrap();
        let found = regex.is_match(text.as_bytes());
        let bytes = text.as_bytes();
        assert_eq!(term.is_met(bytes), found, "{expression} on {text}");
        assert_eq!(term.find(bytes).is_some(), found, "{expression} on {text}");
    }

    #[test]
    fn gaps_and_expressions_find_the_same() {
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
            check(".*abc", text, false);
            check("abc.*", text, false);
            check("abc.+.+def", text, true);
            check("abc.*def|ghi", text, true);
            check("abc( x | +|1)def", text, false);
            check("abc( x |1|.)def", text, false);
            check("abc( x |1|.+)def", text, true);
            check("(abc|ABC).*(def|DEF)", text, true);
            check("((abc|ABC) x )?def", text, false);
            check("abc.+", text, false);
            check(r"abc\d+def", text, false);
            check("(?i)abc.*def", text, false);
            check(r"x|abc.*def|a\d", text, false);
            check("^abc.*def$", text, false);
            check("(a|b|c|d)(a|b|c|d).*(def|abc)(x|y)", text, false);
        }
    }

    #[test]
    fn plain_expressions_are_read_as_the_parser_reads_them() {
        for expression in [
            r"disk \[sda\] is full",
            "abc.*def",
            "abc(.+)def.*ghi",
            ".*abc.+",
            ".+abc",
            "é.*ü",
            "abc.*",
            r"a\.b.*\(c\)",
        ] {
            let plain = Spelling::plain(expression).unwrap();
            let regex = pattern::compile(expression).unwrap();
            let term = Term::compile(&Matcher::Regex(expression.to_owned())).unwrap();
            for text in [
                "the disk [sda] is full",
                "abc",
                "xabc",
                "abcx def ghi",
                "abcdef",
                "é-ü",
                "a.b(c)",
            ] {
                let found = regex.is_match(text.as_bytes());
                assert_eq!(
                    term.is_met(text.as_bytes()),
                    found,
                    "{expression} on {text}"
                );
                let near = plain
                    .texts()
                    .all(|t| Finder::new(t).find(text.as_bytes()).is_some());
                assert!(near || !found, "{expression} on {text}");
            }
        }
        for expression in [
            "a.c", "a+", "a|b", "a{2}", r"\d", "(abc)", "a.*?b", "^a", "", ".*", "a]",
        ] {
            assert!(Spelling::plain(expression).is_none(), "{expression}");
        }
    }

    #[test]
    fn an_expression_that_is_a_literal_is_checked_as_one() {
        let term = Term::compile(&Matcher::Regex(r"disk \[sda\] is full".to_owned())).unwrap();
        assert!(term.is_its_literal && term.is_met(b"the disk [sda] is full"));
    }
}
