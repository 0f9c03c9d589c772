//! One's own account: API tokens.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::{Access, Person, Role, Roles, tokens};
use crate::db::tokens::list as list_rows;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Form, Path};
use crate::state::AppState;
use crate::tickets::{self, Caller};

struct TokenLine {
    id: String,
    name: String,
    scope: String,
    expires: String,
    last_used: String,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    new_token: Option<String>,
    tokens: Vec<TokenLine>,
    problem: String,
}

#[derive(Deserialize)]
struct TokenForm {
    name: String,
    scope: String,
}

#[derive(Deserialize)]
struct Empty {}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/account", Access::Session, show)
        .post("/account/tokens", Access::Session, create)
        .post("/account/tokens/{id}/revoke", Access::Session, revoke)
}

fn person(caller: &Caller) -> AppResult<&Person> {
    caller.actor.person().ok_or_else(AppError::unauthenticated)
}

async fn page(state: &AppState, frame: Frame, person: &Person) -> AppResult<AccountPage> {
    let rows = list_rows(&mut *state.db.read().await?, &person.id).await?;
    let tokens = rows
        .into_iter()
        .filter(|row| row.revoked_ms.is_none())
        .map(|row| TokenLine {
            scope: Roles::parse(&row.scopes)
                .list()
                .iter()
                .map(|r| frame.l.role(r.word()))
                .collect::<Vec<_>>()
                .join(", "),
            name: format!("{} ({}…)", row.name, row.prefix),
            id: row.id,
            expires: time(row.expires_ms),
            last_used: row.used_ms.map_or_else(|| "–".to_owned(), time),
        })
        .collect();
    Ok(AccountPage {
        frame,
        new_token: None,
        tokens,
        problem: String::new(),
    })
}

async fn show(State(state): State<AppState>, frame: Frame, caller: Caller) -> AppResult<Response> {
    super::html(&page(&state, frame, person(&caller)?).await?)
}

// Answers with the page itself: the token is shown once.
async fn create(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<TokenForm>,
) -> AppResult<Response> {
    let person = person(&caller)?;
    let scopes = if form.scope == "write" {
        person.roles.clone()
    } else {
        Roles::new([Role::Viewer])
    };
    let address = caller.address.to_string();
    let made = match tickets::text("name", &form.name, 1, 80) {
        Ok(name) => {
            tokens::create(
                &state,
                &caller.actor,
                person,
                &name,
                &scopes,
                tokens::DEFAULT_DAYS,
                &address,
            )
            .await
        }
        Err(error) => Err(error),
    };
    let mut page = page(&state, frame, person).await?;
    match made {
        Ok((_, token)) => {
            page.new_token = Some(token);
            super::html(&page)
        }
        Err(error) if error.status().is_client_error() => {
            page.problem = error.detail().to_owned();
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Form(Empty {}): Form<Empty>,
) -> AppResult<Response> {
    let id = crate::http::api::id("token", &id)?;
    tokens::revoke(
        &state,
        &caller.actor,
        person(&caller)?,
        &id,
        &caller.address.to_string(),
    )
    .await?;
    Ok(Redirect::to("/account").into_response())
}
