//! Proposed solutions, and what the customer said about them.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One proposal.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0501")]
pub struct SolutionRow {
    pub id: String,
    pub ticket_id: String,
    pub source: String,
    pub title: String,
    pub steps: String,
    pub success: String,
    pub rollback: String,
    pub language: String,
    pub audience: String,
    pub proposed_by: String,
    pub created_ms: i64,
    pub outcome: Option<String>,
    pub outcome_note: String,
    pub outcome_ms: Option<i64>,
}

/// Adds a proposal.
pub async fn insert(conn: &mut AnyConnection, row: &SolutionRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO solutions (id, ticket_id, source, title, steps, success, rollback, language, audience, proposed_by, \
         created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(row.id.clone())
    .bind(row.ticket_id.clone())
    .bind(row.source.clone())
    .bind(row.title.clone())
    .bind(row.steps.clone())
    .bind(row.success.clone())
    .bind(row.rollback.clone())
    .bind(row.language.clone())
    .bind(row.audience.clone())
    .bind(row.proposed_by.clone())
    .bind(row.created_ms)
    .execute(conn)
    .await
    .named("add a solution")
    .map(|_| ())
}

/// The proposals of a ticket, newest first.
pub async fn list(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<SolutionRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, source, title, steps, success, rollback, language, audience, proposed_by, created_ms, \
         outcome, outcome_note, outcome_ms FROM solutions WHERE ticket_id = $1 ORDER BY created_ms DESC, id DESC LIMIT 100",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list solutions")
}

/// Notes what came of a proposal; says whether the ticket has it.
pub async fn judge(
    conn: &mut AnyConnection,
    (ticket_id, id): (&str, &str),
    (outcome, note): (&str, &str),
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE solutions SET outcome = $1, outcome_note = $2, outcome_ms = $3 WHERE id = $4 AND ticket_id = $5",
    )
    .bind(outcome.to_owned())
    .bind(note.to_owned())
    .bind(now_ms)
    .bind(id.to_owned())
    .bind(ticket_id.to_owned())
    .execute(conn)
    .await
    .named("note what came of a solution")
    .map(|done| done.rows_affected() == 1)
}

/// How often what came from one source worked, and how often it did not.
pub async fn record_of(conn: &mut AnyConnection, source: &str) -> Result<(i64, i64), DbError> {
    sqlx::query_as(
        "SELECT CAST(COALESCE(SUM(CASE WHEN outcome = 'worked' THEN 1 ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END), 0) AS BIGINT) FROM solutions WHERE source = $1",
    )
    .bind(source.to_owned())
    .fetch_one(conn)
    .await
    .named("count what came of solutions")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn what_the_customer_says_stays_with_the_proposal() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            for (id, created_ms) in [("1", 10), ("2", 20)] {
                let row = SolutionRow {
                    id: id.into(),
                    ticket_id: "t".into(),
                    source: "article:disk".into(),
                    created_ms,
                    ..SolutionRow::default()
                };
                insert(&mut tx, &row).await.unwrap();
            }
            let yes = judge(&mut tx, ("t", "1"), ("worked", "好"), 30);
            assert!(yes.await.unwrap());
            let other = judge(&mut tx, ("x", "2"), ("failed", ""), 30);
            assert!(!other.await.unwrap());
            let rows = list(&mut tx, "t").await.unwrap();
            assert_eq!((rows[0].id.as_str(), &rows[0].outcome), ("2", &None));
            assert_eq!(rows[1].outcome.as_deref(), Some("worked"));
            assert_eq!(record_of(&mut tx, "article:disk").await.unwrap(), (1, 0));
            assert_eq!(record_of(&mut tx, "article:x").await.unwrap(), (0, 0));
        })
        .await;
    }
}
