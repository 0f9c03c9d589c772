//! Running the service: the listener, the workers, the sweeps, and a stop in order.

use std::time::Duration;

use super::{CliError, open, write};
use crate::bundles::storage::Claim;
use crate::config::{Config, parse_listen};
use crate::db::DbError;
use crate::serve;
use crate::state::AppState;

/// How long orphans are left alone: somebody may be writing them.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);
/// Sweeps between two searches for orphans: six hours.
const ORPHAN_SWEEPS: u64 = 36;

pub(super) async fn serve_all(config: Config) -> Result<(), CliError> {
    let grace = config.shutdown_grace;
    let role = config.resolved.text("role").to_owned();
    serve::open_files(config.max_connections);
    // Where nothing listens, links are those of the replicas that do.
    let public = config.public_url.clone().unwrap_or_default();
    let mut state = open(config, &public).await?;
    if let Some(address) = state.config.resolved.optional("metrics.listen") {
        let listener = serve::bind_plain(parse_listen(address)?).await?;
        tracing::info!(address = %listener.address, "metrics");
        let router = crate::http::monitoring(state.clone());
        let accept = serve::accept(listener, state.clone(), router);
        state.tasks.spawn("accept metrics", accept);
    }
    // Held to the end of the process.
    let claim = match role.as_str() {
        "work" => None,
        _ => Some(receive(&mut state).await?),
    };
    if role != "serve" {
        let workers = state.config.resolved.number("workers");
        crate::jobs::start(&state, usize::try_from(workers).unwrap_or(1));
        start_sweep(&state);
    }
    tracing::info!(role, url = %state.base_url, "ready");
    serve::stop_signal().await;
    tracing::info!("stopping: no new connections or jobs, finishing what runs");
    if !state.tasks.finish(grace).await {
        tracing::warn!("some tasks did not end in time");
    }
    state.db.close().await;
    drop(claim);
    Ok(())
}

/// Opens the listener and serves requests.
async fn receive(state: &mut AppState) -> Result<Claim, CliError> {
    let claim = claim(state).await?;
    let listener = serve::bind(state).await?;
    let address = listener.address;
    state.base_url = state.config.base_url(address).into();
    let recovered = state.bundles.receiver.recover().await?;
    tracing::info!(?recovered, "brought interrupted uploads in order");
    offer_setup(state).await?;
    let router = crate::http::router(state.clone());
    state
        .tasks
        .spawn("accept", serve::accept(listener, state.clone(), router));
    write(
        &state.config.data_dir.join("address"),
        &format!("{address}\n"),
    )?;
    Ok(claim)
}

/// Takes the right to receive into the folder. After an upgrade the process before this one may still be finishing.
async fn claim(state: &AppState) -> Result<Claim, CliError> {
    let until = tokio::time::Instant::now() + state.config.shutdown_grace + Duration::from_secs(5);
    loop {
        if let Some(claim) = state.bundles.store().claim()? {
            return Ok(claim);
        }
        if tokio::time::Instant::now() > until {
            return Err(CliError::Claimed(state.config.data_dir.clone()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn offer_setup(state: &AppState) -> Result<(), CliError> {
    let file = state.config.data_dir.join("setup-token");
    match crate::auth::setup::issue(state).await? {
        Some(token) => {
            write(&file, &format!("{token}\n"))?;
            let url = format!("{}/setup", state.base_url);
            tracing::warn!(%url, %token, "no administrator yet: open the page and enter this one-time token");
        }
        None => drop(std::fs::remove_file(&file)),
    }
    Ok(())
}

/// Removes what is over: sessions, counters, remembered answers, unused codes.
fn start_sweep(state: &AppState) {
    let (state, draining) = (state.clone(), state.tasks.draining());
    state.tasks.clone().spawn("sweep accounts", async move {
        let mut beat = tokio::time::interval(Duration::from_secs(600));
        let mut sweeps = 0u64;
        loop {
            tokio::select! {
                () = draining.cancelled() => return,
                _ = beat.tick() => {}
            }
            if let Err(error) = sweep(&state).await {
                tracing::warn!(cause = %sitrep_shared::error::chain(&error), "the sweep failed");
            }
            if let Err(error) = sweep_bundles(&state, sweeps.is_multiple_of(ORPHAN_SWEEPS)).await {
                tracing::warn!(cause = %sitrep_shared::error::chain(&error), "the sweep of bundles failed");
            }
            sweeps += 1;
        }
    });
}

async fn sweep(state: &AppState) -> Result<(), DbError> {
    use crate::auth::sessions::{ABSOLUTE_MS, IDLE_MS};
    const DAY_MS: i64 = 86_400_000;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    crate::db::sessions::sweep(&mut tx, now - IDLE_MS, now - ABSOLUTE_MS).await?;
    crate::db::attempts::sweep(&mut tx, now).await?;
    crate::db::idempotency::sweep(&mut tx, now - DAY_MS).await?;
    crate::db::codes::sweep(&mut tx, now - 30 * DAY_MS).await?;
    crate::db::connectors::forget_messages(&mut tx, now - 30 * DAY_MS).await?;
    crate::db::outbox::forget(&mut tx, now - 90 * DAY_MS).await?;
    tx.commit().await
}

/// Deletes what was kept long enough, and now and then what nobody knows.
async fn sweep_bundles(state: &AppState, orphans: bool) -> Result<(), CliError> {
    let keep = state.config.resolved.duration("retention.closed");
    if state.config.resolved.optional("retention.closed").is_some() {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX / 2);
        while state.bundles.retire(state.now_ms() - keep_ms).await? > 0 {}
    }
    if orphans {
        let removed = state.bundles.receiver.remove_orphans(ORPHAN_AGE).await?;
        if removed > 0 {
            tracing::info!(removed, "removed what belongs to no upload and no bundle");
        }
    }
    Ok(())
}
