//! Rows of jobs: leased work. The database's clock decides about leases, so that replicas need not agree on the time.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Engine, Named, dialect};

/// A job that was claimed.
#[derive(Debug, Clone, FromRow)]
pub struct JobRow {
    /// UUIDv7.
    pub id: String,
    /// Which job of the registry.
    pub kind: String,
    /// What it is about, such as a bundle's id.
    pub subject: String,
    /// The try this is, from 1.
    pub attempt: i64,
}

/// Adds jobs of a kind; `otherwise` says what becomes of the same work that is there already.
async fn queue(
    db: &mut AnyConnection,
    (kind, subjects): (&str, &[&str]),
    otherwise: &'static str,
    now_ms: i64,
) -> Result<(), DbError> {
    let text = format!(
        "INSERT INTO jobs (id, kind, subject, state, run_after_ms, created_ms) VALUES {} \
         ON CONFLICT (kind, subject) DO {otherwise}",
        dialect::values(db, subjects.len(), 6)
    );
    let mut query = dialect::over(text, subjects.len());
    for subject in subjects {
        query = query
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(kind)
            .bind(*subject)
            .bind("queued")
            .bind(0_i64)
            .bind(now_ms);
    }
    query.execute(db).await.named("queue jobs").map(|_| ())
}

/// Adds a job unless the same work is there already, done or not.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(
    db: &mut AnyConnection,
    kind: &str,
    subject: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    enqueue_all(db, kind, &[subject], now_ms).await
}

/// Adds jobs of a kind, each unless the same work is there already, done or not.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue_all(
    db: &mut AnyConnection,
    kind: &str,
    subjects: &[&str],
    now_ms: i64,
) -> Result<(), DbError> {
    queue(db, (kind, subjects), "NOTHING", now_ms).await
}

/// Adds a job, or sends one that ended round again from its first try.
///
/// # Errors
/// When the database refuses.
pub async fn again(
    db: &mut AnyConnection,
    kind: &str,
    subject: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    let ended = "UPDATE SET state = 'queued', attempt = 0, run_after_ms = 0, ended_ms = NULL \
                 WHERE jobs.state IN ('done', 'dead')";
    queue(db, (kind, &[subject]), ended, now_ms).await
}

/// Makes sure that a job runs from its beginning after this transaction: one that runs now runs once more. The row is
/// always written, so that a worker that ends the job waits for this transaction, or comes before it.
///
/// # Errors
/// When the database refuses.
pub async fn nudge(
    db: &mut AnyConnection,
    kind: &str,
    subject: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    let any = "UPDATE SET \
         state = CASE jobs.state WHEN 'leased' THEN 'leased' ELSE 'queued' END, \
         rerun = CASE jobs.state WHEN 'leased' THEN 1 ELSE 0 END, \
         attempt = CASE WHEN jobs.state IN ('done', 'dead') THEN 0 ELSE jobs.attempt END, \
         run_after_ms = CASE WHEN jobs.state IN ('done', 'dead') THEN 0 ELSE jobs.run_after_ms END, ended_ms = NULL";
    queue(db, (kind, &[subject]), any, now_ms).await
}

/// Lets the jobs of a kind whose subjects begin so run now, from their first try.
///
/// # Errors
/// When the database refuses.
pub async fn hurry(db: &mut AnyConnection, kind: &str, subjects: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE jobs SET run_after_ms = 0, attempt = 0 WHERE kind = $1 AND state = 'queued' \
         AND subject LIKE $2",
    )
    .bind(kind)
    .bind(format!("{subjects}%"))
    .execute(db)
    .await
    .named("hurry jobs")
    .map(|_| ())
}

/// Takes the next job of a kind that is due, for `lease_ms`. Two workers never get the same one.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(
    db: &mut AnyConnection,
    engine: Engine,
    (kind, owner): (&str, &str),
    lease_ms: i64,
) -> Result<Option<JobRow>, DbError> {
    let (now, skip) = (engine.now_ms(), engine.skip_locked());
    let sql = format!(
        "UPDATE jobs SET state = 'leased', owner = $1, lease_until_ms = {now} + $2, attempt = attempt + 1, rerun = 0 \
         WHERE id = (SELECT id FROM jobs WHERE kind = $3 AND state = 'queued' AND run_after_ms <= {now} \
                     ORDER BY run_after_ms, id LIMIT 1 {skip}) AND state = 'queued' \
         RETURNING id, kind, subject, attempt"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(owner)
        .bind(lease_ms)
        .bind(kind)
        .fetch_optional(db)
        .await
        .named("claim a job")
}

/// Extends a lease. False when it was lost: the work must stop, since another may be doing it.
///
/// # Errors
/// When the database does not answer.
pub async fn renew(
    db: &mut AnyConnection,
    engine: Engine,
    job: &JobRow,
    owner: &str,
    lease_ms: i64,
) -> Result<bool, DbError> {
    let sql = format!(
        "UPDATE jobs SET lease_until_ms = {} + $1 WHERE id = $2 AND owner = $3 AND attempt = $4 AND state = 'leased'",
        engine.now_ms()
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(lease_ms)
        .bind(&job.id)
        .bind(owner)
        .bind(job.attempt)
        .execute(db)
        .await
        .named("renew a lease")
        .map(|done| done.rows_affected() == 1)
}

/// Ends a job under its lease: `done` or `dead`; one that was nudged meanwhile is queued again. False when the lease
/// was lost.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    db: &mut AnyConnection,
    job: &JobRow,
    owner: &str,
    end: &End<'_>,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE jobs SET state = CASE rerun WHEN 1 THEN 'queued' ELSE $1 END, \
         attempt = CASE rerun WHEN 1 THEN 0 ELSE attempt END, run_after_ms = 0, rerun = 0, \
         last_error = $2, ended_ms = $3, owner = NULL \
         WHERE id = $4 AND owner = $5 AND attempt = $6 AND state = 'leased'",
    )
    .bind(end.state)
    .bind(end.error)
    .bind(end.now_ms)
    .bind(&job.id)
    .bind(owner)
    .bind(job.attempt)
    .execute(db)
    .await
    .named("end a job")
    .map(|done| done.rows_affected() == 1)
}

/// How a job ended.
#[derive(Debug)]
pub struct End<'a> {
    /// done or dead.
    pub state: &'static str,
    /// The last fault.
    pub error: Option<&'a str>,
    /// Now.
    pub now_ms: i64,
}

/// Gives a job back for another try, `delay_ms` from now.
///
/// # Errors
/// When the database refuses.
pub async fn release(
    db: &mut AnyConnection,
    engine: Engine,
    job: &JobRow,
    owner: &str,
    retry: &Retry<'_>,
) -> Result<bool, DbError> {
    let sql = format!(
        "UPDATE jobs SET state = 'queued', run_after_ms = {} + $1, last_error = $2, owner = NULL, attempt = attempt - $3 \
         WHERE id = $4 AND owner = $5 AND attempt = $6 AND state = 'leased'",
        engine.now_ms()
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(retry.delay_ms)
        .bind(retry.error)
        .bind(i64::from(!retry.counts))
        .bind(&job.id)
        .bind(owner)
        .bind(job.attempt)
        .execute(db)
        .await
        .named("give a job back")
        .map(|done| done.rows_affected() == 1)
}

/// How a job is given back.
#[derive(Debug)]
pub struct Retry<'a> {
    /// Wait before the next try.
    pub delay_ms: i64,
    /// The fault, if there was one.
    pub error: Option<&'a str>,
    /// Whether this try counts against the job; a shutdown does not.
    pub counts: bool,
}

/// Gives back what workers that died or hang had leased. Returns how many came back.
///
/// # Errors
/// When the database refuses.
pub async fn reclaim(db: &mut AnyConnection, engine: Engine) -> Result<u64, DbError> {
    let sql = format!(
        "UPDATE jobs SET state = 'queued', owner = NULL, last_error = 'the worker was lost' \
         WHERE state = 'leased' AND lease_until_ms < {}",
        engine.now_ms()
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(db)
        .await
        .named("reclaim lost jobs")
        .map(|done| done.rows_affected())
}

/// Counts jobs in a state.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &mut AnyConnection, state: &str) -> Result<i64, DbError> {
    sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE state = $1")
        .bind(state)
        .fetch_one(db)
        .await
        .named("count jobs")
}

#[cfg(test)]
mod tests;
