//! What binds a ticket to others: merging, escalation, the customer's link; and statistics over many.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::tickets::{TicketView, view};
use crate::auth::Access;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::follow_up::NewFollowUp;
use crate::tickets::merge::{self, Relation};
use crate::tickets::stats::{self, Statistics};
use crate::tickets::{Caller, customer, follow_up, summary, undo};

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .post("/api/v1/tickets/{ticket}/main", Access::Engineer, relate)
        .doc(Op::new("Put a ticket under another one: a duplicate, or one of many with a problem").body::<Main>().returns::<TicketView>(200))
        .delete("/api/v1/tickets/{ticket}/main", Access::Engineer, part)
        .doc(Op::new("Take a ticket out from under another one").returns::<TicketView>(200))
        .post("/api/v1/tickets/{ticket}/follow-up", Access::Engineer, go_on)
        .doc(Op::new("Make a ticket that goes on from a closed one").body::<NewFollowUp>().returns::<TicketView>(201))
        .post("/api/v1/tickets/{ticket}/timeline/{event}/undo", Access::Engineer, take_back)
        .doc(Op::new("Take a change of the last day back, while what it made still stands").returns::<TicketView>(200))
        .post("/api/v1/tickets/{ticket}/escalation", Access::Engineer, escalate)
        .doc(Op::new("Hand a ticket to another group").body::<Escalation>().returns::<TicketView>(200))
        .post("/api/v1/tickets/{ticket}/links", Access::Engineer, link)
        .doc(Op::new("Make the link to the customer's page; it is shown this once").returns::<LinkMade>(201))
        .delete("/api/v1/tickets/{ticket}/links", Access::Engineer, revoke)
        .doc(Op::new("Revoke all links to the customer's page").empty(204))
        .get("/api/v1/stats", Access::Viewer, statistics)
        .doc(Op::new("Statistics of the tickets created in a span").query::<SpanQuery>().returns::<Statistics>(200))
        .get("/api/v1/stats.csv", Access::Viewer, csv)
        .doc(Op::new("The tickets created in a span, a line each").query::<SpanQuery>().raw(200, "text/csv"))
}

/// The ticket that goes on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Main {
    /// Its key.
    main: String,
    /// What this one is to it.
    relation: Relation,
}

async fn relate(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(body): Json<Main>,
) -> AppResult<axum::Json<TicketView>> {
    let row = merge::relate(&state, &caller, &ticket, &body.main, body.relation).await?;
    view(&state, row).await
}

async fn part(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<TicketView>> {
    let row = merge::part(&state, &caller, &ticket).await?;
    view(&state, row).await
}

async fn go_on(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(body): Json<NewFollowUp>,
) -> AppResult<(StatusCode, axum::Json<TicketView>)> {
    let row = follow_up::create(&state, &caller, &ticket, &body).await?;
    Ok((StatusCode::CREATED, view(&state, row).await?))
}

async fn take_back(
    State(state): State<AppState>,
    caller: Caller,
    Path((ticket, event)): Path<(String, String)>,
) -> AppResult<axum::Json<TicketView>> {
    let event = super::id("change that can be taken back", &event)?;
    let row = undo::undo(&state, &caller, &ticket, &event).await?;
    view(&state, row).await
}

/// Who is asked what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Escalation {
    /// The other group.
    #[schema(min_length = 1, max_length = 80)]
    team: String,
    /// What they are to answer.
    #[schema(min_length = 1, max_length = 5_000)]
    question: String,
}

async fn escalate(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(body): Json<Escalation>,
) -> AppResult<axum::Json<TicketView>> {
    let what = (&*body.team, &*body.question);
    let row = summary::escalate(&state, &caller, &ticket, what).await?;
    view(&state, row).await
}

/// A new link.
#[derive(Serialize, ToSchema)]
struct LinkMade {
    /// The customer's page.
    link: String,
    expires_ms: i64,
}

async fn link(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> AppResult<(StatusCode, axum::Json<LinkMade>)> {
    let (row, code) = customer::link(&state, &caller, &ticket).await?;
    let made = LinkMade {
        link: format!("{}/t/{}", state.base_url, code.canonical()),
        expires_ms: row.expires_ms,
    };
    Ok((StatusCode::CREATED, axum::Json(made)))
}

async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
) -> AppResult<StatusCode> {
    customer::revoke_links(&state, &caller, &ticket).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A span of time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SpanQuery {
    /// Start, UTC milliseconds; 90 days ago when absent.
    #[serde(default)]
    from_ms: Option<i64>,
    /// End, UTC milliseconds, not included; now when absent.
    #[serde(default)]
    to_ms: Option<i64>,
}

impl SpanQuery {
    /// Start and end.
    pub fn span(&self, now: i64) -> AppResult<(i64, i64)> {
        let to = self.to_ms.unwrap_or(now);
        let from = self.from_ms.unwrap_or(to.saturating_sub(90 * 86_400_000));
        if from > to {
            return Err(AppError::bad_request("from_ms must not be after to_ms"));
        }
        Ok((from, to))
    }
}

async fn statistics(
    State(state): State<AppState>,
    Query(query): Query<SpanQuery>,
) -> AppResult<axum::Json<Statistics>> {
    let (from, to) = query.span(state.now_ms())?;
    Ok(axum::Json(stats::of_span(&state, from, to).await?))
}

async fn csv(State(state): State<AppState>, Query(query): Query<SpanQuery>) -> AppResult<Response> {
    let (from, to) = query.span(state.now_ms())?;
    let text = stats::csv(&state, from, to).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"tickets.csv\"",
        ),
    ];
    Ok((headers, text).into_response())
}
