//! `/api/v1/tickets/{ticket}/hold`, `/api/v1/bundles/{id}/hold`: legal holds.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Access;
use crate::db::holds::HoldRow;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::holds::{self, Held};

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/tickets/{ticket}/holds", Access::Viewer, list)
        .doc(Op::new("The legal holds on a ticket and its bundles").returns::<Holds>(200))
        .post("/api/v1/tickets/{ticket}/hold", Access::Lead, hold_ticket)
        .doc(Op::new("Put all bundles of a ticket on legal hold, those to come too").body::<Why>().returns::<HoldView>(201).fails(&[409]))
        .post("/api/v1/tickets/{ticket}/hold/lift", Access::Lead, lift_ticket)
        .doc(Op::new("Lift the legal hold of a ticket").body::<Why>().empty(204))
        .post("/api/v1/bundles/{id}/hold", Access::Lead, hold_bundle)
        .doc(Op::new("Put a bundle on legal hold").body::<Why>().returns::<HoldView>(201).fails(&[409]))
        .post("/api/v1/bundles/{id}/hold/lift", Access::Lead, lift_bundle)
        .doc(Op::new("Lift the legal hold of a bundle").body::<Why>().empty(204))
}

/// Why a hold is placed or lifted: kept in the audit log.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// The reason.
    #[schema(min_length = 1, max_length = 1_000)]
    reason: String,
}

/// A legal hold in force.
#[derive(Serialize, ToSchema)]
struct HoldView {
    /// `ticket:<id>` or `bundle:<id>`.
    subject: String,
    /// Why.
    reason: String,
    /// Who placed it.
    placed_by: String,
    /// When, UTC milliseconds.
    placed_ms: i64,
}

/// Legal holds in force.
#[derive(Serialize, ToSchema)]
struct Holds {
    /// Oldest first.
    items: Vec<HoldView>,
}

fn view(row: HoldRow) -> HoldView {
    HoldView {
        subject: row.subject,
        reason: row.reason,
        placed_by: row.placed_by,
        placed_ms: row.placed_ms,
    }
}

async fn list(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<Holds>> {
    let rows = holds::list(&state, &ticket).await?;
    let items = rows.into_iter().map(view).collect();
    Ok(axum::Json(Holds { items }))
}

type Placed = AppResult<(StatusCode, axum::Json<HoldView>)>;

async fn place(state: &AppState, caller: &Caller, held: Held<'_>, why: &Why) -> Placed {
    let row = holds::place(state, caller, held, &why.reason).await?;
    Ok((StatusCode::CREATED, axum::Json(view(row))))
}

async fn lift(
    state: &AppState,
    caller: &Caller,
    held: Held<'_>,
    why: &Why,
) -> AppResult<StatusCode> {
    holds::lift(state, caller, held, &why.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn hold_ticket(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(why): Json<Why>,
) -> Placed {
    place(&state, &caller, Held::Ticket(&ticket), &why).await
}

async fn hold_bundle(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(why): Json<Why>,
) -> Placed {
    let id = super::id("bundle", &id)?;
    place(&state, &caller, Held::Bundle(&id), &why).await
}

async fn lift_ticket(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(why): Json<Why>,
) -> AppResult<StatusCode> {
    lift(&state, &caller, Held::Ticket(&ticket), &why).await
}

async fn lift_bundle(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(why): Json<Why>,
) -> AppResult<StatusCode> {
    let id = super::id("bundle", &id)?;
    lift(&state, &caller, Held::Bundle(&id), &why).await
}
