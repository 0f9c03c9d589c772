//! The page of a ticket: findings with evidence, bundles, timeline, notes, status, and the request for a bundle.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use sitrep_shared::ids::UploadTarget;
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;

use super::{Frame, time};
use crate::auth::{Access, Role};
use crate::db::bundles::BundleRow;
use crate::db::findings::FindingRow;
use crate::db::tickets::{TicketRow, tags as tag_rows};
use crate::db::timeline::{self, EventRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Path};
use crate::signatures::similar::{self, Similar};
use crate::state::AppState;
use crate::tickets::codes::{self, NewCode};
use crate::tickets::model::Status;
use crate::tickets::{self, Caller, Change};

struct Facts {
    id: String,
    key: String,
    title: String,
    customer: String,
    contact: String,
    status: String,
    priority: String,
    assignee: String,
    created: String,
}

struct Evidence {
    file: String,
    line: u64,
    text: String,
    href: String,
}

struct FindingView {
    id: String,
    shadow: bool,
    severity: String,
    title: String,
    cause: String,
    steps: Vec<String>,
    evidence: Vec<Evidence>,
}

struct BundleView {
    id: String,
    host: String,
    received: String,
    size: String,
    state: String,
    reason: String,
    findings: usize,
    completeness: String,
}

struct Entry {
    at: String,
    at_iso: String,
    who: String,
    kind: String,
    text: String,
    internal: bool,
}

struct CodeShown {
    command: String,
    link: String,
    expires: String,
}

#[derive(Template)]
#[template(path = "ticket.html")]
struct TicketPage {
    frame: Frame,
    ticket: Facts,
    intake: Vec<(&'static str, String)>,
    tags: Vec<String>,
    findings: Vec<FindingView>,
    bundles: Vec<BundleView>,
    timeline: Vec<Entry>,
    similar: Vec<Similar>,
    statuses: Vec<&'static str>,
    may_edit: bool,
    new_code: Option<CodeShown>,
    problem: String,
    done: String,
}

#[derive(Deserialize)]
struct NoteForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    visibility: String,
}

#[derive(Deserialize)]
struct StatusForm {
    status: String,
}

#[derive(Deserialize)]
struct Empty {}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/tickets/{ticket}", Access::Viewer, show)
        .post("/tickets/{ticket}/notes", Access::Engineer, note)
        .post("/tickets/{ticket}/status", Access::Engineer, status)
        .post("/tickets/{ticket}/codes", Access::Engineer, request)
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Path(ticket): Path<String>,
) -> AppResult<Response> {
    let row = tickets::load(&state, &ticket).await?;
    super::html(&page(&state, frame, row).await?)
}

async fn note(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<NoteForm>,
) -> AppResult<Response> {
    let public = form.visibility == "public";
    match tickets::note(&state, &caller, &ticket, &form.text, public).await {
        Ok(_) => Ok(back(&ticket)),
        Err(error) => refused(&state, frame, &ticket, error).await,
    }
}

async fn status(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<StatusForm>,
) -> AppResult<Response> {
    let Some(status) = Status::parse(&form.status) else {
        return refused(
            &state,
            frame,
            &ticket,
            AppError::invalid("status", "is not a status"),
        )
        .await;
    };
    let change = Change {
        status: Some(status),
        ..Change::default()
    };
    tickets::change(&state, &caller, &ticket, &change).await?;
    Ok(back(&ticket))
}

// Answers with the page itself: the code is shown once and must not be in an address.
async fn request(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(Empty {}): Form<Empty>,
) -> AppResult<Response> {
    let (row, code) = codes::create(&state, &caller, &ticket, &NewCode::default()).await?;
    let link = UploadTarget::link(&state.base_url, &code);
    let ticket = tickets::load(&state, &ticket).await?;
    let mut page = page(&state, frame, ticket).await?;
    page.new_code = Some(CodeShown {
        command: format!("sitrep run {link}"),
        link,
        expires: time(row.expires_ms),
    });
    super::html(&page)
}

fn back(ticket: &str) -> Response {
    Redirect::to(&format!("/tickets/{ticket}")).into_response()
}

async fn refused(
    state: &AppState,
    frame: Frame,
    ticket: &str,
    error: AppError,
) -> AppResult<Response> {
    if !error.status().is_client_error() {
        return Err(error);
    }
    let row = tickets::load(state, ticket).await?;
    let mut page = page(state, frame, row).await?;
    page.problem = error.detail().to_owned();
    super::again(&error, super::html(&page))
}

async fn page(state: &AppState, frame: Frame, row: TicketRow) -> AppResult<TicketPage> {
    let findings = state.bundles.findings_of_ticket(&row.id).await?;
    let bundles = state.bundles.list_for_ticket(&row.id).await?;
    let mut conn = state.db.read().await?;
    let events = timeline::list(&mut conn, &row.id).await?;
    let tags = tag_rows(&mut conn, &row.id).await?;
    let similar = similar::of_ticket(&mut conn, &row.id).await?;
    drop(conn);
    let may_edit = frame.may(Role::Engineer);
    let mut seen = std::collections::HashSet::new();
    let newest_first = findings
        .iter()
        .filter(|f| f.stands() || f.shadow == 1 && f.verdict.as_deref() != Some("dismissed"))
        .filter(|f| seen.insert(f.signature_id.clone()));
    Ok(TicketPage {
        findings: newest_first.map(|f| finding(&frame, f)).collect(),
        bundles: bundles.iter().map(|b| bundle(b, &findings)).collect(),
        timeline: events.into_iter().map(entry).collect(),
        tags: tags.into_iter().map(|t| t.0).collect(),
        similar,
        statuses: Status::ALL.iter().map(|s| s.word()).collect(),
        intake: intake(&row),
        ticket: facts(row, &frame),
        may_edit,
        frame,
        new_code: None,
        problem: String::new(),
        done: String::new(),
    })
}

fn facts(row: TicketRow, frame: &Frame) -> Facts {
    let or_dash = |text: String| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            text
        }
    };
    Facts {
        id: tickets::key(&row),
        key: tickets::key(&row),
        title: row.title,
        customer: or_dash(row.customer),
        contact: or_dash(row.contact),
        status: row.status,
        priority: frame.l.level(&row.priority).to_owned(),
        assignee: or_dash(row.owner_name.unwrap_or_default()),
        created: time(row.created_ms),
    }
}

fn intake(row: &TicketRow) -> Vec<(&'static str, String)> {
    let answers = [
        ("ticket_new.happened", &row.happened),
        ("ticket_new.expected", &row.expected),
        ("ticket_new.error_text", &row.error_text),
        ("ticket_new.since", &row.since),
        ("ticket_new.changed", &row.changed),
        ("ticket_new.tried", &row.tried),
    ];
    answers
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, text)| (label, text.clone()))
        .collect()
}

fn finding(frame: &Frame, row: &FindingRow) -> FindingView {
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let language = if frame.l.code().starts_with("zh") {
        "zh"
    } else {
        "en"
    };
    let lists = [
        ("expert", language),
        ("plain", language),
        ("expert", "en"),
        ("plain", "en"),
    ];
    let steps = lists
        .iter()
        .filter_map(|(who, lang)| body["fix"][*who][*lang].as_array())
        .find(|s| !s.is_empty());
    let evidence = body["evidence"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    FindingView {
        id: row.signature_id.clone(),
        shadow: row.shadow == 1,
        severity: row.severity.clone(),
        title: row.title.clone(),
        cause: body["cause"].as_str().unwrap_or_default().to_owned(),
        steps: steps
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        // The page of the bundle has all of it.
        evidence: evidence
            .iter()
            .take(3)
            .map(|item| line(&row.bundle_id, item))
            .collect(),
    }
}

fn line(bundle: &str, item: &Value) -> Evidence {
    let file = item["file"].as_str().unwrap_or_default().to_owned();
    let line = item["line"].as_u64().unwrap_or_default();
    let query = serde_urlencoded::to_string([("path", &file)]).unwrap_or_default();
    Evidence {
        href: format!("/bundles/{bundle}/file?{query}&L={line}#L{line}"),
        text: item["text"].as_str().unwrap_or_default().to_owned(),
        file,
        line,
    }
}

fn bundle(row: &BundleRow, findings: &[FindingRow]) -> BundleView {
    BundleView {
        id: row.id.clone(),
        host: row.host.clone().unwrap_or_else(|| row.filename.clone()),
        received: time(row.received_ms),
        size: format_bytes(row.bytes.unsigned_abs()),
        state: row.state.clone(),
        reason: row.reason.clone().unwrap_or_default(),
        findings: findings
            .iter()
            .filter(|f| f.bundle_id == row.id && f.stands())
            .count(),
        completeness: if row.items_asked > 0 {
            format!("{}/{}", row.items_complete, row.items_asked)
        } else {
            String::new()
        },
    }
}

fn entry(row: EventRow) -> Entry {
    Entry {
        at: time(row.at_ms),
        at_iso: UtcMs(row.at_ms).rfc3339(),
        who: row.actor_name,
        internal: row.kind == "note" && row.public == 0,
        kind: row.kind,
        text: row.body,
    }
}
