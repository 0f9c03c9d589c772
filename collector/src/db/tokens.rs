//! API tokens; only the digest is stored.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// A token's row, without its digest.
#[derive(Debug, Clone, FromRow)]
pub struct TokenRow {
    /// Id.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// What the owner calls it.
    pub name: String,
    /// First characters, to recognise it.
    pub prefix: String,
    /// Comma-separated scopes.
    pub scopes: String,
    /// Creation.
    pub created_ms: i64,
    /// End of validity.
    pub expires_ms: i64,
    /// Last use.
    pub used_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// A token with what is needed of its owner.
#[derive(Debug, Clone, FromRow)]
pub struct TokenOwner {
    /// Id of the token.
    pub id: String,
    /// Scopes.
    pub scopes: String,
    /// End of validity.
    pub expires_ms: i64,
    /// Last use.
    pub used_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// Owner.
    pub user_id: String,
    /// Owner's login.
    pub login: String,
    /// Owner's name.
    pub name: String,
    /// Owner's roles.
    pub roles: String,
    /// 1 when the owner is disabled.
    pub disabled: i64,
}

/// Adds a token.
pub async fn insert(
    conn: &mut AnyConnection,
    row: &TokenRow,
    secret_sha256: &str,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO api_tokens (id, user_id, name, prefix, secret_sha256, scopes, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.id.clone())
    .bind(row.user_id.clone())
    .bind(row.name.clone())
    .bind(row.prefix.clone())
    .bind(secret_sha256.to_owned())
    .bind(row.scopes.clone())
    .bind(row.created_ms)
    .bind(row.expires_ms)
    .execute(conn)
    .await
    .named("add an API token")
    .map(|_| ())
}

/// Finds a token by its digest.
pub async fn find(
    conn: &mut AnyConnection,
    secret_sha256: &str,
) -> Result<Option<TokenOwner>, DbError> {
    sqlx::query_as(
        "SELECT t.id, t.scopes, t.expires_ms, t.used_ms, t.revoked_ms, t.user_id, u.login, u.name, u.roles, u.disabled \
         FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE t.secret_sha256 = $1",
    )
    .bind(secret_sha256.to_owned())
    .fetch_optional(conn)
    .await
    .named("find an API token")
}

/// Tokens of a person, newest first.
pub async fn list(conn: &mut AnyConnection, user_id: &str) -> Result<Vec<TokenRow>, DbError> {
    sqlx::query_as(
        "SELECT id, user_id, name, prefix, scopes, created_ms, expires_ms, used_ms, revoked_ms \
         FROM api_tokens WHERE user_id = $1 ORDER BY created_ms DESC, id DESC LIMIT 200",
    )
    .bind(user_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list API tokens")
}

/// Notes that a token was used.
pub async fn touch(conn: &mut AnyConnection, id: &str, now_ms: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE api_tokens SET used_ms = $1 WHERE id = $2")
        .bind(now_ms)
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("note the use of an API token")
        .map(|_| ())
}

/// Revokes a person's token; says whether there was one to revoke.
pub async fn revoke(
    conn: &mut AnyConnection,
    id: &str,
    user_id: &str,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query("UPDATE api_tokens SET revoked_ms = $1 WHERE id = $2 AND user_id = $3 AND revoked_ms IS NULL")
        .bind(now_ms)
        .bind(id.to_owned())
        .bind(user_id.to_owned())
        .execute(conn)
        .await
        .named("revoke an API token")
        .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_user, on_both};

    #[tokio::test]
    async fn a_token_is_found_with_its_owner_and_revoked_by_its_owner_only() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_user(&mut tx, "lin").await;
            for (id, created_ms) in [("t1", 10), ("t2", 20)] {
                let row = TokenRow {
                    id: id.into(),
                    user_id: "lin".into(),
                    name: "laptop".into(),
                    prefix: "srt_ab".into(),
                    scopes: "viewer,engineer".into(),
                    created_ms,
                    expires_ms: 900,
                    used_ms: None,
                    revoked_ms: None,
                };
                insert(&mut tx, &row, &format!("digest {id}"))
                    .await
                    .unwrap();
            }
            touch(&mut tx, "t1", 30).await.unwrap();
            let found = find(&mut tx, "digest t1").await.unwrap().unwrap();
            assert_eq!((found.login.as_str(), found.used_ms), ("lin", Some(30)));
            assert_eq!(
                (found.scopes.as_str(), found.expires_ms),
                ("viewer,engineer", 900)
            );
            assert!(find(&mut tx, "digest").await.unwrap().is_none());
            assert!(!revoke(&mut tx, "t1", "eve", 40).await.unwrap());
            assert!(revoke(&mut tx, "t1", "lin", 40).await.unwrap());
            assert!(!revoke(&mut tx, "t1", "lin", 50).await.unwrap());
            let listed = list(&mut tx, "lin").await.unwrap();
            let seen: Vec<_> = listed
                .iter()
                .map(|r| (r.id.as_str(), r.revoked_ms))
                .collect();
            assert_eq!(seen, [("t2", None), ("t1", Some(40))], "newest first");
        })
        .await;
    }
}
