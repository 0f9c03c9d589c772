//! The first administrator, through a one-time token that only the operator of the machine sees.

use super::accounts::{self, NewAccount};
use super::{Actor, Role, Roles, random_token, same, sha256_hex};
use crate::audit;
use crate::db::users::UserRow;
use crate::db::{settings, users};
use crate::error::{AppError, AppResult};
use crate::state::AppState;

const SETTING: &str = "setup_token_sha256";

/// Whether there is no account yet.
pub async fn needed(state: &AppState) -> AppResult<bool> {
    Ok(users::count(&mut *state.db.read().await?).await? == 0)
}

/// A new token, which replaces an older one; none when there already is an account.
pub async fn issue(state: &AppState) -> AppResult<Option<String>> {
    let mut tx = state.db.begin().await?;
    if users::count(&mut tx).await? > 0 {
        return Ok(None);
    }
    let token: String = random_token().chars().take(32).collect();
    settings::set(&mut tx, SETTING, &sha256_hex(token.as_bytes())).await?;
    tx.commit().await?;
    Ok(Some(token))
}

/// Makes the first account with every role but the auditor's, and uses the token up.
pub async fn redeem(
    state: &AppState,
    token: &str,
    mut new: NewAccount,
    address: &str,
) -> AppResult<UserRow> {
    let wrong = || {
        AppError::new(
            axum::http::StatusCode::UNAUTHORIZED,
            "setup_token_invalid",
            "the setup token is wrong or was used",
        )
        .hint("the newest token is in the service's log; `sitrepd setup-token` prints a new one")
    };
    let stored = settings::find(&mut *state.db.read().await?, SETTING).await?;
    let fits = stored.is_some_and(|s| same(&s, &sha256_hex(token.trim().as_bytes())));
    if !fits {
        return Err(wrong());
    }
    new.roles = Roles::new([Role::Admin, Role::Lead]);
    let user = accounts::prepare(state, new).await?;
    let mut tx = state.db.begin().await?;
    if users::count(&mut tx).await? > 0 || settings::find(&mut tx, SETTING).await?.is_none() {
        return Err(wrong());
    }
    users::insert(&mut tx, &user).await?;
    settings::delete(&mut tx, SETTING).await?;
    let event = audit::Event {
        actor: &Actor::System,
        action: "setup",
        object: &user.id,
        address,
    };
    audit::record(&mut tx, state.db.engine(), state.now_ms(), event).await?;
    tx.commit().await?;
    Ok(user)
}
