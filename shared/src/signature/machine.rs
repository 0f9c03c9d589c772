//! Brings the entries that match a rule's conditions together into hits.
//!
//! Only matching entries arrive here, each with its time. They are sorted within a bounded buffer,
//! then taken in order by a set or a sequence.

mod negate;
mod sequence;
mod set;

use std::collections::VecDeque;
use std::sync::Arc;

use super::model::{Rule, Shape};
use negate::Negatives;
use sequence::Sequence;
use set::Set;

/// Matching entries of one rule that are held back to sort late ones in.
pub const REORDER: usize = 4096;
/// Entries waiting for one condition; the oldest go first when a window is long and a log noisy.
const MAX_QUEUE: usize = 65_536;

/// An entry that met at least one condition of a rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Event {
    /// UTC nanoseconds.
    pub ns: i64,
    /// Arrival order within the file; decides between equal times.
    pub order: u64,
    /// Bit n: positive condition n is met.
    pub positive: u64,
    /// Bit n: negative condition n is met.
    pub negative: u64,
    /// The line it begins at.
    pub line: u64,
    /// Where that line begins in the file.
    pub offset: u64,
    /// Its time in UTC milliseconds.
    pub time_ms: Option<i64>,
    /// What is shown of it.
    pub text: String,
}

type Shared = Arc<Event>;
type Queue = VecDeque<Shared>;

/// The entries of one hit.
pub(super) type Hit = Vec<Shared>;

enum Kind {
    Set(Set),
    Sequence(Sequence),
}

/// One rule at work on one file.
pub(super) struct Machine {
    buffer: Vec<Event>,
    /// Newest time already taken.
    taken_ns: i64,
    negatives: Negatives,
    kind: Kind,
    /// Events that were later than the buffer reaches.
    pub too_late: u64,
}

impl Machine {
    pub(super) fn new(rule: &Rule) -> Self {
        let counts: Vec<usize> = rule.positives.iter().map(|p| p.count as usize).collect();
        let kind = match rule.shape {
            Shape::Set => Kind::Set(Set::new(counts, rule.window_ns)),
            Shape::Sequence => Kind::Sequence(Sequence::new(counts, rule.window_ns)),
        };
        Self {
            buffer: Vec::new(),
            taken_ns: i64::MIN,
            negatives: Negatives::new(&rule.negatives),
            kind,
            too_late: 0,
        }
    }

    /// Takes one entry; hits that it completes go to `hits`.
    pub(super) fn push(&mut self, event: Event, hits: &mut Vec<Hit>) {
        self.buffer.push(event);
        if self.buffer.len() >= REORDER {
            self.take(REORDER / 2, hits);
        }
    }

    /// Takes what is left and decides what is still waiting.
    pub(super) fn finish(&mut self, hits: &mut Vec<Hit>) {
        self.take(self.buffer.len(), hits);
        self.evaluate(i64::MAX, hits);
    }

    fn take(&mut self, count: usize, hits: &mut Vec<Hit>) {
        self.buffer.sort_by_key(|e| (e.ns, e.order));
        let events: Vec<Event> = self.buffer.drain(..count).collect();
        for event in events {
            if event.ns < self.taken_ns {
                self.too_late += 1;
                continue;
            }
            self.taken_ns = event.ns;
            self.step(event, hits);
        }
    }

    fn step(&mut self, event: Event, hits: &mut Vec<Hit>) {
        let event = Arc::new(event);
        self.evaluate(event.ns, hits);
        match &mut self.kind {
            Kind::Set(set) => set.push(&event),
            Kind::Sequence(sequence) => sequence.push(&event),
        }
        if self.is_open() || self.negatives.look_back() {
            let oldest = self.oldest_ns().unwrap_or(event.ns);
            self.negatives.push(&event, oldest);
        }
        self.evaluate(event.ns, hits);
    }

    /// Decides every complete hit whose negative windows lie before `clock`.
    fn evaluate(&mut self, clock: i64, hits: &mut Vec<Hit>) {
        match &mut self.kind {
            Kind::Set(set) => set.evaluate(&self.negatives, clock, hits),
            Kind::Sequence(sequence) => sequence.evaluate(&self.negatives, clock, hits),
        }
    }

    fn oldest_ns(&self) -> Option<i64> {
        match &self.kind {
            Kind::Set(set) => set.oldest_ns(),
            Kind::Sequence(sequence) => sequence.oldest_ns(),
        }
    }

    fn is_open(&self) -> bool {
        self.oldest_ns().is_some()
    }
}

/// Appends to a bounded queue.
fn enqueue(queue: &mut Queue, event: &Shared) {
    if queue.len() >= MAX_QUEUE {
        queue.pop_front();
    }
    queue.push_back(Arc::clone(event));
}

#[cfg(test)]
mod tests;
