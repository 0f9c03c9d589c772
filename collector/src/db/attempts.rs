//! Counters of failed tries.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{DbError, Named};

/// A counter: its name, the count, and the end of its window.
pub type Counter = (String, i64, i64);

/// Those of some counters that count something.
pub async fn load(conn: &mut AnyConnection, buckets: &[String]) -> Result<Vec<Counter>, DbError> {
    let names: Vec<String> = (1..=buckets.len()).map(|n| format!("${n}")).collect();
    let text = format!(
        "SELECT bucket, count, reset_ms FROM attempts WHERE bucket IN ({})",
        names.join(", ")
    );
    let query = sqlx::query_as(AssertSqlSafe(text));
    let bound = buckets
        .iter()
        .fold(query, |query, bucket| query.bind(bucket.clone()));
    bound.fetch_all(conn).await.named("load counters of tries")
}

/// Adds one to a counter; begins a new window when the old one is over.
pub async fn add(
    conn: &mut AnyConnection,
    bucket: &str,
    now_ms: i64,
    window_ms: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO attempts (bucket, count, reset_ms) VALUES ($1, 1, $2) \
         ON CONFLICT (bucket) DO UPDATE SET \
           count = CASE WHEN attempts.reset_ms <= $3 THEN 1 ELSE attempts.count + 1 END, \
           reset_ms = CASE WHEN attempts.reset_ms <= $3 THEN excluded.reset_ms ELSE attempts.reset_ms END",
    )
    .bind(bucket.to_owned())
    .bind(now_ms + window_ms)
    .bind(now_ms)
    .execute(conn)
    .await
    .named("count a failed try")
    .map(|_| ())
}

/// Removes counters whose window is over.
pub async fn sweep(conn: &mut AnyConnection, now_ms: i64) -> Result<u64, DbError> {
    sqlx::query("DELETE FROM attempts WHERE reset_ms <= $1")
        .bind(now_ms)
        .execute(conn)
        .await
        .named("sweep counters of tries")
        .map(|done| done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_counter_grows_within_its_window_and_begins_anew_after() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let both = ["a".to_owned(), "b".to_owned()];
            let counter = |name: &str, count, end| (name.to_owned(), count, end);
            assert_eq!(load(&mut tx, &both).await.unwrap(), []);
            for (now, expected) in [(100, (1, 150)), (149, (2, 150)), (150, (1, 200))] {
                add(&mut tx, "a", now, 50).await.unwrap();
                let counted = load(&mut tx, &both).await.unwrap();
                assert_eq!(counted, [counter("a", expected.0, expected.1)], "{now}");
            }
            add(&mut tx, "b", 500, 50).await.unwrap();
            assert_eq!(load(&mut tx, &both).await.unwrap().len(), 2);
            assert_eq!(sweep(&mut tx, 200).await.unwrap(), 1);
            assert_eq!(load(&mut tx, &both).await.unwrap(), [counter("b", 1, 550)]);
        })
        .await;
    }
}
