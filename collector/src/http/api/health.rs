//! Liveness, readiness with reasons, and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::auth::Access;
use crate::http::Routes;
use crate::state::AppState;

/// The routes. Metrics hold no customer data, but are for people of the house.
pub fn routes() -> Routes {
    Routes::default()
        .get("/healthz", Access::Public, alive)
        .get("/readyz", Access::Public, ready)
        .get("/metrics", Access::Admin, metrics)
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready(State(state): State<AppState>) -> Response {
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

async fn metrics(State(state): State<AppState>) -> Response {
    #[allow(clippy::cast_precision_loss, reason = "a count of panics is small")]
    state
        .metrics
        .set("sitrepd_task_panics", "", state.tasks.panics() as f64);
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
