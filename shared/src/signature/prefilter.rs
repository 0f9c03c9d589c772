//! One pass over the bytes for all signatures: where could a condition be met?

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Finds required literals, without regard to ASCII case.
pub(super) struct Prefilter {
    automaton: Option<AhoCorasick>,
}

impl Prefilter {
    /// Builds for literals that are already case-folded; their index is what `scan` reports.
    pub(super) fn build(literals: &[Vec<u8>]) -> Result<Self, aho_corasick::BuildError> {
        if literals.is_empty() {
            return Ok(Self { automaton: None });
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(literals)?;
        Ok(Self {
            automaton: Some(automaton),
        })
    }

    /// Reports (start of the occurrence, literal) with ascending ends.
    pub(super) fn scan(&self, text: &[u8], mut candidate: impl FnMut(usize, usize)) {
        let Some(automaton) = &self.automaton else {
            return;
        };
        for found in automaton.find_overlapping_iter(text) {
            candidate(found.start(), found.pattern().as_usize());
        }
    }
}
