//! The audit log's rows: only ever added.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One event with its place in the hash chain.
#[derive(Debug, Clone, FromRow)]
pub struct AuditRow {
    /// Place in the chain, from 1.
    pub seq: i64,
    /// When.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// From where.
    pub address: String,
    /// JSON with further values, never content.
    pub detail: String,
    /// SHA-256 over the previous hash and this record.
    pub hash: String,
}

/// Place and hash of the newest event. On PostgreSQL the unique place refuses a fork of the chain.
pub async fn head(conn: &mut AnyConnection) -> Result<(i64, String), DbError> {
    sqlx::query_as("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .fetch_optional(conn)
        .await
        .named("read the head of the audit log")
        .map(|row: Option<(i64, String)>| row.unwrap_or_default())
}

/// Adds an event.
pub async fn insert(conn: &mut AnyConnection, row: &AuditRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO audit (seq, at_ms, actor, action, object, address, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.seq)
    .bind(row.at_ms)
    .bind(row.actor.clone())
    .bind(row.action.clone())
    .bind(row.object.clone())
    .bind(row.address.clone())
    .bind(row.detail.clone())
    .bind(row.hash.clone())
    .execute(conn)
    .await
    .named("write the audit log")
    .map(|_| ())
}

/// Events after a place, oldest first.
pub async fn after(
    conn: &mut AnyConnection,
    seq: i64,
    limit: i64,
) -> Result<Vec<AuditRow>, DbError> {
    sqlx::query_as(
        "SELECT seq, at_ms, actor, action, object, address, detail, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(seq)
    .bind(limit)
    .fetch_all(conn)
    .await
    .named("read the audit log")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn events_come_back_in_order_and_a_place_is_taken_once() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            assert_eq!(head(&mut tx).await.unwrap(), (0, String::new()));
            let row = |seq: i64| AuditRow {
                seq,
                at_ms: 7,
                actor: "lin".into(),
                action: "ticket.create".into(),
                object: "TKT-1001".into(),
                address: "192.0.2.1".into(),
                detail: "{}".into(),
                hash: format!("h{seq}"),
            };
            for seq in 1..=3 {
                insert(&mut tx, &row(seq)).await.unwrap();
            }
            assert_eq!(head(&mut tx).await.unwrap(), (3, "h3".to_owned()));
            let rows = after(&mut tx, 1, 1).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [2]);
            assert_eq!((rows[0].actor.as_str(), rows[0].at_ms), ("lin", 7));
            tx.commit().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let fork = insert(&mut tx, &row(3)).await.unwrap_err();
            assert!(fork.is_unique_violation(), "{fork:?}");
        })
        .await;
    }
}
