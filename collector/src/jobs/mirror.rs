//! The job that reads one other system for what happened to tickets there.

use crate::connectors::mirror;
use crate::db::DbError;
use crate::db::jobs::{self, JobRow};
use crate::queue::{JobError, Running, Spec, Workers};
use crate::state::AppState;

/// Its line in the registry.
pub(super) const SPEC: Spec<AppState> = Spec {
    kind: mirror::JOB,
    workers: Workers::Of(2),
    attempts: 2,
    run,
    dead,
};

/// Queues a reading of every system, unless one waits or runs.
///
/// # Errors
/// When the database refuses.
pub(super) async fn queue(state: &AppState) -> Result<(), DbError> {
    let ids = mirror::readable(&mut *state.db.read().await?).await?;
    if ids.is_empty() {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    for id in &ids {
        jobs::again(&mut tx, mirror::JOB, id, state.now_ms()).await?;
    }
    tx.commit().await?;
    state.bundles.wake.call(mirror::JOB);
    Ok(())
}

fn run(state: AppState, job: JobRow) -> Running {
    Box::pin(async move {
        mirror::mirror(&state, &job.subject)
            .await
            .map_err(|error| JobError::of(&error))
    })
}

/// The next beat queues it anew.
fn dead(_: AppState, _: JobRow, _: String) -> Running {
    Box::pin(async { Ok(()) })
}
