//! Administration: the people.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, time};
use crate::auth::accounts::{self, NewAccount};
use crate::auth::{Access, Role, Roles};
use crate::db::users;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::Form;
use crate::state::AppState;
use crate::tickets::Caller;

struct UserLine {
    login: String,
    role: String,
    created: String,
}

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    frame: Frame,
    users: Vec<UserLine>,
    roles: Vec<&'static str>,
    problem: String,
    done: String,
}

#[derive(Deserialize)]
struct UserForm {
    login: String,
    password: String,
    role: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/admin", Access::Admin, show)
        .post("/admin/users", Access::Admin, create)
}

async fn page(state: &AppState, frame: Frame) -> AppResult<AdminPage> {
    let rows = users::list(&mut *state.db.read().await?).await?;
    let line = |row: users::UserRow| UserLine {
        role: Roles::parse(&row.roles)
            .list()
            .iter()
            .map(|r| frame.l.role(r.word()))
            .collect::<Vec<_>>()
            .join(", "),
        login: row.login,
        created: time(row.created_ms),
    };
    let users = rows.into_iter().map(line).collect();
    let roles = Role::ALL.iter().map(|r| r.word()).collect();
    Ok(AdminPage {
        frame,
        users,
        roles,
        problem: String::new(),
        done: String::new(),
    })
}

async fn show(State(state): State<AppState>, frame: Frame) -> AppResult<Response> {
    super::html(&page(&state, frame).await?)
}

async fn create(
    State(state): State<AppState>,
    frame: Frame,
    caller: Caller,
    Form(form): Form<UserForm>,
) -> AppResult<Response> {
    let made = match Role::parse(&form.role) {
        Some(role) => {
            let new = NewAccount {
                login: form.login,
                name: String::new(),
                password: form.password,
                roles: Roles::new([role]),
            };
            accounts::create(&state, &caller.actor, new, &caller.address.to_string()).await
        }
        None => Err(AppError::invalid("role", "is not a role")),
    };
    let mut page = page(&state, frame).await?;
    match made {
        Ok(user) => {
            page.done = user.login;
            super::html(&page)
        }
        Err(error) if error.status().is_client_error() => {
            page.problem = error.detail().to_owned();
            super::again(&error, super::html(&page))
        }
        Err(error) => Err(error),
    }
}
