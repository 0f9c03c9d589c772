//! Upload codes of a ticket, and what a code says to who holds it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::auth::Access;
use crate::db::codes::{CodeRow, list as list_rows};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::codes::{self, CodeGrant, NewCode};
use crate::tickets::{self, Caller};
use sitrep_shared::ids::UploadTarget;

/// A code, without its secret.
#[derive(Serialize, ToSchema)]
struct CodeView {
    id: String,
    /// First four characters, to recognise it.
    selector: String,
    profile: String,
    since: Option<String>,
    requested_by: String,
    created_ms: i64,
    expires_ms: i64,
    max_bytes: i64,
    max_bundles: i64,
    used_bundles: i64,
    revoked_ms: Option<i64>,
}

impl From<CodeRow> for CodeView {
    fn from(row: CodeRow) -> Self {
        Self {
            id: row.id,
            selector: row.selector,
            profile: row.profile,
            since: row.since,
            requested_by: row.requested_by,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            max_bytes: row.max_bytes,
            max_bundles: row.max_bundles,
            used_bundles: row.used_bundles,
            revoked_ms: row.revoked_ms,
        }
    }
}

/// Codes of a ticket, newest first.
#[derive(Serialize, ToSchema)]
struct CodeList {
    items: Vec<CodeView>,
}

/// A code that was just made.
#[derive(Serialize, ToSchema)]
struct CodeMade {
    /// The code itself, shown once.
    code: String,
    /// The customer's page.
    link: String,
    /// The line for the customer to run.
    command: String,
    info: CodeView,
}

/// What a code tells its holder (`sitrep.code/1`).
#[derive(Serialize, ToSchema)]
#[allow(
    dead_code,
    reason = "describes what `protocol::CodeInfo` serialises to"
)]
struct CodeInfo {
    schema: String,
    ticket: TicketName,
    requested_by: Option<String>,
    profile: String,
    since: Option<String>,
    expires_ms: i64,
    max_bytes: u64,
    uploads_left: u32,
    collector_name: String,
    age_recipient: Option<String>,
}

/// Name and title of a ticket.
#[derive(Serialize, ToSchema)]
struct TicketName {
    key: String,
    title: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/tickets/{ticket}/codes", Access::Engineer, list)
        .doc(Op::new("List a ticket's upload codes").returns::<CodeList>(200))
        .post("/api/v1/tickets/{ticket}/codes", Access::Engineer, create)
        .doc(
            Op::new("Make an upload code")
                .body::<NewCode>()
                .returns::<CodeMade>(201),
        )
        .delete(
            "/api/v1/tickets/{ticket}/codes/{id}",
            Access::Engineer,
            revoke,
        )
        .doc(Op::new("Revoke an upload code").empty(204))
        .get("/api/v1/upload-code", Access::Uploader, info)
        .doc(Op::new("What the upload code asks for").returns::<CodeInfo>(200))
}

async fn list(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<CodeList>> {
    let ticket = tickets::load(&state, &ticket).await?;
    let rows = list_rows(&mut *state.db.read().await?, &ticket.id).await?;
    Ok(axum::Json(CodeList {
        items: rows.into_iter().map(CodeView::from).collect(),
    }))
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(body): Json<NewCode>,
) -> AppResult<(StatusCode, axum::Json<CodeMade>)> {
    let (row, code) = codes::create(&state, &caller, &ticket, &body).await?;
    let link = UploadTarget::link(&state.base_url, &code);
    let made = CodeMade {
        code: code.canonical(),
        command: format!("sitrep run {link}"),
        link,
        info: row.into(),
    };
    Ok((StatusCode::CREATED, axum::Json(made)))
}

async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path((ticket, id)): Path<(String, String)>,
) -> AppResult<StatusCode> {
    let id = super::id("upload code", &id)?;
    codes::revoke(&state, &caller, &ticket, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn info(
    State(state): State<AppState>,
    grant: Option<axum::Extension<CodeGrant>>,
) -> AppResult<Response> {
    let Some(axum::Extension(grant)) = grant else {
        return Err(AppError::unauthenticated());
    };
    let info = codes::info(&state, &grant).await?;
    Ok(axum::Json(json!(info)).into_response())
}
