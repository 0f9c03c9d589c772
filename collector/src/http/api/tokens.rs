//! The caller's own API tokens.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Access, Role, Roles, tokens};
use crate::db::tokens::{TokenRow, list as list_rows};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::{self, Caller};

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
struct TokenView {
    id: String,
    name: String,
    /// First characters, to recognise it.
    prefix: String,
    scopes: Vec<Role>,
    created_ms: i64,
    expires_ms: i64,
    used_ms: Option<i64>,
    revoked_ms: Option<i64>,
}

impl From<TokenRow> for TokenView {
    fn from(row: TokenRow) -> Self {
        Self {
            scopes: Roles::parse(&row.scopes).list().to_vec(),
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            used_ms: row.used_ms,
            revoked_ms: row.revoked_ms,
        }
    }
}

/// All tokens of the caller.
#[derive(Serialize, ToSchema)]
struct TokenList {
    items: Vec<TokenView>,
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// Rights, at most the owner's.
    #[schema(min_items = 1)]
    scopes: Vec<Role>,
    /// Days of validity.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 366)]
    days: Option<i64>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
struct TokenMade {
    /// The token itself, shown once.
    token: String,
    info: TokenView,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/tokens", Access::SignedIn, list)
        .doc(Op::new("List the caller's API tokens").returns::<TokenList>(200))
        .post("/api/v1/tokens", Access::SignedIn, create)
        .doc(
            Op::new("Make an API token")
                .body::<NewToken>()
                .returns::<TokenMade>(201),
        )
        .delete("/api/v1/tokens/{id}", Access::SignedIn, revoke)
        .doc(Op::new("Revoke an API token").empty(204))
}

async fn list(State(state): State<AppState>, caller: Caller) -> AppResult<axum::Json<TokenList>> {
    let person = caller
        .actor
        .person()
        .ok_or_else(AppError::unauthenticated)?;
    let rows = list_rows(&mut *state.db.read().await?, &person.id).await?;
    Ok(axum::Json(TokenList {
        items: rows.into_iter().map(TokenView::from).collect(),
    }))
}

async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<NewToken>,
) -> AppResult<(StatusCode, axum::Json<TokenMade>)> {
    let person = caller
        .actor
        .person()
        .ok_or_else(AppError::unauthenticated)?;
    let name = tickets::text("name", &body.name, 1, 80)?;
    let days = body.days.unwrap_or(tokens::DEFAULT_DAYS);
    let scopes = Roles::new(body.scopes);
    let (row, token) = tokens::create(
        &state,
        &caller.actor,
        person,
        &name,
        &scopes,
        days,
        &caller.address.to_string(),
    )
    .await?;
    Ok((
        StatusCode::CREATED,
        axum::Json(TokenMade {
            token,
            info: row.into(),
        }),
    ))
}

async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    let person = caller
        .actor
        .person()
        .ok_or_else(AppError::unauthenticated)?;
    let id = super::id("token", &id)?;
    tokens::revoke(
        &state,
        &caller.actor,
        person,
        &id,
        &caller.address.to_string(),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
