//! Negative conditions: where their windows lie, and whether something is in them.

use crate::signature::model::Negative;

use super::Event;

/// Times kept before old ones are dropped.
const PRUNE_AT: usize = 1024;

struct Seen {
    rule: Negative,
    /// Sorted, without repeats.
    times: Vec<i64>,
}

/// The negative conditions of a rule, with the times they were met.
pub(super) struct Negatives {
    seen: Vec<Seen>,
    look_back_ns: i64,
}

/// What the negative conditions say about a complete hit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing speaks against it.
    Clear,
    /// A window is still open.
    Wait,
    /// Negated: the entry with this index among the anchors is to be dropped.
    Drop(usize),
}

impl Negatives {
    pub(super) fn new(rules: &[Negative]) -> Self {
        let look_back_ns = rules.iter().map(|r| r.slide_ns).min().unwrap_or(0).min(0);
        let seen = rules
            .iter()
            .map(|rule| Seen {
                rule: rule.clone(),
                times: Vec::new(),
            })
            .collect();
        Self { seen, look_back_ns }
    }

    /// Whether a negative can matter that comes before every positive.
    pub(super) fn look_back(&self) -> bool {
        self.look_back_ns < 0
    }

    /// Records the negatives of an entry; `oldest_ns` is the oldest time a hit can still begin at.
    pub(super) fn push(&mut self, event: &Event, oldest_ns: i64) {
        let keep_from = oldest_ns.saturating_add(self.look_back_ns);
        for (index, seen) in self.seen.iter_mut().enumerate() {
            if event.negative & (1 << index) == 0 || seen.times.last() == Some(&event.ns) {
                continue;
            }
            seen.times.push(event.ns);
            if seen.times.len() % PRUNE_AT == 0 {
                let old = seen.times.partition_point(|t| *t < keep_from);
                seen.times.drain(..old);
            }
        }
    }

    /// Judges a hit by the times of its entries, in the order that anchors count in.
    pub(super) fn judge(&self, anchors: &[i64], clock: i64) -> Verdict {
        let (Some(first), Some(last)) = (anchors.first(), anchors.last()) else {
            return Verdict::Clear;
        };
        for seen in &self.seen {
            let index = seen.rule.anchor.min(anchors.len() - 1);
            let start = anchors[index].saturating_add(seen.rule.slide_ns);
            let range = if seen.rule.absolute { 0 } else { last - first };
            let end = start.saturating_add((seen.rule.window_ns + range).max(0));
            let next = seen.times.partition_point(|t| *t < start);
            if seen.times.get(next).is_some_and(|t| *t <= end) {
                return Verdict::Drop(index);
            }
            if end >= clock {
                return Verdict::Wait;
            }
        }
        Verdict::Clear
    }
}
