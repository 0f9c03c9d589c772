//! Rows of bundles: what an upload became, and what the ingest said about it.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named, dialect, marks, search};

/// One bundle.
#[derive(Debug, Clone, FromRow)]
pub struct BundleRow {
    /// UUIDv7.
    pub id: String,
    /// The upload that brought it.
    pub upload_id: String,
    /// Its ticket.
    pub ticket_id: String,
    /// stored, scanning, ready, rejected, quarantined, deleting or deleted.
    pub state: String,
    /// Reason code when it is not ready.
    pub reason: Option<String>,
    /// The reason in words, for the engineer.
    pub detail: Option<String>,
    /// The client's name for the file.
    pub filename: String,
    /// Size as stored.
    pub bytes: i64,
    /// Digest of the stored bytes, hex: the sealed digest.
    pub sha256: String,
    /// What the customer can quote.
    pub receipt: String,
    /// Host the bundle says it is from.
    pub host: Option<String>,
    /// What the host runs; empty when the bundle does not tell.
    pub os: String,
    /// Profile it was collected by.
    pub profile: Option<String>,
    /// When it was collected, by the host's clock.
    pub collected_ms: Option<i64>,
    /// Bytes unpacked.
    pub unpacked_bytes: i64,
    /// Files in it.
    pub files: i64,
    /// Items asked for.
    pub items_asked: i64,
    /// Items that came whole.
    pub items_complete: i64,
    /// Signatures evaluated.
    pub evaluated: i64,
    /// JSON list of `{id, reason}`.
    pub not_evaluated: String,
    /// When it was complete here.
    pub received_ms: i64,
    /// When the ingest ended.
    pub verdict_ms: Option<i64>,
}

const COLUMNS: &str = "id, upload_id, ticket_id, state, reason, detail, filename, bytes, sha256, receipt, host, os, \
    profile, collected_ms, unpacked_bytes, files, items_asked, items_complete, evaluated, not_evaluated, received_ms, \
    verdict_ms";

fn select(tail: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM bundles {tail}"))
}

/// What is known when an upload completes.
#[derive(Debug)]
pub struct NewBundle<'a> {
    /// The id chosen when the upload was made.
    pub id: &'a str,
    /// The upload.
    pub upload_id: &'a str,
    /// Its ticket.
    pub ticket_id: &'a str,
    /// The client's name for the file.
    pub filename: &'a str,
    /// Size.
    pub bytes: i64,
    /// Digest, hex.
    pub sha256: &'a str,
    /// What the customer can quote.
    pub receipt: &'a str,
    /// Now.
    pub received_ms: i64,
}

/// Adds a stored bundle. Twice gives one row.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &mut AnyConnection, new: &NewBundle<'_>) -> Result<(), DbError> {
    insert_all(db, std::slice::from_ref(new)).await
}

/// Adds stored bundles. Twice gives one row of each.
///
/// # Errors
/// When the database refuses one: none is added then.
pub async fn insert_all(db: &mut AnyConnection, new: &[NewBundle<'_>]) -> Result<(), DbError> {
    let text = format!(
        "INSERT INTO bundles (id, upload_id, ticket_id, filename, bytes, sha256, receipt, received_ms, state) \
         VALUES {} ON CONFLICT (upload_id) DO NOTHING",
        dialect::values(db, new.len(), 9)
    );
    let mut query = dialect::over(text, new.len());
    for new in new {
        query = query
            .bind(new.id)
            .bind(new.upload_id)
            .bind(new.ticket_id)
            .bind(new.filename)
            .bind(new.bytes)
            .bind(new.sha256)
            .bind(new.receipt)
            .bind(new.received_ms)
            .bind("stored");
    }
    query.execute(&mut *db).await.named("add bundles")?;
    let ids: Vec<&str> = new.iter().map(|new| new.id).collect();
    marks::words_all(db, marks::Kind::Bundle, &ids).await
}

/// Finds a bundle by id.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &mut AnyConnection, id: &str) -> Result<Option<BundleRow>, DbError> {
    sqlx::query_as(select("WHERE id = $1 AND state <> 'deleted'"))
        .bind(id)
        .fetch_optional(db)
        .await
        .named("find a bundle")
}

/// Finds a bundle by its receipt.
///
/// # Errors
/// When the database does not answer.
pub async fn by_receipt(
    db: &mut AnyConnection,
    receipt: &str,
) -> Result<Option<BundleRow>, DbError> {
    sqlx::query_as(select("WHERE receipt = $1 AND state <> 'deleted'"))
        .bind(receipt)
        .fetch_optional(db)
        .await
        .named("find a bundle by its receipt")
}

/// The bundles of a ticket, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_ticket(db: &mut AnyConnection, ticket_id: &str) -> Result<Vec<BundleRow>, DbError> {
    sqlx::query_as(select(
        "WHERE ticket_id = $1 AND state <> 'deleted' ORDER BY received_ms DESC, id DESC LIMIT 200",
    ))
    .bind(ticket_id)
    .fetch_all(db)
    .await
    .named("list bundles of a ticket")
}

/// All bundles, newest first, before `before_id` when given.
///
/// # Errors
/// When the database does not answer.
pub async fn page(
    db: &mut AnyConnection,
    before_id: Option<&str>,
    count: i64,
) -> Result<Vec<BundleRow>, DbError> {
    sqlx::query_as(select(
        "WHERE state <> 'deleted' AND ($1 = '' OR id < $1) ORDER BY id DESC LIMIT $2",
    ))
    .bind(before_id.unwrap_or_default())
    .bind(count)
    .fetch_all(db)
    .await
    .named("list bundles")
}

/// Moves a bundle from one of `from` to `to`. False when it was in none of them.
///
/// # Errors
/// When the database refuses.
pub async fn shift(
    db: &mut AnyConnection,
    id: &str,
    from: &[&str],
    to: &str,
) -> Result<bool, DbError> {
    // The states are our own words, so they may stand in the text; a list cannot be bound on both engines.
    let list = from
        .iter()
        .map(|state| format!("'{state}'"))
        .collect::<Vec<_>>()
        .join(", ");
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE bundles SET state = $1 WHERE id = $2 AND state IN ({list})"
    )))
    .bind(to)
    .bind(id)
    .execute(db)
    .await
    .named("change the state of a bundle")
    .map(|done| done.rows_affected() == 1)
}

/// The end of an ingest.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    /// ready, rejected or quarantined.
    pub state: &'static str,
    /// Reason code unless ready.
    pub reason: Option<String>,
    /// The reason in words.
    pub detail: Option<String>,
    /// Host in the manifest.
    pub host: Option<String>,
    /// What the host runs.
    pub os: String,
    /// Profile in the manifest.
    pub profile: Option<String>,
    /// Time in the manifest.
    pub collected_ms: Option<i64>,
    /// Bytes unpacked.
    pub unpacked_bytes: i64,
    /// Files in it.
    pub files: i64,
    /// Items asked for.
    pub items_asked: i64,
    /// Items that came whole.
    pub items_complete: i64,
    /// Signatures evaluated.
    pub evaluated: i64,
    /// JSON list of `{id, reason}`.
    pub not_evaluated: String,
    /// Now.
    pub verdict_ms: i64,
}

/// Records the end of an ingest. False when the bundle was not being scanned any more, for example deleted meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn finish(db: &mut AnyConnection, id: &str, end: &Outcome) -> Result<bool, DbError> {
    let lists = if end.not_evaluated.is_empty() {
        "[]"
    } else {
        &end.not_evaluated
    };
    let done = sqlx::query(
        "UPDATE bundles SET state = $1, reason = $2, detail = $3, host = $4, profile = $5, collected_ms = $6, \
         unpacked_bytes = $7, files = $8, items_asked = $9, items_complete = $10, evaluated = $11, \
         not_evaluated = $12, verdict_ms = $13, os = $14 WHERE id = $15 AND state IN ('stored', 'scanning')",
    )
    .bind(end.state)
    .bind(&end.reason)
    .bind(&end.detail)
    .bind(&end.host)
    .bind(&end.profile)
    .bind(end.collected_ms)
    .bind(end.unpacked_bytes)
    .bind(end.files)
    .bind(end.items_asked)
    .bind(end.items_complete)
    .bind(end.evaluated)
    .bind(lists)
    .bind(end.verdict_ms)
    .bind(&end.os)
    .bind(id)
    .execute(&mut *db)
    .await
    .named("record a verdict")?
    .rows_affected()
        == 1;
    marks::words(db, marks::Kind::Bundle, id).await?;
    Ok(done)
}

/// Bundles that wait for a verdict and have no live job: a missed enqueue. Oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn without_job(
    db: &mut AnyConnection,
    received_before_ms: i64,
) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar(
        "SELECT b.id FROM bundles b WHERE b.state IN ('stored', 'scanning') AND b.received_ms < $1 AND NOT EXISTS \
         (SELECT 1 FROM jobs j WHERE j.kind = 'ingest' AND j.subject = b.id AND j.state IN ('queued', 'leased')) \
         ORDER BY b.id LIMIT 500",
    )
    .bind(received_before_ms)
    .fetch_all(db)
    .await.named("look for bundles without a job")
}

/// Bundles whose deletion was begun and not ended.
///
/// # Errors
/// When the database does not answer.
pub async fn deleting(db: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar("SELECT id FROM bundles WHERE state = 'deleting' ORDER BY id LIMIT 500")
        .fetch_all(db)
        .await
        .named("look for unfinished deletions")
}

/// Leaves of a bundle only its id, digest and times.
///
/// # Errors
/// When the database refuses.
pub async fn bury(db: &mut AnyConnection, id: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE bundles SET state = 'deleted', filename = '', detail = NULL, host = NULL, profile = NULL, \
         os = '', not_evaluated = '[]' WHERE id = $1 AND state = 'deleting'",
    )
    .bind(id)
    .execute(&mut *db)
    .await.named("forget a bundle")?;
    search::forget(db, marks::Kind::Bundle, id).await?;
    sqlx::query(
        "UPDATE uploads SET filename = '', metadata = '', consent = NULL WHERE bundle_id = $1 AND state = 'complete'",
    )
    .bind(id)
    .execute(db)
    .await.named("forget a bundle")
    .map(|_| ())
}

#[cfg(test)]
mod tests;
