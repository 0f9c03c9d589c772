//! The job that tells one connector what happened to one ticket.

use crate::connectors::outbox;
use crate::db::jobs::JobRow;
use crate::queue::{JobError, Running, Spec, Workers};
use crate::state::AppState;

/// Its line in the registry.
pub(super) const SPEC: Spec<AppState> = Spec {
    kind: outbox::JOB,
    workers: Workers::Of(4),
    attempts: outbox::TRIES,
    run,
    dead,
};

fn run(state: AppState, job: JobRow) -> Running {
    Box::pin(async move {
        outbox::deliver(&state, &job.subject)
            .await
            .map_err(|error| JobError::of(&error))
    })
}

fn dead(state: AppState, job: JobRow, fault: String) -> Running {
    Box::pin(async move {
        outbox::give_up(&state, &job.subject, &fault)
            .await
            .map_err(|error| JobError::of(&error))
    })
}
