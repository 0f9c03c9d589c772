//! Upload codes.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// A code's row; its secret is stored as an HMAC only.
#[derive(Debug, Clone, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0002")]
pub struct CodeRow {
    pub id: String,
    pub selector: String,
    pub secret_hmac: String,
    pub ticket_id: String,
    pub profile: String,
    pub since: Option<String>,
    pub requested_by: String,
    pub created_ms: i64,
    pub expires_ms: i64,
    pub max_bytes: i64,
    pub max_bundles: i64,
    pub used_bundles: i64,
    pub used_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
}

const SELECT: &str = "SELECT id, selector, secret_hmac, ticket_id, profile, since, requested_by, created_ms, expires_ms, \
    max_bytes, max_bundles, used_bundles, used_ms, revoked_ms FROM upload_codes";

/// Adds a code.
pub async fn insert(conn: &mut AnyConnection, c: &CodeRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO upload_codes (id, selector, secret_hmac, ticket_id, profile, since, requested_by, created_ms, expires_ms, \
         max_bytes, max_bundles, used_bundles) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0)",
    )
    .bind(c.id.clone())
    .bind(c.selector.clone())
    .bind(c.secret_hmac.clone())
    .bind(c.ticket_id.clone())
    .bind(c.profile.clone())
    .bind(c.since.clone())
    .bind(c.requested_by.clone())
    .bind(c.created_ms)
    .bind(c.expires_ms)
    .bind(c.max_bytes)
    .bind(c.max_bundles)
    .execute(conn)
    .await
    .named("add an upload code")
    .map(|_| ())
}

/// Finds a code by its selector.
pub async fn find_by_selector(
    conn: &mut AnyConnection,
    selector: &str,
) -> Result<Option<CodeRow>, DbError> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE selector = $1")))
        .bind(selector.to_owned())
        .fetch_optional(conn)
        .await
        .named("find an upload code")
}

/// Codes of a ticket, newest first.
pub async fn list(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<CodeRow>, DbError> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE ticket_id = $1 ORDER BY created_ms DESC, id DESC LIMIT 200"
    )))
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list upload codes")
}

/// Uses some bundles of a code up, while it is valid; says whether there were as many left.
pub async fn consume(
    conn: &mut AnyConnection,
    id: &str,
    bundles: i64,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE upload_codes SET used_bundles = used_bundles + $3, used_ms = $1 \
         WHERE id = $2 AND used_bundles + $3 <= max_bundles AND expires_ms > $1 AND revoked_ms IS NULL",
    )
    .bind(now_ms)
    .bind(id.to_owned())
    .bind(bundles)
    .execute(conn)
    .await
    .named("use an upload code")
    .map(|done| done.rows_affected() == 1)
}

/// Revokes a code of a ticket; says whether there was one to revoke.
pub async fn revoke(
    conn: &mut AnyConnection,
    id: &str,
    ticket_id: &str,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query("UPDATE upload_codes SET revoked_ms = $1 WHERE id = $2 AND ticket_id = $3 AND revoked_ms IS NULL")
        .bind(now_ms)
        .bind(id.to_owned())
        .bind(ticket_id.to_owned())
        .execute(conn)
        .await
        .named("revoke an upload code")
        .map(|done| done.rows_affected() == 1)
}

/// Removes codes that ended before `before_ms`, so that their selectors are free again.
pub async fn sweep(conn: &mut AnyConnection, before_ms: i64) -> Result<u64, DbError> {
    sqlx::query("DELETE FROM upload_codes WHERE expires_ms < $1 AND used_bundles = 0")
        .bind(before_ms)
        .execute(conn)
        .await
        .named("sweep upload codes")
        .map(|done| done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    fn code(id: &str, expires_ms: i64) -> CodeRow {
        CodeRow {
            id: id.into(),
            selector: format!("S-{id}"),
            secret_hmac: "h".into(),
            ticket_id: "t1".into(),
            profile: "standard".into(),
            since: None,
            requested_by: "Lin".into(),
            created_ms: expires_ms - 90,
            expires_ms,
            max_bytes: 1 << 40,
            max_bundles: 1,
            used_bundles: 0,
            used_ms: None,
            revoked_ms: None,
        }
    }

    #[tokio::test]
    async fn a_code_is_used_as_often_as_it_allows_and_never_after_its_end() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t1").await;
            for (id, expires_ms) in [("a", 100), ("b", 200), ("c", 300)] {
                insert(&mut tx, &code(id, expires_ms)).await.unwrap();
            }
            let listed = list(&mut tx, "t1").await.unwrap();
            let ids: Vec<&str> = listed.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids, ["c", "b", "a"], "newest first");
            assert!(!consume(&mut tx, "a", 1, 100).await.unwrap(), "expired");
            assert!(!consume(&mut tx, "b", 2, 100).await.unwrap(), "not so many");
            assert!(consume(&mut tx, "b", 1, 100).await.unwrap());
            assert!(!consume(&mut tx, "b", 1, 100).await.unwrap(), "used up");
            assert!(!revoke(&mut tx, "c", "other", 100).await.unwrap());
            assert!(revoke(&mut tx, "c", "t1", 100).await.unwrap());
            assert!(!consume(&mut tx, "c", 1, 100).await.unwrap(), "revoked");
            let used = find_by_selector(&mut tx, "S-b").await.unwrap().unwrap();
            assert_eq!((used.used_bundles, used.used_ms), (1, Some(100)));
            assert_eq!(used.max_bytes, 1 << 40);
            assert_eq!(
                sweep(&mut tx, 250).await.unwrap(),
                1,
                "what was used is kept"
            );
            assert!(find_by_selector(&mut tx, "S-a").await.unwrap().is_none());
        })
        .await;
    }
}
