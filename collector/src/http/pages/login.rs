//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Frame;
use crate::auth::sessions::{self, SessionInfo};
use crate::auth::{Access, Actor, Role, Roles, accounts, setup};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Form, Query};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    problem: String,
    login: String,
    next: String,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct LoginForm {
    login: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Empty {}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/", Access::SignedIn, home)
        .get("/login", Access::Public, show)
        .post("/login", Access::Public, sign_in)
        .post("/logout", Access::Session, sign_out)
}

/// Leads a browser to the login and back to where it wanted to go.
pub fn redirect_here(target: &str) -> Response {
    let next: String = form_urlencoded(target);
    Redirect::to(&format!("/login?next={next}")).into_response()
}

fn form_urlencoded(text: &str) -> String {
    serde_urlencoded::to_string([("", text)])
        .unwrap_or_default()
        .trim_start_matches('=')
        .to_owned()
}

async fn home(actor: Actor) -> Redirect {
    Redirect::to(actor.person().map_or("/tickets", |p| first(&p.roles)))
}

/// The first page that somebody's rights allow.
fn first(roles: &Roles) -> &'static str {
    if roles.allow(Role::Viewer) {
        "/tickets"
    } else if roles.allow(Role::Admin) {
        "/admin"
    } else {
        "/account"
    }
}

async fn show(
    State(state): State<AppState>,
    frame: Frame,
    Query(next): Query<Next>,
) -> AppResult<Response> {
    if setup::needed(&state).await? {
        return Ok(Redirect::to("/setup").into_response());
    }
    super::html(&LoginPage {
        frame,
        problem: String::new(),
        login: String::new(),
        next: next.next,
    })
}

/// Only a path of this service: `//host` and `/\host` would leave it.
pub(super) fn inside(next: &str) -> &str {
    let leaves =
        next.starts_with("//") || next.contains('\\') || next.chars().any(char::is_control);
    if next.starts_with('/') && !leaves {
        next
    } else {
        "/tickets"
    }
}

async fn sign_in(
    State(state): State<AppState>,
    frame: Frame,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> AppResult<Response> {
    match accounts::sign_in(&state, &form.login, form.password, address).await {
        Ok(person) => {
            let old = sessions::cookie(&state, &headers);
            let cookie = sessions::begin(&state, &person.id, &address.to_string(), old).await?;
            // The queue is where one begins, for those who may see it.
            let to = match inside(&form.next) {
                "/tickets" => first(&person.roles),
                next => next,
            };
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(to)).into_response())
        }
        Err(error) if error.status().is_client_error() => {
            let page = LoginPage {
                frame,
                problem: error.detail().to_owned(),
                login: form.login,
                next: form.next,
            };
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}

async fn sign_out(
    State(state): State<AppState>,
    session: SessionInfo,
    Form(Empty {}): Form<Empty>,
) -> AppResult<Response> {
    let cookie = sessions::end(&state, &session).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_stays_inside() {
        for (next, expected) in [
            ("/tickets/TKT-1?x=1", "/tickets/TKT-1?x=1"),
            ("//evil.example", "/tickets"),
            ("/\\evil.example", "/tickets"),
            ("https://evil.example", "/tickets"),
            ("", "/tickets"),
        ] {
            assert_eq!(inside(next), expected);
        }
        assert_eq!(form_urlencoded("/a?b=c&d"), "%2Fa%3Fb%3Dc%26d");
    }

    #[test]
    fn everybody_begins_where_they_may_be() {
        for (roles, expected) in [
            (&[Role::Viewer][..], "/tickets"),
            (&[Role::Lead], "/tickets"),
            (&[Role::Admin, Role::Engineer], "/tickets"),
            (&[Role::Admin], "/admin"),
            (&[Role::Auditor], "/account"),
            (&[], "/account"),
        ] {
            assert_eq!(first(&Roles::new(roles.iter().copied())), expected);
        }
    }
}
