//! Leased work: every job is claimed by one worker for a time, tried a few times, and ends done or dead, where a
//! person sees it. What the jobs are is in `jobs`.

pub mod backoff;
pub mod worker;

use std::pin::Pin;

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

/// One kind of job. `S` is what jobs can reach.
#[derive(Debug)]
pub struct Spec<S> {
    /// The word in the job's row.
    pub kind: &'static str,
    /// Tries before it is dead.
    pub attempts: i64,
    /// Does the work. Must be repeatable: a try may be lost after its last step.
    pub run: fn(S, JobRow) -> Running,
    /// Called once when the job is dead, with the last fault.
    pub dead: fn(S, JobRow, String) -> Running,
}
