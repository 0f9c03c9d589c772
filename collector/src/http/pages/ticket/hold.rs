//! Placing and lifting the legal hold of a ticket on its page.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::super::Frame;
use super::forms::done;
use crate::auth::Access;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Kept, Path};
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::holds::{self, Held};

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::default().post("/tickets/{ticket}/hold", Access::Lead, change)
}

#[derive(Deserialize)]
struct HoldForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    lift: String,
}

async fn change(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Kept(form, typed): Kept<HoldForm>,
) -> AppResult<Response> {
    let held = Held::Ticket(&ticket);
    let result = if form.lift.is_empty() {
        let placed = holds::place(&state, &caller, held, &form.reason).await;
        placed.map(drop)
    } else {
        holds::lift(&state, &caller, held, &form.reason).await
    };
    done(
        &state,
        frame.with_typed(&typed),
        (&ticket, "#bundles"),
        result,
    )
    .await
}
