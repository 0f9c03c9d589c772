//! `/api/v1/bundles`: what is stored, what was found in it, and its files by range.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use super::body::{self, Attachment, Conditions};
use crate::auth::Access;
use crate::bundles::browse::index::FileEntry;
use crate::bundles::browse::{BrowseError, Which};
use crate::bundles::compare::CompareError;
use crate::bundles::{Bundles, DeleteError};
use crate::db::bundles::BundleRow;
use crate::db::findings::FindingRow;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::customer::{downloaded, viewed};
use crate::tickets::{self, Caller};

/// Lines of a page unless asked otherwise.
const LINES: u64 = 200;

/// What browsing can answer besides the failures of every route.
const BROWSE: &[u16] = &[400, 404, 409, 410, 412, 416];

/// Its lines in the registry. Metadata and findings are for viewers, content for engineers.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles", Access::Viewer, list)
        .doc(Op::new("List bundles, newest first").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/tickets/{ticket}/bundles", Access::Viewer, of_ticket)
        .doc(Op::new("List the bundles of a ticket").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/bundles/{id}", Access::Viewer, show)
        .doc(Op::new("Show a bundle").returns::<BundleView>(200).fails(BROWSE))
        .delete("/api/v1/bundles/{id}", Access::Lead, delete)
        .doc(Op::new("Delete a bundle for good").empty(204).fails(BROWSE))
        .get("/api/v1/bundles/{id}/findings", Access::Viewer, findings)
        .doc(Op::new("Findings of a bundle").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/bundles/{id}/manifest", Access::Viewer, manifest)
        .doc(Op::new("Manifest of a bundle").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/bundles/{id}/facts", Access::Viewer, facts)
        .doc(Op::new("Facts of a bundle").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/bundles/{id}/files", Access::Viewer, files)
        .doc(Op::new("Files of a bundle").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/bundles/{id}/files/{fid}", Access::Engineer, file)
        .doc(Op::new("One file of a bundle").raw(200, "application/octet-stream").fails(BROWSE))
        .get("/api/v1/bundles/{id}/files/{fid}/lines", Access::Engineer, lines)
        .doc(Op::new("A page of lines of a file").raw(200, "application/json").fails(BROWSE))
        .get("/api/v1/bundles/{id}/download", Access::Engineer, download)
        .doc(Op::new("The bundle as it was sent").raw(200, "application/octet-stream").fails(BROWSE))
}

/// A bundle as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BundleView {
    id: String,
    ticket_id: String,
    /// stored, scanning, ready, rejected or quarantined.
    state: String,
    reason: Option<String>,
    detail: Option<String>,
    filename: String,
    bytes: i64,
    unpacked_bytes: i64,
    sha256: String,
    receipt: String,
    host: Option<String>,
    profile: Option<String>,
    received: String,
    received_ms: i64,
    collected_ms: Option<i64>,
    files: i64,
    items_asked: i64,
    items_complete: i64,
    signatures_evaluated: i64,
}

impl From<BundleRow> for BundleView {
    fn from(row: BundleRow) -> Self {
        Self {
            received: UtcMs(row.received_ms).rfc3339(),
            id: row.id,
            ticket_id: row.ticket_id,
            state: row.state,
            reason: row.reason,
            detail: row.detail,
            filename: row.filename,
            bytes: row.bytes,
            unpacked_bytes: row.unpacked_bytes,
            sha256: row.sha256,
            receipt: row.receipt,
            host: row.host,
            profile: row.profile,
            received_ms: row.received_ms,
            collected_ms: row.collected_ms,
            files: row.files,
            items_asked: row.items_asked,
            items_complete: row.items_complete,
            signatures_evaluated: row.evaluated,
        }
    }
}

/// A file as the API shows it.
#[derive(Debug, Serialize)]
struct FileView {
    id: u64,
    path: String,
    bytes: u64,
    lines: u64,
    text: bool,
}

impl From<FileEntry> for FileView {
    fn from(entry: FileEntry) -> Self {
        Self {
            id: entry.fid,
            path: entry.path,
            bytes: entry.size,
            lines: entry.lines,
            text: entry.text,
        }
    }
}

/// Finds a bundle by the id in an address.
pub(crate) async fn load(bundles: &Bundles, id: &str) -> AppResult<(Uuid, BundleRow)> {
    let id = Uuid::parse_str(id).map_err(|_| AppError::not_found("bundle"))?;
    let row = bundles
        .find(id)
        .await?
        .ok_or_else(|| AppError::not_found("bundle"))?;
    Ok((id, row))
}

/// A cursor of a list.
#[derive(Debug, Default, Deserialize)]
pub struct Cursor {
    before: Option<String>,
    limit: Option<u32>,
}

/// `GET /api/v1/bundles`: all bundles, newest first.
pub async fn list(
    State(bundles): State<Arc<Bundles>>,
    Query(cursor): Query<Cursor>,
) -> AppResult<Json<Value>> {
    let limit = cursor.limit.unwrap_or(50).clamp(1, 200);
    if cursor
        .before
        .as_deref()
        .is_some_and(|id| Uuid::parse_str(id).is_err())
    {
        return Err(AppError::bad_request("`before` is the id of a bundle"));
    }
    let rows = bundles.list(cursor.before.as_deref(), limit).await?;
    let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| row.id.clone());
    let items: Vec<BundleView> = rows.into_iter().map(Into::into).collect();
    Ok(Json(json!({ "items": items, "next_before": next })))
}

/// `GET /api/v1/tickets/{ticket}/bundles`: a ticket's bundles, oldest first.
pub async fn of_ticket(
    State(state): State<AppState>,
    Path(key): Path<String>,
) -> AppResult<Json<Value>> {
    let ticket = tickets::load(&state, &key).await?;
    let rows = state.bundles.list_for_ticket(&ticket.id).await?;
    let items: Vec<BundleView> = rows.into_iter().rev().map(Into::into).collect();
    Ok(Json(json!({ "items": items })))
}

/// `GET /api/v1/bundles/{id}`.
pub async fn show(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
) -> AppResult<Json<BundleView>> {
    Ok(Json(load(&bundles, &id).await?.1.into()))
}

/// `GET /api/v1/bundles/{id}/findings`: what matched, and what could not be evaluated.
pub async fn findings(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
) -> AppResult<Json<Value>> {
    let (id, row) = load(&bundles, &id).await?;
    let found = bundles.findings(id).await?;
    let items: Vec<Value> = found.iter().filter_map(finding).collect();
    let not_evaluated: Value = serde_json::from_str(&row.not_evaluated).unwrap_or_default();
    Ok(Json(
        json!({ "items": items, "not_evaluated": not_evaluated, "evaluated": row.evaluated }),
    ))
}

/// What the engine said, and what people say about it.
fn finding(row: &FindingRow) -> Option<Value> {
    let mut body: Value = serde_json::from_str(&row.body).ok()?;
    let more = body.as_object_mut()?;
    more.insert("finding_id".to_owned(), json!(row.id));
    more.insert("shadow".to_owned(), json!(row.shadow == 1));
    more.insert("verdict".to_owned(), json!(row.verdict));
    more.insert("verdict_reason".to_owned(), json!(row.verdict_reason));
    more.insert("suppressed".to_owned(), json!(row.suppressed.is_some()));
    more.insert("stands".to_owned(), json!(row.stands()));
    Some(body)
}

/// `GET /api/v1/bundles/{id}/manifest`: every item that was asked for.
pub async fn manifest(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let (id, _) = load(&bundles, &id).await?;
    Ok(Json(bundles.browse.manifest(id).await?).into_response())
}

/// `GET /api/v1/bundles/{id}/facts`.
pub async fn facts(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let (id, _) = load(&bundles, &id).await?;
    let json = bundles.browse.facts(id).await?;
    let facts: Box<RawValue> = serde_json::from_slice(&json).map_err(AppError::internal)?;
    Ok(Json(facts).into_response())
}

/// Which files.
#[derive(Debug, Default, Deserialize)]
pub struct FileFilter {
    /// Exactly this path.
    path: Option<String>,
}

/// `GET /api/v1/bundles/{id}/files`: all files, or the one of a path.
pub async fn files(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
    Query(filter): Query<FileFilter>,
) -> AppResult<Json<Value>> {
    let (id, _) = load(&bundles, &id).await?;
    let entries = match filter.path {
        Some(path) => vec![bundles.browse.file(id, Which::Path(path)).await?],
        None => bundles.browse.files(id).await?,
    };
    let items: Vec<FileView> = entries.into_iter().map(Into::into).collect();
    Ok(Json(json!({ "items": items })))
}

/// Which lines.
#[derive(Debug, Default, Deserialize)]
pub struct LineRange {
    /// First line, from 1.
    from: Option<u64>,
    /// How many.
    count: Option<u64>,
    /// The page that holds this byte instead.
    offset: Option<u64>,
}

/// `GET /api/v1/bundles/{id}/files/{fid}/lines?from=&count=` or `?offset=`: a page of text.
pub async fn lines(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, fid)): Path<(String, u64)>,
    Query(range): Query<LineRange>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    viewed(&state, &caller, &row.id, &row.ticket_id).await?;
    let from = match range.offset {
        Some(offset) => bundles.browse.line_at(id, fid, offset).await?,
        None => range.from.unwrap_or(1).max(1),
    };
    let count = range.count.unwrap_or(LINES);
    let tag = format!("\"{}-{fid}-{from}-{count}\"", row.sha256);
    if body::unchanged(&headers, &tag) {
        return Ok(body::not_modified(&tag));
    }
    let page = bundles.browse.lines(id, fid, from, count).await?;
    let mut response = Json(page).into_response();
    body::immutable(&mut response, &tag);
    Ok(response)
}

/// `GET /api/v1/bundles/{id}/files/{fid}`: a file's bytes, whole or by range.
pub async fn file(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, fid)): Path<(String, u64)>,
    asked: Conditions,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    if asked.begins() {
        downloaded(&state, &caller, &row.id, &row.ticket_id).await?;
    }
    let entry = bundles.browse.file(id, Which::Fid(fid)).await?;
    let tag = format!("\"{}-{fid}\"", row.sha256);
    let name = entry.path.clone();
    let attachment = Attachment {
        name: &name,
        tag: &tag,
        size: entry.size,
    };
    let (status, span) = match body::plan(&asked, attachment) {
        Ok(plan) => plan,
        Err(response) => return Ok(*response),
    };
    let reader = bundles.browse.open(id, fid, span.from, span.bytes).await?;
    Ok(body::send(attachment, (status, span), reader))
}

/// `GET /api/v1/bundles/{id}/download`: the bundle as it came, whole or by range.
pub async fn download(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    asked: Conditions,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    if asked.begins() {
        downloaded(&state, &caller, &row.id, &row.ticket_id).await?;
    }
    let tag = format!("\"{}\"", row.sha256);
    let size = row.bytes.max(0).unsigned_abs();
    let attachment = Attachment {
        name: &row.filename,
        tag: &tag,
        size,
    };
    let (status, span) = match body::plan(&asked, attachment) {
        Ok(plan) => plan,
        Err(response) => return Ok(*response),
    };
    let reader = bundles.browse.blob_range(id, span.from, span.bytes).await?;
    Ok(body::send(attachment, (status, span), reader))
}

/// `DELETE /api/v1/bundles/{id}`: for good.
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    let none = || AppError::not_found("bundle");
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let row = state.bundles.find(id).await?.ok_or_else(none)?;
    tickets::bundles::delete(&state, &caller, &row).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<CompareError> for AppError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Browse(error) => error.into(),
            CompareError::Db(error) => error.into(),
            CompareError::Task(error) => Self::internal(error),
        }
    }
}

impl From<BrowseError> for AppError {
    fn from(error: BrowseError) -> Self {
        match error {
            BrowseError::Absent => Self::not_found("file"),
            BrowseError::Storage(error) if error.is_unavailable() => Self::unavailable(error),
            other => Self::internal(other),
        }
    }
}

impl From<DeleteError> for AppError {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Db(error) => error.into(),
            DeleteError::Held => Self::new(
                StatusCode::LOCKED,
                "on_hold",
                "the bundle is on legal hold and cannot be deleted",
            )
            .hint("a lead can lift the hold on the page of the ticket"),
            other => Self::internal(other),
        }
    }
}
