//! The first administrator, over the API.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::UserView;
use crate::auth::accounts::{self, NewAccount};
use crate::auth::{Access, Actor, Roles, limits, setup, tokens};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Json};
use crate::http::openapi::Op;
use crate::state::AppState;

/// The setup token and the account to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// One-time token from the service's log.
    #[schema(max_length = 200)]
    token: String,
    /// Login name.
    #[schema(min_length = 1, max_length = 80)]
    login: String,
    /// Name shown to others.
    #[serde(default)]
    #[schema(max_length = 120)]
    name: String,
    /// Password.
    #[schema(min_length = 12, max_length = 256)]
    password: String,
}

/// The account and its first API token.
#[derive(Serialize, ToSchema)]
struct SetupDone {
    user: UserView,
    /// API token with the account's rights, shown once.
    token: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .post("/api/v1/setup", Access::Public, create)
        .doc(
            Op::new("Create the first administrator")
                .body::<Setup>()
                .returns::<SetupDone>(201),
        )
}

async fn create(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<Setup>,
) -> AppResult<(StatusCode, axum::Json<SetupDone>)> {
    let keys = vec![(limits::LOGIN_PER_ADDRESS, limits::subject(address))];
    let turn = limits::admit(&state.db, keys, state.now_ms()).await?;
    let new = NewAccount {
        login: body.login,
        name: body.name,
        password: body.password,
        roles: Roles::default(),
    };
    let made = setup::redeem(&state, &body.token, new, &address.to_string()).await;
    if made
        .as_ref()
        .is_err_and(|e| e.status() == StatusCode::UNAUTHORIZED)
    {
        turn.failed(&state.db).await?;
    }
    let user = made?;
    let owner = accounts::person(&user);
    let actor = Actor::User(owner.clone());
    let (_, token) = tokens::create(
        &state,
        &actor,
        &owner,
        "setup",
        &owner.roles,
        tokens::DEFAULT_DAYS,
        &address.to_string(),
    )
    .await?;
    Ok((
        StatusCode::CREATED,
        axum::Json(SetupDone {
            user: user.into(),
            token,
        }),
    ))
}
