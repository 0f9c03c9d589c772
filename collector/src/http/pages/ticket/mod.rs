//! The page of a ticket: what is known, what is missing, what was tried, what is proposed, the conversation, and how it
//! is triaged and closed.

mod forms;
mod hold;
mod once;
mod parts;
mod ties;
mod triage;
pub(super) mod view;

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::{Access, Role};
use crate::connectors::admin;
use crate::db::bundle_list;
use crate::db::diagnosis::{self as diagnosis_rows, AttemptRow};
use crate::db::findings::FindingRow;
use crate::db::holds::{self, HoldRow};
use crate::db::lifecycle::{self, LifeRow};
use crate::db::links;
use crate::db::macros::{self as macro_rows, MacroRow};
use crate::db::outbox;
use crate::db::solutions::{self, SolutionRow};
use crate::db::tickets::{TicketRow, tags as tag_rows};
use crate::db::timeline;
use crate::db::undos;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::signatures::similar::{self, Similar};
use crate::state::AppState;
use crate::tickets::diagnosis::Missing;
use crate::tickets::model::{Audience, Cause, Priority, Resolution, Status};
use crate::tickets::solution::{self, Solution};
use crate::tickets::{self, Opened, macros, summary, undo};
use parts::{Followed, Offer, Undoable};
use view::{BundleView, DueView, Entry, FindingView, PinView, RelatedView};

/// Newest bundles that can be compared with the one before from here.
const COMPARED_MAX: usize = 5;
/// Signatures that were not evaluated and are named.
const UNEVALUATED_MAX: usize = 5;

/// Entries of the timeline that are shown unless more are asked for: what came last is what one answers to.
const EVENTS: usize = 40;

/// What is shown once, after asking for it.
struct Shown {
    command: String,
    link: String,
    expires: String,
}

#[derive(Template)]
#[template(path = "ticket.html")]
struct TicketPage {
    frame: Frame,
    key: String,
    row: TicketRow,
    life: LifeRow,
    due: DueView,
    created: String,
    promised: String,
    promised_input: String,
    intake: Vec<(&'static str, String)>,
    tags: Vec<(String, String)>,
    /// Tags that findings only propose, and the signatures.
    proposed: Vec<(String, String)>,
    findings: Vec<FindingView>,
    not_evaluated: Vec<(String, String)>,
    missing: Vec<Missing>,
    bundles: Vec<BundleView>,
    show: &'static str,
    filters: [&'static str; 5],
    timeline: Vec<Entry>,
    /// Entries before those that are shown.
    older: usize,
    similar: Vec<Similar>,
    main: Option<(String, String)>,
    follows: Option<Followed>,
    related: Vec<RelatedView>,
    undo: Option<Undoable>,
    problem_open: usize,
    attempts: Vec<AttemptRow>,
    pins: Vec<PinView>,
    solutions: Vec<SolutionRow>,
    offers: Vec<Offer>,
    draft: Solution,
    reply: String,
    macros: Vec<MacroRow>,
    people: Vec<(String, String)>,
    owner: String,
    teams: Vec<String>,
    statuses: Vec<&'static str>,
    priorities: Vec<&'static str>,
    audiences: Vec<&'static str>,
    causes: Vec<&'static str>,
    resolutions: Vec<&'static str>,
    links: i64,
    holds: Vec<(HoldRow, String)>,
    connections: Vec<(String, String, String)>,
    connectors: Vec<String>,
    may_edit: bool,
    new_code: Option<Shown>,
    new_link: Option<Shown>,
    problem: String,
}

impl TicketPage {
    /// Whether all its bundles are on hold.
    fn is_held(&self) -> bool {
        let mut holds = self.holds.iter();
        holds.any(|(hold, _)| hold.subject.starts_with("ticket:"))
    }

    /// What the form that triages shows in each of its fields.
    fn shown(&self) -> [(&'static str, &str); 11] {
        let (row, life) = (&self.row, &self.life);
        [
            ("status", &row.status),
            ("priority", &row.priority),
            ("owner", &self.owner),
            ("team", &life.team),
            ("product", &row.product),
            ("category", &row.category),
            ("contact", &row.contact),
            ("language", solution::language_of(&row.language)),
            ("audience", &life.audience),
            ("next_step", &life.next_step),
            ("promised", &self.promised_input),
        ]
    }
}

/// What the address adds: what is shown of the timeline, a text module for the reply, a source of a solution.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    show: String,
    /// Anything: the timeline is shown from its start on.
    #[serde(default)]
    older: String,
    #[serde(default, rename = "macro")]
    module: String,
    #[serde(default)]
    fix: String,
    /// Set behind a change, which is told with the way to take it back.
    #[serde(default)]
    done: String,
}

/// The routes.
pub fn routes() -> Routes {
    forms::routes()
        .merge(hold::routes())
        .get("/tickets/{ticket}", Access::Viewer, show)
        .get("/tickets/{ticket}/summary", Access::Engineer, summary_of)
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Path(ticket): Path<String>,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let opened = Opened::load(&mut *state.db.read().await?, &ticket).await?;
    super::html(&page(&state, frame, opened, &asked).await?)
}

async fn summary_of(
    State(state): State<AppState>,
    Path(ticket): Path<String>,
) -> AppResult<Response> {
    let row = tickets::load(&state, &ticket).await?;
    let text = summary::of_ticket(&state, &row).await?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, text).into_response())
}

/// What comes from the database in one go.
struct Read {
    found: Vec<FindingRow>,
    page: TicketPage,
}

async fn page(
    state: &AppState,
    frame: Frame,
    opened: Opened,
    asked: &Asked,
) -> AppResult<TicketPage> {
    let draft = match asked.fix.as_str() {
        "" => Solution::default(),
        source => solution::draft(state, &opened, source).await?,
    };
    let Read { found, mut page } = read(state, frame, opened, asked).await?;
    page.draft = draft;
    let mut seen = std::collections::HashSet::new();
    let newest_first = found
        .iter()
        .filter(|f| f.stands() || f.shadow == 1 && f.verdict.as_deref() != Some("dismissed"))
        .filter(|f| seen.insert(f.signature_id.clone()));
    page.findings = newest_first
        .map(|f| view::finding(&page.frame, f))
        .collect();
    let bundles = state.bundles.list_for_ticket(&page.row.id).await?;
    if let Some(newest) = bundles.first() {
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&newest.not_evaluated).unwrap_or_default();
        let word =
            |item: &serde_json::Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let named = list.iter().take(UNEVALUATED_MAX);
        page.not_evaluated = named
            .map(|item| (word(item, "id"), word(item, "reason")))
            .collect();
        if newest.items_complete < newest.items_asked {
            page.missing = parts::missing(state, &newest.id).await?;
        }
    }
    if let (Some(followed), Some(id)) = (&mut page.follows, &page.life.follows_id) {
        let before = state.bundles.list_for_ticket(id).await?.into_iter().next();
        followed.bundle = before.map(|last| (last.id, last.host.unwrap_or(last.filename)));
    }
    page.bundles = bundles.iter().map(|b| view::bundle(b, &found)).collect();
    let mut conn = state.db.read().await?;
    for bundle in page.bundles.iter_mut().take(COMPARED_MAX) {
        if page.may_edit && bundle.state == "ready" {
            bundle.previous = bundle_list::previous(&mut conn, &bundle.id).await?;
        }
    }
    Ok(page)
}

#[allow(
    clippy::too_many_lines,
    reason = "one struct, filled from the top to the bottom"
)]
async fn read(
    state: &AppState,
    frame: Frame,
    Opened { row, life }: Opened,
    asked: &Asked,
) -> AppResult<Read> {
    let now = state.now_ms();
    let mut conn = state.db.read().await?;
    let found = crate::db::findings::of_ticket(&mut conn, &row.id, now).await?;
    let may_edit = frame.may(Role::Engineer);
    let filters = ["all", "public", "notes", "bundles", "changes"];
    let show = filters
        .into_iter()
        .find(|f| *f == asked.show)
        .unwrap_or("all");
    let events = timeline::list(&mut conn, &row.id).await?;
    let open = match may_edit {
        true => undos::open(&mut conn, &row.id, now - undo::KEPT_MS).await?,
        false => Vec::new(),
    };
    let undo = parts::undoable(&frame, (&open, &events), asked, now);
    let mut shown: Vec<_> = events
        .into_iter()
        .filter(|e| parts::belongs(show, &e.kind, e.public == 1))
        .collect();
    let older = match asked.older.is_empty() {
        true => shown.len().saturating_sub(EVENTS),
        false => 0,
    };
    let timeline = shown.drain(older..).map(|event| {
        let can = open.iter().any(|change| change.id == event.id);
        view::entry(&frame, event, can)
    });
    let timeline = timeline.collect();
    let macros = macro_rows::list(&mut conn).await?;
    let me = frame.user.as_ref().map_or("", |user| user.name.as_str());
    let reply = macros.iter().find(|m| m.id == asked.module);
    let reply = reply.map(|m| macros::filled(m, &row, me, &state.config.name));
    let mut related = lifecycle::related(&mut conn, &row.id).await?;
    related.extend(lifecycle::follow_ups(&mut conn, &row.id).await?);
    let tags = tag_rows(&mut conn, &row.id).await?;
    let proposed = parts::proposed(&mut conn, &row, (&found, &tags)).await?;
    let problem_open = related
        .iter()
        .filter(|r| r.relation == "problem" && r.status != Status::Closed.word())
        .count();
    let main = match &life.main_id {
        Some(id) => crate::db::tickets::find(&mut conn, id).await?,
        None => None,
    };
    let follows = match &life.follows_id {
        Some(id) => crate::db::tickets::find(&mut conn, id).await?,
        None => None,
    };
    let follows = follows.map(|old| Followed {
        key: tickets::key(&old),
        bundle: None,
        title: old.title,
    });
    let (people, owner) = parts::people(&mut conn, row.owner_id.as_deref()).await?;
    let page = TicketPage {
        key: tickets::key(&row),
        due: view::due(&frame, &row, &life, now),
        created: time(row.created_ms),
        promised: life.promised_ms.map(time).unwrap_or_default(),
        promised_input: life.promised_ms.map(view::input_time).unwrap_or_default(),
        intake: view::intake(&row),
        tags,
        proposed,
        findings: Vec::new(),
        not_evaluated: Vec::new(),
        missing: Vec::new(),
        bundles: Vec::new(),
        show,
        filters,
        timeline,
        older,
        similar: similar::of_ticket(&mut conn, &row.id).await?,
        main: main.map(|row| (tickets::key(&row), row.title)),
        follows,
        related: related.into_iter().map(view::related).collect(),
        undo,
        problem_open,
        attempts: diagnosis_rows::attempts(&mut conn, &row.id).await?,
        pins: diagnosis_rows::pins(&mut conn, &row.id)
            .await?
            .into_iter()
            .map(view::pin)
            .collect(),
        solutions: solutions::list(&mut conn, &row.id).await?,
        offers: parts::offers(&mut conn, &frame, &row, &found).await?,
        draft: Solution::default(),
        reply: reply.unwrap_or_default(),
        macros,
        people,
        owner,
        teams: lifecycle::teams(&mut conn).await?,
        statuses: Status::ALL
            .iter()
            .filter(|s| **s != Status::Closed)
            .map(|s| s.word())
            .collect(),
        priorities: Priority::ALL.iter().map(|p| p.word()).collect(),
        audiences: Audience::ALL.iter().map(|a| a.word()).collect(),
        causes: Cause::ALL.iter().map(|c| c.word()).collect(),
        resolutions: Resolution::ALL.iter().map(|r| r.word()).collect(),
        links: links::valid(&mut conn, &row.id, now).await?,
        holds: holds::of_ticket(&mut conn, &row.id)
            .await?
            .into_iter()
            .map(|hold| (hold.clone(), time(hold.placed_ms)))
            .collect(),
        connections: outbox::links_of(&mut conn, &row.id).await?,
        connectors: admin::with_tickets(&mut conn).await?,
        may_edit,
        new_code: None,
        new_link: None,
        problem: String::new(),
        frame,
        row,
        life,
    };
    Ok(Read { found, page })
}

async fn refused(
    state: &AppState,
    frame: Frame,
    ticket: &str,
    error: AppError,
) -> AppResult<Response> {
    if !error.status().is_client_error() || error.status() == axum::http::StatusCode::NOT_FOUND {
        return Err(error);
    }
    let opened = Opened::load(&mut *state.db.read().await?, ticket).await?;
    let mut page = page(state, frame, opened, &Asked::default()).await?;
    page.problem = error.detail().to_owned();
    super::again(&error, super::html(&page))
}
