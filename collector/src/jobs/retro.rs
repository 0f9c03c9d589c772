//! The job that does a turn of a retro-scan.

use crate::db::jobs::JobRow;
use crate::queue::{JobError, Running, Spec, Workers};
use crate::signatures::retro;
use crate::state::AppState;

/// Its line in the registry.
pub(super) const SPEC: Spec<AppState> = Spec {
    kind: retro::JOB,
    workers: Workers::Of(1),
    attempts: 3,
    run,
    dead,
};

fn run(state: AppState, job: JobRow) -> Running {
    Box::pin(async move {
        retro::turn(&state, &job.subject)
            .await
            .map_err(|error| JobError::of(&error))
    })
}

fn dead(state: AppState, job: JobRow, fault: String) -> Running {
    Box::pin(async move {
        retro::fail(&state, &job.subject, &fault)
            .await
            .map_err(|error| JobError::of(&error))
    })
}
