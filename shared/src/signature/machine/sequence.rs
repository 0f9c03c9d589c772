//! A sequence: the conditions met one after the other within the window, by different entries.

use super::negate::{Negatives, Verdict};
use super::{Hit, Queue, Shared, enqueue};

pub(super) struct Sequence {
    /// Entries that each step needs.
    counts: Vec<usize>,
    queues: Vec<Queue>,
    window_ns: i64,
    /// Steps that are complete, from the first.
    active: usize,
}

impl Sequence {
    pub(super) fn new(counts: Vec<usize>, window_ns: i64) -> Self {
        let queues = counts.iter().map(|_| Queue::new()).collect();
        Self {
            counts,
            queues,
            window_ns,
            active: 0,
        }
    }

    /// An entry may extend steps that are complete, and one step that is not.
    pub(super) fn push(&mut self, event: &Shared) {
        self.forget(event.ns);
        let reach = (self.active + 1).min(self.counts.len());
        for (index, queue) in self.queues.iter_mut().enumerate().take(reach) {
            if event.positive & (1 << index) != 0 {
                enqueue(queue, event);
            }
        }
        self.settle();
    }

    fn forget(&mut self, now_ns: i64) {
        if self.active == self.counts.len() {
            return;
        }
        let oldest = now_ns.saturating_sub(self.window_ns);
        let before = self.queues[0].len();
        while self.queues[0].front().is_some_and(|e| e.ns < oldest) {
            self.queues[0].pop_front();
        }
        if self.queues[0].len() != before {
            self.settle();
        }
    }

    /// Drops from each step what does not come after the step before, and counts complete steps.
    fn settle(&mut self) {
        let mut last: Option<(i64, u64)> = None;
        self.active = 0;
        for (queue, count) in self.queues.iter_mut().zip(&self.counts) {
            while queue
                .front()
                .is_some_and(|e| last.is_some_and(|l| (e.ns, e.order) <= l))
            {
                queue.pop_front();
            }
            match queue.get(count - 1) {
                Some(end) => {
                    last = Some((end.ns, end.order));
                    self.active += 1;
                }
                None => break,
            }
        }
        let open = self.active + 1;
        for queue in self.queues.iter_mut().skip(open) {
            queue.clear();
        }
    }

    pub(super) fn oldest_ns(&self) -> Option<i64> {
        self.queues[0].front().map(|e| e.ns)
    }

    pub(super) fn evaluate(&mut self, negatives: &Negatives, clock: i64, hits: &mut Vec<Hit>) {
        while self.active == self.counts.len() {
            let anchors: Vec<i64> = self.chain().map(|e| e.ns).collect();
            let width = anchors
                .last()
                .zip(anchors.first())
                .map_or(0, |(last, first)| last - first);
            let drop = if width > self.window_ns {
                Some(0)
            } else {
                match negatives.judge(&anchors, clock) {
                    Verdict::Clear => None,
                    Verdict::Wait => return,
                    Verdict::Drop(anchor) => Some(anchor),
                }
            };
            match drop {
                Some(anchor) => self.remove(anchor),
                None => hits.push(self.consume()),
            }
            self.settle();
        }
    }

    /// The entries of the earliest hit, in order.
    fn chain(&self) -> impl Iterator<Item = &Shared> {
        self.queues
            .iter()
            .zip(&self.counts)
            .flat_map(|(queue, count)| queue.iter().take(*count))
    }

    /// Removes the entry with this index in the chain.
    fn remove(&mut self, mut anchor: usize) {
        for (queue, count) in self.queues.iter_mut().zip(&self.counts) {
            if anchor < *count {
                queue.remove(anchor);
                return;
            }
            anchor -= count;
        }
    }

    fn consume(&mut self) -> Hit {
        let mut hit = Vec::new();
        for (queue, count) in self.queues.iter_mut().zip(&self.counts) {
            hit.extend(queue.drain(..*count));
        }
        hit
    }
}
