//! The loop that claims and runs jobs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::{JobError, Spec, Wake, backoff};
use crate::db::jobs::{self, End, JobRow, Retry};
use crate::db::{Db, DbError};

/// A lease lasts this long, unless renewed.
const LEASE: Duration = Duration::from_secs(60);
/// A running job renews its lease this often.
const RENEW: Duration = Duration::from_secs(20);
/// An idle worker looks for jobs of other processes this often.
const LOOK: Duration = Duration::from_secs(2);
/// Longest text kept of a fault, in bytes.
const ERROR_MAX_BYTES: usize = 2_000;

/// Where jobs are kept, and what tells workers of this process about new ones.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The database.
    pub db: Db,
    /// Told when a job was queued.
    pub wake: Arc<Wake>,
    /// Lease and renewal; tests shorten them.
    pub lease: Duration,
    /// See `lease`.
    pub renew: Duration,
}

impl Queue {
    /// A queue with the usual times.
    pub fn new(db: Db, wake: Arc<Wake>) -> Self {
        Self {
            db,
            wake,
            lease: LEASE,
            renew: RENEW,
        }
    }

    fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX / 2)
    }
}

/// One worker, of one kind of job.
#[derive(Debug)]
pub struct Worker<S: 'static> {
    queue: Queue,
    owner: String,
    spec: &'static Spec<S>,
}

/// What one look at the queue gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// There was nothing to do.
    Idle,
    /// A job ended well.
    Done,
    /// A try failed; the job comes again.
    Retried,
    /// A job is dead.
    Dead,
    /// The lease was lost; another worker has the job.
    Lost,
}

impl<S: Clone + Send + Sync + 'static> Worker<S> {
    /// Makes a worker with a name of its own.
    pub fn new(queue: Queue, spec: &'static Spec<S>) -> Self {
        Self {
            queue,
            owner: uuid::Uuid::now_v7().to_string(),
            spec,
        }
    }

    /// Claims and runs until told to stop; a job that runs then is finished first.
    pub async fn run(self, state: S, draining: CancellationToken) {
        let wake = self.queue.wake.of(self.spec.kind);
        while !draining.is_cancelled() {
            let wait = match self.turn(&state).await {
                Ok(Turn::Idle) => LOOK,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(error = %error, "the queue does not answer");
                    LOOK
                }
            };
            tokio::select! {
                () = draining.cancelled() => {}
                () = wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn claim(&self) -> Result<Option<JobRow>, DbError> {
        let db = &self.queue.db;
        let mut tx = db.join().await?;
        let who = (self.spec.kind, &*self.owner);
        let job = jobs::claim(&mut tx, db.engine(), who, self.queue.lease_ms()).await?;
        tx.commit().await?;
        Ok(job)
    }

    async fn renew(&self, job: &JobRow) -> Result<bool, DbError> {
        let db = &self.queue.db;
        let mut tx = db.join().await?;
        let kept = jobs::renew(
            &mut tx,
            db.engine(),
            job,
            &self.owner,
            self.queue.lease_ms(),
        )
        .await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Claims one job and runs it to the end of this try.
    ///
    /// # Errors
    /// When the database does not answer. A job that was running then comes again when its lease ends.
    pub async fn turn(&self, state: &S) -> Result<Turn, DbError> {
        let (queue, spec) = (&self.queue, self.spec);
        let Some(job) = self.claim().await? else {
            return Ok(Turn::Idle);
        };
        if job.attempt > spec.attempts {
            return self
                .bury(state, job, "every worker that had it was lost")
                .await;
        }
        let began = std::time::Instant::now();
        let outcome = self
            .supervise((spec.run)(state.clone(), job.clone()), &job)
            .await;
        let duration_ms = began.elapsed().as_millis();
        match outcome {
            None => {
                tracing::warn!(job.id = %job.id, job.kind = %job.kind, "lease lost");
                Ok(Turn::Lost)
            }
            Some(Ok(())) => {
                let end = End {
                    state: "done",
                    error: None,
                    now_ms: crate::bundles::now_ms(),
                };
                let mut tx = queue.db.join().await?;
                let kept = jobs::end(&mut tx, &job, &self.owner, &end).await?;
                tx.commit().await?;
                tracing::info!(job.id = %job.id, job.kind = %job.kind, subject = %job.subject, duration_ms, "job done");
                Ok(if kept { Turn::Done } else { Turn::Lost })
            }
            Some(Err(JobError(fault))) if job.attempt >= spec.attempts => {
                self.bury(state, job, &fault).await
            }
            Some(Err(JobError(fault))) => {
                tracing::warn!(job.id = %job.id, job.kind = %job.kind, attempt = job.attempt, error = %fault, "try failed");
                let chance = u64::from(uuid::Uuid::now_v7().as_bytes()[15]) * 257;
                let delay_ms = backoff::delay_ms(job.attempt, chance);
                let retry = Retry {
                    delay_ms,
                    error: Some(short(&fault)),
                    counts: true,
                };
                let mut tx = queue.db.join().await?;
                jobs::release(&mut tx, queue.db.engine(), &job, &self.owner, &retry).await?;
                tx.commit().await?;
                Ok(Turn::Retried)
            }
        }
    }

    /// Runs while the lease holds. `None`: it was lost, and the work was dropped.
    async fn supervise(&self, work: super::Running, job: &JobRow) -> Option<Result<(), JobError>> {
        let work = AssertUnwindSafe(work).catch_unwind();
        // Beside the work, never instead of it: work that stands still may have the turn to write that a renewal needs.
        let lost = async {
            let mut renewals = tokio::time::interval(self.queue.renew);
            renewals.tick().await;
            loop {
                renewals.tick().await;
                match self.renew(job).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    // The database may be back before the lease ends; ending the job needs it anyway.
                    Err(error) => {
                        tracing::warn!(job.id = %job.id, error = %error, "lease not renewed")
                    }
                }
            }
        };
        tokio::select! {
            outcome = work => {
                Some(outcome.unwrap_or_else(|_| Err(JobError("the job panicked".to_owned()))))
            }
            () = lost => None,
        }
    }

    async fn bury(&self, state: &S, job: JobRow, fault: &str) -> Result<Turn, DbError> {
        tracing::error!(job.id = %job.id, job.kind = %job.kind, subject = %job.subject, error = %fault, "job is dead");
        let ended = (self.spec.dead)(state.clone(), job.clone(), fault.to_owned()).await;
        if let Err(error) = ended {
            // The lease runs out and the job comes here again.
            tracing::error!(job.id = %job.id, error = %error, "the end of a dead job failed");
            return Ok(Turn::Lost);
        }
        let end = End {
            state: "dead",
            error: Some(short(fault)),
            now_ms: crate::bundles::now_ms(),
        };
        let mut tx = self.queue.db.join().await?;
        jobs::end(&mut tx, &job, &self.owner, &end).await?;
        tx.commit().await?;
        Ok(Turn::Dead)
    }
}

fn short(text: &str) -> &str {
    let mut end = text.len().min(ERROR_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
