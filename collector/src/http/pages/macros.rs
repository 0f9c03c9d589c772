//! Text modules: the list, and a form for each.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Frame;
use crate::auth::{Access, Role};
use crate::db::macros::{self as rows, MacroRow};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::Kept;
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::macros::{self, NewMacro, PLACES};

#[derive(Template)]
#[template(path = "macros.html")]
struct MacrosPage {
    frame: Frame,
    macros: Vec<MacroRow>,
    places: String,
    may_edit: bool,
    problem: String,
}

#[derive(Deserialize)]
struct MacroForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body_en: String,
    #[serde(default)]
    body_zh: String,
    #[serde(default)]
    remove: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/macros", Access::Viewer, show)
        .post("/macros", Access::Lead, store)
}

async fn page(state: &AppState, frame: Frame) -> AppResult<MacrosPage> {
    let macros = rows::list(&mut *state.db.read().await?).await?;
    Ok(MacrosPage {
        may_edit: frame.may(Role::Lead),
        frame,
        macros,
        places: PLACES.join(" "),
        problem: String::new(),
    })
}

async fn show(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    super::html(&page(&state, frame).await?)
}

async fn store(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Kept(form, typed): Kept<MacroForm>,
) -> AppResult<Response> {
    let id = Some(form.id).filter(|id| !id.is_empty());
    let id = id
        .map(|id| crate::http::api::id("text module", &id))
        .transpose()?;
    let done = match (&id, form.remove.is_empty()) {
        (Some(id), false) => macros::remove(&state, &caller, id).await,
        _ => {
            let new = NewMacro {
                title: form.title,
                body_en: form.body_en,
                body_zh: form.body_zh,
            };
            macros::store(&state, &caller, id.as_deref(), &new)
                .await
                .map(|_| ())
        }
    };
    match done {
        Ok(()) => Ok(Redirect::to("/macros").into_response()),
        Err(error) if error.status().is_client_error() => {
            let mut page = page(&state, frame.with_typed(&typed)).await?;
            page.problem = error.detail().to_owned();
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}
