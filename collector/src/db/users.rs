//! Accounts.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// An account's row.
#[derive(Debug, Clone, FromRow)]
pub struct UserRow {
    /// Id.
    pub id: String,
    /// Login name, unique, lower case.
    pub login: String,
    /// Name shown.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// PHC string.
    pub password_hash: Option<String>,
    /// Comma-separated roles.
    pub roles: String,
    /// 1 when the account cannot sign in.
    pub disabled: i64,
    /// Creation.
    pub created_ms: i64,
    /// Last change.
    pub updated_ms: i64,
}

const COLUMNS: &str = "SELECT id, login, name, email, password_hash, roles, disabled, created_ms, updated_ms FROM users";

/// Adds an account.
pub async fn insert(conn: &mut AnyConnection, user: &UserRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO users (id, login, name, email, password_hash, roles, disabled, created_ms, updated_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(user.id.clone())
    .bind(user.login.clone())
    .bind(user.name.clone())
    .bind(user.email.clone())
    .bind(user.password_hash.clone())
    .bind(user.roles.clone())
    .bind(user.disabled)
    .bind(user.created_ms)
    .bind(user.updated_ms)
    .execute(conn)
    .await
    .named("add an account")
    .map(|_| ())
}

/// Finds an account by login name.
pub async fn find_by_login(
    conn: &mut AnyConnection,
    login: &str,
) -> Result<Option<UserRow>, DbError> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE login = $1")))
        .bind(login.to_owned())
        .fetch_optional(conn)
        .await
        .named("find an account by its login")
}

/// Finds an account by id.
pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<UserRow>, DbError> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
        .bind(id.to_owned())
        .fetch_optional(conn)
        .await
        .named("find an account")
}

/// All accounts by name.
pub async fn list(conn: &mut AnyConnection) -> Result<Vec<UserRow>, DbError> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} ORDER BY login LIMIT 1000"
    )))
    .fetch_all(conn)
    .await
    .named("list accounts")
}

/// Number of accounts.
pub async fn count(conn: &mut AnyConnection) -> Result<i64, DbError> {
    sqlx::query_scalar("SELECT COUNT(*) FROM users")
        .fetch_one(conn)
        .await
        .named("count accounts")
}

/// Changes roles and whether the account is disabled.
pub async fn update(
    conn: &mut AnyConnection,
    id: &str,
    roles: &str,
    disabled: bool,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query("UPDATE users SET roles = $1, disabled = $2, updated_ms = $3 WHERE id = $4")
        .bind(roles.to_owned())
        .bind(i64::from(disabled))
        .bind(now_ms)
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("change an account")
        .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_user, on_both};

    #[tokio::test]
    async fn an_account_is_found_changed_and_its_login_taken_once() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            assert_eq!(count(&mut tx).await.unwrap(), 0);
            for id in ["wei", "lin"] {
                add_user(&mut tx, id).await;
            }
            assert_eq!(count(&mut tx).await.unwrap(), 2);
            assert!(update(&mut tx, "lin", "admin", true, 9).await.unwrap());
            assert!(!update(&mut tx, "eve", "admin", true, 9).await.unwrap());
            let lin = find_by_login(&mut tx, "lin").await.unwrap().unwrap();
            assert_eq!(
                (lin.roles.as_str(), lin.disabled, lin.updated_ms),
                ("admin", 1, 9)
            );
            assert!(find(&mut tx, "eve").await.unwrap().is_none());
            assert_eq!(find(&mut tx, "wei").await.unwrap().unwrap().login, "wei");
            let all = list(&mut tx).await.unwrap();
            let logins: Vec<&str> = all.iter().map(|user| user.login.as_str()).collect();
            assert_eq!(logins, ["lin", "wei"]);
            tx.commit().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let twice = UserRow {
                id: "x".into(),
                ..lin
            };
            let refused = insert(&mut tx, &twice).await.unwrap_err();
            assert!(refused.is_unique_violation(), "{refused:?}");
        })
        .await;
    }
}
