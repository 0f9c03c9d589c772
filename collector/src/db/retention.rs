//! Which bundles are kept no longer, and what a deletion must take along that lies in other tables.

use sqlx::AnyConnection;

use super::{DbError, Named, marks};

/// Bundles of tickets that were closed before a time and are not on hold. Oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn due(db: &mut AnyConnection, closed_before_ms: i64) -> Result<Vec<String>, DbError> {
    let held = super::holds::OF_BUNDLE;
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT bundles.id FROM bundles JOIN tickets t ON t.id = bundles.ticket_id \
         WHERE bundles.state IN ('stored', 'ready', 'rejected', 'quarantined') AND t.closed_ms IS NOT NULL \
         AND t.closed_ms < $1 AND NOT {held} ORDER BY bundles.id LIMIT 100"
    )))
    .bind(closed_before_ms)
    .fetch_all(db)
    .await
    .named("look for bundles that are due")
}

/// Marks a bundle for its deletion, which goes on whatever happens, unless it is on hold. False when it is, or when there
/// is no such bundle.
///
/// # Errors
/// When the database refuses.
pub async fn begin_deletion(db: &mut AnyConnection, id: &str) -> Result<bool, DbError> {
    let held = super::holds::OF_BUNDLE;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE bundles SET state = 'deleting' \
         WHERE id = $1 AND state <> 'deleted' AND (state = 'deleting' OR NOT {held})"
    )))
    .bind(id)
    .execute(db)
    .await
    .named("begin to delete a bundle")
    .map(|done| done.rows_affected() == 1)
}

/// Leaves of the timeline's words about a bundle only its digest: they hold the client's name for the file.
///
/// # Errors
/// When the database refuses.
pub async fn forget_words(db: &mut AnyConnection, bundle: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE ticket_events SET body = (SELECT 'sha256 ' || b.sha256 FROM bundles b WHERE b.id = $1) \
         WHERE kind = 'bundle' AND ticket_id = (SELECT b.ticket_id FROM bundles b WHERE b.id = $1) \
         AND body LIKE (SELECT '%sha256 ' || b.sha256 FROM bundles b WHERE b.id = $1)",
    )
    .bind(bundle)
    .execute(&mut *db)
    .await
    .named("forget the words about a bundle")?;
    let ticket: Option<String> = sqlx::query_scalar("SELECT ticket_id FROM bundles WHERE id = $1")
        .bind(bundle)
        .fetch_optional(&mut *db)
        .await
        .named("find the ticket of a bundle")?;
    if let Some(ticket) = ticket {
        // The search found the ticket by them.
        marks::words(db, marks::Kind::Ticket, &ticket).await?;
    }
    sqlx::query("UPDATE jobs SET last_error = NULL WHERE subject = $1")
        .bind(bundle)
        .execute(db)
        .await
        .named("forget the words about a bundle")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::{self, NewBundle};
    use crate::db::holds::{self, HoldRow};
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn bundles_of_closed_tickets_are_due_and_their_names_go() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t1").await;
            let new = NewBundle {
                id: "b1",
                upload_id: "u1",
                ticket_id: "t1",
                filename: "secret.tar.gz",
                bytes: 1,
                sha256: "abc",
                receipt: "r",
                received_ms: 1,
            };
            bundles::insert(&mut tx, &new).await.unwrap();
            assert_eq!(due(&mut tx, 100).await.unwrap(), [""; 0], "it is open");
            for sql in [
                "UPDATE tickets SET closed_ms = 50",
                "INSERT INTO ticket_events (id, ticket_id, at_ms, kind, public, actor_kind, actor_name, body, data) \
                 VALUES ('e', 't1', 1, 'bundle', 1, '', '', 'secret.tar.gz · 1 B · sha256 abc', '')",
            ] {
                sqlx::query(sql).execute(&mut *tx).await.unwrap();
            }
            assert_eq!(due(&mut tx, 50).await.unwrap(), [""; 0]);
            assert_eq!(due(&mut tx, 51).await.unwrap(), ["b1"]);
            let hold = HoldRow {
                subject: "ticket:t1".into(),
                ..HoldRow::default()
            };
            assert!(holds::place(&mut tx, &hold).await.unwrap());
            assert_eq!(due(&mut tx, 51).await.unwrap(), [""; 0], "it is on hold");
            assert!(!begin_deletion(&mut tx, "b1").await.unwrap());
            assert!(holds::lift(&mut tx, "ticket:t1").await.unwrap());
            assert!(begin_deletion(&mut tx, "b1").await.unwrap());
            assert!(begin_deletion(&mut tx, "b1").await.unwrap(), "it goes on");
            assert!(!begin_deletion(&mut tx, "b2").await.unwrap());
            forget_words(&mut tx, "b1").await.unwrap();
            let body: String = sqlx::query_scalar("SELECT body FROM ticket_events")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert_eq!(body, "sha256 abc");
        })
        .await;
    }
}
