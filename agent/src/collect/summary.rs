//! What a run amounts to: counts by outcome, by source, its cost, and the facts that were read on the way.

use super::source::Outcome;
pub use sitrep_shared::bundle::manifest::Cost;
use sitrep_shared::facts::Facts;
use std::collections::BTreeMap;

/// One source's part of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceSummary {
    /// Source id.
    pub id: &'static str,
    /// Source title.
    pub title: &'static str,
    /// Items by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Items asked for.
    pub items: u64,
    /// Bytes handed over.
    pub bytes: u64,
    /// Milliseconds since the run began.
    pub start_ms: u64,
    /// Wall time.
    pub duration_ms: u64,
    /// The first few reasons why something is missing (absent things are not listed).
    pub problems: Vec<String>,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    /// Items by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Items asked for.
    pub items: u64,
    /// Bytes handed to the sink.
    pub bytes: u64,
    /// Wall time.
    pub duration_ms: u64,
    /// Cost to the host.
    pub cost: Cost,
    /// Typed facts, read from the items; not redacted.
    pub facts: Facts,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// By source, in the order in which they ran.
    pub sources: Vec<SourceSummary>,
}

impl RunSummary {
    /// Whether something is missing that exists on the host (absent and skipped items do not count).
    pub fn is_partial(&self) -> bool {
        self.cancelled
            || [
                Outcome::Denied,
                Outcome::TimedOut,
                Outcome::Failed,
                Outcome::Refused,
            ]
            .iter()
            .any(|o| self.outcomes.get(o).is_some_and(|n| *n > 0))
    }
}
