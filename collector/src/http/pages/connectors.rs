//! Connectors: how other systems are reached, a form for each, and the letters of the outbox that wait or are dead.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::Access;
use crate::connectors::admin::{self, NewConnector};
use crate::connectors::{self, KINDS, Settings};
use crate::db::connectors::{ConnectorRow, list};
use crate::db::outbox::{self as letters, Shown};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Path};
use crate::state::AppState;
use crate::tickets::Caller;

/// Letters that the page shows of a state.
const LETTERS: i64 = 50;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/admin/connectors", Access::Admin, show)
        .post("/admin/connectors", Access::Admin, store)
        .post("/admin/connectors/{id}/do", Access::Admin, act)
        .post("/admin/outbox/{id}", Access::Admin, letter)
}

/// One connector with its form.
struct View {
    row: ConnectorRow,
    settings: Settings,
    uses: &'static [&'static str],
    usual: String,
    waiting: i64,
    dead: i64,
    changed: String,
}

impl View {
    fn uses(&self, name: &str) -> bool {
        self.uses.contains(&name)
    }
}

struct LetterView {
    row: Shown,
    created: String,
}

#[derive(Template)]
#[template(path = "connectors.html")]
struct ConnectorsPage {
    frame: Frame,
    views: Vec<View>,
    kinds: Vec<&'static str>,
    letters: Vec<LetterView>,
    problem: String,
    done: String,
    secret: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ConnectorForm {
    id: String,
    kind: String,
    name: String,
    url: String,
    secret: String,
    enabled: String,
    private: String,
    open: String,
    publish: String,
    place: String,
    tags_field: String,
    fields: String,
    statuses: String,
    events: String,
    user: String,
    report_bytes: String,
    language: String,
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

impl ConnectorForm {
    fn connector(self) -> AppResult<NewConnector> {
        let report_bytes = match self.report_bytes.trim() {
            "" => 0,
            text => text
                .parse()
                .map_err(|_| AppError::invalid("report_bytes", "must be a number"))?,
        };
        Ok(NewConnector {
            kind: self.kind,
            name: self.name,
            url: self.url,
            secret: self.secret,
            enabled: !self.enabled.is_empty(),
            settings: Settings {
                private: !self.private.is_empty(),
                events: self.events.split_whitespace().map(str::to_owned).collect(),
                place: self.place.trim().to_owned(),
                open: !self.open.is_empty(),
                publish: !self.publish.is_empty(),
                tags_field: self.tags_field.trim().to_owned(),
                fields: lines(&self.fields),
                statuses: lines(&self.statuses),
                report_bytes,
                language: self.language,
                user: self.user.trim().to_owned(),
            },
        })
    }
}

async fn page(state: &AppState, frame: Frame) -> AppResult<ConnectorsPage> {
    let mut conn = state.db.read().await?;
    let counts = letters::counts(&mut conn).await?;
    let view = |row: ConnectorRow| {
        let kind = connectors::kind(&row.kind);
        let count = |state: &str| {
            let mut own = counts.iter();
            let found = own.find(|(id, known, _)| *id == row.id && known == state);
            found.map_or(0, |(_, _, count)| *count)
        };
        View {
            settings: serde_json::from_str(&row.settings).unwrap_or_default(),
            uses: kind.map_or(&[], |kind| kind.uses),
            usual: kind
                .map(|kind| kind.statuses.join("\n"))
                .unwrap_or_default(),
            waiting: count("waiting"),
            dead: count("dead"),
            changed: time(row.changed_ms),
            row,
        }
    };
    let views = list(&mut conn).await?.into_iter().map(view).collect();
    let mut shown = letters::list(&mut conn, "dead", "", LETTERS).await?;
    shown.extend(letters::list(&mut conn, "waiting", "", LETTERS).await?);
    let letters = shown.into_iter().map(|row| LetterView {
        created: time(row.created_ms),
        row,
    });
    Ok(ConnectorsPage {
        frame,
        views,
        kinds: KINDS.iter().map(|kind| kind.word).collect(),
        letters: letters.collect(),
        problem: String::new(),
        done: String::new(),
        secret: String::new(),
    })
}

async fn show(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    super::html(&page(&state, frame).await?)
}

async fn refused(state: &AppState, frame: Frame, error: AppError) -> AppResult<Response> {
    if !error.status().is_client_error() {
        return Err(error);
    }
    let mut page = page(state, frame).await?;
    page.problem = error.detail().to_owned();
    super::again(&error, super::html(&page))
}

async fn store(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<ConnectorForm>,
) -> AppResult<Response> {
    let id = match &*form.id {
        "" => None,
        id => Some(crate::http::api::id("connector", id)?),
    };
    let made = match form.connector() {
        Ok(new) => admin::store(&state, &caller, id.as_deref(), &new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok((row, secret)) => {
            let mut page = page(&state, frame).await?;
            page.done = row.name;
            page.secret = secret.map(|s| s.reveal().to_owned()).unwrap_or_default();
            super::html(&page)
        }
        Err(error) => refused(&state, frame, error).await,
    }
}

#[derive(Deserialize)]
struct ActForm {
    #[serde(default)]
    what: String,
}

async fn act(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<ActForm>,
) -> AppResult<Response> {
    let id = crate::http::api::id("connector", &id)?;
    let result = match &*form.what {
        "remove" => admin::remove(&state, &caller, &id).await,
        "replay" => admin::replay_all(&state, &caller, &id).await.map(|_| ()),
        _ => match admin::probe(&state, &id).await {
            Ok(Ok(())) => {
                let mut page = page(&state, frame.clone()).await?;
                frame.l.t("connectors.well").clone_into(&mut page.done);
                return super::html(&page);
            }
            Ok(Err(fault)) => {
                let why = sitrep_shared::error::chain(&fault).to_string();
                Err(AppError::conflict("connector_fault", why))
            }
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(()) => Ok(Redirect::to("/admin/connectors").into_response()),
        Err(error) => refused(&state, frame, error).await,
    }
}

async fn letter(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(id): Path<String>,
    Form(form): Form<ActForm>,
) -> AppResult<Response> {
    let id = crate::http::api::id("letter", &id)?;
    match admin::revive(&state, &caller, &id, form.what == "drop").await {
        Ok(()) => Ok(Redirect::to("/admin/connectors#outbox").into_response()),
        Err(error) => refused(&state, frame, error).await,
    }
}
