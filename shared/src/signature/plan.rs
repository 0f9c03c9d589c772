//! What the prefilter looks for: of each condition the literals that are rarest in the logs at hand.
//!
//! Which of its literals stands for a condition decides how fast a scan is, never what it finds. A plan
//! begins with a small built-in sample of logs; samples of what is really scanned give a better one.

use std::collections::{HashMap, VecDeque};

use aho_corasick::BuildError;

use super::literal::rarity::Rarity;
use super::literal::{Literal, cheapest};
use super::prefilter::{GRAM_BYTES, Prefilter};
use super::term::Term;

/// Bytes kept of one slab.
const SLICE_BYTES: usize = 4 * 1024;
/// Slices kept: those of the last slabs.
const MAX_SLICES: usize = 96;
/// A sample of less is no sample.
const LEAST_BYTES: u64 = 4 * 1024 * 1024;
/// A better plan is worth its making when it can save this many candidates for each condition.
const CANDIDATES_FOR_TERM: u64 = 50;
/// How often the worth is doubled: where many candidates are hits, no plan is better.
const MAX_DOUBLED: u32 = 6;

/// Short literals up to which a rare one takes the place of a common long one.
const MAX_SHORT: usize = 24;

/// A prefilter, and which conditions its literals stand for.
pub(super) struct Plan {
    pub prefilter: Prefilter,
    /// Where in `terms` those of a literal begin; one more for the end.
    starts: Box<[u32]>,
    terms: Box<[u32]>,
}

impl Plan {
    /// Plans for logs like those counted.
    pub(super) fn build(terms: &[Term], rarity: &Rarity) -> Result<Self, BuildError> {
        let mut literals: Vec<Literal> = Vec::new();
        let mut known: HashMap<&Literal, u32> = HashMap::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut chosen: Vec<(&Literal, u32)> = Vec::new();
        let mut short = 0;
        for (term, condition) in terms.iter().enumerate() {
            for branch in &condition.branches {
                let Some(set) = cheapest(branch, rarity, short < MAX_SHORT) else {
                    continue;
                };
                let is_short = |l: &Literal| l.text.len() < GRAM_BYTES;
                short += usize::from(set.iter().any(is_short));
                chosen.extend(set.iter().map(|literal| (literal, term as u32)));
            }
        }
        for (literal, term) in chosen {
            let number = *known.entry(literal).or_insert_with(|| {
                literals.push(literal.clone());
                literals.len() as u32 - 1
            });
            pairs.push((number, term));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0; literals.len() + 1];
        for (literal, _) in &pairs {
            starts[*literal as usize + 1] += 1;
        }
        for literal in 1..starts.len() {
            starts[literal] += starts[literal - 1];
        }
        Ok(Self {
            prefilter: Prefilter::build(&literals, rarity)?,
            starts: starts.into(),
            terms: pairs.into_iter().map(|(_, term)| term).collect(),
        })
    }

    /// The conditions that a literal is required by.
    pub(super) fn terms_of(&self, literal: u32) -> &[u32] {
        let literal = literal as usize;
        &self.terms[self.starts[literal] as usize..self.starts[literal + 1] as usize]
    }
}

/// Gathers a sample of what was scanned last, and knows when a better plan is worth its making.
pub(super) struct Sampler {
    slices: VecDeque<Vec<u8>>,
    terms: u64,
    /// Since the last plan.
    bytes: u64,
    candidates: u64,
    plans: u32,
}

impl Sampler {
    /// Begins for a catalogue with this many conditions.
    pub(super) fn new(terms: usize) -> Self {
        Self {
            slices: VecDeque::new(),
            terms: terms as u64,
            bytes: 0,
            candidates: 0,
            plans: 0,
        }
    }

    /// Takes a slice of a slab in which there were so many candidates; gives the sample when it is time
    /// for a better plan.
    pub(super) fn take(&mut self, slab: &[u8], candidates: usize) -> Option<Vec<u8>> {
        let start = (slab.len() / 2).min(slab.len().saturating_sub(SLICE_BYTES));
        let end = slab.len().min(start + SLICE_BYTES);
        if self.slices.len() >= MAX_SLICES {
            self.slices.pop_front();
        }
        self.slices.push_back(slab[start..end].to_vec());
        self.bytes += slab.len() as u64;
        self.candidates += candidates as u64;
        let worth = (self.terms * CANDIDATES_FOR_TERM) << self.plans.min(MAX_DOUBLED);
        if self.bytes < LEAST_BYTES || self.candidates < worth {
            return None;
        }
        (self.bytes, self.candidates) = (0, 0);
        self.plans += 1;
        Some(self.slices.make_contiguous().concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::model::Matcher;

    #[test]
    fn a_better_plan_comes_when_it_is_worth_it_and_from_what_was_scanned_last() {
        let mut sampler = Sampler::new(10);
        let slab = |number: u32| format!("{number:06}\n").repeat(10_000);
        let quiet = (0..1_000).filter_map(|n| sampler.take(slab(n).as_bytes(), 0));
        assert_eq!(quiet.count(), 0);
        let mut at = Vec::new();
        for number in 1_000..2_000 {
            if let Some(sample) = sampler.take(slab(number).as_bytes(), 100) {
                assert!(sample.len() <= MAX_SLICES * SLICE_BYTES);
                let text = String::from_utf8_lossy(&sample).into_owned();
                assert!(text.contains(&format!("{number:06}")) && !text.contains("\n000100\n"));
                at.push(number);
            }
        }
        assert_eq!(at[0], 1_004, "500 candidates are worth a plan");
        // Then at least 4 MiB between them, and the more candidates the more plans there were.
        assert!(at[1] - at[0] >= 60 && at.len() < 12, "{at:?}");
    }

    #[test]
    fn another_sample_gives_another_literal_for_the_same_condition() {
        let expression = "connection.*frobnicate".to_owned();
        let terms = [Term::compile(&Matcher::Regex(expression)).unwrap()];
        let text = b"a connection\nto frobnicate\n";
        let at = |sample: &[u8]| {
            let plan = Plan::build(&terms, &Rarity::of(sample)).unwrap();
            let mut candidates = Vec::new();
            plan.prefilter.scan(text, &mut candidates);
            assert_eq!(plan.terms_of(candidates[0].1), [0]);
            candidates[0].0
        };
        assert_eq!(at(b"frobnicate frobnicate"), 2);
        assert_eq!(at(b"connection connection"), 16);
    }
}
