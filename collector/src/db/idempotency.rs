//! Answers remembered under the client's idempotency key.

use sqlx::AnyConnection;

use super::{DbError, Named};

/// Digest of the request, status and body of a remembered answer.
pub type Remembered = (String, i64, String);

/// Finds a remembered answer.
pub async fn find(
    conn: &mut AnyConnection,
    actor: &str,
    key: &str,
) -> Result<Option<Remembered>, DbError> {
    sqlx::query_as("SELECT request_sha256, status, body FROM idempotency WHERE actor = $1 AND idempotency_key = $2")
        .bind(actor.to_owned())
        .bind(key.to_owned())
        .fetch_optional(conn)
        .await
        .named("find a remembered answer")
}

/// Remembers an answer. A second one under the same key is refused by the primary key.
pub async fn insert(
    conn: &mut AnyConnection,
    actor: &str,
    key: &str,
    answer: &Remembered,
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO idempotency (actor, idempotency_key, request_sha256, status, body, created_ms) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(actor.to_owned())
    .bind(key.to_owned())
    .bind(answer.0.clone())
    .bind(answer.1)
    .bind(answer.2.clone())
    .bind(now_ms)
    .execute(conn)
    .await
    .named("remember an answer")
    .map(|_| ())
}

/// Forgets answers from before `before_ms`.
pub async fn sweep(conn: &mut AnyConnection, before_ms: i64) -> Result<u64, DbError> {
    sqlx::query("DELETE FROM idempotency WHERE created_ms < $1")
        .bind(before_ms)
        .execute(conn)
        .await
        .named("forget old answers")
        .map(|done| done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn an_answer_is_remembered_once_for_its_actor() {
        on_both(async |db| {
            let answer = ("digest".to_owned(), 201, "{}".to_owned());
            let mut tx = db.begin().await.unwrap();
            insert(&mut tx, "lin", "k", &answer, 10).await.unwrap();
            assert_eq!(
                find(&mut tx, "lin", "k").await.unwrap(),
                Some(answer.clone())
            );
            assert_eq!(find(&mut tx, "eve", "k").await.unwrap(), None);
            assert_eq!(sweep(&mut tx, 10).await.unwrap(), 0);
            tx.commit().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let twice = insert(&mut tx, "lin", "k", &answer, 11).await.unwrap_err();
            assert!(twice.is_unique_violation(), "{twice:?}");
            tx.rollback().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            assert_eq!(sweep(&mut tx, 11).await.unwrap(), 1);
            assert_eq!(find(&mut tx, "lin", "k").await.unwrap(), None);
        })
        .await;
    }
}
