//! Registry of jobs, and what runs them. One file per job, one line here.

mod deliver;
mod ingest;
mod mirror;
mod retro;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use crate::queue::{Queue, Spec, Worker, Workers};
use crate::state::AppState;

/// Every job there is.
pub static SPECS: &[Spec<AppState>] = &[ingest::SPEC, retro::SPEC, deliver::SPEC, mirror::SPEC];

/// Lost leases are looked for this often.
const RECLAIM_EVERY: Duration = Duration::from_secs(15);
/// What is derived from tickets and bundles follows them this often; whoever looks at it meanwhile derives the rest.
const DERIVE_EVERY: Duration = Duration::from_secs(5);
/// The folder of signature packs is looked at this often.
const PACKS_EVERY: Duration = Duration::from_secs(60);

/// Starts the workers of every kind, `workers` where that is theirs to say, and the sweep; they end when the tasks
/// drain.
pub fn start(state: &AppState, workers: usize) {
    let (tasks, bundles) = (&state.tasks, &state.bundles);
    for spec in SPECS {
        let count = match spec.workers {
            Workers::AsSet => workers.max(1),
            Workers::Of(count) => count,
        };
        for _ in 0..count {
            let queue = Queue::new(bundles.db().clone(), Arc::clone(&bundles.wake));
            let worker = Worker::new(queue, spec);
            tasks.spawn("worker", worker.run(state.clone(), tasks.draining()));
        }
    }
    watch_packs(state);
    derive(state);
    read_connectors(state);
    let (bundles, draining) = (Arc::clone(bundles), tasks.draining());
    tasks.spawn("sweep", async move {
        let mut beat = tokio::time::interval(RECLAIM_EVERY);
        loop {
            tokio::select! {
                () = draining.cancelled() => return,
                _ = beat.tick() => {}
            }
            match sweep::sweep(&bundles).await {
                Ok(swept) if swept == sweep::Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "swept"),
                Err(error) => {
                    tracing::warn!(error = %sitrep_shared::error::chain(&error), "the sweep failed")
                }
            }
        }
    });
}

/// Takes signature packs in that lie in the data folder, now and from time to time.
fn watch_packs(state: &AppState) {
    let (state, draining) = (state.clone(), state.tasks.draining());
    state.tasks.clone().spawn("signature packs", async move {
        let mut beat = tokio::time::interval(PACKS_EVERY);
        loop {
            tokio::select! {
                () = draining.cancelled() => return,
                _ = beat.tick() => {}
            }
            if let Err(error) = crate::signatures::folder::sync(&state).await {
                tracing::warn!(error = %sitrep_shared::error::chain(&error), "the folder of packs was not read");
            }
        }
    });
}

/// Packs the figures and indexes the words and numbers of what has changed, so that statistics and search need not.
fn derive(state: &AppState) {
    let (db, draining) = (state.db.clone(), state.tasks.draining());
    let bundles = Arc::clone(&state.bundles);
    state.tasks.spawn("derive", async move {
        let mut beat = tokio::time::interval(DERIVE_EVERY);
        loop {
            tokio::select! {
                () = draining.cancelled() => return,
                _ = beat.tick() => {}
            }
            let figures = crate::tickets::figures::refresh(&db).await;
            if let Err(error) = figures.and(crate::search::refresh(&db).await) {
                tracing::warn!(error = %sitrep_shared::error::chain(&error), "figures and words do not follow");
            }
            if let Err(error) = crate::bundles::measures::refresh(&bundles).await {
                tracing::warn!(error = %sitrep_shared::error::chain(&error), "numbers of bundles do not follow");
            }
        }
    });
}

/// Queues the reading of every system with tickets, from time to time.
fn read_connectors(state: &AppState) {
    let (state, draining) = (state.clone(), state.tasks.draining());
    let every = state.config.resolved.duration("connectors.poll");
    state.tasks.clone().spawn("connectors", async move {
        let mut beat = tokio::time::interval(every.max(Duration::from_millis(200)));
        loop {
            tokio::select! {
                () = draining.cancelled() => return,
                _ = beat.tick() => {}
            }
            if let Err(error) = mirror::queue(&state).await {
                tracing::warn!(error = %sitrep_shared::error::chain(&error), "connectors are not read");
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_once_and_tried_more_than_once() {
        for (place, spec) in SPECS.iter().enumerate() {
            assert!(
                SPECS[..place].iter().all(|other| other.kind != spec.kind),
                "{}",
                spec.kind
            );
            assert!(spec.attempts > 1, "{}", spec.kind);
            assert_ne!(spec.workers, Workers::Of(0), "{}", spec.kind);
        }
    }
}
