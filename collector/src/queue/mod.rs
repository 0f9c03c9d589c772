//! Leased work: every job is claimed by one worker for a time, tried a few times, and ends done or dead, where a
//! person sees it. Each kind has workers of its own, so that no kind waits for another. What the jobs are is in `jobs`.

pub mod backoff;
pub mod worker;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

pub use worker::{Queue, Worker};

use crate::db::jobs::JobRow;

/// What running a job gives.
pub type Running = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// A try that failed. The text goes to the job's row, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JobError(pub String);

impl JobError {
    /// Takes the whole chain of an error.
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self(text)
    }
}

/// Tells the workers of a kind in this process that there is a job for them, so that they need not wait for their next
/// look.
#[derive(Debug, Default)]
pub struct Wake(Mutex<HashMap<&'static str, Arc<Notify>>>);

impl Wake {
    /// What the workers of a kind wait for.
    pub fn of(&self, kind: &'static str) -> Arc<Notify> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kinds.entry(kind).or_default())
    }

    /// A job of this kind was queued.
    pub fn call(&self, kind: &'static str) {
        self.of(kind).notify_one();
    }
}

/// How many jobs of a kind run at once in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// As many as the setting `workers` says.
    AsSet,
    /// So many.
    Of(usize),
}

/// One kind of job. `S` is what jobs can reach.
#[derive(Debug)]
pub struct Spec<S> {
    /// The word in the job's row.
    pub kind: &'static str,
    /// Workers of its own.
    pub workers: Workers,
    /// Tries before it is dead.
    pub attempts: i64,
    /// Does the work. Must be repeatable: a try may be lost after its last step.
    pub run: fn(S, JobRow) -> Running,
    /// Called once when the job is dead, with the last fault.
    pub dead: fn(S, JobRow, String) -> Running,
}
