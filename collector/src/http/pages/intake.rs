//! The intake of a new ticket: the questions, the people, and what is known that looks like the error. Without script a
//! button looks it up; with it, the page asks while the text is typed.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Frame;
use crate::auth::{Access, Role, Roles};
use crate::db::{lifecycle, users};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::Form;
use crate::knowledge::known::{self, Known};
use crate::state::AppState;
use crate::tickets::model::{Audience, Impact, Urgency};
use crate::tickets::{self, Caller, NewTicket};

/// Levels of impact and urgency.
const LEVELS: [&str; 3] = ["high", "medium", "low"];

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct TicketForm {
    title: String,
    customer: String,
    contact: String,
    language: String,
    audience: String,
    product: String,
    category: String,
    team: String,
    owner: String,
    expected: String,
    happened: String,
    since: String,
    error_text: String,
    changed: String,
    tried: String,
    impact: String,
    urgency: String,
}

#[derive(Template)]
#[template(path = "ticket_new.html")]
struct NewPage {
    frame: Frame,
    problem: String,
    form: TicketForm,
    levels: [&'static str; 3],
    audiences: Vec<&'static str>,
    people: Vec<(String, String)>,
    teams: Vec<String>,
    known: Option<Known>,
}

#[derive(Template)]
#[template(path = "known.html")]
struct KnownPart {
    frame: Frame,
    known: Known,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/tickets/new", Access::Engineer, new)
        .post("/tickets", Access::Engineer, create)
        .post("/tickets/new", Access::Engineer, look)
        .post("/tickets/known", Access::Engineer, part)
}

async fn page(state: &AppState, frame: Frame, form: TicketForm) -> AppResult<NewPage> {
    let mut conn = state.db.read().await?;
    let people = users::list(&mut conn).await?;
    let able = people
        .into_iter()
        .filter(|u| u.disabled == 0 && Roles::parse(&u.roles).allow(Role::Engineer));
    Ok(NewPage {
        frame,
        problem: String::new(),
        form,
        levels: LEVELS,
        audiences: Audience::ALL.iter().map(|a| a.word()).collect(),
        people: able.map(|u| (u.login, u.name)).collect(),
        teams: lifecycle::teams(&mut conn).await?,
        known: None,
    })
}

async fn new(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    let form = TicketForm {
        impact: "medium".to_owned(),
        urgency: "medium".to_owned(),
        ..TicketForm::default()
    };
    super::html(&page(&state, frame, form).await?)
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
        language: form.language,
        audience: Audience::parse(&form.audience),
        product: form.product,
        category: form.category,
        team: form.team,
        owner: form.owner,
        expected: form.expected,
        happened: form.happened,
        since: form.since,
        error_text: form.error_text,
        changed: form.changed,
        tried: form.tried,
        impact: Impact::parse(&form.impact),
        urgency: Urgency::parse(&form.urgency),
    };
    match tickets::create(&state, &caller, &ticket).await {
        Ok(row) => Ok(Redirect::to(&format!("/tickets/{}", tickets::key(&row))).into_response()),
        Err(error) if error.status().is_client_error() => {
            let mut page = page(&state, frame, typed).await?;
            page.problem = error.detail().to_owned();
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

/// The same form with what is known, for browsers without script.
async fn look(
    State(state): State<AppState>,
    frame: Frame,
    Form(form): Form<TicketForm>,
) -> AppResult<Response> {
    let known = find(&state, &frame, &form.error_text).await?;
    let mut page = page(&state, frame, form).await?;
    page.known = Some(known);
    super::html(&page)
}

#[derive(Deserialize)]
struct Pasted {
    #[serde(default)]
    error_text: String,
}

/// Only what is known, for the script.
async fn part(
    State(state): State<AppState>,
    frame: Frame,
    Form(form): Form<Pasted>,
) -> AppResult<Response> {
    let known = find(&state, &frame, &form.error_text).await?;
    super::html(&KnownPart { frame, known })
}

async fn find(state: &AppState, frame: &Frame, text: &str) -> AppResult<Known> {
    let text: String = text.replace('\0', " ").chars().take(100_000).collect();
    known::look(state, &text, frame.l.code()).await
}
