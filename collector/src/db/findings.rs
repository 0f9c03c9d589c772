//! Rows of findings: what a signature said about a bundle. One bundle's findings are replaced as a whole, so that an
//! ingest that runs twice leaves the same rows.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One finding.
#[derive(Debug, Clone, FromRow)]
pub struct FindingRow {
    /// UUIDv7 of the row.
    pub id: String,
    /// Its bundle.
    pub bundle_id: String,
    /// Its ticket.
    pub ticket_id: String,
    /// The signature, such as SIG-0001.
    pub signature_id: String,
    /// critical … info.
    pub severity: String,
    /// 0 is the worst.
    pub severity_rank: i64,
    /// Title.
    pub title: String,
    /// The whole finding as the engine reported it, JSON.
    pub body: String,
    /// When it was stored.
    pub created_ms: i64,
}

/// A finding to be stored.
#[derive(Debug, Clone)]
pub struct NewFinding {
    /// The signature.
    pub signature_id: String,
    /// critical … info.
    pub severity: String,
    /// 0 is the worst.
    pub severity_rank: i64,
    /// Title.
    pub title: String,
    /// JSON.
    pub body: String,
}

/// Replaces all findings of a bundle.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    db: &mut AnyConnection,
    (bundle_id, ticket_id): (&str, &str),
    findings: &[NewFinding],
    now_ms: i64,
) -> Result<(), DbError> {
    delete(db, bundle_id).await?;
    for finding in findings {
        sqlx::query(
            "INSERT INTO findings (id, bundle_id, ticket_id, signature_id, severity, severity_rank, title, body, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(uuid::Uuid::now_v7().to_string())
        .bind(bundle_id)
        .bind(ticket_id)
        .bind(&finding.signature_id)
        .bind(&finding.severity)
        .bind(finding.severity_rank)
        .bind(&finding.title)
        .bind(&finding.body)
        .bind(now_ms)
        .execute(&mut *db)
        .await.named("store findings")?;
    }
    Ok(())
}

/// Removes all findings of a bundle.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM findings WHERE bundle_id = $1")
        .bind(bundle_id)
        .execute(db)
        .await
        .named("delete findings")
        .map(|_| ())
}

/// The findings of a bundle, worst first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_bundle(
    db: &mut AnyConnection,
    bundle_id: &str,
) -> Result<Vec<FindingRow>, DbError> {
    sqlx::query_as(
        "SELECT id, bundle_id, ticket_id, signature_id, severity, severity_rank, title, body, created_ms \
         FROM findings WHERE bundle_id = $1 ORDER BY severity_rank, signature_id LIMIT 2000",
    )
    .bind(bundle_id)
    .fetch_all(db)
    .await.named("list findings of a bundle")
}

/// The findings of all bundles of a ticket, worst first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_ticket(
    db: &mut AnyConnection,
    ticket_id: &str,
) -> Result<Vec<FindingRow>, DbError> {
    sqlx::query_as(
        "SELECT id, bundle_id, ticket_id, signature_id, severity, severity_rank, title, body, created_ms \
         FROM findings WHERE ticket_id = $1 ORDER BY severity_rank, signature_id, created_ms DESC LIMIT 2000",
    )
    .bind(ticket_id)
    .fetch_all(db)
    .await.named("list findings of a ticket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    fn finding(signature_id: &str, severity_rank: i64) -> NewFinding {
        NewFinding {
            signature_id: signature_id.into(),
            severity: "high".into(),
            severity_rank,
            title: format!("Title of {signature_id}"),
            body: "{}".into(),
        }
    }

    #[tokio::test]
    async fn the_findings_of_a_bundle_are_replaced_as_a_whole() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let first = [
                finding("SIG-2", 1),
                finding("SIG-1", 1),
                finding("SIG-3", 0),
            ];
            replace(&mut tx, ("b1", "t1"), &first, 5).await.unwrap();
            replace(&mut tx, ("b2", "t1"), &[finding("SIG-1", 1)], 6)
                .await
                .unwrap();
            let of = async |conn: &mut AnyConnection, id: &str| {
                let rows = of_bundle(conn, id).await.unwrap();
                rows.into_iter()
                    .map(|row| row.signature_id)
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                of(&mut tx, "b1").await,
                ["SIG-3", "SIG-1", "SIG-2"],
                "worst first"
            );
            replace(&mut tx, ("b1", "t1"), &first[..1], 7)
                .await
                .unwrap();
            assert_eq!(of(&mut tx, "b1").await, ["SIG-2"]);
            let ticket = of_ticket(&mut tx, "t1").await.unwrap();
            let rows: Vec<_> = ticket
                .iter()
                .map(|r| (r.signature_id.as_str(), r.created_ms))
                .collect();
            assert_eq!(rows, [("SIG-1", 6), ("SIG-2", 7)]);
            delete(&mut tx, "b1").await.unwrap();
            assert_eq!(of(&mut tx, "b1").await, [""; 0]);
            assert_eq!(of(&mut tx, "b2").await, ["SIG-1"]);
        })
        .await;
    }
}
