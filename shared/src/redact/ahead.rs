//! Remembers the next place that a search found.

/// The next place that a search found, so that it is not searched for again.
#[derive(Default)]
pub(crate) struct Ahead {
    searched: usize,
    pub at: Option<usize>,
}

impl Ahead {
    pub(crate) fn next(
        &mut self,
        from: usize,
        to: usize,
        find: impl Fn(usize, usize) -> Option<usize>,
    ) -> Option<usize> {
        if let Some(at) = self.at {
            if at >= from {
                return (at < to).then_some(at);
            }
            self.at = None;
        }
        let from = from.max(self.searched);
        if from >= to {
            return None;
        }
        self.at = find(from, to);
        self.searched = self.at.map_or(to, |at| at + 1);
        self.at
    }

    pub(crate) fn shift(&mut self, by: usize) {
        self.searched = self.searched.saturating_sub(by);
        self.at = self.at.and_then(|at| at.checked_sub(by));
    }
}
