//! The editor of an article, also filled from a ticket.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use super::super::Frame;
use crate::auth::Access;
use crate::db::articles::{self as rows, ArticleRow};
use crate::db::{findings, lifecycle, solutions};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Form, Path, Query};
use crate::knowledge::articles::{self, Draft, Text};
use crate::state::AppState;
use crate::tickets::model::Audience;
use crate::tickets::solution::{fix, language_of};
use crate::tickets::{self, Caller};

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/kb/new", Access::Engineer, new)
        .post("/kb", Access::Engineer, create)
        .get("/kb/{slug}/edit", Access::Engineer, editor)
        .post("/kb/{slug}", Access::Engineer, save)
}

/// One field of the editor.
struct Field {
    name: String,
    label: &'static str,
    value: String,
}

/// The fields of one language.
struct Fields {
    code: &'static str,
    title: Field,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "article_edit.html")]
struct EditPage {
    frame: Frame,
    slug: String,
    base: i64,
    ticket: String,
    note: String,
    signatures: String,
    languages: [Fields; 2],
    problem: String,
}

/// Parts of an article besides its title, and the keys of their names.
const PARTS: [(&str, &str); 8] = [
    ("problem", "kb.problem"),
    ("affected", "kb.affected"),
    ("cause", "kb.cause"),
    ("fix_plain", "kb.fix_plain"),
    ("fix_expert", "kb.fix_expert"),
    ("verify", "kb.verify"),
    ("rollback", "kb.rollback"),
    ("workaround", "kb.workaround"),
];

fn fields(code: &'static str, text: &Text) -> Fields {
    let prefix = if code == "en" { "en" } else { "zh" };
    let values = serde_json::to_value(text).unwrap_or_default();
    let field = |name: &str, label: &'static str| Field {
        name: format!("{prefix}_{name}"),
        label,
        value: values[name].as_str().unwrap_or_default().to_owned(),
    };
    Fields {
        code,
        title: field("title", "kb.name"),
        fields: PARTS
            .iter()
            .map(|(name, label)| field(name, label))
            .collect(),
    }
}

fn edit_page(frame: Frame, slug: &str, base: i64, draft: Draft) -> EditPage {
    EditPage {
        frame,
        slug: slug.to_owned(),
        base,
        ticket: draft.ticket.unwrap_or_default(),
        note: draft.note,
        signatures: draft.signatures.join(" "),
        languages: [fields("en", &draft.en), fields("zh-CN", &draft.zh)],
        problem: String::new(),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NewQuery {
    ticket: String,
}

async fn new(
    State(state): State<AppState>,
    frame: Frame,
    Query(query): Query<NewQuery>,
) -> AppResult<Response> {
    let draft = match query.ticket.as_str() {
        "" => Draft::default(),
        key => from_ticket(&state, key).await?,
    };
    super::super::html(&edit_page(frame, "", 0, draft))
}

/// What a ticket already says of an article: the problem, what was found, and what worked.
async fn from_ticket(state: &AppState, key: &str) -> AppResult<Draft> {
    let row = tickets::load(state, key).await?;
    let mut conn = state.db.read().await?;
    let life = lifecycle::find(&mut conn, &row.id)
        .await?
        .unwrap_or_default();
    let found = findings::of_ticket(&mut conn, &row.id, state.now_ms()).await?;
    let proposed = solutions::list(&mut conn, &row.id).await?;
    let worked = proposed
        .iter()
        .find(|s| s.outcome.as_deref() == Some("worked"));
    let solution = worked.or(proposed.first());
    let stand: Vec<_> = found.iter().filter(|f| f.stands()).collect();
    let mut signatures: Vec<String> = stand.iter().map(|f| f.signature_id.clone()).collect();
    signatures.dedup();
    let body: Value = stand
        .first()
        .and_then(|f| serde_json::from_str(&f.body).ok())
        .unwrap_or_default();
    let language = language_of(&row.language);
    let join = |parts: [&str; 2]| {
        parts
            .into_iter()
            .filter(|p| !p.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let cause = match life.closing_note.as_str() {
        "" => body["cause"].as_str().unwrap_or_default(),
        note => note,
    };
    let text = Text {
        title: row.title.clone(),
        problem: join([&row.happened, &row.error_text]),
        affected: row.product.clone(),
        cause: cause.to_owned(),
        fix_plain: solution.map_or_else(
            || fix(&body, language, Audience::Plain).join("\n"),
            |s| s.steps.clone(),
        ),
        fix_expert: fix(&body, language, Audience::Expert).join("\n"),
        verify: solution.map(|s| s.success.clone()).unwrap_or_default(),
        rollback: solution.map(|s| s.rollback.clone()).unwrap_or_default(),
        workaround: String::new(),
    };
    let (en, zh) = match language {
        "en" => (text, Text::default()),
        _ => (Text::default(), text),
    };
    Ok(Draft {
        ticket: Some(tickets::key(&row)),
        signatures,
        en,
        zh,
        ..Draft::default()
    })
}

async fn editor(
    State(state): State<AppState>,
    frame: Frame,
    Path(slug): Path<String>,
) -> AppResult<Response> {
    let mut conn = state.db.read().await?;
    let row = articles::load(&mut conn, &slug).await?;
    let texts = rows::texts(&mut conn, &row.id, row.version).await?;
    let text = |code: &str| texts.iter().find(|t| t.language == code).cloned();
    let draft = Draft {
        signatures: rows::signatures(&mut conn, &row.id).await?,
        en: text("en").map(Text::from).unwrap_or_default(),
        zh: text("zh-CN").map(Text::from).unwrap_or_default(),
        ..Draft::default()
    };
    super::super::html(&edit_page(frame, &slug, row.version, draft))
}

/// The editor's fields as they come: `en_title`, `zh_cause` …
type EditForm = std::collections::HashMap<String, String>;

fn draft_of(form: &EditForm) -> Draft {
    let value = |name: &str| form.get(name).cloned().unwrap_or_default();
    let text = |prefix: &str| {
        let part = |name: &str| value(&format!("{prefix}_{name}"));
        Text {
            title: part("title"),
            problem: part("problem"),
            affected: part("affected"),
            cause: part("cause"),
            fix_plain: part("fix_plain"),
            fix_expert: part("fix_expert"),
            verify: part("verify"),
            rollback: part("rollback"),
            workaround: part("workaround"),
        }
    };
    let words = value("signatures");
    Draft {
        note: value("note"),
        signatures: words
            .split([' ', ',', '\n'])
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect(),
        ticket: Some(value("ticket")).filter(|key| !key.is_empty()),
        en: text("en"),
        zh: text("zh"),
    }
}

async fn create(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<EditForm>,
) -> AppResult<Response> {
    let draft = draft_of(&form);
    let made = articles::create(&state, &caller, &draft).await;
    saved(frame, ("", 0), draft, made)
}

async fn save(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(slug): Path<String>,
    Form(form): Form<EditForm>,
) -> AppResult<Response> {
    let draft = draft_of(&form);
    let base = form
        .get("base")
        .and_then(|base| base.parse().ok())
        .unwrap_or(0);
    let made = articles::edit(&state, &caller, &slug, (base, &draft)).await;
    saved(frame, (&slug, base), draft, made)
}

fn saved(
    frame: Frame,
    (slug, base): (&str, i64),
    draft: Draft,
    made: AppResult<ArticleRow>,
) -> AppResult<Response> {
    match made {
        Ok(row) => Ok(Redirect::to(&format!("/kb/{}", row.slug)).into_response()),
        Err(error) if error.status().is_client_error() => {
            let mut page = edit_page(frame, slug, base, draft);
            page.problem = error.detail().to_owned();
            super::super::again(&error, super::super::html(&page))
        }
        Err(error) => Err(error),
    }
}
