//! Rows of findings: what a signature said about a bundle. One bundle's findings are replaced as a whole, so that an
//! ingest that runs twice leaves the same rows. What people said about a finding stays with it.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named, marks};

/// One finding.
#[derive(Debug, Clone, Default, FromRow)]
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
    /// 1: the signature was in shadow, which is for staff only.
    pub shadow: i64,
    /// confirmed or dismissed.
    pub verdict: Option<String>,
    /// wrong_match, not_relevant or accepted, of a dismissed one.
    pub verdict_reason: Option<String>,
    /// In the person's own words.
    pub verdict_note: String,
    /// Who judged.
    pub verdict_by: Option<String>,
    /// When.
    pub verdict_ms: Option<i64>,
    /// Id of a suppression that holds now.
    pub suppressed: Option<String>,
}

impl FindingRow {
    /// Whether the customer may see it and the ticket acts upon it.
    pub fn stands(&self) -> bool {
        self.shadow == 0
            && self.suppressed.is_none()
            && self.verdict.as_deref() != Some("dismissed")
    }
}

/// Columns of a finding, with the suppression that holds at the time that is bound first.
const SELECT: &str = "SELECT f.id, f.bundle_id, f.ticket_id, f.signature_id, f.severity, f.severity_rank, f.title, f.body, \
    f.created_ms, f.shadow, f.verdict, f.verdict_reason, f.verdict_note, f.verdict_by, f.verdict_ms, \
    (SELECT MIN(s.id) FROM suppressions s WHERE s.signature_id = f.signature_id AND s.ended_ms IS NULL \
     AND (s.expires_ms IS NULL OR s.expires_ms > $1) AND ((s.scope = 'ticket' AND s.value = f.ticket_id) \
     OR (s.scope = 'customer' AND s.value = t.customer) OR (s.scope = 'host' AND s.value = b.host))) AS suppressed \
    FROM findings f LEFT JOIN tickets t ON t.id = f.ticket_id LEFT JOIN bundles b ON b.id = f.bundle_id";

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
    /// Whether the signature is in shadow.
    pub shadow: bool,
}

/// Replaces all findings of a bundle; what people said about those that stay is kept.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    db: &mut AnyConnection,
    (bundle_id, ticket_id): (&str, &str),
    findings: &[NewFinding],
    now_ms: i64,
) -> Result<(), DbError> {
    let known: Vec<String> =
        sqlx::query_scalar("SELECT signature_id FROM findings WHERE bundle_id = $1")
            .bind(bundle_id)
            .fetch_all(&mut *db)
            .await
            .named("list findings to replace")?;
    for gone in known
        .iter()
        .filter(|id| findings.iter().all(|f| f.signature_id != **id))
    {
        remove(db, bundle_id, gone).await?;
    }
    for finding in findings {
        store(db, (bundle_id, ticket_id), finding, now_ms).await?;
    }
    changed(db, bundle_id, ticket_id).await
}

/// Findings of a bundle have changed: what is counted and found of it is no longer true.
async fn changed(db: &mut AnyConnection, bundle_id: &str, ticket_id: &str) -> Result<(), DbError> {
    marks::figures(db, ticket_id).await?;
    marks::words(db, marks::Kind::Bundle, bundle_id).await
}

/// Stores one finding, in the place of what the same signature said before. True when it said nothing before.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    db: &mut AnyConnection,
    (bundle_id, ticket_id): (&str, &str),
    finding: &NewFinding,
    now_ms: i64,
) -> Result<bool, DbError> {
    let fresh = store(db, (bundle_id, ticket_id), finding, now_ms).await?;
    changed(db, bundle_id, ticket_id).await?;
    Ok(fresh)
}

async fn store(
    db: &mut AnyConnection,
    (bundle_id, ticket_id): (&str, &str),
    finding: &NewFinding,
    now_ms: i64,
) -> Result<bool, DbError> {
    let known = sqlx::query(
        "UPDATE findings SET severity = $1, severity_rank = $2, title = $3, body = $4, shadow = $5 \
         WHERE bundle_id = $6 AND signature_id = $7",
    )
    .bind(&finding.severity)
    .bind(finding.severity_rank)
    .bind(&finding.title)
    .bind(&finding.body)
    .bind(i64::from(finding.shadow))
    .bind(bundle_id)
    .bind(&finding.signature_id)
    .execute(&mut *db)
    .await
    .named("store a finding again")?;
    if known.rows_affected() > 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO findings (id, bundle_id, ticket_id, signature_id, severity, severity_rank, title, body, created_ms, \
         shadow) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
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
    .bind(i64::from(finding.shadow))
    .execute(&mut *db)
    .await
    .named("store findings")?;
    Ok(true)
}

/// Removes what a signature said about a bundle; says whether it said anything.
///
/// # Errors
/// When the database refuses.
pub async fn remove(
    db: &mut AnyConnection,
    bundle_id: &str,
    signature_id: &str,
) -> Result<bool, DbError> {
    marks::figures_by_bundle(db, bundle_id).await?;
    marks::words(db, marks::Kind::Bundle, bundle_id).await?;
    sqlx::query("DELETE FROM findings WHERE bundle_id = $1 AND signature_id = $2")
        .bind(bundle_id)
        .bind(signature_id)
        .execute(db)
        .await
        .named("remove a finding")
        .map(|done| done.rows_affected() > 0)
}

/// One finding by its id.
///
/// # Errors
/// When the database does not answer.
pub async fn find(
    db: &mut AnyConnection,
    id: &str,
    now_ms: i64,
) -> Result<Option<FindingRow>, DbError> {
    sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE f.id = $2")))
        .bind(now_ms)
        .bind(id)
        .fetch_optional(db)
        .await
        .named("find a finding")
}

/// What a person says about a finding.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// confirmed or dismissed; `None` takes the judgement back.
    pub verdict: Option<&'a str>,
    /// Of a dismissed one.
    pub reason: Option<&'a str>,
    /// In own words.
    pub note: &'a str,
    /// Who.
    pub by: &'a str,
    /// Now.
    pub now_ms: i64,
}

/// Records what a person says about a finding.
///
/// # Errors
/// When the database refuses.
pub async fn judge(db: &mut AnyConnection, id: &str, judged: &Judged<'_>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE findings SET verdict = $1, verdict_reason = $2, verdict_note = $3, verdict_by = $4, verdict_ms = $5 \
         WHERE id = $6",
    )
    .bind(judged.verdict)
    .bind(judged.reason)
    .bind(judged.note)
    .bind(judged.by)
    .bind(judged.now_ms)
    .bind(id)
    .execute(db)
    .await
    .named("judge a finding")
    .map(|_| ())
}

/// Removes all findings of a bundle.
///
/// # Errors
/// When the database refuses.
pub async fn delete(db: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    marks::figures_by_bundle(db, bundle_id).await?;
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
    now_ms: i64,
) -> Result<Vec<FindingRow>, DbError> {
    let order = "ORDER BY f.severity_rank, f.signature_id LIMIT 2000";
    sqlx::query_as(AssertSqlSafe(format!(
        "{SELECT} WHERE f.bundle_id = $2 {order}"
    )))
    .bind(now_ms)
    .bind(bundle_id)
    .fetch_all(db)
    .await
    .named("list findings of a bundle")
}

/// The findings of all bundles of a ticket, worst first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_ticket(
    db: &mut AnyConnection,
    ticket_id: &str,
    now_ms: i64,
) -> Result<Vec<FindingRow>, DbError> {
    let order = "ORDER BY f.severity_rank, f.signature_id, f.created_ms DESC LIMIT 2000";
    sqlx::query_as(AssertSqlSafe(format!(
        "{SELECT} WHERE f.ticket_id = $2 {order}"
    )))
    .bind(now_ms)
    .bind(ticket_id)
    .fetch_all(db)
    .await
    .named("list findings of a ticket")
}

/// The newest findings of a signature.
///
/// # Errors
/// When the database does not answer.
pub async fn of_signature(
    db: &mut AnyConnection,
    signature_id: &str,
    limit: i64,
    now_ms: i64,
) -> Result<Vec<FindingRow>, DbError> {
    let order = "ORDER BY f.created_ms DESC, f.id DESC LIMIT $3";
    sqlx::query_as(AssertSqlSafe(format!(
        "{SELECT} WHERE f.signature_id = $2 {order}"
    )))
    .bind(now_ms)
    .bind(signature_id)
    .bind(limit)
    .fetch_all(db)
    .await
    .named("list findings of a signature")
}

#[cfg(test)]
mod tests;
