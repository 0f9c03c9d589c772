//! One pass over the bytes for all signatures: where could a condition be met?
//!
//! Literals of eight bytes and more are found by hashed grams, whose cost hardly depends on how many
//! there are; the few shorter ones by a packed searcher.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod gram;
mod short;

use super::literal::Literal;
use super::literal::rarity::Rarity;
use gram::Gram;
pub(super) use gram::{hash_bytes, word};
use short::Short;

/// Literals that the gram filter can find: its window.
pub(super) const GRAM_BYTES: usize = 8;
/// Bytes of a gram.
pub(super) const GRAM: usize = 5;

/// An occurrence of a required literal: its first byte and its number.
pub(super) type Candidate = (u32, u32);

/// Finds required literals.
pub(super) struct Prefilter {
    gram: Gram,
    short: Short,
}

impl Prefilter {
    /// Builds for literals whose index is what `scan` reports, and logs like those counted.
    pub(super) fn build(
        literals: &[Literal],
        rarity: &Rarity,
    ) -> Result<Self, aho_corasick::BuildError> {
        let numbered = || {
            literals
                .iter()
                .enumerate()
                .map(|(number, literal)| (number as u32, literal))
        };
        Ok(Self {
            gram: Gram::build(
                numbered().filter(|(_, l)| l.text.len() >= GRAM_BYTES),
                rarity,
            ),
            short: Short::build(numbered().filter(|(_, l)| l.text.len() < GRAM_BYTES))?,
        })
    }

    /// Collects candidates in ascending order of their lines; gives how often the filter looked for them
    /// and for nothing. A text is at most 4 GiB.
    pub(super) fn scan(&self, text: &[u8], candidates: &mut Vec<Candidate>) -> usize {
        candidates.clear();
        let probes = self.gram.scan(text, candidates);
        let grams = candidates.len();
        self.short.scan(text, candidates);
        // Grams come in the order of their probes, which is that of their lines already.
        if candidates.len() > grams {
            candidates.sort_unstable();
        }
        probes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str, any_case: bool) -> Literal {
        Literal {
            text: text.as_bytes().to_vec(),
            any_case,
        }
    }

    /// All occurrences, by comparing at every position.
    fn slow(literals: &[Literal], text: &[u8]) -> Vec<Candidate> {
        let mut all = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            for (at, window) in text.windows(literal.text.len()).enumerate() {
                if literal.is_at(window) {
                    all.push((at as u32, number as u32));
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn finds_every_line_with_a_literal_at_every_alignment() {
        let literals = [
            literal("Out of memory", false),
            literal("connection refused", true),
            literal("I/O error", false),
            literal("12345678", false),
            literal("segfault at ", false),
            literal("EMFILE", false),
            literal("oom", true),
        ];
        let prefilter = Prefilter::build(&literals, Rarity::built_in()).unwrap();
        let lines = [
            "Out of memory",
            "CONNECTION Refused x",
            "I/O error 12345678",
            "nothing",
            "an EMFILE, OoM segfault at 0",
        ];
        let mut text = Vec::new();
        for round in 0..200 {
            text.extend(std::iter::repeat_n(b'.', round % 7));
            text.extend_from_slice(lines[round % lines.len()].as_bytes());
            text.extend(std::iter::repeat_n(b'-', round % 5));
            text.push(b'\n');
        }
        for cut in 0..40 {
            let text = &text[cut..text.len() - cut];
            let mut found = Vec::new();
            prefilter.scan(text, &mut found);
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, slow(&literals, text), "cut {cut}");
        }
    }
}
