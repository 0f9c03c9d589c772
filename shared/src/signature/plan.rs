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
/// Slices kept of the last slabs, and as many of all before them.
const MAX_SLICES: usize = 48;
/// What a plan costs is judged over so many bytes.
const STRETCH_BYTES: u64 = 2 * 1024 * 1024;
/// A candidate costs as much as so many looks of the filter.
const CANDIDATE: u64 = 40;
/// Making a plan costs as much as so many looks of the filter for each condition.
const PLAN_FOR_TERM: u64 = 1_000;

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

/// Gathers a sample of what was scanned, and knows when a better plan is worth its making: when what the
/// plan in force costs beyond its best comes to what a new one costs. Of the plan that begins, made for no
/// logs at all, everything counts.
pub(super) struct Sampler {
    recent: VecDeque<Vec<u8>>,
    /// Every so many slabs one is kept.
    kept: Vec<Vec<u8>>,
    every: u64,
    slabs: u64,
    plan_cost: u64,
    /// Bytes and cost of the stretch that is judged next.
    bytes: u64,
    cost: u64,
    /// The least that a MiB came to under the plan in force; unknown until its first stretch ends.
    least: Option<u64>,
    excess: u64,
}

impl Sampler {
    /// Begins for a catalogue with this many conditions.
    pub(super) fn new(terms: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            kept: Vec::new(),
            every: 1,
            slabs: 0,
            plan_cost: terms as u64 * PLAN_FOR_TERM,
            bytes: 0,
            cost: 0,
            least: Some(0),
            excess: 0,
        }
    }

    /// Takes a slice of a slab for which the filter looked so often and which gave so many candidates; gives the
    /// sample when it is time for a better plan.
    pub(super) fn take(
        &mut self,
        slab: &[u8],
        probes: usize,
        candidates: usize,
    ) -> Option<Vec<u8>> {
        self.keep(slab);
        self.bytes += slab.len() as u64;
        self.cost += probes as u64 + CANDIDATE * candidates as u64;
        if self.bytes < STRETCH_BYTES {
            return None;
        }
        let (bytes, cost) = (
            std::mem::take(&mut self.bytes),
            std::mem::take(&mut self.cost),
        );
        let rate = (cost << 20) / bytes;
        let least = self.least.map_or(rate, |least| least.min(rate));
        self.least = Some(least);
        self.excess += cost.saturating_sub((least * bytes) >> 20);
        if self.excess < self.plan_cost {
            return None;
        }
        (self.excess, self.least) = (0, None);
        let slices = self.recent.iter().chain(&self.kept);
        Some(slices.flatten().copied().collect())
    }

    fn keep(&mut self, slab: &[u8]) {
        let start = (slab.len() / 2).min(slab.len().saturating_sub(SLICE_BYTES));
        let end = slab.len().min(start + SLICE_BYTES);
        self.recent.push_back(slab[start..end].to_vec());
        if self.recent.len() <= MAX_SLICES {
            return;
        }
        let Some(oldest) = self.recent.pop_front() else {
            return;
        };
        if self.slabs.is_multiple_of(self.every) {
            self.kept.push(oldest);
        }
        self.slabs += 1;
        if self.kept.len() > MAX_SLICES {
            // From now on half as many, and of those that are kept every other.
            self.every *= 2;
            let mut second = false;
            self.kept.retain(|_| {
                second = !second;
                second
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::model::Matcher;

    #[test]
    fn a_better_plan_comes_when_it_is_worth_it_and_from_what_was_scanned() {
        let mut sampler = Sampler::new(2);
        let slab = |number: u32| format!("{number:07}\n").repeat(1 << 15);
        let mut plans = |numbers: std::ops::Range<u32>, probes: usize| {
            let taken = |n: u32| Some((n, sampler.take(slab(n).as_bytes(), probes, 0)?));
            numbers.filter_map(taken).collect::<Vec<_>>()
        };
        // Eight slabs are a stretch; the plan that begins is replaced for 2,000 looks.
        assert!(plans(0..800, 0).is_empty());
        let first = plans(800..1_000, 100);
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].0, 823, "three stretches of 800");
        // The new one costs no less: that is what these logs come to.
        assert!(plans(1_000..1_400, 100).is_empty());
        // Then other logs come, for which it is worse.
        let second = plans(1_400..1_800, 300);
        assert_eq!(second.len(), 1);
        assert!(second[0].0 < 1_420);
        let text = String::from_utf8_lossy(&second[0].1).into_owned();
        assert!(text.len() <= 2 * MAX_SLICES * SLICE_BYTES);
        // Of the last ones all, of those before some.
        for number in [second[0].0, 1_390] {
            assert!(text.contains(&format!("{number:07}")), "{number}");
        }
        let old = (0..800).filter(|n| text.contains(&format!("\n{n:07}\n")));
        assert!(old.count() > 4);
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
