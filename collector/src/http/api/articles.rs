//! Articles of the knowledge base: list and search, show, write, review, publish.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Access;
use crate::db::articles::{self as rows, ArticleRow};
use crate::db::words::Scope;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path, Query};
use crate::http::openapi::Op;
use crate::knowledge::articles::{self, Draft, Step, Text};
use crate::knowledge::{self, Hit};
use crate::state::AppState;
use crate::tickets::{Caller, solution};

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/articles", Access::Viewer, list)
        .doc(Op::new("List articles, last changed first, or search them").query::<ListQuery>().returns::<ArticleList>(200))
        .post("/api/v1/articles", Access::Engineer, create)
        .doc(Op::new("Write an article").body::<Draft>().returns::<ArticleView>(201).fails(&[404]))
        .get("/api/v1/articles/{slug}", Access::Viewer, show)
        .doc(Op::new("Show an article").query::<ShowQuery>().returns::<ArticleView>(200))
        .post("/api/v1/articles/{slug}/versions", Access::Engineer, edit)
        .doc(Op::new("Write the next version of an article").body::<Edited>().returns::<ArticleView>(201))
        .post("/api/v1/articles/{slug}/state", Access::Engineer, step)
        .doc(Op::new("Submit, return, publish or retire an article").body::<Stepped>().returns::<ArticleView>(200))
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Words to search for; Chinese ones need no spaces.
    #[serde(default)]
    q: String,
    /// Only this state.
    #[serde(default)]
    state: String,
    /// Language of the titles: `en` or `zh-CN`.
    #[serde(default)]
    language: String,
}

/// Articles.
#[derive(Serialize, ToSchema)]
struct ArticleList {
    items: Vec<Hit>,
}

/// A version of the history.
#[derive(Serialize, ToSchema)]
struct VersionView {
    version: i64,
    author: String,
    created_ms: i64,
    note: String,
    reviewed_by: Option<String>,
    reviewed_ms: Option<i64>,
}

/// An article with one of its versions.
#[derive(Serialize, ToSchema)]
struct ArticleView {
    slug: String,
    /// `draft`, `review`, `published` or `retired`, of the newest version.
    state: String,
    /// The newest version.
    version: i64,
    /// The published version; 0 when none is.
    published: i64,
    /// The version whose texts are shown.
    shown: i64,
    signatures: Vec<String>,
    en: Option<Text>,
    zh: Option<Text>,
    /// Newest first.
    versions: Vec<VersionView>,
    updated_ms: i64,
}

async fn view(state: &AppState, row: ArticleRow, version: i64) -> AppResult<ArticleView> {
    let mut conn = state.db.read().await?;
    let texts = rows::texts(&mut conn, &row.id, version).await?;
    if texts.is_empty() {
        return Err(AppError::not_found("version of the article"));
    }
    let versions = rows::versions(&mut conn, &row.id).await?;
    let signatures = rows::signatures(&mut conn, &row.id).await?;
    let text = |language: &str| {
        texts
            .iter()
            .find(|t| t.language == language)
            .cloned()
            .map(Text::from)
    };
    Ok(ArticleView {
        en: text("en"),
        zh: text("zh-CN"),
        slug: row.slug,
        state: row.state,
        version: row.version,
        published: row.published,
        shown: version,
        signatures,
        versions: versions
            .into_iter()
            .map(|v| VersionView {
                version: v.version,
                author: v.author,
                created_ms: v.created_ms,
                note: v.note,
                reviewed_by: v.reviewed_by,
                reviewed_ms: v.reviewed_ms,
            })
            .collect(),
        updated_ms: row.updated_ms,
    })
}

async fn list(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> AppResult<axum::Json<ArticleList>> {
    let language = solution::language_of(&query.language);
    let only = query.state.replace('\0', "");
    let mut conn = state.db.read().await?;
    if !query.q.trim().is_empty() {
        let text = query.q.replace('\0', " ");
        let mut items = knowledge::search(&mut conn, Scope::Latest, (&text, language), 50).await?;
        items.retain(|hit| only.is_empty() || hit.state == only);
        return Ok(axum::Json(ArticleList { items }));
    }
    let mut items = Vec::new();
    for row in rows::list(&mut conn, Some(&only), 200).await? {
        items.push(Hit {
            title: knowledge::title(&mut conn, &row, Scope::Latest, language).await?,
            slug: row.slug,
            state: row.state,
            hits: 0,
        });
    }
    Ok(axum::Json(ArticleList { items }))
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<Draft>,
) -> AppResult<(StatusCode, axum::Json<ArticleView>)> {
    let row = articles::create(&state, &caller, &body).await?;
    let view = view(&state, row, 1).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Which version.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    /// The newest one when absent.
    #[serde(default)]
    version: Option<i64>,
}

async fn show(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Query(query): Query<ShowQuery>,
) -> AppResult<axum::Json<ArticleView>> {
    let row = articles::load(&mut *state.db.read().await?, &slug).await?;
    let version = query.version.unwrap_or(row.version);
    Ok(axum::Json(view(&state, row, version).await?))
}

/// The next version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Edited {
    /// The version it was made from; refused when there is a newer one.
    base: i64,
    /// What it says.
    draft: Draft,
}

async fn edit(
    State(state): State<AppState>,
    caller: Caller,
    Path(slug): Path<String>,
    Json(body): Json<Edited>,
) -> AppResult<(StatusCode, axum::Json<ArticleView>)> {
    let row = articles::edit(&state, &caller, &slug, (body.base, &body.draft)).await?;
    let version = row.version;
    let view = view(&state, row, version).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// What is done with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Stepped {
    /// Where it goes.
    step: Step,
}

async fn step(
    State(state): State<AppState>,
    caller: Caller,
    Path(slug): Path<String>,
    Json(body): Json<Stepped>,
) -> AppResult<axum::Json<ArticleView>> {
    let row = articles::step(&state, &caller, &slug, body.step).await?;
    let version = row.version;
    Ok(axum::Json(view(&state, row, version).await?))
}
