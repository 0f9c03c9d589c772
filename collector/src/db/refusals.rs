//! Tags that findings set and people took off.

use sqlx::AnyConnection;

use super::{DbError, Named};

/// Notes that a person took off a tag that a signature had asked for.
pub async fn refuse(
    conn: &mut AnyConnection,
    (ticket_id, tag, signature_id): (&str, &str, &str),
    by: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO tag_refusals (ticket_id, tag, signature_id, refused_by, at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (ticket_id, tag, signature_id) DO NOTHING",
    )
    .bind(ticket_id.to_owned())
    .bind(tag.to_owned())
    .bind(signature_id.to_owned())
    .bind(by.to_owned())
    .bind(now_ms)
    .execute(conn)
    .await
    .named("note that a tag was taken off")
    .map(|_| ())
}

/// Forgets it: a person has set the tag again.
pub async fn forgive(conn: &mut AnyConnection, ticket_id: &str, tag: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM tag_refusals WHERE ticket_id = $1 AND tag = $2")
        .bind(ticket_id.to_owned())
        .bind(tag.to_owned())
        .execute(conn)
        .await
        .named("note that a tag was set again")
        .map(|_| ())
}

/// Tags that are not to be set on a ticket again.
pub async fn of_ticket(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar("SELECT DISTINCT tag FROM tag_refusals WHERE ticket_id = $1 ORDER BY tag")
        .bind(ticket_id.to_owned())
        .fetch_all(conn)
        .await
        .named("list the tags that were taken off")
}

/// Signatures and tags of theirs that were taken off at so many tickets.
pub async fn often(
    conn: &mut AnyConnection,
    tickets_min: i64,
) -> Result<Vec<(String, String)>, DbError> {
    sqlx::query_as(
        "SELECT signature_id, tag FROM tag_refusals GROUP BY signature_id, tag HAVING COUNT(*) >= $1 \
         ORDER BY signature_id, tag LIMIT 5000",
    )
    .bind(tickets_min)
    .fetch_all(conn)
    .await
    .named("list the tags that are often taken off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn what_is_taken_off_often_is_told() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for id in ["a", "b"] {
                add_ticket(&mut tx, id).await;
                for _ in 0..2 {
                    let what = (id, "disk", "SIG-1");
                    refuse(&mut tx, what, "Lin", 1).await.unwrap();
                }
            }
            let what = ("a", "memory", "SIG-2");
            refuse(&mut tx, what, "Lin", 1).await.unwrap();
            assert_eq!(of_ticket(&mut tx, "a").await.unwrap(), ["disk", "memory"]);
            let twice = often(&mut tx, 2).await.unwrap();
            assert_eq!(twice, [("SIG-1".to_owned(), "disk".to_owned())]);
            forgive(&mut tx, "a", "disk").await.unwrap();
            assert_eq!(of_ticket(&mut tx, "a").await.unwrap(), ["memory"]);
            assert!(often(&mut tx, 2).await.unwrap().is_empty());
        })
        .await;
    }
}
