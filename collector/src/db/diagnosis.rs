//! What was tried on a ticket, and the log lines that count.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One attempt.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0501")]
pub struct AttemptRow {
    pub id: String,
    pub ticket_id: String,
    pub hypothesis: String,
    pub action: String,
    pub result: String,
    pub state: String,
    pub made_by: String,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// One pinned line.
#[derive(Debug, Clone, Default, PartialEq, FromRow, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs, reason = "the columns of migration 0501")]
pub struct PinRow {
    pub id: String,
    pub ticket_id: String,
    pub bundle_id: String,
    pub file: String,
    pub line: i64,
    pub text: String,
    pub note: String,
    pub pinned_by: String,
    pub created_ms: i64,
}

/// Adds an attempt.
pub async fn add_attempt(conn: &mut AnyConnection, row: &AttemptRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO ticket_attempts (id, ticket_id, hypothesis, action, result, state, made_by, created_ms, updated_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.id.clone())
    .bind(row.ticket_id.clone())
    .bind(row.hypothesis.clone())
    .bind(row.action.clone())
    .bind(row.result.clone())
    .bind(row.state.clone())
    .bind(row.made_by.clone())
    .bind(row.created_ms)
    .bind(row.updated_ms)
    .execute(conn)
    .await
    .named("add an attempt")
    .map(|_| ())
}

/// Writes what came of an attempt; says whether the ticket has it.
pub async fn change_attempt(conn: &mut AnyConnection, row: &AttemptRow) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE ticket_attempts SET hypothesis = $1, action = $2, result = $3, state = $4, updated_ms = $5 \
         WHERE id = $6 AND ticket_id = $7",
    )
    .bind(row.hypothesis.clone())
    .bind(row.action.clone())
    .bind(row.result.clone())
    .bind(row.state.clone())
    .bind(row.updated_ms)
    .bind(row.id.clone())
    .bind(row.ticket_id.clone())
    .execute(conn)
    .await
    .named("change an attempt")
    .map(|done| done.rows_affected() == 1)
}

/// The attempts on a ticket, oldest first.
pub async fn attempts(
    conn: &mut AnyConnection,
    ticket_id: &str,
) -> Result<Vec<AttemptRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, hypothesis, action, result, state, made_by, created_ms, updated_ms FROM ticket_attempts \
         WHERE ticket_id = $1 ORDER BY created_ms, id LIMIT 500",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list attempts")
}

/// Pins a line; says whether it was not pinned yet.
pub async fn pin(conn: &mut AnyConnection, row: &PinRow) -> Result<bool, DbError> {
    sqlx::query(
        "INSERT INTO ticket_pins (id, ticket_id, bundle_id, file, line, text, note, pinned_by, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (ticket_id, bundle_id, file, line) DO NOTHING",
    )
    .bind(row.id.clone())
    .bind(row.ticket_id.clone())
    .bind(row.bundle_id.clone())
    .bind(row.file.clone())
    .bind(row.line)
    .bind(row.text.clone())
    .bind(row.note.clone())
    .bind(row.pinned_by.clone())
    .bind(row.created_ms)
    .execute(conn)
    .await
    .named("pin a line")
    .map(|done| done.rows_affected() == 1)
}

/// The pinned lines of a ticket, by bundle, file and line.
pub async fn pins(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<PinRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, bundle_id, file, line, text, note, pinned_by, created_ms FROM ticket_pins \
         WHERE ticket_id = $1 ORDER BY bundle_id, file, line LIMIT 500",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list pinned lines")
}

/// One pin.
pub async fn find_pin(
    conn: &mut AnyConnection,
    ticket_id: &str,
    id: &str,
) -> Result<Option<PinRow>, DbError> {
    let all = pins(conn, ticket_id).await?;
    Ok(all.into_iter().find(|pin| pin.id == id))
}

/// Takes a pin off; says whether there was one.
pub async fn unpin(conn: &mut AnyConnection, ticket_id: &str, id: &str) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM ticket_pins WHERE id = $1 AND ticket_id = $2")
        .bind(id.to_owned())
        .bind(ticket_id.to_owned())
        .execute(conn)
        .await
        .named("take a pin off")
        .map(|done| done.rows_affected() == 1)
}

/// Takes off all pins of a bundle: what is deleted leaves none of its lines, nor in what could be taken back.
pub async fn forget_pins(conn: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM undos WHERE ticket_id IN (SELECT ticket_id FROM bundles WHERE id = $1) AND what LIKE $2",
    )
    .bind(bundle_id.to_owned())
    .bind(format!("%{bundle_id}%"))
    .execute(&mut *conn)
    .await
    .named("forget what was done to the lines of a bundle")?;
    sqlx::query("DELETE FROM ticket_pins WHERE bundle_id = $1")
        .bind(bundle_id.to_owned())
        .execute(conn)
        .await
        .named("take the pins of a bundle off")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles;
    use crate::db::testing::{add_ticket, on_both};
    use crate::db::undos::{self, UndoRow};

    #[tokio::test]
    async fn attempts_are_changed_on_their_ticket_only() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            let mut row = AttemptRow {
                id: "a".into(),
                ticket_id: "t".into(),
                hypothesis: "disk full".into(),
                state: "open".into(),
                created_ms: 5,
                ..AttemptRow::default()
            };
            add_attempt(&mut tx, &row).await.unwrap();
            (row.state, row.result) = ("confirmed".into(), "是的".into());
            assert!(change_attempt(&mut tx, &row).await.unwrap());
            assert_eq!(attempts(&mut tx, "t").await.unwrap(), [row.clone()]);
            row.ticket_id = "other".into();
            assert!(!change_attempt(&mut tx, &row).await.unwrap());
        })
        .await;
    }

    #[tokio::test]
    async fn a_line_is_pinned_once() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            let row = |id: &str, line| PinRow {
                id: id.into(),
                ticket_id: "t".into(),
                bundle_id: "b".into(),
                file: "f".into(),
                line,
                ..PinRow::default()
            };
            assert!(pin(&mut tx, &row("2", 9)).await.unwrap());
            assert!(!pin(&mut tx, &row("3", 9)).await.unwrap());
            assert!(pin(&mut tx, &row("1", 4)).await.unwrap());
            let ids: Vec<_> = pins(&mut tx, "t").await.unwrap();
            assert_eq!((ids[0].line, ids[1].line), (4, 9));
            let found = find_pin(&mut tx, "t", "1").await.unwrap();
            assert_eq!(found.map(|pin| pin.line), Some(4));
            assert!(find_pin(&mut tx, "other", "1").await.unwrap().is_none());
            assert!(!unpin(&mut tx, "other", "1").await.unwrap());
            assert!(unpin(&mut tx, "t", "1").await.unwrap());
            forget_pins(&mut tx, "b").await.unwrap();
            assert!(pins(&mut tx, "t").await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_done_to_the_lines_of_a_bundle_is_forgotten_with_it() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            let new = bundles::NewBundle {
                id: "b-1",
                upload_id: "u",
                ticket_id: "t",
                filename: "",
                bytes: 1,
                sha256: "",
                receipt: "",
                received_ms: 1,
            };
            bundles::insert(&mut tx, &new).await.unwrap();
            for (id, bundle) in [("x", "b-1"), ("y", "b-2")] {
                let row = UndoRow {
                    id: id.into(),
                    ticket_id: "t".into(),
                    what: format!(r#"{{"unpinned":{{"bundle_id":"{bundle}","text":"secret"}}}}"#),
                    made_by: "Lin".into(),
                    created_ms: 1,
                };
                undos::keep(&mut tx, &row, 0).await.unwrap();
            }
            forget_pins(&mut tx, "b-1").await.unwrap();
            let left = undos::open(&mut tx, "t", 0).await.unwrap();
            assert_eq!((left.len(), left[0].id.as_str()), (1, "y"));
        })
        .await;
    }
}
