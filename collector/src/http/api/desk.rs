//! Diagnosis and solution of a ticket: attempts, pinned lines, proposed solutions, known issues, summary.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::idempotency;
use crate::auth::Access;
use crate::db::diagnosis::{self as rows, AttemptRow, PinRow};
use crate::db::solutions::{self, SolutionRow};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Json, Path, Query};
use crate::http::openapi::Op;
use crate::knowledge::known::{self, Known};
use crate::state::AppState;
use crate::tickets::diagnosis::{self, Attempt, NewPin};
use crate::tickets::solution::{self, Outcome, Solution};
use crate::tickets::{self, Caller, Opened};

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/tickets/{ticket}/attempts", Access::Viewer, attempts)
        .doc(Op::new("List what was tried").returns::<AttemptList>(200))
        .post("/api/v1/tickets/{ticket}/attempts", Access::Engineer, attempt)
        .doc(Op::new("Note an attempt").body::<Attempt>().idempotent().returns::<AttemptView>(201))
        .patch("/api/v1/tickets/{ticket}/attempts/{id}", Access::Engineer, change_attempt)
        .doc(Op::new("Note what came of an attempt").body::<Attempt>().returns::<AttemptView>(200))
        .get("/api/v1/tickets/{ticket}/pins", Access::Engineer, pins)
        .doc(Op::new("List pinned lines").returns::<PinList>(200))
        .post("/api/v1/tickets/{ticket}/pins", Access::Engineer, pin)
        .doc(Op::new("Pin a line of a bundle").body::<NewPin>().returns::<PinView>(201))
        .delete("/api/v1/tickets/{ticket}/pins/{id}", Access::Engineer, unpin)
        .doc(Op::new("Take a pin off").empty(204))
        .get("/api/v1/tickets/{ticket}/solutions", Access::Viewer, proposed)
        .doc(Op::new("List proposed solutions, newest first").returns::<SolutionList>(200))
        .get("/api/v1/tickets/{ticket}/solutions/draft", Access::Engineer, draft)
        .doc(Op::new("Draft a solution in the customer's language and level").query::<DraftQuery>().returns::<Solution>(200))
        .post("/api/v1/tickets/{ticket}/solutions", Access::Engineer, propose)
        .doc(Op::new("Propose a solution to the customer").body::<Solution>().idempotent().returns::<SolutionView>(201))
        .post("/api/v1/tickets/{ticket}/solutions/{id}/outcome", Access::Engineer, outcome)
        .doc(Op::new("Note what the customer says about a solution").body::<Said>().empty(204))
        .get("/api/v1/tickets/{ticket}/summary", Access::Engineer, summary)
        .doc(Op::new("Facts, evidence and steps for a developer").raw(200, "text/markdown"))
        .post("/api/v1/known-issues", Access::Engineer, known_issues)
        .doc(Op::new("Known issues that look like the text of an error").body::<Pasted>().returns::<Known>(200))
}

/// An attempt.
#[derive(Serialize, ToSchema)]
struct AttemptView {
    id: String,
    hypothesis: String,
    action: String,
    result: String,
    /// `open`, `confirmed` or `refuted`.
    state: String,
    made_by: String,
    created_ms: i64,
    updated_ms: i64,
}

impl From<AttemptRow> for AttemptView {
    fn from(row: AttemptRow) -> Self {
        Self {
            id: row.id,
            hypothesis: row.hypothesis,
            action: row.action,
            result: row.result,
            state: row.state,
            made_by: row.made_by,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
        }
    }
}

/// Attempts, oldest first.
#[derive(Serialize, ToSchema)]
struct AttemptList {
    items: Vec<AttemptView>,
}

async fn attempts(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<AttemptList>> {
    let ticket = tickets::load(&state, &ticket).await?;
    let rows = rows::attempts(&mut *state.db.read().await?, &ticket.id).await?;
    let items = rows.into_iter().map(AttemptView::from).collect();
    Ok(axum::Json(AttemptList { items }))
}

async fn attempt(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Attempt>,
) -> AppResult<Response> {
    let path = format!("/api/v1/tickets/{ticket}/attempts");
    let (key, known) = idempotency::begin(&state, &caller, &headers, &path, &body).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let row = diagnosis::note_attempt(&state, &caller, &ticket, None, &body).await?;
    idempotency::answer(&state, key, StatusCode::CREATED, &AttemptView::from(row)).await
}

async fn change_attempt(
    State(state): State<AppState>,
    caller: Caller,
    Path((ticket, id)): Path<(String, String)>,
    Json(body): Json<Attempt>,
) -> AppResult<axum::Json<AttemptView>> {
    let id = super::id("attempt", &id)?;
    let row = diagnosis::note_attempt(&state, &caller, &ticket, Some(&id), &body).await?;
    Ok(axum::Json(row.into()))
}

/// A pinned line.
#[derive(Serialize, ToSchema)]
struct PinView {
    id: String,
    bundle: String,
    file: String,
    line: i64,
    text: String,
    note: String,
    pinned_by: String,
    created_ms: i64,
}

impl From<PinRow> for PinView {
    fn from(row: PinRow) -> Self {
        Self {
            id: row.id,
            bundle: row.bundle_id,
            file: row.file,
            line: row.line,
            text: row.text,
            note: row.note,
            pinned_by: row.pinned_by,
            created_ms: row.created_ms,
        }
    }
}

/// Pinned lines.
#[derive(Serialize, ToSchema)]
struct PinList {
    items: Vec<PinView>,
}

async fn pins(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<PinList>> {
    let ticket = tickets::load(&state, &ticket).await?;
    let rows = rows::pins(&mut *state.db.read().await?, &ticket.id).await?;
    let items = rows.into_iter().map(PinView::from).collect();
    Ok(axum::Json(PinList { items }))
}

async fn pin(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(body): Json<NewPin>,
) -> AppResult<(StatusCode, axum::Json<PinView>)> {
    let row = diagnosis::pin(&state, &caller, &ticket, &body).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

async fn unpin(
    State(state): State<AppState>,
    caller: Caller,
    Path((ticket, id)): Path<(String, String)>,
) -> AppResult<StatusCode> {
    let id = super::id("pin", &id)?;
    diagnosis::unpin(&state, &caller, &ticket, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A proposed solution.
#[derive(Serialize, ToSchema)]
struct SolutionView {
    id: String,
    /// `article:…`, `signature:…` or empty.
    source: String,
    title: String,
    steps: String,
    success: String,
    rollback: String,
    language: String,
    audience: String,
    proposed_by: String,
    created_ms: i64,
    /// `worked` or `failed`.
    outcome: Option<String>,
    outcome_note: String,
    outcome_ms: Option<i64>,
}

impl From<SolutionRow> for SolutionView {
    fn from(row: SolutionRow) -> Self {
        Self {
            id: row.id,
            source: row.source,
            title: row.title,
            steps: row.steps,
            success: row.success,
            rollback: row.rollback,
            language: row.language,
            audience: row.audience,
            proposed_by: row.proposed_by,
            created_ms: row.created_ms,
            outcome: row.outcome,
            outcome_note: row.outcome_note,
            outcome_ms: row.outcome_ms,
        }
    }
}

/// Proposed solutions.
#[derive(Serialize, ToSchema)]
struct SolutionList {
    items: Vec<SolutionView>,
}

async fn proposed(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<SolutionList>> {
    let ticket = tickets::load(&state, &ticket).await?;
    let rows = solutions::list(&mut *state.db.read().await?, &ticket.id).await?;
    let items = rows.into_iter().map(SolutionView::from).collect();
    Ok(axum::Json(SolutionList { items }))
}

/// What to draft from.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DraftQuery {
    /// `article:<short name>` or `signature:<id>`.
    source: String,
}

async fn draft(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
    Query(query): Query<DraftQuery>,
) -> AppResult<axum::Json<Solution>> {
    let source = super::name("source of a solution", &query.source)?;
    let opened = Opened::load(&mut *state.db.read().await?, &ticket).await?;
    let draft = solution::draft(&state, &opened, source).await?;
    Ok(axum::Json(draft))
}

async fn propose(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Solution>,
) -> AppResult<Response> {
    let path = format!("/api/v1/tickets/{ticket}/solutions");
    let (key, known) = idempotency::begin(&state, &caller, &headers, &path, &body).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let row = solution::propose(&state, &caller, &ticket, &body).await?;
    idempotency::answer(&state, key, StatusCode::CREATED, &SolutionView::from(row)).await
}

/// What the customer says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Whether it worked.
    outcome: Outcome,
    /// In their words.
    #[serde(default)]
    #[schema(max_length = 5_000)]
    note: String,
}

async fn outcome(
    State(state): State<AppState>,
    caller: Caller,
    Path((ticket, id)): Path<(String, String)>,
    Json(body): Json<Said>,
) -> AppResult<StatusCode> {
    let id = super::id("solution", &id)?;
    solution::judge(&state, &caller, (&ticket, &id), body.outcome, &body.note).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn summary(State(state): State<AppState>, Path(ticket): Path<String>) -> AppResult<Response> {
    let row = tickets::load(&state, &ticket).await?;
    let text = tickets::summary::of_ticket(&state, &row).await?;
    let headers = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
    Ok((headers, text).into_response())
}

/// A pasted text.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pasted {
    /// Lines of a log, or the text of a message.
    #[schema(max_length = 100_000)]
    text: String,
    /// Language of the titles: `en` or `zh-CN`.
    #[serde(default)]
    language: String,
}

async fn known_issues(
    State(state): State<AppState>,
    Json(body): Json<Pasted>,
) -> AppResult<axum::Json<Known>> {
    let text = tickets::text("text", &body.text, 0, 100_000)?;
    let language = solution::language_of(&body.language);
    Ok(axum::Json(known::look(&state, &text, language).await?))
}
