//! API tokens: a prefix and 256 random bits; the digest is stored; scopes never exceed the owner's rights.

use super::{Actor, Person, Roles, random_token, sha256_hex};
use crate::audit;
use crate::db;
use crate::db::tokens::TokenRow;
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// Every token begins with this, so that scanners find leaked ones.
pub const PREFIX: &str = "srt_";
/// Default lifetime in days.
pub const DEFAULT_DAYS: i64 = 90;
/// Longest lifetime in days.
pub const MAX_DAYS: i64 = 366;
/// The last use is written at most this often.
const TOUCH_MS: i64 = 60_000;

/// The actor of a token. One answer for unknown, expired and revoked ones.
pub async fn authenticate(state: &AppState, token: &str) -> AppResult<Actor> {
    let wrong = AppError::unauthenticated;
    if !token.starts_with(PREFIX) || token.len() > 200 {
        return Err(wrong());
    }
    let found =
        db::tokens::find(&mut *state.db.read().await?, &sha256_hex(token.as_bytes())).await?;
    let row = found.ok_or_else(wrong)?;
    let now = state.now_ms();
    if row.revoked_ms.is_some() || row.expires_ms <= now || row.disabled == 1 {
        return Err(wrong());
    }
    if row.used_ms.is_none_or(|used| now - used > TOUCH_MS) {
        let mut tx = state.db.begin().await?;
        db::tokens::touch(&mut tx, &row.id, now).await?;
        tx.commit().await?;
    }
    let roles = Roles::parse(&row.scopes).within(&Roles::parse(&row.roles));
    Ok(Actor::Token(Person {
        id: row.user_id,
        login: row.login,
        name: row.name,
        roles,
    }))
}

/// Makes a token for a person; returns its row and, this once, the token itself.
pub async fn create(
    state: &AppState,
    actor: &Actor,
    owner: &Person,
    name: &str,
    scopes: &Roles,
    days: i64,
    address: &str,
) -> AppResult<(TokenRow, String)> {
    if scopes.list().is_empty() {
        return Err(AppError::invalid("scopes", "give at least one"));
    }
    if scopes.within(&owner.roles) != *scopes {
        return Err(AppError::invalid(
            "scopes",
            "a token cannot have more rights than its owner",
        ));
    }
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(AppError::invalid(
            "days",
            format!("must be 1 to {MAX_DAYS}"),
        ));
    }
    let token = format!("{PREFIX}{}", random_token());
    let now = state.now_ms();
    let row = TokenRow {
        id: new_id(),
        user_id: owner.id.clone(),
        name: name.to_owned(),
        prefix: token.chars().take(PREFIX.len() + 6).collect(),
        scopes: scopes.text(),
        created_ms: now,
        expires_ms: now + days * 86_400_000,
        used_ms: None,
        revoked_ms: None,
    };
    let mut tx = state.db.begin().await?;
    db::tokens::insert(&mut tx, &row, &sha256_hex(token.as_bytes())).await?;
    let event = audit::Event {
        actor,
        action: "token.create",
        object: &row.id,
        address,
    };
    audit::record(&mut tx, state.db.engine(), now, event).await?;
    tx.commit().await?;
    Ok((row, token))
}

/// Revokes a token of a person.
pub async fn revoke(
    state: &AppState,
    actor: &Actor,
    owner: &Person,
    id: &str,
    address: &str,
) -> AppResult<()> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    if !db::tokens::revoke(&mut tx, id, &owner.id, now).await? {
        return Err(AppError::not_found("token"));
    }
    let event = audit::Event {
        actor,
        action: "token.revoke",
        object: id,
        address,
    };
    audit::record(&mut tx, state.db.engine(), now, event).await?;
    tx.commit().await?;
    Ok(())
}
