//! The customer's page of a ticket: where it stands, what comes next, the conversation, what to do, what was sent and who
//! looked at it. The secret in the address is the credential; internal notes and staff's findings in shadow are not here.

use askama::Template;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sitrep_shared::ids::{UploadCode, UploadTarget};
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use super::findings::{FindingView, finding_view};
use super::{Frame, time};
use crate::auth::Access;
use crate::db::lifecycle::{self, LifeRow};
use crate::db::links;
use crate::db::solutions::{self, SolutionRow};
use crate::db::tickets::{self as rows, TicketRow};
use crate::db::timeline;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Form, Kept, Path};
use crate::state::AppState;
use crate::tickets::codes::{self, NewCode};
use crate::tickets::customer::{self, Satisfaction};
use crate::tickets::follow_up::{self, Answer};
use crate::tickets::model::Status;
use crate::tickets::solution::{self, Outcome};
use crate::tickets::{self, Caller};

/// The routes. The secret in the address is checked by [`Visit`].
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/t/{token}", Access::Public, show)
        .post("/t/{token}/reply", Access::Public, reply)
        .post("/t/{token}/reopen", Access::Public, reopen)
        .post("/t/{token}/outcome", Access::Public, outcome)
        .post("/t/{token}/rate", Access::Public, rate)
        .post("/t/{token}/upload", Access::Public, upload)
        .post("/t/{token}/delete", Access::Public, delete)
}

/// A checked visit: the secret, who it is, and the ticket.
pub struct Visit {
    token: String,
    caller: Caller,
    ticket_id: String,
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> AppResult<Self> {
        let address = ClientAddress::from_request_parts(parts, state).await?.0;
        let Path(values) =
            Path::<std::collections::HashMap<String, String>>::from_request_parts(parts, state)
                .await?;
        let token = values.get("token").cloned().unwrap_or_default();
        let (caller, ticket_id) = customer::authenticate(state, &token, address).await?;
        Ok(Self {
            token,
            caller,
            ticket_id,
        })
    }
}

impl Visit {
    fn back(&self, place: &str) -> Response {
        Redirect::to(&format!("/t/{}{place}", self.token)).into_response()
    }

    /// To the conversation: of the ticket in which it goes on, if that is another one.
    fn on(&self, next: Option<&UploadCode>) -> Response {
        match next {
            Some(code) => Redirect::to(&format!("/t/{}#talk", code.canonical())).into_response(),
            None => self.back("#talk"),
        }
    }
}

struct Said {
    at: String,
    at_iso: String,
    who: String,
    mine: bool,
    kind: String,
    text: String,
}

struct Sent {
    id: String,
    name: String,
    receipt: String,
    received: String,
    size: String,
    state: String,
    sha256: String,
    viewers: Vec<String>,
    findings: Vec<FindingView>,
}

struct Request {
    command: String,
    link: String,
}

#[derive(Template)]
#[template(path = "customer.html")]
struct CustomerPage {
    frame: Frame,
    token: String,
    key: String,
    row: TicketRow,
    life: LifeRow,
    promised: String,
    ours: bool,
    over: bool,
    /// Closed so long ago that what is written begins another ticket.
    past: bool,
    talk: Vec<Said>,
    solution: Option<SolutionRow>,
    bundles: Vec<Sent>,
    request: Option<Request>,
    problem: String,
}

async fn show(State(state): State<AppState>, frame: Frame, visit: Visit) -> AppResult<Response> {
    super::html(&page(&state, frame, &visit).await?)
}

async fn page(state: &AppState, mut frame: Frame, visit: &Visit) -> AppResult<CustomerPage> {
    // Somebody of the staff who looks sees what the customer sees.
    frame.user = None;
    let now = state.now_ms();
    let none = || AppError::not_found("page");
    let mut conn = state.db.read().await?;
    let row = rows::find(&mut conn, &visit.ticket_id)
        .await?
        .ok_or_else(none)?;
    let life = lifecycle::find(&mut conn, &row.id)
        .await?
        .ok_or_else(none)?;
    let events = timeline::list(&mut conn, &row.id).await?;
    let newest = solutions::list(&mut conn, &row.id)
        .await?
        .into_iter()
        .next();
    let views = links::views(&mut conn, &row.id).await?;
    let found = crate::db::findings::of_ticket(&mut conn, &row.id, now).await?;
    drop(conn);
    let status = Status::parse(&row.status).unwrap_or(Status::Open);
    let mut bundles = Vec::new();
    for bundle in state.bundles.list_for_ticket(&row.id).await? {
        let seen = views.iter().filter(|view| view.bundle_id == bundle.id);
        let own = found
            .iter()
            .filter(|f| f.bundle_id == bundle.id && f.stands());
        bundles.push(Sent {
            name: bundle.host.unwrap_or(bundle.filename),
            receipt: bundle.receipt,
            received: time(bundle.received_ms),
            size: format_bytes(bundle.bytes.unsigned_abs()),
            state: frame.l.verdict(&bundle.state).to_owned(),
            sha256: bundle.sha256,
            viewers: seen
                .map(|v| format!("{}, {}", v.viewer, time(v.last_ms)))
                .collect(),
            findings: own.map(|f| finding_view(&frame, None, f)).collect(),
            id: bundle.id,
        });
    }
    let public = events
        .into_iter()
        .filter(|event| event.public == 1 && event.kind != "proposed");
    let talk = public.map(|event| Said {
        at: time(event.at_ms),
        at_iso: UtcMs(event.at_ms).rfc3339(),
        mine: matches!(event.actor_kind.as_str(), "customer" | "uploader"),
        text: super::ticket::view::told(&frame, &event),
        who: event.actor_name,
        kind: event.kind,
    });
    Ok(CustomerPage {
        talk: talk.collect(),
        token: visit.token.clone(),
        key: tickets::key(&row),
        promised: life.promised_ms.map(time).unwrap_or_default(),
        ours: status.is_ours(),
        over: matches!(status, Status::Solved | Status::Closed),
        past: follow_up::answer(state, &row) == Answer::Follows,
        solution: newest,
        bundles,
        request: None,
        problem: String::new(),
        frame,
        row,
        life,
    })
}

#[derive(Deserialize)]
struct TextForm {
    #[serde(default)]
    text: String,
}

async fn reply(
    State(state): State<AppState>,
    frame: Frame,
    visit: Visit,
    Kept(form, typed): Kept<TextForm>,
) -> AppResult<Response> {
    match customer::reply(&state, &visit.caller, &visit.ticket_id, &form.text).await {
        Ok(next) => Ok(visit.on(next.as_ref())),
        Err(error) => refused(&state, frame.with_typed(&typed), &visit, error).await,
    }
}

async fn reopen(
    State(state): State<AppState>,
    frame: Frame,
    visit: Visit,
    Kept(form, typed): Kept<TextForm>,
) -> AppResult<Response> {
    match customer::reopen(&state, &visit.caller, &visit.ticket_id, &form.text).await {
        Ok(next) => Ok(visit.on(next.as_ref())),
        Err(error) => refused(&state, frame.with_typed(&typed), &visit, error).await,
    }
}

#[derive(Deserialize)]
struct OutcomeForm {
    solution: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    text: String,
}

async fn outcome(
    State(state): State<AppState>,
    frame: Frame,
    visit: Visit,
    Kept(form, typed): Kept<OutcomeForm>,
) -> AppResult<Response> {
    match judge(&state, &visit, &form).await {
        Ok(()) => Ok(visit.back("#solution")),
        Err(error) => refused(&state, frame.with_typed(&typed), &visit, error).await,
    }
}

async fn judge(state: &AppState, visit: &Visit, form: &OutcomeForm) -> AppResult<()> {
    let id = crate::http::api::id("solution", &form.solution)?;
    let said = Outcome::parse(&form.outcome);
    let said = said.ok_or_else(|| AppError::invalid("outcome", "is worked or failed"))?;
    let names = (&*visit.ticket_id, &*id);
    solution::judge(state, &visit.caller, names, said, &form.text).await?;
    Ok(())
}

#[derive(Deserialize)]
struct RateForm {
    #[serde(default)]
    satisfaction: String,
    #[serde(default)]
    text: String,
}

async fn rate(
    State(state): State<AppState>,
    frame: Frame,
    visit: Visit,
    Kept(form, typed): Kept<RateForm>,
) -> AppResult<Response> {
    let rated = match Satisfaction::parse(&form.satisfaction) {
        Some(how) => customer::rate(&state, &visit.caller, &visit.ticket_id, how, &form.text).await,
        None => Err(AppError::invalid("satisfaction", "is good or bad")),
    };
    match rated {
        Ok(_) => Ok(visit.back("#rate")),
        Err(error) => refused(&state, frame.with_typed(&typed), &visit, error).await,
    }
}

/// The page with what was wrong, and with what was written.
async fn refused(
    state: &AppState,
    frame: Frame,
    visit: &Visit,
    error: AppError,
) -> AppResult<Response> {
    if !error.status().is_client_error() {
        return Err(error);
    }
    let mut page = page(state, frame, visit).await?;
    page.problem = error.detail().to_owned();
    super::again(&error, super::html(&page))
}

#[derive(Deserialize)]
struct Empty {}

// Answers with the page itself: the code is shown once and must not be in an address.
async fn upload(
    State(state): State<AppState>,
    frame: Frame,
    visit: Visit,
    Form(Empty {}): Form<Empty>,
) -> AppResult<Response> {
    let new = NewCode::default();
    let (_, code) = match codes::create(&state, &visit.caller, &visit.ticket_id, &new).await {
        Ok(made) => made,
        Err(error) => return refused(&state, frame, &visit, error).await,
    };
    let mut page = page(&state, frame, &visit).await?;
    let link = UploadTarget::link(&state.base_url, &code);
    page.request = Some(Request {
        command: format!("sitrep run {link}"),
        link: format!("/u/{}", code.canonical()),
    });
    super::html(&page)
}

#[derive(Deserialize)]
struct DeleteForm {
    bundle: String,
}

async fn delete(
    State(state): State<AppState>,
    frame: Frame,
    visit: Visit,
    Form(form): Form<DeleteForm>,
) -> AppResult<Response> {
    let bundle = Uuid::parse_str(&form.bundle).map_err(|_| AppError::not_found("bundle"))?;
    match customer::delete_bundle(&state, &visit.caller, &visit.ticket_id, bundle).await {
        Ok(_) => Ok(visit.back("#bundles")),
        Err(error) => refused(&state, frame, &visit, error).await,
    }
}
