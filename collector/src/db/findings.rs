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
