//! Legal holds: bundles that must not be deleted, one by one or all of a ticket.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// A hold in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0102")]
pub struct HoldRow {
    pub subject: String,
    pub ticket_id: String,
    pub reason: String,
    pub placed_by: String,
    pub placed_ms: i64,
}

/// True of a row of `bundles` that is on hold, by itself or by its ticket.
pub(super) const OF_BUNDLE: &str = "EXISTS (SELECT 1 FROM holds h \
    WHERE h.subject IN ('bundle:' || bundles.id, 'ticket:' || bundles.ticket_id))";

/// Places a hold. False when there is one already.
///
/// # Errors
/// When the database refuses.
pub async fn place(db: &mut AnyConnection, row: &HoldRow) -> Result<bool, DbError> {
    sqlx::query(
        "INSERT INTO holds (subject, ticket_id, reason, placed_by, placed_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (subject) DO NOTHING",
    )
    .bind(row.subject.clone())
    .bind(row.ticket_id.clone())
    .bind(row.reason.clone())
    .bind(row.placed_by.clone())
    .bind(row.placed_ms)
    .execute(db)
    .await
    .named("place a hold")
    .map(|done| done.rows_affected() == 1)
}

/// Lifts a hold. False when there is none.
///
/// # Errors
/// When the database refuses.
pub async fn lift(db: &mut AnyConnection, subject: &str) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM holds WHERE subject = $1")
        .bind(subject.to_owned())
        .execute(db)
        .await
        .named("lift a hold")
        .map(|done| done.rows_affected() == 1)
}

/// The holds on a ticket and on its bundles, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_ticket(db: &mut AnyConnection, ticket_id: &str) -> Result<Vec<HoldRow>, DbError> {
    sqlx::query_as(
        "SELECT subject, ticket_id, reason, placed_by, placed_ms FROM holds WHERE ticket_id = $1 \
         ORDER BY placed_ms, subject LIMIT 500",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(db)
    .await
    .named("list holds")
}

/// Whether a bundle is on hold, by itself or by its ticket.
///
/// # Errors
/// When the database does not answer.
pub async fn on(db: &mut AnyConnection, bundle: &str) -> Result<bool, DbError> {
    let text = format!("SELECT COUNT(*) FROM bundles WHERE id = $1 AND {OF_BUNDLE}");
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
        .bind(bundle.to_owned())
        .fetch_one(db)
        .await
        .named("look for a hold")?;
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::{self, NewBundle};
    use crate::db::retention;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_bundle_is_held_by_itself_or_by_its_ticket() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for (id, ticket_id) in [("b1", "t1"), ("b2", "t1"), ("b3", "t2")] {
                let new = NewBundle {
                    id,
                    upload_id: id,
                    ticket_id,
                    filename: "",
                    bytes: 1,
                    sha256: "",
                    receipt: "",
                    received_ms: 1,
                };
                bundles::insert(&mut tx, &new).await.unwrap();
            }
            let hold = |subject: &str, ticket_id: &str| HoldRow {
                subject: subject.into(),
                ticket_id: ticket_id.into(),
                reason: "诉讼".into(),
                placed_by: "Lin".into(),
                placed_ms: 7,
            };
            let (one, all) = (hold("bundle:b1", "t1"), hold("ticket:t2", "t2"));
            assert!(place(&mut tx, &one).await.unwrap());
            assert!(!place(&mut tx, &one).await.unwrap(), "once");
            assert!(place(&mut tx, &all).await.unwrap());
            for (id, held) in [("b1", true), ("b2", false), ("b3", true)] {
                assert_eq!(on(&mut tx, id).await.unwrap(), held, "{id}");
                let deleted = retention::begin_deletion(&mut tx, id).await.unwrap();
                assert_eq!(deleted, !held, "{id}");
            }
            assert_eq!(of_ticket(&mut tx, "t1").await.unwrap(), [one]);
            assert!(lift(&mut tx, "bundle:b1").await.unwrap());
            assert!(!lift(&mut tx, "bundle:b1").await.unwrap());
            assert!(retention::begin_deletion(&mut tx, "b1").await.unwrap());
        })
        .await;
    }
}
