//! The job that brings a stored bundle to its verdict.

use std::sync::Arc;

use crate::bundles::Bundles;
use crate::db::jobs::JobRow;
use crate::queue::{JobError, Running, Spec};

/// Its line in the registry.
pub(super) const SPEC: Spec<Arc<Bundles>> = Spec {
    kind: "ingest",
    attempts: 3,
    run,
    dead,
};

fn run(bundles: Arc<Bundles>, job: JobRow) -> Running {
    Box::pin(async move {
        bundles
            .ingest
            .ingest(&job.subject)
            .await
            .map_err(|error| JobError::of(&error))
    })
}

fn dead(bundles: Arc<Bundles>, job: JobRow, fault: String) -> Running {
    Box::pin(async move {
        bundles
            .ingest
            .quarantine(&job.subject, &fault)
            .await
            .map_err(|error| JobError::of(&error))
    })
}
