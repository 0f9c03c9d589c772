//! `/api/v1/signatures`: what is in force and what it came to, the operator's own signatures, where they stand, and
//! where they are silent.

use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sitrep_shared::signature::Status;

use super::idempotency;
use crate::auth::Access;
use crate::db::suppressions::{self, SuppressionRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path, Query};
use crate::http::openapi::Op;
use crate::signatures::catalogue::{self, Entry, SOURCES};
use crate::signatures::feedback::{self, NewSuppression};
use crate::signatures::overview::{self, Line, Narrow};
use crate::signatures::packs;
use crate::state::AppState;
use crate::tickets::Caller;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/schemas/signature.v1.json", Access::Public, schema)
        .get("/api/v1/signatures", Access::Viewer, list)
        .doc(Op::new("List signatures with what they came to").query::<Filter>().returns::<SignatureList>(200))
        .post("/api/v1/signatures", Access::Engineer, store)
        .doc(Op::new("Store a signature of one's own: one YAML file").raw_body("application/yaml").returns::<Stored>(201))
        .get("/api/v1/signatures/{id}", Access::Viewer, show)
        .doc(Op::new("Show a signature").raw(200, "application/json"))
        .patch("/api/v1/signatures/{id}", Access::Lead, change)
        .doc(Op::new("Put a signature into draft, shadow, live or retired").body::<Change>().returns::<Line>(200))
        .get("/api/v1/signatures/{id}/suppressions", Access::Viewer, list_suppressions)
        .doc(Op::new("List where a signature is silent").returns::<SuppressionList>(200))
        .post("/api/v1/signatures/{id}/suppressions", Access::Engineer, suppress)
        .doc(Op::new("Make a signature silent on a ticket, for a customer or a host").body::<NewSuppression>().idempotent().returns::<SuppressionView>(201))
        .delete("/api/v1/signatures/{id}/suppressions/{suppression}", Access::Engineer, unsuppress)
        .doc(Op::new("Let a signature speak again").empty(204))
        .get("/api/v1/signature-sources", Access::Viewer, sources)
        .doc(Op::new("The operator's extension of the source map").raw(200, "application/yaml"))
        .on(axum::http::Method::PUT, "/api/v1/signature-sources", Access::Lead, set_sources)
        .doc(Op::new("Replace the operator's extension of the source map").raw_body("application/yaml").empty(204))
}

/// Which signatures.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct Filter {
    /// Words in id, title, category or tags.
    #[serde(default)]
    q: String,
    /// draft, shadow, live or retired.
    #[serde(default)]
    status: String,
    /// Name of a pack.
    #[serde(default)]
    pack: String,
}

/// Signatures.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SignatureList {
    items: Vec<Line>,
}

/// What was stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Stored {
    /// Ids of the signatures in the file.
    ids: Vec<String>,
}

/// What can be changed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = SignatureChange)]
#[serde(deny_unknown_fields)]
struct Change {
    /// draft, shadow, live or retired.
    #[schema(value_type = String)]
    status: Status,
}

/// Where a signature is silent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SuppressionView {
    id: String,
    /// ticket, customer or host.
    scope: String,
    /// Id of the ticket, name of the customer or of the host.
    value: String,
    reason: String,
    created_by: String,
    created_ms: i64,
    expires_ms: Option<i64>,
    ended_ms: Option<i64>,
    /// Whether it holds now.
    holds: bool,
}

/// Suppressions of a signature, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SuppressionList {
    items: Vec<SuppressionView>,
}

impl SuppressionView {
    fn of(row: SuppressionRow, now_ms: i64) -> Self {
        Self {
            holds: row.ended_ms.is_none() && row.expires_ms.is_none_or(|ms| ms > now_ms),
            id: row.id,
            scope: row.scope,
            value: row.value,
            reason: row.reason,
            created_by: row.created_by,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            ended_ms: row.ended_ms,
        }
    }
}

async fn schema() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/schema+json"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    let text = sitrep_shared::signature::schema().to_string();
    (headers, text).into_response()
}

async fn list(
    State(state): State<AppState>,
    Query(filter): Query<Filter>,
) -> AppResult<Answer<SignatureList>> {
    let narrow = Narrow {
        text: filter.q,
        status: filter.status,
        pack: filter.pack,
    };
    let items = overview::list(&state, &narrow).await?;
    Ok(Answer(SignatureList { items }))
}

async fn store(State(state): State<AppState>, caller: Caller, body: Bytes) -> AppResult<Response> {
    let yaml = yaml(&body)?;
    let ids = packs::store_own(&state, &caller, yaml).await?;
    Ok((StatusCode::CREATED, Answer(Stored { ids })).into_response())
}

fn yaml(body: &[u8]) -> AppResult<&str> {
    std::str::from_utf8(body).map_err(|_| AppError::bad_request("the body is not UTF-8 text"))
}

async fn show(State(state): State<AppState>, Path(id): Path<String>) -> AppResult<Answer<Value>> {
    let loaded = state.bundles.signatures.current().await?;
    let entry = loaded.find(&id).ok_or_else(none)?;
    let line = overview::one(&state, entry).await?;
    let mut value = serde_json::to_value(line).map_err(AppError::internal)?;
    let signature = &entry.signature;
    let extension = signature.extension.as_ref();
    for (key, more) in [
        ("version", json!(signature.version)),
        ("author", json!(signature.author)),
        ("cause", json!(signature.cause)),
        ("impact", json!(signature.impact)),
        ("mitigation", json!(signature.mitigation)),
        ("references", json!(signature.references)),
        ("tags", json!(signature.tags)),
        ("auto_tag", json!(extension.map(|e| &e.auto_tag))),
        ("fix", json!(extension.map(|e| &e.fix))),
        (
            "requires",
            json!(extension.and_then(|e| e.requires.as_ref())),
        ),
        (
            "source",
            json!(signature.rule.as_ref().map(|rule| &rule.source)),
        ),
        ("yaml", json!(entry.text)),
    ] {
        value[key] = more;
    }
    Ok(Answer(value))
}

fn none() -> AppError {
    AppError::not_found("signature")
}

async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<Change>,
) -> AppResult<Answer<Line>> {
    packs::set_status(&state, &caller, &id, change.status).await?;
    let loaded = state.bundles.signatures.current().await?;
    let entry: &Entry = loaded.find(&id).ok_or_else(none)?;
    Ok(Answer(overview::one(&state, entry).await?))
}

async fn list_suppressions(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> AppResult<Answer<SuppressionList>> {
    let id = super::name("signature", &id)?;
    let rows = suppressions::of_signature(&mut *state.db.read().await?, id).await?;
    let now = state.now_ms();
    let items = rows.into_iter().map(|row| SuppressionView::of(row, now));
    Ok(Answer(SuppressionList {
        items: items.collect(),
    }))
}

async fn suppress(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewSuppression>,
) -> AppResult<Response> {
    let path = format!("/api/v1/signatures/{id}/suppressions");
    let (key, known) = idempotency::begin(&state, &caller, &headers, &path, &body).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let loaded = state.bundles.signatures.current().await?;
    loaded.find(&id).ok_or_else(none)?;
    let row = feedback::suppress(&state, &caller, &id, &body).await?;
    let view = SuppressionView::of(row, state.now_ms());
    idempotency::answer(&state, key, StatusCode::CREATED, &view).await
}

async fn unsuppress(
    State(state): State<AppState>,
    caller: Caller,
    Path((id, suppression)): Path<(String, String)>,
) -> AppResult<StatusCode> {
    let suppression = super::id("suppression", &suppression)?;
    let id = super::name("signature", &id)?;
    feedback::unsuppress(&state, &caller, id, &suppression).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sources(State(state): State<AppState>) -> AppResult<Response> {
    let text = crate::db::settings::find(&mut *state.db.read().await?, SOURCES).await?;
    let headers = [(header::CONTENT_TYPE, "application/yaml")];
    Ok((headers, text.unwrap_or_default()).into_response())
}

async fn set_sources(
    State(state): State<AppState>,
    caller: Caller,
    body: Bytes,
) -> AppResult<StatusCode> {
    packs::set_sources(&state, &caller, yaml(&body)?).await?;
    // What does not load with the built-in ones must be known now, not at the next bundle.
    state.bundles.signatures.current().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The status of a word in a form.
pub(crate) fn status(text: &str) -> AppResult<Status> {
    catalogue::status(text)
        .ok_or_else(|| AppError::invalid("status", "is draft, shadow, live or retired"))
}
