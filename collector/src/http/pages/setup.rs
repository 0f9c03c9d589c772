//! The page for the first administrator.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Frame;
use crate::auth::accounts::NewAccount;
use crate::auth::{Access, Roles, limits, sessions, setup};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Form};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    frame: Frame,
    problem: String,
    token: String,
    login: String,
}

#[derive(Deserialize)]
struct SetupForm {
    token: String,
    login: String,
    password: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/setup", Access::Public, show)
        .post("/setup", Access::Public, create)
}

async fn show(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    if !setup::needed(&state).await? {
        return Ok(Redirect::to("/login").into_response());
    }
    super::html(&SetupPage {
        frame,
        problem: String::new(),
        token: String::new(),
        login: String::new(),
    })
}

async fn create(
    State(state): State<AppState>,
    frame: Frame,
    ClientAddress(address): ClientAddress,
    Form(form): Form<SetupForm>,
) -> AppResult<Response> {
    let keys = vec![(limits::LOGIN_PER_ADDRESS, limits::subject(address))];
    let turn = limits::admit(&state.db, keys, state.now_ms()).await?;
    let new = NewAccount {
        login: form.login.clone(),
        name: String::new(),
        password: form.password,
        roles: Roles::default(),
    };
    match setup::redeem(&state, &form.token, new, &address.to_string()).await {
        Ok(user) => {
            let cookie = sessions::begin(&state, &user.id, &address.to_string(), None).await?;
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/tickets")).into_response())
        }
        Err(error) if error.status().is_client_error() => {
            if error.status() == StatusCode::UNAUTHORIZED {
                turn.failed(&state.db).await?;
            }
            let page = SetupPage {
                frame,
                problem: error.detail().to_owned(),
                token: form.token,
                login: form.login,
            };
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}
