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
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_job_is_leased_by_one_worker_and_ends_under_its_lease() {
        on_both(async |db| {
            let (mut tx, engine) = (db.begin().await.unwrap(), db.engine());
            enqueue(&mut tx, "ingest", "b1", 1).await.unwrap();
            let twice = ["b1", "b1"];
            enqueue_all(&mut tx, "ingest", &twice, 2).await.unwrap();
            let other = claim(&mut tx, engine, ("deliver", "w1"), 60_000).await;
            assert!(other.unwrap().is_none(), "a kind claims its own");
            assert_eq!(
                count(&mut tx, "queued").await.unwrap(),
                1,
                "the same work once"
            );
            let job = claim(&mut tx, engine, ("ingest", "w1"), 60_000)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                (job.kind.as_str(), job.subject.as_str(), job.attempt),
                ("ingest", "b1", 1)
            );
            assert!(
                claim(&mut tx, engine, ("ingest", "w2"), 60_000)
                    .await
                    .unwrap()
                    .is_none()
            );
            assert!(renew(&mut tx, engine, &job, "w1", 60_000).await.unwrap());
            assert!(!renew(&mut tx, engine, &job, "w2", 60_000).await.unwrap());
            assert_eq!(reclaim(&mut tx, engine).await.unwrap(), 0);
            let done = End {
                state: "done",
                error: None,
                now_ms: 9,
            };
            assert!(!end(&mut tx, &job, "w2", &done).await.unwrap());
            assert!(end(&mut tx, &job, "w1", &done).await.unwrap());
            assert_eq!(count(&mut tx, "done").await.unwrap(), 1);
            enqueue(&mut tx, "ingest", "b1", 3).await.unwrap();
            assert_eq!(count(&mut tx, "queued").await.unwrap(), 0, "done is done");
            again(&mut tx, "ingest", "b1", 3).await.unwrap();
            let job = claim(&mut tx, engine, ("ingest", "w3"), 60_000)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(job.attempt, 1, "tries begin anew");
        })
        .await;
    }

    #[tokio::test]
    async fn a_job_that_was_given_back_or_lost_comes_again() {
        on_both(async |db| {
            let (mut tx, engine) = (db.begin().await.unwrap(), db.engine());
            enqueue(&mut tx, "ingest", "b1", 1).await.unwrap();
            let job = claim(&mut tx, engine, ("ingest", "w1"), -1)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                reclaim(&mut tx, engine).await.unwrap(),
                1,
                "the lease is over"
            );
            let gone = Retry {
                delay_ms: 0,
                error: None,
                counts: true,
            };
            assert!(!release(&mut tx, engine, &job, "w1", &gone).await.unwrap());
            let job = claim(&mut tx, engine, ("ingest", "w2"), 60_000)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(job.attempt, 2);
            let stopped = Retry {
                delay_ms: 0,
                error: Some("stopping"),
                counts: false,
            };
            assert!(
                release(&mut tx, engine, &job, "w2", &stopped)
                    .await
                    .unwrap()
            );
            let job = claim(&mut tx, engine, ("ingest", "w3"), 60_000)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(job.attempt, 2, "a shutdown is no try");
            let later = Retry {
                delay_ms: 60_000,
                error: Some("x"),
                counts: true,
            };
            assert!(release(&mut tx, engine, &job, "w3", &later).await.unwrap());
            assert!(
                claim(&mut tx, engine, ("ingest", "w4"), 1)
                    .await
                    .unwrap()
                    .is_none(),
                "not due yet"
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_job_that_is_nudged_while_it_runs_runs_once_more() {
        on_both(async |db| {
            let (mut tx, engine) = (db.begin().await.unwrap(), db.engine());
            nudge(&mut tx, "deliver", "c:t", 1).await.unwrap();
            nudge(&mut tx, "deliver", "c:t", 1).await.unwrap();
            let job = claim(&mut tx, engine, ("deliver", "w"), 60_000)
                .await
                .unwrap()
                .unwrap();
            nudge(&mut tx, "deliver", "c:t", 2).await.unwrap();
            let none = claim(&mut tx, engine, ("deliver", "v"), 60_000)
                .await
                .unwrap();
            assert!(none.is_none(), "it runs already");
            let done = End {
                state: "done",
                error: None,
                now_ms: 3,
            };
            assert!(end(&mut tx, &job, "w", &done).await.unwrap());
            let job = claim(&mut tx, engine, ("deliver", "w"), 60_000)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(job.attempt, 1);
            assert!(end(&mut tx, &job, "w", &done).await.unwrap());
            assert_eq!(count(&mut tx, "done").await.unwrap(), 1);
            nudge(&mut tx, "deliver", "c:t", 4).await.unwrap();
            let job = claim(&mut tx, engine, ("deliver", "w"), 60_000)
                .await
                .unwrap()
                .unwrap();
            let later = Retry {
                delay_ms: 600_000,
                error: Some("x"),
                counts: true,
            };
            release(&mut tx, engine, &job, "w", &later).await.unwrap();
            nudge(&mut tx, "deliver", "c:t", 5).await.unwrap();
            let none = claim(&mut tx, engine, ("deliver", "w"), 60_000)
                .await
                .unwrap();
            assert!(none.is_none(), "a nudge does not shorten the wait");
            hurry(&mut tx, "deliver", "c:").await.unwrap();
            assert!(
                claim(&mut tx, engine, ("deliver", "w"), 1)
                    .await
                    .unwrap()
                    .is_some()
            );
        })
        .await;
    }

    #[tokio::test]
    async fn workers_that_claim_at_once_get_different_jobs() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for n in 0..12 {
                enqueue(&mut tx, "ingest", &format!("b{n}"), 1)
                    .await
                    .unwrap();
            }
            tx.commit().await.unwrap();
            let worker = async |owner: String| {
                let mut got = Vec::new();
                loop {
                    let mut tx = db.begin().await.unwrap();
                    let job = claim(&mut tx, db.engine(), ("ingest", &owner), 60_000)
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                    let Some(job) = job else { return got };
                    got.push(job.subject);
                }
            };
            let (a, b, c) =
                tokio::join!(worker("a".into()), worker("b".into()), worker("c".into()));
            let mut all = [a, b, c].concat();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 12);
        })
        .await;
    }
}
