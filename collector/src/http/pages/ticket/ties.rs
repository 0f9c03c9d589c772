//! Forms on the page of a ticket that tie it to others: another group, another ticket, another system.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::Frame;
use super::forms::{Empty, done};
use super::refused;
use crate::auth::Access;
use crate::connectors;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Form, Kept, Path};
use crate::state::AppState;
use crate::tickets::follow_up::{self, NewFollowUp};
use crate::tickets::merge::{self, Relation};
use crate::tickets::{self, Caller, summary};

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::default()
        .post("/tickets/{ticket}/escalation", Access::Engineer, escalate)
        .post("/tickets/{ticket}/main", Access::Engineer, relate)
        .post("/tickets/{ticket}/part", Access::Engineer, part)
        .post("/tickets/{ticket}/follow-up", Access::Engineer, go_on)
        .post("/tickets/{ticket}/connections", Access::Engineer, connect)
}

#[derive(Deserialize)]
struct EscalationForm {
    #[serde(default)]
    team: String,
    #[serde(default)]
    question: String,
}

async fn escalate(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<EscalationForm>,
) -> AppResult<Response> {
    let what = (form.team.as_str(), form.question.as_str());
    let result = summary::escalate(&state, &caller, &ticket, what).await;
    done(&state, frame.with_typed(&typed), (&ticket, ""), result).await
}

#[derive(Deserialize)]
struct MainForm {
    #[serde(default)]
    main: String,
    #[serde(default)]
    relation: String,
}

async fn relate(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<MainForm>,
) -> AppResult<Response> {
    let relation = Relation::parse(&form.relation).unwrap_or(Relation::Problem);
    let main = form.main.trim();
    let result = merge::relate(&state, &caller, &ticket, main, relation).await;
    done(&state, frame, (&ticket, ""), result).await
}

async fn part(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(Empty {}): Form<Empty>,
) -> AppResult<Response> {
    let result = merge::part(&state, &caller, &ticket).await;
    done(&state, frame, (&ticket, ""), result).await
}

#[derive(Deserialize)]
struct FollowUpForm {
    #[serde(default)]
    title: String,
    #[serde(default)]
    happened: String,
}

async fn go_on(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(FollowUpForm { title, happened }, typed): Kept<FollowUpForm>,
) -> AppResult<Response> {
    let new = NewFollowUp { title, happened };
    match follow_up::create(&state, &caller, &ticket, &new).await {
        Ok(made) => Ok(Redirect::to(&format!("/tickets/{}", tickets::key(&made))).into_response()),
        Err(error) => refused(&state, frame.with_typed(&typed), &ticket, error).await,
    }
}

#[derive(Deserialize)]
struct ConnectForm {
    connector: String,
    #[serde(default)]
    remote: String,
}

async fn connect(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<ConnectForm>,
) -> AppResult<Response> {
    let with = (&*form.connector, &*form.remote);
    let result = connectors::admin::connect(&state, &caller, &ticket, with).await;
    done(&state, frame, (&ticket, "#timeline"), result).await
}
