//! The queue: tickets in views, narrowed by words, group and tag.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::ticket::view::{DueView, due};
use super::{Frame, time};
use crate::auth::{Access, Actor};
use crate::db::lifecycle;
use crate::db::tickets::{Filter, list as list_rows};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::tickets::{cursor, parse_cursor};
use crate::http::extract::Query;
use crate::state::AppState;
use crate::tickets;
use crate::tickets::model::Status;

/// Tickets on a page.
const PAGE: usize = 50;
/// Views of the queue, and the key of their name.
const VIEWS: [(&str, &str); 7] = [
    ("open", "tickets.all_open"),
    ("mine", "tickets.mine"),
    ("unassigned", "tickets.unassigned"),
    ("waiting", "tickets.waiting"),
    ("solved", "tickets.solved"),
    ("closed", "tickets.closed"),
    ("all", "tickets.everything"),
];

struct Top {
    severity: String,
    title: String,
}

struct TicketLine {
    key: String,
    title: String,
    customer: String,
    status: String,
    priority: String,
    owner: String,
    team: String,
    due: DueView,
    updated: String,
    top: Option<Top>,
    completeness: Option<String>,
}

#[derive(Template)]
#[template(path = "tickets.html")]
struct TicketsPage {
    frame: Frame,
    view: &'static str,
    views: [(&'static str, &'static str); 7],
    query: String,
    team: String,
    tag: String,
    teams: Vec<String>,
    tickets: Vec<TicketLine>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    view: String,
    /// Of addresses from before there were views.
    #[serde(default)]
    status: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    team: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    cursor: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default().get("/tickets", Access::Viewer, list)
}

/// What a view narrows the queue to.
fn filter(view: &str, query: &ListQuery, actor: &Actor) -> AppResult<Filter> {
    let some =
        |text: &str| Some(text.replace('\0', "").trim().to_owned()).filter(|t| !t.is_empty());
    let status = match view {
        "waiting" => Some(Status::Waiting),
        "solved" => Some(Status::Solved),
        "closed" => Some(Status::Closed),
        _ => Status::parse(&query.status),
    };
    let owner_id = match view {
        "mine" => actor.person().map(|person| person.id.clone()),
        "unassigned" => Some(String::new()),
        _ => None,
    };
    Ok(Filter {
        status: status.map(|status| status.word().to_owned()),
        tag: some(&query.tag),
        owner_id,
        team: some(&query.team),
        open: matches!(view, "open" | "mine" | "unassigned") && status.is_none(),
        text: some(&query.q),
        after: query.cursor.as_deref().map(parse_cursor).transpose()?,
        limit: i64::try_from(PAGE + 1).unwrap_or(i64::MAX),
    })
}

async fn list(
    State(state): State<AppState>,
    frame: Frame,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> AppResult<Response> {
    let named = VIEWS.into_iter().find(|(word, _)| *word == query.view);
    let view = named.map_or("open", |(word, _)| word);
    let filter = filter(view, &query, &actor)?;
    let mut conn = state.db.read().await?;
    let mut rows = list_rows(&mut conn, &filter).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next_cursor = if more { rows.last().map(cursor) } else { None };
    let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
    let briefs = crate::db::overview::of_tickets(&mut conn, &ids).await?;
    let mut lives = lifecycle::of_tickets(&mut conn, &ids).await?;
    let teams = lifecycle::teams(&mut conn).await?;
    drop(conn);
    let now = state.now_ms();
    let tickets = rows
        .into_iter()
        .map(|row| {
            let brief = briefs.get(&row.id);
            let life = lives.remove(&row.id).unwrap_or_default();
            TicketLine {
                key: tickets::key(&row),
                due: due(&frame, &row, &life, now),
                title: row.title,
                customer: row.customer,
                status: row.status,
                priority: row.priority,
                owner: row.owner_name.unwrap_or_default(),
                team: life.team,
                updated: time(row.updated_ms),
                top: brief
                    .and_then(|b| b.finding.clone())
                    .map(|(severity, title)| Top { severity, title }),
                completeness: brief.and_then(|b| b.completeness.clone()),
            }
        })
        .collect();
    super::html(&TicketsPage {
        frame,
        view,
        views: VIEWS,
        query: query.q,
        team: query.team,
        tag: query.tag,
        teams,
        tickets,
        next_cursor,
    })
}
