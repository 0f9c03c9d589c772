//! Liveness, readiness with reasons, and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::auth::Access;
use crate::db::{DbError, jobs, quotas};
use crate::http::Routes;
use crate::state::AppState;

/// The routes. Metrics hold no customer data, but are for people of the house.
pub fn routes() -> Routes {
    Routes::default()
        .get("/healthz", Access::Public, alive)
        .get("/readyz", Access::Public, ready)
        .get("/metrics", Access::Admin, metrics)
}

pub(in crate::http) async fn alive() -> &'static str {
    "ok\n"
}

pub(in crate::http) async fn ready(State(state): State<AppState>) -> Response {
    if state.tasks.draining().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match state.db.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(cause = %sitrep_shared::error::chain(&error), "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            )
                .into_response()
        }
    }
}

pub(in crate::http) async fn metrics(State(state): State<AppState>) -> Response {
    #[allow(clippy::cast_precision_loss, reason = "a count of panics is small")]
    state
        .metrics
        .set("sitrepd_task_panics", "", state.tasks.panics() as f64);
    if let Err(error) = gauge(&state).await {
        tracing::warn!(cause = %sitrep_shared::error::chain(&error), "some metrics are old");
    }
    state.metrics.set(
        "sitrepd_build_info",
        format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
        1.0,
    );
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        state.metrics.render(),
    )
        .into_response()
}

/// Sets what is counted in the database, and the room on the disk.
#[allow(clippy::cast_precision_loss, reason = "a metric is a float")]
async fn gauge(state: &AppState) -> Result<(), DbError> {
    let metrics = &state.metrics;
    let mut conn = state.db.read().await?;
    for job in ["queued", "leased", "dead"] {
        let count = jobs::count(&mut conn, job).await?;
        metrics.set("sitrepd_jobs", format!("state=\"{job}\""), count as f64);
    }
    let (open, used) = (
        quotas::open(&mut conn, "", "").await?,
        quotas::bytes(&mut conn, "", true).await?,
    );
    metrics.set(
        "sitrepd_upload_promised_bytes",
        "",
        open.promised_bytes as f64,
    );
    metrics.set("sitrepd_stored_bytes", "", used.all as f64);
    if let Ok(space) = state.bundles.store().space()
        && space.total > 0
    {
        metrics.set("sitrepd_disk_free_bytes", "", space.free as f64);
        metrics.set("sitrepd_disk_total_bytes", "", space.total as f64);
    }
    Ok(())
}
