//! The few literals that are too short for grams.

use aho_corasick::packed::{Config, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, Span};
use memchr::memmem;

use super::super::literal::Literal;
use super::Candidate;

/// Patterns that the packed searcher takes.
const MAX_PACKED: usize = 64;
/// Letters of a literal of any case that are spelt out in both cases.
const MAX_SPELT: usize = 4;

enum Kind {
    None,
    /// Finds where any of them begins.
    Packed(Box<Searcher>),
    /// Slow, and only for catalogues that go against the advice of `lint`.
    Automaton(Box<AhoCorasick>),
}

pub(super) struct Short {
    kind: Kind,
    literals: Vec<(u32, Literal)>,
}

impl Short {
    pub(super) fn build<'a>(
        literals: impl Iterator<Item = (u32, &'a Literal)>,
    ) -> Result<Self, aho_corasick::BuildError> {
        let literals: Vec<(u32, Literal)> = literals.map(|(n, l)| (n, l.clone())).collect();
        let patterns: Vec<Vec<u8>> = literals.iter().flat_map(|(_, l)| spellings(l)).collect();
        let mut kind = Kind::None;
        if !patterns.is_empty() && patterns.len() <= MAX_PACKED {
            let searcher = Config::new().builder().extend(&patterns).build();
            kind = searcher.map_or(Kind::None, |s| Kind::Packed(Box::new(s)));
        }
        if matches!(kind, Kind::None) && !patterns.is_empty() {
            let automaton = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(literals.iter().map(|(_, l)| &l.text))?;
            kind = Kind::Automaton(Box::new(automaton));
        }
        Ok(Self { kind, literals })
    }

    pub(super) fn scan(&self, text: &[u8], candidates: &mut Vec<Candidate>) {
        match &self.kind {
            Kind::None => {}
            Kind::Packed(searcher) => self.scan_packed(searcher, text, candidates),
            Kind::Automaton(automaton) => {
                for found in automaton.find_overlapping_iter(text) {
                    let (number, literal) = &self.literals[found.pattern().as_usize()];
                    if literal.is_at(&text[found.range()]) {
                        candidates.push((found.start() as u32, *number));
                    }
                }
            }
        }
    }

    fn scan_packed(&self, searcher: &Searcher, text: &[u8], candidates: &mut Vec<Candidate>) {
        let mut at = 0;
        while let Some(found) = searcher.find_in(text, Span::from(at..text.len())) {
            let start = found.start();
            let rest = &text[start..];
            // The searcher names one literal that begins here; there may be others.
            let begin = self.literals.iter().filter(|(_, l)| l.begins(rest));
            candidates.extend(begin.map(|(number, _)| (start as u32, *number)));
            at = start + 1;
        }
    }
}

impl Literal {
    /// Whether this is what the bytes are.
    pub(in crate::signature) fn is_at(&self, bytes: &[u8]) -> bool {
        if self.any_case {
            bytes.eq_ignore_ascii_case(&self.text)
        } else {
            bytes == self.text
        }
    }

    /// Whether the bytes begin with it.
    fn begins(&self, bytes: &[u8]) -> bool {
        let same_first = |a: &u8, b: &u8| a.eq_ignore_ascii_case(b);
        self.text
            .first()
            .zip(bytes.first())
            .is_some_and(|(a, b)| same_first(a, b))
            && bytes
                .get(..self.text.len())
                .is_some_and(|head| self.is_at(head))
    }

    /// Where it occurs first.
    pub(in crate::signature) fn find(&self, text: &[u8]) -> Option<usize> {
        if self.any_case {
            return text
                .windows(self.text.len())
                .position(|window| self.is_at(window));
        }
        memmem::find(text, &self.text)
    }
}

/// The literal as it is, or its first letters in every case.
fn spellings(literal: &Literal) -> Vec<Vec<u8>> {
    if !literal.any_case {
        return vec![literal.text.clone()];
    }
    let head = &literal.text[..literal.text.len().min(MAX_SPELT)];
    let mut all: Vec<Vec<u8>> = vec![Vec::new()];
    for byte in head {
        let mut cases = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
        cases.dedup();
        all = all
            .iter()
            .flat_map(|s| cases.iter().map(|c| [s.as_slice(), &[*c]].concat()))
            .collect();
    }
    all
}
