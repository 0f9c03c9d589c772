//! Whether the object store is worth asking: after some failures in a row it is left alone for a few seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES: u32 = 4;
/// How long nobody asks then.
const PAUSE: Duration = Duration::from_secs(3);

/// Counts failures; shared by all requests.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    until: Option<Instant>,
}

impl Breaker {
    /// Whether a request may be made now. When a pause is over, requests try again.
    pub(super) fn admits(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.is_none_or(|until| Instant::now() >= until)
    }

    /// The store answered.
    pub(super) fn well(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// A request failed after all its repetitions.
    pub(super) fn ill(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures += 1;
        if state.failures >= FAILURES {
            state.until = Some(Instant::now() + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_some_failures_and_closes_with_a_success() {
        let breaker = Breaker::default();
        for _ in 1..FAILURES {
            breaker.ill();
            assert!(breaker.admits());
        }
        breaker.ill();
        assert!(!breaker.admits());
        breaker.well();
        assert!(breaker.admits());
    }
}
