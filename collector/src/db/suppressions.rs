//! Rows of suppressions: a signature is not to speak about one ticket, customer or host, for a time.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One suppression.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SuppressionRow {
    /// UUIDv7.
    pub id: String,
    /// The signature.
    pub signature_id: String,
    /// ticket, customer or host.
    pub scope: String,
    /// Id of the ticket, name of the customer or of the host.
    pub value: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
    /// When it ends by itself.
    pub expires_ms: Option<i64>,
    /// When it was ended.
    pub ended_ms: Option<i64>,
}

/// Adds a suppression.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &mut AnyConnection, row: &SuppressionRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO suppressions (id, signature_id, scope, value, reason, created_by, created_ms, expires_ms, ended_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&row.id)
    .bind(&row.signature_id)
    .bind(&row.scope)
    .bind(&row.value)
    .bind(&row.reason)
    .bind(&row.created_by)
    .bind(row.created_ms)
    .bind(row.expires_ms)
    .bind(row.ended_ms)
    .execute(db)
    .await
    .named("add a suppression")
    .map(|_| ())
}

/// The suppressions of a signature, newest first, those that are over included.
///
/// # Errors
/// When the database does not answer.
pub async fn of_signature(
    db: &mut AnyConnection,
    signature_id: &str,
) -> Result<Vec<SuppressionRow>, DbError> {
    sqlx::query_as(
        "SELECT id, signature_id, scope, value, reason, created_by, created_ms, expires_ms, ended_ms FROM suppressions \
         WHERE signature_id = $1 ORDER BY created_ms DESC, id DESC LIMIT 200",
    )
    .bind(signature_id)
    .fetch_all(db)
    .await
    .named("list suppressions")
}

/// Ends a suppression of a signature. False when there is none that holds.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    db: &mut AnyConnection,
    signature_id: &str,
    id: &str,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE suppressions SET ended_ms = $1 WHERE id = $2 AND signature_id = $3 AND ended_ms IS NULL",
    )
    .bind(now_ms)
    .bind(id)
    .bind(signature_id)
    .execute(db)
    .await
    .named("end a suppression")
    .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::findings::{self, NewFinding};
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn a_suppression_holds_for_its_scope_until_it_ends() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t1").await;
            let found = NewFinding {
                signature_id: "SIG-1".into(),
                severity: "high".into(),
                severity_rank: 1,
                title: "T".into(),
                body: "{}".into(),
                shadow: false,
            };
            findings::replace(&mut tx, ("b1", "t1"), std::slice::from_ref(&found), 1)
                .await
                .unwrap();
            findings::replace(&mut tx, ("b2", "t2"), &[found], 1)
                .await
                .unwrap();
            let row = SuppressionRow {
                id: "s1".into(),
                signature_id: "SIG-1".into(),
                scope: "ticket".into(),
                value: "t1".into(),
                reason: "known".into(),
                created_by: "Ann".into(),
                created_ms: 1,
                expires_ms: Some(100),
                ended_ms: None,
            };
            insert(&mut tx, &row).await.unwrap();
            assert_eq!(of_signature(&mut tx, "SIG-1").await.unwrap(), [row]);
            let stands = async |conn: &mut AnyConnection, ticket: &str, now_ms: i64| {
                let rows = findings::of_ticket(conn, ticket, now_ms).await.unwrap();
                rows[0].stands()
            };
            assert!(!stands(&mut tx, "t1", 50).await);
            assert!(stands(&mut tx, "t2", 50).await, "another ticket");
            assert!(stands(&mut tx, "t1", 100).await, "it expired");
            assert!(!end(&mut tx, "SIG-2", "s1", 60).await.unwrap());
            assert!(end(&mut tx, "SIG-1", "s1", 60).await.unwrap());
            assert!(!end(&mut tx, "SIG-1", "s1", 61).await.unwrap());
            assert!(stands(&mut tx, "t1", 70).await, "it was ended");
        })
        .await;
    }
}
