//! Local accounts: signing in, and adding or changing accounts.

use std::net::IpAddr;

use super::limits::{self, LOGIN_PER_ACCOUNT, LOGIN_PER_ADDRESS};
use super::{Actor, Person, Roles, password};
use crate::audit;
use crate::db::users::{self, UserRow};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// A new account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Login name.
    pub login: String,
    /// Name shown; the login name when empty.
    pub name: String,
    /// Password.
    pub password: String,
    /// Roles.
    pub roles: Roles,
}

/// Checks login and password. One answer and about one time for every failure.
pub async fn sign_in(
    state: &AppState,
    login: &str,
    secret: String,
    address: IpAddr,
) -> AppResult<Person> {
    let login = login.trim().to_lowercase();
    let keys = vec![
        (LOGIN_PER_ADDRESS, limits::subject(address)),
        (LOGIN_PER_ACCOUNT, login.chars().take(80).collect()),
    ];
    let turn = limits::admit(&state.db, keys, state.now_ms()).await?;
    let found = users::find_by_login(&mut *state.db.read().await?, &login)
        .await?
        .filter(|u| u.disabled == 0);
    let stored = found.as_ref().and_then(|u| u.password_hash.clone());
    let too_long = secret.len() > password::MAX_CHARS * 4;
    let fits = !too_long && state.passwords.verify(&state.tasks, secret, stored).await?;
    match found {
        Some(user) if fits => Ok(person(&user)),
        _ => {
            turn.failed(&state.db).await?;
            Err(AppError::new(
                axum::http::StatusCode::UNAUTHORIZED,
                "login_failed",
                "the name or the password is wrong",
            ))
        }
    }
}

/// The person of an account's row.
pub fn person(user: &UserRow) -> Person {
    Person {
        id: user.id.clone(),
        login: user.login.clone(),
        name: user.name.clone(),
        roles: Roles::parse(&user.roles),
    }
}

/// Checks a new account and hashes its password.
pub async fn prepare(state: &AppState, new: NewAccount) -> AppResult<UserRow> {
    let login = new.login.trim().to_lowercase();
    let plain = |c: char| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@')
    };
    if login.is_empty() || login.len() > 80 || !login.chars().all(plain) {
        return Err(AppError::invalid("login", "use 1 to 80 of a-z 0-9 . - _ @"));
    }
    if new.roles.list().is_empty() {
        return Err(AppError::invalid("roles", "give at least one"));
    }
    let name = crate::tickets::text("name", &new.name, 0, 120)?;
    password::check_new(&new.password, &login)?;
    let hash = state.passwords.hash(&state.tasks, new.password).await?;
    let now = state.now_ms();
    Ok(UserRow {
        id: new_id(),
        name: if name.is_empty() { login.clone() } else { name },
        login,
        email: None,
        password_hash: Some(hash),
        roles: new.roles.text(),
        disabled: 0,
        created_ms: now,
        updated_ms: now,
    })
}

/// Adds an account.
pub async fn create(
    state: &AppState,
    actor: &Actor,
    new: NewAccount,
    address: &str,
) -> AppResult<UserRow> {
    let user = prepare(state, new).await?;
    let mut tx = state.db.begin().await?;
    match users::insert(&mut tx, &user).await {
        Err(error) if error.is_unique_violation() => {
            return Err(AppError::conflict(
                "login_taken",
                "this login name is in use",
            ));
        }
        other => other?,
    }
    let event = audit::Event {
        actor,
        action: "user.create",
        object: &user.id,
        address,
    };
    audit::record(&mut tx, state.db.engine(), state.now_ms(), event).await?;
    tx.commit().await?;
    Ok(user)
}

/// Changes roles or disables; the person's sessions end, so that the change holds at once.
pub async fn change(
    state: &AppState,
    actor: &Actor,
    id: &str,
    roles: Option<Roles>,
    disabled: Option<bool>,
    address: &str,
) -> AppResult<UserRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut user = users::find(&mut tx, id)
        .await?
        .ok_or_else(|| AppError::not_found("user"))?;
    if let Some(roles) = roles {
        if roles.list().is_empty() {
            return Err(AppError::invalid("roles", "give at least one"));
        }
        user.roles = roles.text();
    }
    if let Some(disabled) = disabled {
        user.disabled = i64::from(disabled);
    }
    let own = actor.person().is_some_and(|p| p.id == id);
    if own && (user.disabled == 1 || !Roles::parse(&user.roles).allow(super::Role::Admin)) {
        return Err(AppError::conflict(
            "own_account",
            "you cannot take your own administrator's right",
        ));
    }
    users::update(&mut tx, id, &user.roles, user.disabled == 1, now).await?;
    crate::db::sessions::delete_of_user(&mut tx, id).await?;
    let event = audit::Event {
        actor,
        action: "user.change",
        object: id,
        address,
    };
    audit::record(&mut tx, state.db.engine(), now, event).await?;
    tx.commit().await?;
    user.updated_ms = now;
    Ok(user)
}
