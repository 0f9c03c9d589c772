//! Text modules.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Access;
use crate::db::macros as macro_rows;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::macros::{self, MacroChange, NewMacro};

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/macros", Access::Viewer, list_macros)
        .doc(Op::new("List text modules").returns::<MacroList>(200))
        .post("/api/v1/macros", Access::Lead, add_macro)
        .doc(Op::new("Add a text module").body::<NewMacro>().returns::<MacroView>(201))
        .patch("/api/v1/macros/{id}", Access::Lead, change_macro)
        .doc(Op::new("Change a text module; absent fields stay").body::<MacroChange>().returns::<MacroView>(200))
        .delete("/api/v1/macros/{id}", Access::Lead, remove_macro)
        .doc(Op::new("Remove a text module").empty(204))
}

/// A text module.
#[derive(Serialize, ToSchema)]
struct MacroView {
    id: String,
    title: String,
    body_en: String,
    body_zh: String,
    changed_by: String,
    changed_ms: i64,
}

impl From<macro_rows::MacroRow> for MacroView {
    fn from(row: macro_rows::MacroRow) -> Self {
        Self {
            id: row.id,
            title: row.title,
            body_en: row.body_en,
            body_zh: row.body_zh,
            changed_by: row.changed_by,
            changed_ms: row.changed_ms,
        }
    }
}

/// Text modules by title.
#[derive(Serialize, ToSchema)]
struct MacroList {
    items: Vec<MacroView>,
}

async fn list_macros(State(state): State<AppState>) -> AppResult<axum::Json<MacroList>> {
    let rows = macro_rows::list(&mut *state.db.read().await?).await?;
    let items = rows.into_iter().map(MacroView::from).collect();
    Ok(axum::Json(MacroList { items }))
}

async fn add_macro(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<NewMacro>,
) -> AppResult<(StatusCode, axum::Json<MacroView>)> {
    let row = macros::store(&state, &caller, None, &body).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

async fn change_macro(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<MacroChange>,
) -> AppResult<axum::Json<MacroView>> {
    let id = super::id("text module", &id)?;
    let row = macros::change(&state, &caller, &id, body).await?;
    Ok(axum::Json(row.into()))
}

async fn remove_macro(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    let id = super::id("text module", &id)?;
    macros::remove(&state, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
