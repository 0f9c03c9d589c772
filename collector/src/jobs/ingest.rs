//! The job that brings a stored bundle to its verdict.

use crate::bundles::INGEST;
use crate::db::jobs::JobRow;
use crate::queue::{JobError, Running, Spec, Workers};
use crate::state::AppState;

/// Its line in the registry.
pub(super) const SPEC: Spec<AppState> = Spec {
    kind: INGEST,
    workers: Workers::AsSet,
    attempts: 3,
    run,
    dead,
};

fn run(state: AppState, job: JobRow) -> Running {
    Box::pin(async move {
        state
            .bundles
            .ingest
            .ingest(&job.subject)
            .await
            .map_err(|error| JobError::of(&error))
    })
}

fn dead(state: AppState, job: JobRow, fault: String) -> Running {
    Box::pin(async move {
        state
            .bundles
            .ingest
            .quarantine(&job.subject, &fault)
            .await
            .map_err(|error| JobError::of(&error))
    })
}
