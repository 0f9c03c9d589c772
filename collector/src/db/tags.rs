//! Tags of tickets: which, and whether a person or a finding set them.

use sqlx::AnyConnection;

use super::{DbError, Named};

/// Tags of a ticket: the tag and who set it.
pub async fn tags(
    conn: &mut AnyConnection,
    ticket_id: &str,
) -> Result<Vec<(String, String)>, DbError> {
    sqlx::query_as("SELECT tag, source FROM ticket_tags WHERE ticket_id = $1 ORDER BY tag")
        .bind(ticket_id.to_owned())
        .fetch_all(conn)
        .await
        .named("list the tags of a ticket")
}

/// Adds a tag; says whether it is new.
pub async fn add_tag(
    conn: &mut AnyConnection,
    ticket_id: &str,
    tag: &str,
    source: &str,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "INSERT INTO ticket_tags (ticket_id, tag, source, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (ticket_id, tag) DO NOTHING",
    )
    .bind(ticket_id.to_owned())
    .bind(tag.to_owned())
    .bind(source.to_owned())
    .bind(now_ms)
    .execute(conn)
    .await
    .named("tag a ticket")
    .map(|done| done.rows_affected() == 1)
}

/// Removes a tag; says whether there was one.
pub async fn remove_tag(
    conn: &mut AnyConnection,
    ticket_id: &str,
    tag: &str,
) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM ticket_tags WHERE ticket_id = $1 AND tag = $2")
        .bind(ticket_id.to_owned())
        .bind(tag.to_owned())
        .execute(conn)
        .await
        .named("remove a tag")
        .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn a_tag_is_set_once() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "a").await;
            assert!(add_tag(&mut tx, "a", "x", "person", 1).await.unwrap());
            assert!(!add_tag(&mut tx, "a", "x", "finding", 2).await.unwrap());
            let expected = [("x".to_owned(), "person".to_owned())];
            assert_eq!(tags(&mut tx, "a").await.unwrap(), expected);
            assert!(remove_tag(&mut tx, "a", "x").await.unwrap());
            assert!(!remove_tag(&mut tx, "a", "x").await.unwrap());
        })
        .await;
    }
}
