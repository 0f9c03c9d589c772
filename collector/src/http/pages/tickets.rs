//! The queue, and the intake of a new ticket.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::Access;
use crate::db::tickets::{Filter, list as list_rows};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::api::tickets::{cursor, parse_cursor};
use crate::http::extract::{Form, Query};
use crate::state::AppState;
use crate::tickets::model::{Impact, Status, Urgency};
use crate::tickets::{self, Caller, NewTicket};

/// Tickets on a page.
const PAGE: usize = 50;

struct Top {
    severity: String,
    title: String,
}

struct TicketLine {
    id: String,
    key: String,
    title: String,
    customer: String,
    status: String,
    updated: String,
    top: Option<Top>,
    completeness: Option<String>,
}

#[derive(Template)]
#[template(path = "tickets.html")]
struct TicketsPage {
    frame: Frame,
    status: String,
    query: String,
    statuses: Vec<&'static str>,
    tickets: Vec<TicketLine>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    status: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
struct TicketForm {
    #[serde(default)]
    title: String,
    #[serde(default)]
    customer: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    expected: String,
    #[serde(default)]
    happened: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    error_text: String,
    #[serde(default)]
    changed: String,
    #[serde(default)]
    tried: String,
    #[serde(default)]
    impact: String,
    #[serde(default)]
    urgency: String,
}

#[derive(Template)]
#[template(path = "ticket_new.html")]
struct NewPage {
    frame: Frame,
    problem: String,
    form: TicketForm,
    levels: [&'static str; 3],
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/tickets", Access::Viewer, list)
        .get("/tickets/new", Access::Engineer, new)
        .post("/tickets", Access::Engineer, create)
}

async fn list(
    State(state): State<AppState>,
    frame: Frame,
    Query(query): Query<ListQuery>,
) -> AppResult<Response> {
    let status = Status::parse(&query.status).map(Status::word);
    let text = query.q.replace('\0', "");
    let filter = Filter {
        status: status.map(str::to_owned),
        text: Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        after: query.cursor.as_deref().map(parse_cursor).transpose()?,
        limit: i64::try_from(PAGE + 1).unwrap_or(i64::MAX),
        ..Filter::default()
    };
    let mut conn = state.db.read().await?;
    let mut rows = list_rows(&mut conn, &filter).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next_cursor = if more { rows.last().map(cursor) } else { None };
    let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
    let briefs = crate::db::overview::of_tickets(&mut conn, &ids).await?;
    drop(conn);
    let tickets = rows
        .into_iter()
        .map(|row| {
            let brief = briefs.get(&row.id);
            TicketLine {
                key: tickets::key(&row),
                id: tickets::key(&row),
                title: row.title,
                customer: row.customer,
                status: row.status,
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
        status: status.unwrap_or_default().to_owned(),
        query: text,
        statuses: Status::ALL.iter().map(|s| s.word()).collect(),
        tickets,
        next_cursor,
    })
}

const LEVELS: [&str; 3] = ["high", "medium", "low"];

async fn new(frame: Frame) -> AppResult<Response> {
    let form = TicketForm {
        impact: "medium".to_owned(),
        urgency: "medium".to_owned(),
        ..TicketForm::default()
    };
    super::html(&NewPage {
        frame,
        problem: String::new(),
        form,
        levels: LEVELS,
    })
}

async fn create(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<TicketForm>,
) -> AppResult<Response> {
    let typed = form.clone();
    let ticket = NewTicket {
        title: form.title,
        customer: form.customer,
        contact: form.contact,
        expected: form.expected,
        happened: form.happened,
        since: form.since,
        error_text: form.error_text,
        changed: form.changed,
        tried: form.tried,
        impact: Impact::parse(&form.impact),
        urgency: Urgency::parse(&form.urgency),
        ..NewTicket::default()
    };
    match tickets::create(&state, &caller, &ticket).await {
        Ok(row) => Ok(Redirect::to(&format!("/tickets/{}", tickets::key(&row))).into_response()),
        Err(error) if error.status().is_client_error() => {
            let page = NewPage {
                frame,
                problem: error.detail().to_owned(),
                form: typed,
                levels: LEVELS,
            };
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}
