//! The only place that spawns: every task has a name, is tracked, and is told when to end.
//!
//! Two cancellation tokens give the shutdown its order: `draining` stops accepting and claiming,
//! `stopped` ends what is still running when the grace period is over.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why work on the CPU pool gave no result.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The closure panicked; the panic was logged and counted.
    #[error("{name} panicked")]
    Panicked {
        /// Name given at the call.
        name: &'static str,
    },
    /// The service is shutting down.
    #[error("{name} was not started: the service is stopping")]
    Stopping {
        /// Name given at the call.
        name: &'static str,
    },
}

#[derive(Debug)]
struct Inner {
    tracker: TaskTracker,
    draining: CancellationToken,
    stopped: CancellationToken,
    cpu: Semaphore,
    panics: AtomicU64,
}

/// Handle to all tasks of the process; clones share everything.
#[derive(Debug, Clone)]
pub struct Tasks(Arc<Inner>);

impl Default for Tasks {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self::new(cores)
    }
}

impl Tasks {
    /// Makes a set whose CPU helper runs at most `cpu_slots` closures at once.
    pub fn new(cpu_slots: usize) -> Self {
        let stopped = CancellationToken::new();
        Self(Arc::new(Inner {
            tracker: TaskTracker::new(),
            draining: stopped.child_token(),
            stopped,
            cpu: Semaphore::new(cpu_slots.max(1)),
            panics: AtomicU64::new(0),
        }))
    }

    /// Token that is cancelled when the service stops accepting and claiming.
    pub fn draining(&self) -> CancellationToken {
        self.0.draining.clone()
    }

    /// Token that is cancelled when everything must end now.
    pub fn stopped(&self) -> CancellationToken {
        self.0.stopped.clone()
    }

    /// Number of tasks that panicked since the start.
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Runs `future` as a named task. It is dropped at the hard stop; a panic is logged and counted.
    pub fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let task = async move {
            let guarded = AssertUnwindSafe(future).catch_unwind();
            tokio::select! {
                () = inner.stopped.cancelled() => {}
                outcome = guarded => if outcome.is_err() {
                    inner.panics.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(task = name, "task panicked");
                }
            }
        };
        self.0.tracker.spawn(task);
    }

    /// Runs a closure that computes on the blocking pool, at most as many at once as there are slots.
    pub async fn cpu<T, F>(&self, name: &'static str, work: F) -> Result<T, TaskError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.0.cpu.acquire().await;
        let _permit = permit.map_err(|_| TaskError::Stopping { name })?;
        self.blocking(name, work).await
    }

    /// Runs a closure that waits for the disk on the blocking pool, without taking a CPU slot.
    pub async fn blocking<T, F>(&self, name: &'static str, work: F) -> Result<T, TaskError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let outcome = self.0.tracker.spawn_blocking(work).await;
        outcome.map_err(|_| {
            self.0.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(task = name, "blocking work panicked");
            TaskError::Panicked { name }
        })
    }

    /// Tells every task to finish what it has begun and to begin nothing new.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Waits for all tasks, at most `grace`; then ends what is left. Says whether all ended in time.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.drain();
        self.0.tracker.close();
        let in_time = tokio::time::timeout(grace, self.0.tracker.wait())
            .await
            .is_ok();
        self.0.stopped.cancel();
        if !in_time {
            // Async tasks end at their next await; blocking ones are left to the process exit.
            let _ = tokio::time::timeout(Duration::from_millis(500), self.0.tracker.wait()).await;
        }
        in_time
    }
}

/// Runs a short step that others depend on to its end, also when whoever waits for it is dropped. A shutdown waits for those
/// who wait, so it is not tracked.
///
/// # Panics
/// When the step does.
#[expect(
    clippy::disallowed_methods,
    reason = "this module is where tasks are made"
)]
pub async fn to_the_end<T: Send + 'static>(step: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(step).await {
        Ok(outcome) => outcome,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn panic_is_counted_and_does_not_spread() {
        let tasks = Tasks::new(1);
        tasks.spawn("bad", async { panic!("on purpose") });
        assert!(tasks.finish(Duration::from_secs(5)).await);
        assert_eq!(tasks.panics(), 1);
    }

    #[tokio::test]
    async fn finish_ends_what_ignores_the_drain() {
        let tasks = Tasks::new(1);
        tasks.spawn("stuck", std::future::pending());
        assert!(!tasks.finish(Duration::from_millis(10)).await);
        assert!(tasks.stopped().is_cancelled());
    }

    #[tokio::test]
    async fn cpu_returns_the_value_or_names_the_panic() {
        let tasks = Tasks::new(1);
        assert_eq!(tasks.cpu("sum", || 2 + 2).await.ok(), Some(4));
        let failed = tasks.cpu("bad", || panic!("on purpose")).await;
        assert!(matches!(failed, Err(TaskError::Panicked { name: "bad" })));
    }
}
