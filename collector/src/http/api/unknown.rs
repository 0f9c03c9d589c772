//! Unknown errors of a bundle, similar tickets, and what people say about findings.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::bundles::load;
use super::idempotency;
use crate::auth::Access;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::signatures::feedback::{self, Judgement};
use crate::signatures::similar::{self, Similar};
use crate::signatures::unknown::{self, Unknown};
use crate::state::AppState;
use crate::tickets::{self, Caller};

/// The routes. Lines of a bundle are content: for engineers.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/unknown-errors", Access::Engineer, of_bundle)
        .doc(Op::new("Error lines of a bundle that no signature explains, the most unusual first").returns::<UnknownList>(200))
        .get("/api/v1/bundles/{id}/unknown-errors/{template}/draft", Access::Engineer, draft)
        .doc(Op::new("Draft a signature from an unknown error").raw(200, "application/yaml").fails(&[422]))
        .post("/api/v1/unknown-errors/{template}/ignore", Access::Engineer, ignore)
        .doc(Op::new("Leave an unknown error out from now on").body::<Ignored>().empty(204))
        .get("/api/v1/tickets/{ticket}/similar", Access::Viewer, similar_to)
        .doc(Op::new("Tickets that share findings or unknown errors, and which").returns::<SimilarList>(200))
        .post("/api/v1/findings/{id}/verdict", Access::Engineer, judge)
        .doc(Op::new("Confirm or dismiss a finding").body::<Judgement>().idempotent().returns::<JudgedView>(200))
}

/// Unknown errors.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct UnknownList {
    /// At most 20.
    items: Vec<Unknown>,
}

/// Similar tickets.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SimilarList {
    /// At most 10, best first.
    items: Vec<Similar>,
}

/// A finding after a judgement.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct JudgedView {
    /// The finding.
    id: String,
    /// Its signature.
    signature_id: String,
    /// confirmed, dismissed or none.
    verdict: Option<String>,
    /// Why it was dismissed.
    reason: Option<String>,
    /// Whether the customer may see it and the ticket acts upon it.
    stands: bool,
}

async fn of_bundle(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> AppResult<Answer<UnknownList>> {
    let (_, row) = load(&state.bundles, &id).await?;
    let items = unknown::of_bundle(&mut *state.db.read().await?, &row.id).await?;
    Ok(Answer(UnknownList { items }))
}

async fn draft(
    State(state): State<AppState>,
    Path((id, template)): Path<(String, String)>,
) -> AppResult<Response> {
    let yaml = drafted(&state, &id, &template).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/yaml".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"draft.yaml\"".to_owned(),
        ),
    ];
    Ok((headers, yaml).into_response())
}

/// The draft of a signature from an unknown error of a bundle.
pub(crate) async fn drafted(state: &AppState, id: &str, template: &str) -> AppResult<String> {
    let (_, row) = load(&state.bundles, id).await?;
    let template = super::name("unknown error in this bundle", template)?;
    let made = unknown::draft(&mut *state.db.read().await?, &row.id, template).await?;
    let made = made.ok_or_else(|| AppError::not_found("unknown error in this bundle"))?;
    made.map_err(|error| {
        AppError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no_draft",
            sitrep_shared::error::chain(&error),
        )
    })
}

/// Why an unknown error is left out.
#[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Ignored {
    /// For those who wonder later.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

async fn ignore(
    State(state): State<AppState>,
    caller: Caller,
    Path(template): Path<String>,
    Json(body): Json<Ignored>,
) -> AppResult<StatusCode> {
    let template = super::name("unknown error", &template)?;
    unknown::ignore(&state, &caller, template, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn similar_to(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<Answer<SimilarList>> {
    let ticket = tickets::load(&state, &ticket).await?;
    let items = similar::of_ticket(&mut *state.db.read().await?, &ticket.id).await?;
    Ok(Answer(SimilarList { items }))
}

async fn judge(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Judgement>,
) -> AppResult<Response> {
    let path = format!("/api/v1/findings/{id}/verdict");
    let (key, known) = idempotency::begin(&state, &caller, &headers, &path, &body).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let id = super::id("finding", &id)?;
    let row = feedback::judge(&state, &caller, &id, &body).await?;
    let view = JudgedView {
        stands: row.stands(),
        id: row.id,
        signature_id: row.signature_id,
        verdict: row.verdict,
        reason: row.verdict_reason,
    };
    idempotency::answer(&state, key, StatusCode::OK, &view).await
}
