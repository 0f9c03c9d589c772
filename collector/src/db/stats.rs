//! What became of tickets in a span of time, as raw rows and counts.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One ticket's figures.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(
    missing_docs,
    reason = "columns of tickets, and the first of each thing"
)]
pub struct FigureRow {
    pub number: i64,
    pub product: String,
    pub team: String,
    pub owner: Option<String>,
    pub status: String,
    pub created_ms: i64,
    pub replied_ms: Option<i64>,
    pub solved_ms: Option<i64>,
    pub closed_ms: Option<i64>,
    pub worked_ms: i64,
    pub reopened: i64,
    pub satisfaction: Option<String>,
    pub cause: String,
    pub resolution: String,
    /// First finding of any bundle.
    pub finding_ms: Option<i64>,
    /// Its worst finding.
    pub top_finding: Option<String>,
}

/// An unknown error over all tickets.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct UnexplainedRow {
    /// Id of the template.
    pub id: String,
    /// What its lines have in common.
    pub text: String,
    /// Lines in all.
    pub lines: i64,
    /// Bundles that have it.
    pub bundles: i64,
    /// Tickets that have it.
    pub tickets: i64,
    /// One of the bundles, to draft a signature from.
    pub bundle_id: String,
}

/// Tickets that were created in a span, oldest first.
pub async fn figures(
    conn: &mut AnyConnection,
    (from_ms, to_ms): (i64, i64),
    limit: i64,
) -> Result<Vec<FigureRow>, DbError> {
    sqlx::query_as(
        "SELECT t.number, t.product, t.team, u.name AS owner, t.status, t.created_ms, t.replied_ms, t.solved_ms, \
         t.closed_ms, t.worked_ms, t.reopened, t.satisfaction, t.cause, t.resolution, t.top_finding, \
         (SELECT MIN(f.created_ms) FROM findings f WHERE f.ticket_id = t.id AND f.shadow = 0) AS finding_ms \
         FROM tickets t LEFT JOIN users u ON u.id = t.owner_id WHERE t.created_ms >= $1 AND t.created_ms < $2 ORDER BY t.number LIMIT $3",
    )
    .bind(from_ms)
    .bind(to_ms)
    .bind(limit)
    .fetch_all(conn)
    .await
    .named("read the figures of tickets")
}

/// Tickets created since a time, and how many of them have a finding.
pub async fn with_finding(conn: &mut AnyConnection, from_ms: i64) -> Result<(i64, i64), DbError> {
    sqlx::query_as("SELECT COUNT(*), COUNT(top_finding) FROM tickets WHERE created_ms >= $1")
        .bind(from_ms)
        .fetch_one(conn)
        .await
        .named("count tickets with a finding")
}

/// Unknown errors that nobody ignores, those of most tickets first.
pub async fn unexplained(
    conn: &mut AnyConnection,
    limit: i64,
) -> Result<Vec<UnexplainedRow>, DbError> {
    sqlx::query_as(
        "SELECT t.id, t.text, t.lines, t.bundles, t.tickets, (SELECT b.bundle_id FROM bundle_templates b \
         WHERE b.template_id = t.id ORDER BY b.ticket_id DESC LIMIT 1) AS bundle_id FROM templates t \
         WHERE t.ignored IS NULL AND t.tickets > 0 \
         AND EXISTS (SELECT 1 FROM bundle_templates b WHERE b.template_id = t.id) ORDER BY t.tickets DESC, t.bundles DESC, t.id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
    .named("list unexplained errors")
}

/// Closed tickets without a known cause: number, title, and when they were closed; the latest first.
pub async fn without_cause(
    conn: &mut AnyConnection,
    limit: i64,
) -> Result<Vec<(i64, String, i64)>, DbError> {
    sqlx::query_as(
        "SELECT number, title, closed_ms FROM tickets WHERE status = 'closed' AND closed_ms IS NOT NULL \
         AND cause IN ('', 'unknown') ORDER BY closed_ms DESC, number DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
    .named("list tickets without a cause")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::findings::{self, NewFinding};
    use crate::db::templates::{self, NewTemplate};
    use crate::db::testing::{add_ticket, on_both};
    use crate::db::{lifecycle, tickets};

    #[tokio::test]
    async fn figures_of_a_span() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let mut a = add_ticket(&mut tx, "a").await;
            add_ticket(&mut tx, "b").await;
            let found = NewFinding {
                signature_id: "SIG-1".into(),
                severity: "high".into(),
                severity_rank: 1,
                title: "T".into(),
                body: "{}".into(),
                shadow: false,
            };
            findings::replace(&mut tx, ("x", "a"), &[found], 9)
                .await
                .unwrap();
            (a.status, a.closed_ms) = ("closed".into(), Some(30));
            tickets::update(&mut tx, &a).await.unwrap();
            let mut life = lifecycle::find(&mut tx, "a").await.unwrap().unwrap();
            life.replied_ms = Some(4);
            lifecycle::update(&mut tx, &life).await.unwrap();
            let rows = figures(&mut tx, (0, 5), 10).await.unwrap();
            let told: Vec<_> = rows
                .iter()
                .map(|r| (r.number, r.replied_ms, r.finding_ms))
                .collect();
            assert_eq!(told, [(1001, Some(4), Some(9)), (1002, None, None)]);
            assert!(figures(&mut tx, (2, 5), 10).await.unwrap().is_empty());
            assert_eq!(with_finding(&mut tx, 0).await.unwrap(), (2, 0));
            a.top_finding = Some("SIG-1 T".into());
            tickets::update(&mut tx, &a).await.unwrap();
            assert_eq!(with_finding(&mut tx, 1).await.unwrap(), (2, 1));
            assert_eq!(with_finding(&mut tx, 2).await.unwrap(), (0, 0));
            let closed = without_cause(&mut tx, 5).await.unwrap();
            assert_eq!(closed, [(1001, "Title of a".to_owned(), 30)]);
            life.cause = "capacity".into();
            lifecycle::update(&mut tx, &life).await.unwrap();
            assert!(without_cause(&mut tx, 5).await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn what_most_tickets_have_comes_first() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for id in ["a", "b"] {
                add_ticket(&mut tx, id).await;
            }
            let template = |id: &str| NewTemplate {
                id: id.into(),
                text: format!("error {id}"),
                shape: "2 error".into(),
                count: 3,
                file: "f".into(),
                line: 1,
                example: String::new(),
            };
            let (one, two) = (template("one"), template("two"));
            for (bundle, ticket, list) in [
                ("x", "a", vec![one.clone(), two.clone()]),
                ("y", "b", vec![two]),
            ] {
                templates::replace(&mut tx, (bundle, ticket), &list, 1)
                    .await
                    .unwrap();
            }
            let rows = unexplained(&mut tx, 5).await.unwrap();
            let told: Vec<_> = rows
                .iter()
                .map(|r| (r.id.as_str(), r.lines, r.bundles, r.tickets))
                .collect();
            assert_eq!(told, [("two", 6, 2, 2), ("one", 3, 1, 1)]);
            assert_eq!(rows[0].bundle_id, "y");
        })
        .await;
    }
}
