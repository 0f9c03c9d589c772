//! Where customers open a ticket by themselves, when the operator lets them: the intake questions, and then the link to
//! the ticket's page. It asks for no account, so it is slow for whoever sends much, and deaf to robots that fill in all.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Frame;
use crate::auth::limits::{self, REQUESTS_IN_ALL, REQUESTS_PER_ADDRESS};
use crate::auth::{Access, Actor};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Form};
use crate::state::AppState;
use crate::tickets::{self, Caller, NewTicket, customer};

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/request", Access::Public, show)
        .post("/request", Access::Public, create)
}

/// Whether customers may open tickets by themselves.
fn open(state: &AppState) -> AppResult<()> {
    match state.config.resolved.text("requests") {
        "open" => Ok(()),
        _ => Err(AppError::not_found("page")),
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    title: String,
    customer: String,
    contact: String,
    product: String,
    happened: String,
    expected: String,
    since: String,
    error_text: String,
    changed: String,
    tried: String,
    /// No person sees this field.
    website: String,
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    frame: Frame,
    asked: Asked,
    problem: String,
}

impl RequestPage {
    /// The questions of the intake: the field, the key of its label, and what was said.
    fn questions(&self) -> [(&'static str, &'static str, &str); 6] {
        let asked = &self.asked;
        [
            ("happened", "ticket_new.happened", &asked.happened),
            ("expected", "ticket_new.expected", &asked.expected),
            ("since", "ticket_new.since", &asked.since),
            ("error_text", "ticket_new.error_text", &asked.error_text),
            ("changed", "ticket_new.changed", &asked.changed),
            ("tried", "ticket_new.tried", &asked.tried),
        ]
    }
}

async fn show(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    open(&state)?;
    super::html(&RequestPage {
        frame,
        asked: Asked::default(),
        problem: String::new(),
    })
}

async fn create(
    State(state): State<AppState>,
    frame: Frame,
    ClientAddress(address): ClientAddress,
    Form(asked): Form<Asked>,
) -> AppResult<Response> {
    open(&state)?;
    let keys = vec![
        (REQUESTS_PER_ADDRESS, limits::subject(address)),
        (REQUESTS_IN_ALL, limits::ALL.to_owned()),
    ];
    let turn = limits::admit(&state.db, keys, state.now_ms()).await?;
    match ticket(&state, &frame, address, &asked).await {
        Ok(href) => {
            turn.failed(&state.db).await?;
            Ok(Redirect::to(&href).into_response())
        }
        Err(error) if error.status().is_client_error() => {
            let page = RequestPage {
                frame,
                asked,
                problem: error.detail().to_owned(),
            };
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

/// Opens the ticket; gives the address of its customer's page.
async fn ticket(
    state: &AppState,
    frame: &Frame,
    address: std::net::IpAddr,
    asked: &Asked,
) -> AppResult<String> {
    if !asked.website.is_empty() {
        return Err(AppError::bad_request(frame.l.t("request.robot")));
    }
    tickets::text("contact", &asked.contact, 1, 200)?;
    let asked = asked.clone();
    let new = NewTicket {
        title: asked.title,
        customer: asked.customer,
        contact: asked.contact,
        language: frame.l.code().to_owned(),
        product: asked.product,
        happened: asked.happened,
        expected: asked.expected,
        since: asked.since,
        error_text: asked.error_text,
        changed: asked.changed,
        tried: asked.tried,
        ..NewTicket::default()
    };
    let by = |actor| Caller { actor, address };
    let customer = Actor::Customer {
        link_id: String::new(),
        ticket_id: String::new(),
    };
    let row = tickets::create(state, &by(customer), &new).await?;
    let (_, link) = customer::link(state, &by(Actor::System), &tickets::key(&row)).await?;
    Ok(format!("/t/{}", link.canonical()))
}
