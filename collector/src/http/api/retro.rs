//! Retro-scans and back-tests: what one would cost, starting, progress, cancelling; and explaining one signature on one
//! bundle.

use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::bundles::load;
use super::idempotency;
use crate::auth::Access;
use crate::db::retro::{self as rows, HitRow, ScanRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::Path;
use crate::http::openapi::Op;
use crate::signatures::explain::{self, Explained};
use crate::signatures::retro::{self, Estimate};
use crate::state::AppState;
use crate::tickets::Caller;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/signatures/{id}/retro-scans", Access::Viewer, list)
        .doc(Op::new("List the retro-scans of a signature").returns::<ScanList>(200))
        .get("/api/v1/signatures/{id}/retro-scan-estimate", Access::Engineer, estimate)
        .doc(Op::new("What a retro-scan of a signature would read").returns::<Estimate>(200))
        .post("/api/v1/signatures/{id}/retro-scans", Access::Lead, start)
        .doc(Op::new("Run a signature over all stored bundles").idempotent().returns::<ScanView>(202).fails(&[404, 409, 422]))
        .post("/api/v1/signature-backtests", Access::Engineer, backtest)
        .doc(Op::new("Try one signature file on all stored bundles; nothing is kept but the count").raw_body("application/yaml").returns::<ScanView>(202))
        .post("/api/v1/signature-estimates", Access::Engineer, estimate_file)
        .doc(Op::new("What a back-test of one signature file would read").raw_body("application/yaml").returns::<Estimate>(200))
        .get("/api/v1/retro-scans/{id}", Access::Viewer, show)
        .doc(Op::new("Progress and hits of a retro-scan or back-test").returns::<ScanView>(200))
        .post("/api/v1/retro-scans/{id}/cancel", Access::Engineer, cancel)
        .doc(Op::new("Stop a retro-scan; what it found stays").returns::<ScanView>(200).fails(&[409]))
        .get("/api/v1/bundles/{id}/explain/{signature}", Access::Engineer, explained)
        .doc(Op::new("Why a signature found something in a bundle, or why not").returns::<Explained>(200))
}

/// A retro-scan as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScanView {
    id: String,
    signature_id: String,
    /// scan or backtest.
    mode: String,
    /// queued, running, done, cancelled or failed.
    state: String,
    error: Option<String>,
    created_by: String,
    created_ms: i64,
    ended_ms: Option<i64>,
    /// Bundles in all.
    bundles: i64,
    /// Their bytes.
    bytes: i64,
    bundles_done: i64,
    /// Of those, bundles that had to be read.
    bundles_read: i64,
    /// Bytes read of bundles.
    bytes_read: i64,
    /// Bytes read of the indexes beside them.
    index_read: i64,
    /// Bundles that could not be read.
    faults: i64,
    /// Bundles in which it found something; only with the scan itself.
    hits: Vec<HitView>,
}

/// A bundle in which the signature found something.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HitView {
    bundle_id: String,
    ticket_id: String,
    hits: i64,
    file: String,
    line: i64,
    /// Nothing was known of it before.
    fresh: bool,
}

/// Retro-scans, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ScanList {
    items: Vec<ScanView>,
}

impl ScanView {
    pub(crate) fn of(row: ScanRow, hits: Vec<HitRow>) -> Self {
        let hits = hits.into_iter().map(|hit| HitView {
            bundle_id: hit.bundle_id,
            ticket_id: hit.ticket_id,
            hits: hit.hits,
            file: hit.file,
            line: hit.line,
            fresh: hit.fresh == 1,
        });
        Self {
            hits: hits.collect(),
            id: row.id,
            signature_id: row.signature_id,
            mode: row.mode,
            state: row.state,
            error: row.error,
            created_by: row.created_by,
            created_ms: row.created_ms,
            ended_ms: row.ended_ms,
            bundles: row.bundles,
            bytes: row.bytes,
            bundles_done: row.bundles_done,
            bundles_read: row.bundles_read,
            bytes_read: row.bytes_read,
            index_read: row.index_read,
            faults: row.faults,
        }
    }
}

async fn list(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> AppResult<Answer<ScanList>> {
    let id = super::name("signature", &id)?;
    let rows = rows::of_signature(&mut *state.db.read().await?, id).await?;
    let items = rows.into_iter().map(|row| ScanView::of(row, Vec::new()));
    Ok(Answer(ScanList {
        items: items.collect(),
    }))
}

async fn estimate(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> AppResult<Answer<Estimate>> {
    let subject = retro::stored(&state, &id).await?;
    Ok(Answer(retro::estimate(&state, &subject).await?))
}

async fn start(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let path = format!("/api/v1/signatures/{id}/retro-scans");
    let (key, known) = idempotency::begin(&state, &caller, &headers, &path, &()).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let subject = retro::stored(&state, &id).await?;
    let row = retro::start(&state, &caller, (&subject, "scan")).await?;
    let view = ScanView::of(row, Vec::new());
    idempotency::answer(&state, key, StatusCode::ACCEPTED, &view).await
}

async fn backtest(
    State(state): State<AppState>,
    caller: Caller,
    body: Bytes,
) -> AppResult<(StatusCode, Answer<ScanView>)> {
    let subject = retro::tried(&state, text(&body)?).await?;
    let row = retro::start(&state, &caller, (&subject, "backtest")).await?;
    let view = ScanView::of(row, Vec::new());
    Ok((StatusCode::ACCEPTED, Answer(view)))
}

async fn estimate_file(State(state): State<AppState>, body: Bytes) -> AppResult<Answer<Estimate>> {
    let subject = retro::tried(&state, text(&body)?).await?;
    Ok(Answer(retro::estimate(&state, &subject).await?))
}

fn text(body: &[u8]) -> AppResult<&str> {
    std::str::from_utf8(body).map_err(|_| AppError::bad_request("the body is not UTF-8 text"))
}

async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> AppResult<Answer<ScanView>> {
    let id = super::id("retro-scan", &id)?;
    let mut conn = state.db.read().await?;
    let row = rows::find(&mut conn, &id).await?;
    let row = row.ok_or_else(|| AppError::not_found("retro-scan"))?;
    let hits = rows::hits(&mut conn, &id).await?;
    Ok(Answer(ScanView::of(row, hits)))
}

async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<Answer<ScanView>> {
    let id = super::id("retro-scan", &id)?;
    let row = retro::cancel(&state, &caller, &id).await?;
    Ok(Answer(ScanView::of(row, Vec::new())))
}

async fn explained(
    State(state): State<AppState>,
    Path((id, signature)): Path<(String, String)>,
) -> AppResult<Answer<Explained>> {
    let (_, row) = load(&state.bundles, &id).await?;
    Ok(Answer(explain::explain(&state, &row, &signature).await?))
}
