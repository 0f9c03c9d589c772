//! Browser sessions; only the digest of a session's id is stored.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// A session with its account.
#[derive(Debug, Clone, FromRow)]
pub struct SessionRow {
    /// Token for forms.
    pub csrf: String,
    /// Login time.
    pub created_ms: i64,
    /// Last use.
    pub seen_ms: i64,
    /// Account.
    pub user_id: String,
    /// Login name.
    pub login: String,
    /// Name shown.
    pub name: String,
    /// Roles.
    pub roles: String,
    /// 1 when the account is disabled.
    pub disabled: i64,
}

/// Adds a session.
pub async fn insert(
    conn: &mut AnyConnection,
    id_sha256: &str,
    user_id: &str,
    csrf: &str,
    address: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO sessions (id_sha256, user_id, csrf, created_ms, seen_ms, address) VALUES ($1, $2, $3, $4, $4, $5)",
    )
    .bind(id_sha256.to_owned())
    .bind(user_id.to_owned())
    .bind(csrf.to_owned())
    .bind(now_ms)
    .bind(address.to_owned())
    .execute(conn)
    .await
    .named("add a session")
    .map(|_| ())
}

/// Finds a session by the digest of its id.
pub async fn find(
    conn: &mut AnyConnection,
    id_sha256: &str,
) -> Result<Option<SessionRow>, DbError> {
    sqlx::query_as(
        "SELECT s.csrf, s.created_ms, s.seen_ms, s.user_id, u.login, u.name, u.roles, u.disabled \
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id_sha256 = $1",
    )
    .bind(id_sha256.to_owned())
    .fetch_optional(conn)
    .await
    .named("find a session")
}

/// Notes that a session was used.
pub async fn touch(conn: &mut AnyConnection, id_sha256: &str, now_ms: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE sessions SET seen_ms = $1 WHERE id_sha256 = $2")
        .bind(now_ms)
        .bind(id_sha256.to_owned())
        .execute(conn)
        .await
        .named("note the use of a session")
        .map(|_| ())
}

/// Ends one session.
pub async fn delete(conn: &mut AnyConnection, id_sha256: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM sessions WHERE id_sha256 = $1")
        .bind(id_sha256.to_owned())
        .execute(conn)
        .await
        .named("end a session")
        .map(|_| ())
}

/// Ends all sessions of an account.
pub async fn delete_of_user(conn: &mut AnyConnection, user_id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1")
        .bind(user_id.to_owned())
        .execute(conn)
        .await
        .named("end the sessions of an account")
        .map(|_| ())
}

/// Removes sessions that were idle since `idle_before` or began before `begun_before`.
pub async fn sweep(
    conn: &mut AnyConnection,
    idle_before: i64,
    begun_before: i64,
) -> Result<u64, DbError> {
    sqlx::query("DELETE FROM sessions WHERE seen_ms < $1 OR created_ms < $2")
        .bind(idle_before)
        .bind(begun_before)
        .execute(conn)
        .await
        .named("sweep sessions")
        .map(|done| done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_user, on_both};

    #[tokio::test]
    async fn a_session_is_found_with_its_account_until_it_ends() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_user(&mut tx, "lin").await;
            for (id, now) in [("s1", 10), ("s2", 20), ("s3", 30), ("s4", 40)] {
                insert(&mut tx, id, "lin", "csrf", "192.0.2.1", now)
                    .await
                    .unwrap();
            }
            touch(&mut tx, "s1", 50).await.unwrap();
            let found = find(&mut tx, "s1").await.unwrap().unwrap();
            assert_eq!((found.login.as_str(), found.csrf.as_str()), ("lin", "csrf"));
            assert_eq!(
                (found.created_ms, found.seen_ms, found.disabled),
                (10, 50, 0)
            );
            assert_eq!(
                sweep(&mut tx, 30, 20).await.unwrap(),
                2,
                "one idle, one too old"
            );
            assert!(find(&mut tx, "s1").await.unwrap().is_none());
            delete(&mut tx, "s3").await.unwrap();
            assert!(find(&mut tx, "s3").await.unwrap().is_none());
            delete_of_user(&mut tx, "lin").await.unwrap();
            assert!(find(&mut tx, "s4").await.unwrap().is_none());
        })
        .await;
    }
}
