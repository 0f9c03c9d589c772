//! Accounts, for administrators.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::accounts::{self, NewAccount};
use crate::auth::{Access, Role, Roles};
use crate::db::users::{self, UserRow};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::Caller;

/// An account.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    /// Id.
    pub id: String,
    /// Login name.
    pub login: String,
    /// Name shown.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Whether it cannot sign in.
    pub disabled: bool,
    /// Creation, UTC milliseconds.
    pub created_ms: i64,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            roles: Roles::parse(&row.roles).list().to_vec(),
            id: row.id,
            login: row.login,
            name: row.name,
            disabled: row.disabled == 1,
            created_ms: row.created_ms,
        }
    }
}

/// All accounts.
#[derive(Serialize, ToSchema)]
struct UserList {
    items: Vec<UserView>,
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    #[schema(min_length = 1, max_length = 80)]
    login: String,
    #[serde(default)]
    #[schema(max_length = 120)]
    name: String,
    #[schema(min_length = 12, max_length = 256)]
    password: String,
    #[schema(min_items = 1)]
    roles: Vec<Role>,
}

/// A change of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    #[serde(default)]
    roles: Option<Vec<Role>>,
    #[serde(default)]
    disabled: Option<bool>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/users", Access::Admin, list)
        .doc(Op::new("List accounts").returns::<UserList>(200))
        .post("/api/v1/users", Access::Admin, create)
        .doc(
            Op::new("Add an account")
                .body::<NewUser>()
                .returns::<UserView>(201),
        )
        .patch("/api/v1/users/{id}", Access::Admin, change)
        .doc(
            Op::new("Change roles, or disable an account")
                .body::<UserChange>()
                .returns::<UserView>(200),
        )
}

async fn list(State(state): State<AppState>) -> AppResult<axum::Json<UserList>> {
    let rows = users::list(&mut *state.db.read().await?).await?;
    Ok(axum::Json(UserList {
        items: rows.into_iter().map(UserView::from).collect(),
    }))
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<NewUser>,
) -> AppResult<(StatusCode, axum::Json<UserView>)> {
    let new = NewAccount {
        login: body.login,
        name: body.name,
        password: body.password,
        roles: Roles::new(body.roles),
    };
    let row = accounts::create(&state, &caller.actor, new, &caller.address.to_string()).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<UserChange>,
) -> AppResult<axum::Json<UserView>> {
    let roles = body.roles.map(Roles::new);
    let id = super::id("user", &id)?;
    let row = accounts::change(
        &state,
        &caller.actor,
        &id,
        roles,
        body.disabled,
        &caller.address.to_string(),
    )
    .await?;
    Ok(axum::Json(row.into()))
}
