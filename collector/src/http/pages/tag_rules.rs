//! Rules about the tags that signatures ask for: the list, with a form for each, and one for a new rule.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Frame;
use crate::auth::{Access, Role};
use crate::db::tag_rules::{self as rows, EVERY, RuleRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Query};
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::tag_rules::{self, Mode, NewRule, TAUGHT};

#[derive(Template)]
#[template(path = "tag_rules.html")]
struct RulesPage {
    frame: Frame,
    rules: Vec<RuleRow>,
    /// Of which the page was asked; fills the form.
    signature: String,
    products: Vec<String>,
    modes: Vec<&'static str>,
    taught: i64,
    may_edit: bool,
    problem: String,
}

#[derive(Default, Deserialize)]
struct Ask {
    #[serde(default)]
    signature: String,
}

#[derive(Deserialize)]
struct RuleForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    signature: String,
    #[serde(default)]
    product: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    remove: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/tag-rules", Access::Viewer, show)
        .post("/tag-rules", Access::Lead, store)
}

async fn page(state: &AppState, frame: Frame, signature: String) -> AppResult<RulesPage> {
    let mut conn = state.db.read().await?;
    let mut rules = rows::list(&mut conn).await?;
    if !signature.is_empty() {
        rules.retain(|rule| rule.signature_id == signature);
    }
    Ok(RulesPage {
        may_edit: frame.may(Role::Lead),
        products: rows::products(&mut conn).await?,
        modes: Mode::ALL.iter().map(|mode| mode.word()).collect(),
        taught: TAUGHT,
        frame,
        rules,
        signature,
        problem: String::new(),
    })
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Query(ask): Query<Ask>,
) -> AppResult<Response> {
    super::html(&page(&state, frame, ask.signature).await?)
}

async fn store(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<RuleForm>,
) -> AppResult<Response> {
    match change(&state, &caller, &form).await {
        Ok(()) => Ok(Redirect::to("/tag-rules").into_response()),
        Err(error) if error.status().is_client_error() => {
            let mut page = page(&state, frame, String::new()).await?;
            page.signature = form.signature;
            page.problem = error.detail().to_owned();
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

async fn change(state: &AppState, caller: &Caller, form: &RuleForm) -> AppResult<()> {
    if !form.remove.is_empty() {
        let id = crate::http::api::id("rule", &form.id)?;
        return tag_rules::remove(state, caller, &id).await;
    }
    let mode = Mode::parse(&form.mode);
    let new = NewRule {
        signature: form.signature.trim().to_owned(),
        product: Some(form.product.trim().to_owned()).filter(|product| product != EVERY),
        tag: form.tag.clone(),
        mode: mode.ok_or_else(|| AppError::invalid("mode", "is set, propose or never"))?,
    };
    tag_rules::store(state, caller, &new).await.map(|_| ())
}
