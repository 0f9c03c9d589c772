//! The knowledge base: the list with its search, and an article.

mod editor;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::{Access, Actor, Role};
use crate::db::articles::{self as rows, ArticleRow, TextRow, VersionRow};
use crate::db::solutions;
use crate::db::words::Scope;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Path, Query};
use crate::knowledge::articles::{self, Step};
use crate::knowledge::{self, best};
use crate::state::AppState;
use crate::tickets::{self, Caller};

/// States that the list can be narrowed to.
const STATES: [&str; 4] = ["draft", "review", "published", "retired"];

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    editor::routes()
        .get("/kb", Access::Viewer, list)
        .get("/kb/{slug}", Access::Viewer, show)
        .post("/kb/{slug}/state", Access::Engineer, step)
}

struct Line {
    slug: String,
    title: String,
    state: String,
    updated: String,
    languages: String,
}

#[derive(Template)]
#[template(path = "kb.html")]
struct ListPage {
    frame: Frame,
    query: String,
    state: String,
    states: [&'static str; 4],
    articles: Vec<Line>,
    may_edit: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    state: String,
}

async fn list(
    State(state): State<AppState>,
    frame: Frame,
    Query(query): Query<ListQuery>,
) -> AppResult<Response> {
    let language = frame.l.code();
    let text = query.q.replace('\0', " ");
    let only = STATES.into_iter().find(|word| *word == query.state);
    let mut conn = state.db.read().await?;
    let found = if text.trim().is_empty() {
        rows::list(&mut conn, only, 200).await?
    } else {
        let hits = knowledge::search(&mut conn, Scope::Latest, (&text, language), 50).await?;
        let mut found = Vec::new();
        for hit in hits
            .iter()
            .filter(|hit| only.is_none_or(|only| hit.state == only))
        {
            found.extend(rows::find(&mut conn, &hit.slug).await?);
        }
        found
    };
    let mut articles = Vec::new();
    for row in found {
        let texts = rows::texts(&mut conn, &row.id, row.version).await?;
        let languages: Vec<&str> = texts.iter().map(|t| t.language.as_str()).collect();
        articles.push(Line {
            title: best(&texts, language)
                .map(|t| t.title.clone())
                .unwrap_or_default(),
            languages: languages.join(", "),
            updated: time(row.updated_ms),
            slug: row.slug,
            state: row.state,
        });
    }
    super::html(&ListPage {
        may_edit: frame.may(Role::Engineer),
        frame,
        query: text,
        state: query.state,
        states: STATES,
        articles,
    })
}

#[derive(Template)]
#[template(path = "article.html")]
struct ArticlePage {
    frame: Frame,
    row: ArticleRow,
    shown: i64,
    text: TextRow,
    other: bool,
    versions: Vec<(VersionRow, String)>,
    signatures: Vec<String>,
    ticket: Option<String>,
    worked: i64,
    failed: i64,
    steps: Vec<&'static str>,
    own: bool,
    may_edit: bool,
    problem: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ShowQuery {
    version: Option<i64>,
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    actor: Actor,
    Path(slug): Path<String>,
    Query(query): Query<ShowQuery>,
) -> AppResult<Response> {
    super::html(&article(&state, frame, &actor, &slug, query.version).await?)
}

async fn article(
    state: &AppState,
    frame: Frame,
    actor: &Actor,
    slug: &str,
    version: Option<i64>,
) -> AppResult<ArticlePage> {
    let mut conn = state.db.read().await?;
    let row = articles::load(&mut conn, slug).await?;
    let shown = version.unwrap_or(row.version);
    let texts = rows::texts(&mut conn, &row.id, shown).await?;
    let text = best(&texts, frame.l.code()).cloned();
    let text = text.ok_or_else(|| AppError::not_found("version of the article"))?;
    let versions = rows::versions(&mut conn, &row.id).await?;
    let newest = versions.iter().find(|v| v.version == row.version);
    let author = newest.map(|v| v.author_id.clone()).unwrap_or_default();
    let ticket = match &row.ticket_id {
        Some(id) => crate::db::tickets::find(&mut conn, id).await?,
        None => None,
    };
    let source = format!("article:{}", row.slug);
    let (worked, failed) = solutions::record_of(&mut conn, &source).await?;
    let own = actor.person().is_some_and(|p| p.id == author);
    let steps = match row.state.as_str() {
        "draft" => vec!["submit", "retire"],
        "review" if own => vec!["return"],
        "review" => vec!["publish", "return"],
        "published" => vec!["retire"],
        _ => Vec::new(),
    };
    Ok(ArticlePage {
        other: text.language != frame.l.code(),
        versions: versions
            .into_iter()
            .map(|v| (v.clone(), time(v.created_ms)))
            .collect(),
        signatures: rows::signatures(&mut conn, &row.id).await?,
        ticket: ticket.as_ref().map(tickets::key),
        may_edit: frame.may(Role::Engineer),
        frame,
        row,
        shown,
        text,
        worked,
        failed,
        steps,
        own,
        problem: String::new(),
    })
}

#[derive(Deserialize)]
struct StepForm {
    step: String,
}

async fn step(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(slug): Path<String>,
    Form(form): Form<StepForm>,
) -> AppResult<Response> {
    let step = Step::parse(&form.step);
    let step = step.ok_or_else(|| AppError::invalid("step", "is not a step of an article"))?;
    match articles::step(&state, &caller, &slug, step).await {
        Ok(_) => Ok(Redirect::to(&format!("/kb/{slug}")).into_response()),
        Err(error) if error.status() == axum::http::StatusCode::CONFLICT => {
            let mut page = article(&state, frame, &caller.actor, &slug, None).await?;
            page.problem = error.detail().to_owned();
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}
