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

/// At how many tickets of a product a signature's tag was taken off since a time.
pub async fn count(
    conn: &mut AnyConnection,
    (signature_id, tag): (&str, &str),
    product: &str,
    since_ms: i64,
) -> Result<i64, DbError> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM tag_refusals r JOIN tickets t ON t.id = r.ticket_id \
         WHERE r.signature_id = $1 AND r.tag = $2 AND t.product = $3 AND r.at_ms > $4",
    )
    .bind(signature_id.to_owned())
    .bind(tag.to_owned())
    .bind(product.to_owned())
    .bind(since_ms)
    .fetch_one(conn)
    .await
    .named("count how often a tag was taken off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn what_is_taken_off_is_counted() {
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
            for (product, since, expected) in [("", 0, 2), ("", 1, 0), ("Exporter", 0, 0)] {
                let known = count(&mut tx, ("SIG-1", "disk"), product, since).await;
                assert_eq!(known.unwrap(), expected, "{product} {since}");
            }
            forgive(&mut tx, "a", "disk").await.unwrap();
            assert_eq!(of_ticket(&mut tx, "a").await.unwrap(), ["memory"]);
            let left = count(&mut tx, ("SIG-1", "disk"), "", 0).await.unwrap();
            assert_eq!(left, 1);
        })
        .await;
    }
}
