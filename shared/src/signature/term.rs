//! One condition, ready to run: what the prefilter must see before it is worth running.

use memchr::memmem;
use regex::bytes::Regex;

use super::jq::Program;
use super::literal::{self, Required};
use super::model::Matcher;
use super::pattern;

/// How a condition is checked on an entry's text.
enum Check {
    Literal(Box<memmem::Finder<'static>>),
    Regex(Regex),
    Jq(Box<Program>),
}

/// A condition shared by all rules that have it.
pub(super) struct Term {
    check: Check,
    /// Possible requirements, best first; empty when every entry must be looked at.
    pub required: Vec<Required>,
}

impl Term {
    /// Compiles a condition that was checked when it was read.
    pub(super) fn compile(matcher: &Matcher) -> Result<Self, String> {
        Ok(match matcher {
            Matcher::Literal(text) => Self {
                check: Check::Literal(Box::new(memmem::Finder::new(text.as_bytes()).into_owned())),
                required: vec![literal::of_literal(text)],
            },
            Matcher::Regex(expression) => Self {
                check: Check::Regex(pattern::compile(expression)?),
                required: literal::of_expression(expression),
            },
            Matcher::Jq(code) => Self {
                check: Check::Jq(Box::new(Program::compile(code)?)),
                required: Vec::new(),
            },
        })
    }

    /// Where in the text the condition is met: the offset of the match's start.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.check {
            Check::Literal(finder) => finder.find(text),
            Check::Regex(regex) => regex.find(text).map(|m| m.start()),
            Check::Jq(program) => program.is_met(text).then_some(0),
        }
    }
}
