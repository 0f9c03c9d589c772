//! Tickets: create, list, show, change.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::idempotency;
use crate::auth::Access;
use crate::db::lifecycle::{self, LifeRow};
use crate::db::tickets::{Filter, TicketRow, list as list_rows, tags as tag_rows};
use crate::db::{timeline, users};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::lifecycle::due;
use crate::tickets::model::Status;
use crate::tickets::{self, Caller, Change, NewTicket};

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct TicketView {
    id: String,
    /// `TKT-1042`.
    key: String,
    title: String,
    status: String,
    priority: String,
    impact: String,
    urgency: String,
    customer: String,
    contact: String,
    language: String,
    product: String,
    category: String,
    expected: String,
    happened: String,
    since: String,
    error_text: String,
    changed: String,
    tried: String,
    /// Name of the owner.
    owner: Option<String>,
    created_by: String,
    created_ms: i64,
    updated_ms: i64,
    closed_ms: Option<i64>,
    /// Worst finding of the bundles, as `SIG-0001 title`.
    top_finding: Option<String>,
    tags: Vec<String>,
    /// Group that works on it.
    team: String,
    /// How the customer is spoken to: `plain` or `expert`.
    audience: String,
    /// What the customer is told comes next.
    next_step: String,
    /// By when.
    promised_ms: Option<i64>,
    /// What is left to the first answer; absent when it was given.
    reply_left_ms: Option<i64>,
    /// What is left of our time to a proposed fix; absent when one is proposed.
    solve_left_ms: Option<i64>,
    /// Whether the clock pauses.
    paused: bool,
    cause: String,
    resolution: String,
    closing_note: String,
    /// How often it was opened again.
    reopened: i64,
    /// `good` or `bad`, as the customer said.
    satisfaction: Option<String>,
    /// Id of the ticket it belongs to.
    main_id: Option<String>,
    /// As what: `duplicate` or `problem`.
    relation: Option<String>,
    /// Id of the closed ticket that it goes on from.
    follows_id: Option<String>,
}

impl TicketView {
    /// A row with its tags and its life.
    pub fn new(row: TicketRow, tags: Vec<String>, life: LifeRow, now: i64) -> Self {
        let due = due(&row, &life, now);
        Self {
            team: life.team,
            audience: life.audience,
            next_step: life.next_step,
            promised_ms: life.promised_ms,
            reply_left_ms: due.reply_ms,
            solve_left_ms: due.solve_ms,
            paused: due.paused,
            cause: life.cause,
            resolution: life.resolution,
            closing_note: life.closing_note,
            reopened: life.reopened,
            satisfaction: life.satisfaction,
            main_id: life.main_id,
            relation: life.relation,
            follows_id: life.follows_id,
            key: tickets::key(&row),
            id: row.id,
            title: row.title,
            status: row.status,
            priority: row.priority,
            impact: row.impact,
            urgency: row.urgency,
            customer: row.customer,
            contact: row.contact,
            language: row.language,
            product: row.product,
            category: row.category,
            expected: row.expected,
            happened: row.happened,
            since: row.since,
            error_text: row.error_text,
            changed: row.changed,
            tried: row.tried,
            owner: row.owner_name,
            created_by: row.created_by,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            closed_ms: row.closed_ms,
            top_finding: row.top_finding,
            tags,
        }
    }
}

/// A page of tickets.
#[derive(Serialize, ToSchema)]
struct TicketList {
    items: Vec<TicketView>,
    /// Pass as `cursor` for the next page; absent on the last one.
    next_cursor: Option<String>,
}

/// An event of the timeline.
#[derive(Serialize, ToSchema)]
pub struct EventView {
    id: String,
    at_ms: i64,
    /// `created`, `note`, `status`, `code`, `bundle`, `findings` …
    kind: String,
    /// Whether the customer may see it.
    public: bool,
    actor: String,
    body: String,
    /// Further values, by kind: `bundle`, `from`, `to`, `outcome` …
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

impl From<timeline::EventRow> for EventView {
    fn from(row: timeline::EventRow) -> Self {
        Self {
            id: row.id,
            at_ms: row.at_ms,
            kind: row.kind,
            public: row.public == 1,
            actor: row.actor_name,
            body: row.body,
            data: serde_json::from_str(&row.data).unwrap_or_default(),
        }
    }
}

/// The timeline, oldest first.
#[derive(Serialize, ToSchema)]
struct Timeline {
    items: Vec<EventView>,
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only this status.
    #[serde(default)]
    #[param(inline)]
    status: Option<Status>,
    /// Only with this tag.
    #[serde(default)]
    tag: Option<String>,
    /// Only of the owner with this login.
    #[serde(default)]
    owner: Option<String>,
    /// Only of this group.
    #[serde(default)]
    team: Option<String>,
    /// Only with this text in title, customer, error text or top finding.
    #[serde(default)]
    q: Option<String>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Tickets on a page.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/tickets", Access::Viewer, list)
        .doc(
            Op::new("List tickets, latest change first")
                .query::<ListQuery>()
                .returns::<TicketList>(200),
        )
        .post("/api/v1/tickets", Access::Engineer, create)
        .doc(
            Op::new("Create a ticket")
                .body::<NewTicket>()
                .idempotent()
                .returns::<TicketView>(201),
        )
        .get("/api/v1/tickets/{ticket}", Access::Viewer, show)
        .doc(Op::new("Show a ticket, by key or id").returns::<TicketView>(200))
        .patch("/api/v1/tickets/{ticket}", Access::Engineer, change)
        .doc(
            Op::new("Change status, priority, owner or tags")
                .body::<Change>()
                .returns::<TicketView>(200),
        )
        .get(
            "/api/v1/tickets/{ticket}/timeline",
            Access::Viewer,
            timeline_of,
        )
        .doc(Op::new("Read a ticket's timeline").returns::<Timeline>(200))
}

/// The cursor after a row.
pub fn cursor(row: &TicketRow) -> String {
    format!("{}.{}", row.updated_ms, row.number)
}

/// Reads a cursor.
pub fn parse_cursor(text: &str) -> AppResult<(i64, i64)> {
    let parts = text
        .split_once('.')
        .and_then(|(ms, number)| Some((ms.parse().ok()?, number.parse().ok()?)));
    parts.ok_or_else(|| AppError::bad_request("cursor: take it from the page before"))
}

async fn list(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> AppResult<axum::Json<TicketList>> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(AppError::bad_request("limit must be 1 to 200"));
    }
    let mut conn = state.db.read().await?;
    let plain = |t: Option<String>| t.map(|t| t.replace('\0', "")).filter(|t| !t.is_empty());
    let owner_id = match plain(query.owner) {
        Some(login) => Some(
            users::find_by_login(&mut conn, &login.to_lowercase())
                .await?
                .map_or_else(|| "nobody of this login".to_owned(), |u| u.id),
        ),
        None => None,
    };
    let filter = Filter {
        status: query.status.map(|s| s.word().to_owned()),
        tag: plain(query.tag),
        owner_id,
        text: plain(query.q),
        team: plain(query.team),
        open: false,
        after: query.cursor.as_deref().map(parse_cursor).transpose()?,
        limit: limit + 1,
    };
    let mut rows = list_rows(&mut conn, &filter).await?;
    let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = if more { rows.last().map(cursor) } else { None };
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut lives = lifecycle::of_tickets(&mut conn, &ids).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let tags = tag_rows(&mut conn, &row.id).await?;
        let life = lives.remove(&row.id).unwrap_or_default();
        let tags = tags.into_iter().map(|t| t.0).collect();
        items.push(TicketView::new(row, tags, life, state.now_ms()));
    }
    Ok(axum::Json(TicketList { items, next_cursor }))
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<NewTicket>,
) -> AppResult<Response> {
    let (key, known) =
        idempotency::begin(&state, &caller, &headers, "/api/v1/tickets", &body).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let row = tickets::create(&state, &caller, &body).await?;
    let axum::Json(view) = view(&state, row).await?;
    idempotency::answer(&state, key, StatusCode::CREATED, &view).await
}

/// A ticket as the API shows it.
pub(super) async fn view(state: &AppState, row: TicketRow) -> AppResult<axum::Json<TicketView>> {
    let mut conn = state.db.read().await?;
    let tags = tag_rows(&mut conn, &row.id).await?;
    let life = lifecycle::find(&mut conn, &row.id).await?;
    let tags = tags.into_iter().map(|t| t.0).collect();
    let now = state.now_ms();
    Ok(axum::Json(TicketView::new(
        row,
        tags,
        life.unwrap_or_default(),
        now,
    )))
}

async fn show(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<TicketView>> {
    let row = tickets::load(&state, &ticket).await?;
    view(&state, row).await
}

async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(ticket): Path<String>,
    Json(body): Json<Change>,
) -> AppResult<axum::Json<TicketView>> {
    let row = tickets::change(&state, &caller, &ticket, &body).await?;
    view(&state, row).await
}

async fn timeline_of(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<axum::Json<Timeline>> {
    let row = tickets::load(&state, &ticket).await?;
    let rows = timeline::list(&mut *state.db.read().await?, &row.id).await?;
    Ok(axum::Json(Timeline {
        items: rows.into_iter().map(EventView::from).collect(),
    }))
}
