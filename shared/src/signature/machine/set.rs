//! A set: every condition met often enough within the window, in any order.

use std::sync::Arc;

use super::negate::{Negatives, Verdict};
use super::{Hit, Queue, Shared, enqueue};

pub(super) struct Set {
    counts: Vec<usize>,
    queues: Vec<Queue>,
    window_ns: i64,
}

impl Set {
    pub(super) fn new(counts: Vec<usize>, window_ns: i64) -> Self {
        let queues = counts.iter().map(|_| Queue::new()).collect();
        Self {
            counts,
            queues,
            window_ns,
        }
    }

    pub(super) fn push(&mut self, event: &Shared) {
        self.forget(event.ns);
        for (index, queue) in self.queues.iter_mut().enumerate() {
            if event.positive & (1 << index) != 0 {
                enqueue(queue, event);
            }
        }
    }

    /// Without a complete hit, what is older than the window can never be part of one.
    fn forget(&mut self, now_ns: i64) {
        if self.is_complete() {
            return;
        }
        let oldest = now_ns.saturating_sub(self.window_ns);
        for queue in &mut self.queues {
            while queue.front().is_some_and(|e| e.ns < oldest) {
                queue.pop_front();
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.queues
            .iter()
            .zip(&self.counts)
            .all(|(queue, count)| queue.len() >= *count)
    }

    pub(super) fn oldest_ns(&self) -> Option<i64> {
        self.queues
            .iter()
            .filter_map(|q| q.front())
            .map(|e| e.ns)
            .min()
    }

    pub(super) fn evaluate(&mut self, negatives: &Negatives, clock: i64, hits: &mut Vec<Hit>) {
        while self.is_complete() {
            // (time, queue, place in the queue) of each entry of the candidate.
            let mut entries: Vec<(i64, usize, usize)> = Vec::new();
            for (index, (queue, count)) in self.queues.iter().zip(&self.counts).enumerate() {
                entries.extend(
                    queue
                        .iter()
                        .take(*count)
                        .enumerate()
                        .map(|(at, e)| (e.ns, index, at)),
                );
            }
            entries.sort_unstable();
            let drop = match (entries.first(), entries.last()) {
                (Some(first), Some(last)) if last.0 - first.0 > self.window_ns => Some(0),
                _ => {
                    let anchors: Vec<i64> = entries.iter().map(|e| e.0).collect();
                    match negatives.judge(&anchors, clock) {
                        Verdict::Clear => None,
                        Verdict::Wait => return,
                        Verdict::Drop(anchor) => Some(anchor),
                    }
                }
            };
            match drop {
                Some(anchor) => {
                    let (_, queue, at) = entries[anchor];
                    self.queues[queue].remove(at);
                }
                None => hits.push(self.consume()),
            }
        }
    }

    fn consume(&mut self) -> Hit {
        let mut hit: Vec<Shared> = Vec::new();
        for (queue, count) in self.queues.iter_mut().zip(&self.counts) {
            for event in queue.drain(..*count) {
                // One entry can meet several conditions; it is shown once.
                if !hit.iter().any(|e| Arc::ptr_eq(e, &event)) {
                    hit.push(event);
                }
            }
        }
        hit
    }
}
