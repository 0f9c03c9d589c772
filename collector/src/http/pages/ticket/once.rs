//! What is made on the page of a ticket and shown this once: an upload code, and the link to the customer's page. Both
//! answer with the page itself, since a secret must not be in an address of the staff's.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use sitrep_shared::ids::UploadTarget;

use super::super::{Frame, html, time};
use super::forms::done;
use super::{Asked, Shown, page, refused};
use crate::auth::Access;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Form, Path};
use crate::state::AppState;
use crate::tickets::codes::{self, NewCode};
use crate::tickets::{Caller, Opened, customer};

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::default()
        .post("/tickets/{ticket}/codes", Access::Engineer, request)
        .post("/tickets/{ticket}/links", Access::Engineer, link)
}

#[derive(Deserialize)]
struct CodeForm {
    #[serde(default)]
    profile: String,
}

async fn request(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<CodeForm>,
) -> AppResult<Response> {
    let new = NewCode {
        profile: Some(form.profile).filter(|profile| !profile.is_empty()),
        ..NewCode::default()
    };
    let (row, code) = match codes::create(&state, &caller, &ticket, &new).await {
        Ok(made) => made,
        Err(error) => return refused(&state, frame, &ticket, error).await,
    };
    let link = UploadTarget::link(&state.base_url, &code);
    let opened = Opened::load(&mut *state.db.read().await?, &ticket).await?;
    let mut page = page(&state, frame, opened, &Asked::default()).await?;
    page.new_code = Some(Shown {
        command: format!("sitrep run {link}"),
        link,
        expires: time(row.expires_ms),
    });
    html(&page)
}

#[derive(Deserialize)]
struct LinkForm {
    #[serde(default)]
    revoke: String,
}

async fn link(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Path(ticket): Path<String>,
    Form(form): Form<LinkForm>,
) -> AppResult<Response> {
    if !form.revoke.is_empty() {
        let result = customer::revoke_links(&state, &caller, &ticket).await;
        return done(&state, frame, (&ticket, ""), result).await;
    }
    let (row, code) = customer::link(&state, &caller, &ticket).await?;
    let opened = Opened::load(&mut *state.db.read().await?, &ticket).await?;
    let mut page = page(&state, frame, opened, &Asked::default()).await?;
    page.new_link = Some(Shown {
        command: String::new(),
        link: format!("{}/t/{}", state.base_url, code.canonical()),
        expires: time(row.expires_ms),
    });
    html(&page)
}
