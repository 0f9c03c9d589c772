//! The packed figures of days: what statistics are made of. Days that have changed are marked (`marks`).

use sqlx::AnyConnection;

use super::{DbError, Named};

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Writes the packed figures of a day.
pub async fn write_day(conn: &mut AnyConnection, day: i64, body: &str) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO figure_days (day, body) VALUES ($1, $2) ON CONFLICT (day) DO UPDATE SET body = excluded.body",
    )
    .bind(day)
    .bind(body.to_owned())
    .execute(conn)
    .await
    .named("write the figures of a day")
    .map(|_| ())
}

/// The packed figures of the days from one to another, both included.
pub async fn days(
    conn: &mut AnyConnection,
    (first, last): (i64, i64),
) -> Result<Vec<(i64, String)>, DbError> {
    sqlx::query_as("SELECT day, body FROM figure_days WHERE day >= $1 AND day <= $2 ORDER BY day")
        .bind(first)
        .bind(last)
        .fetch_all(conn)
        .await
        .named("read the figures of days")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_day_is_written_over() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for body in ["old", "new"] {
                write_day(&mut tx, 1, body).await.unwrap();
            }
            write_day(&mut tx, 7, "late").await.unwrap();
            let told = days(&mut tx, (0, 6)).await.unwrap();
            assert_eq!(told, [(1, "new".to_owned())]);
        })
        .await;
    }
}
