//! How changes of tickets are taken back.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// A change that can be taken back.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0508")]
pub struct UndoRow {
    pub id: String,
    pub ticket_id: String,
    pub what: String,
    pub made_by: String,
    pub created_ms: i64,
}

/// Keeps how a change is taken back, and forgets what is older than `kept_since_ms` on its ticket.
pub async fn keep(
    conn: &mut AnyConnection,
    row: &UndoRow,
    kept_since_ms: i64,
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM undos WHERE ticket_id = $1 AND created_ms < $2")
        .bind(row.ticket_id.clone())
        .bind(kept_since_ms)
        .execute(&mut *conn)
        .await
        .named("forget old changes")?;
    sqlx::query(
        "INSERT INTO undos (id, ticket_id, what, made_by, created_ms) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(row.id.clone())
    .bind(row.ticket_id.clone())
    .bind(row.what.clone())
    .bind(row.made_by.clone())
    .bind(row.created_ms)
    .execute(conn)
    .await
    .named("keep how a change is taken back")
    .map(|_| ())
}

/// Changes of a ticket since a time that were not taken back, the newest first.
pub async fn open(
    conn: &mut AnyConnection,
    ticket_id: &str,
    since_ms: i64,
) -> Result<Vec<UndoRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, what, made_by, created_ms FROM undos \
         WHERE ticket_id = $1 AND created_ms >= $2 AND done_ms IS NULL ORDER BY created_ms DESC, id DESC LIMIT 200",
    )
    .bind(ticket_id.to_owned())
    .bind(since_ms)
    .fetch_all(conn)
    .await
    .named("list the changes that can be taken back")
}

/// Notes that a change was taken back; false when it was already.
pub async fn done(conn: &mut AnyConnection, id: &str, now_ms: i64) -> Result<bool, DbError> {
    sqlx::query("UPDATE undos SET done_ms = $1 WHERE id = $2 AND done_ms IS NULL")
        .bind(now_ms)
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("note that a change was taken back")
        .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn a_change_is_taken_back_once_and_forgotten_after_a_time() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            let row = |id: &str, created_ms| UndoRow {
                id: id.into(),
                ticket_id: "t".into(),
                what: "{}".into(),
                made_by: "Lin".into(),
                created_ms,
            };
            for (id, at) in [("a", 5), ("b", 10), ("c", 10)] {
                keep(&mut tx, &row(id, at), 0).await.unwrap();
            }
            let ids = async |conn: &mut AnyConnection, since| {
                let rows = open(conn, "t", since).await.unwrap();
                rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
            };
            assert_eq!(ids(&mut tx, 0).await, ["c", "b", "a"]);
            assert_eq!(ids(&mut tx, 6).await, ["c", "b"]);
            assert!(done(&mut tx, "c", 11).await.unwrap());
            assert!(!done(&mut tx, "c", 12).await.unwrap());
            assert_eq!(ids(&mut tx, 0).await, ["b", "a"]);
            keep(&mut tx, &row("d", 20), 8).await.unwrap();
            assert_eq!(ids(&mut tx, 0).await, ["d", "b"]);
        })
        .await;
    }
}
