//! Rows of retro-scans: one signature over stored bundles, with progress and what was found.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ScanRow {
    /// UUIDv7.
    pub id: String,
    /// The signature.
    pub signature_id: String,
    /// scan or backtest.
    pub mode: String,
    /// The signature file that is tried.
    pub yaml: Option<String>,
    /// queued, running, done, cancelled or failed.
    pub state: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Who.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// The last bundle that was looked at.
    pub cursor: String,
    /// Bundles received later are not looked at.
    pub until_ms: i64,
    /// Bundles in all.
    pub bundles: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Bundles looked at.
    pub bundles_done: i64,
    /// Of those, bundles that had to be read.
    pub bundles_read: i64,
    /// Bytes read of bundles.
    pub bytes_read: i64,
    /// Bytes read of the indexes beside them.
    pub index_read: i64,
    /// Bundles that could not be read.
    pub faults: i64,
}

const COLUMNS: &str = "id, signature_id, mode, yaml, state, error, created_by, created_ms, ended_ms, cursor, until_ms, \
    bundles, bytes, bundles_done, bundles_read, bytes_read, index_read, faults";

/// Adds a run that is queued.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &mut AnyConnection, row: &ScanRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO retro_scans (id, signature_id, mode, yaml, state, created_by, created_ms, until_ms, bundles, bytes) \
         VALUES ($1, $2, $3, $4, 'queued', $5, $6, $7, $8, $9)",
    )
    .bind(&row.id)
    .bind(&row.signature_id)
    .bind(&row.mode)
    .bind(&row.yaml)
    .bind(&row.created_by)
    .bind(row.created_ms)
    .bind(row.until_ms)
    .bind(row.bundles)
    .bind(row.bytes)
    .execute(db)
    .await
    .named("add a retro-scan")
    .map(|_| ())
}

/// One run.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &mut AnyConnection, id: &str) -> Result<Option<ScanRow>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM retro_scans WHERE id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(id)
        .fetch_optional(db)
        .await
        .named("find a retro-scan")
}

/// The runs of a signature, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_signature(
    db: &mut AnyConnection,
    signature_id: &str,
) -> Result<Vec<ScanRow>, DbError> {
    let text = format!(
        "SELECT {COLUMNS} FROM retro_scans WHERE signature_id = $1 ORDER BY created_ms DESC, id DESC LIMIT 20"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(signature_id)
        .fetch_all(db)
        .await
        .named("list the retro-scans of a signature")
}

/// Adds what was done since the row was read: its counters are those to be stored. False when it was ended meanwhile.
///
/// # Errors
/// When the database refuses.
pub async fn progress(db: &mut AnyConnection, row: &ScanRow) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE retro_scans SET state = 'running', cursor = $1, bundles_done = $2, bundles_read = $3, bytes_read = $4, \
         index_read = $5, faults = $6 WHERE id = $7 AND state IN ('queued', 'running')",
    )
    .bind(&row.cursor)
    .bind(row.bundles_done)
    .bind(row.bundles_read)
    .bind(row.bytes_read)
    .bind(row.index_read)
    .bind(row.faults)
    .bind(&row.id)
    .execute(db)
    .await
    .named("note the progress of a retro-scan")
    .map(|done| done.rows_affected() == 1)
}

/// Ends a run: done, cancelled or failed. False when it was ended already.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    db: &mut AnyConnection,
    id: &str,
    (state, error): (&str, Option<&str>),
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE retro_scans SET state = $1, error = $2, ended_ms = $3 WHERE id = $4 AND state IN ('queued', 'running')",
    )
    .bind(state)
    .bind(error)
    .bind(now_ms)
    .bind(id)
    .execute(db)
    .await
    .named("end a retro-scan")
    .map(|done| done.rows_affected() == 1)
}

/// A bundle in which the signature found something.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct HitRow {
    /// The bundle.
    pub bundle_id: String,
    /// Its ticket.
    pub ticket_id: String,
    /// How often.
    pub hits: i64,
    /// File of the first evidence.
    pub file: String,
    /// Its line.
    pub line: i64,
    /// 1: nothing was known of it before.
    pub fresh: i64,
}

/// Adds a hit. Twice is as once.
///
/// # Errors
/// When the database refuses.
pub async fn add_hit(db: &mut AnyConnection, scan_id: &str, hit: &HitRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO retro_hits (scan_id, bundle_id, ticket_id, hits, file, line, fresh) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (scan_id, bundle_id) DO NOTHING",
    )
    .bind(scan_id)
    .bind(&hit.bundle_id)
    .bind(&hit.ticket_id)
    .bind(hit.hits)
    .bind(&hit.file)
    .bind(hit.line)
    .bind(hit.fresh)
    .execute(db)
    .await
    .named("add a hit of a retro-scan")
    .map(|_| ())
}

/// The hits of a run, newest bundle first.
///
/// # Errors
/// When the database does not answer.
pub async fn hits(db: &mut AnyConnection, scan_id: &str) -> Result<Vec<HitRow>, DbError> {
    sqlx::query_as(
        "SELECT bundle_id, ticket_id, hits, file, line, fresh FROM retro_hits WHERE scan_id = $1 \
         ORDER BY bundle_id DESC LIMIT 1000",
    )
    .bind(scan_id)
    .fetch_all(db)
    .await
    .named("list the hits of a retro-scan")
}

/// Forgets what was found in a deleted bundle.
///
/// # Errors
/// When the database refuses.
pub async fn forget(db: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM retro_hits WHERE bundle_id = $1")
        .bind(bundle_id)
        .execute(db)
        .await
        .named("forget the hits in a bundle")
        .map(|_| ())
}

/// How many bundles there are to look at, and their bytes.
///
/// # Errors
/// When the database does not answer.
pub async fn extent(db: &mut AnyConnection, until_ms: i64) -> Result<(i64, i64), DbError> {
    sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM bundles \
         WHERE state = 'ready' AND received_ms <= $1",
    )
    .bind(until_ms)
    .fetch_one(db)
    .await
    .named("count the bundles of a retro-scan")
}

/// A bundle to look at.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TargetRow {
    /// The bundle.
    pub id: String,
    /// Its ticket.
    pub ticket_id: String,
    /// Bytes as stored.
    pub bytes: i64,
    /// When its content was made, as far as is known.
    pub collected_ms: Option<i64>,
    /// When it came.
    pub received_ms: i64,
}

/// The next bundles behind a cursor.
///
/// # Errors
/// When the database does not answer.
pub async fn targets(
    db: &mut AnyConnection,
    (cursor, until_ms): (&str, i64),
    limit: i64,
) -> Result<Vec<TargetRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, bytes, collected_ms, received_ms FROM bundles \
         WHERE state = 'ready' AND received_ms <= $1 AND id > $2 ORDER BY id LIMIT $3",
    )
    .bind(until_ms)
    .bind(cursor)
    .bind(limit)
    .fetch_all(db)
    .await
    .named("list the bundles of a retro-scan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::{self, NewBundle, Outcome};
    use crate::db::testing::on_both;

    fn row(id: &str) -> ScanRow {
        ScanRow {
            id: id.into(),
            signature_id: "SIG-1".into(),
            mode: "scan".into(),
            yaml: None,
            state: "queued".into(),
            error: None,
            created_by: "Ann".into(),
            created_ms: 1,
            ended_ms: None,
            cursor: String::new(),
            until_ms: 50,
            bundles: 2,
            bytes: 20,
            bundles_done: 0,
            bundles_read: 0,
            bytes_read: 0,
            index_read: 0,
            faults: 0,
        }
    }

    #[tokio::test]
    async fn a_run_goes_on_behind_its_cursor_until_it_is_ended() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for (id, received_ms) in [("b1", 1), ("b2", 2), ("b3", 99)] {
                let new = NewBundle {
                    id,
                    upload_id: id,
                    ticket_id: "t1",
                    filename: "",
                    bytes: 10,
                    sha256: "",
                    receipt: "",
                    received_ms,
                };
                bundles::insert(&mut tx, &new).await.unwrap();
                let end = Outcome {
                    state: "ready",
                    ..Outcome::default()
                };
                bundles::finish(&mut tx, id, &end).await.unwrap();
            }
            assert_eq!(extent(&mut tx, 50).await.unwrap(), (2, 20));
            insert(&mut tx, &row("s1")).await.unwrap();
            let ids = async |conn: &mut AnyConnection, cursor: &str| {
                let rows = targets(conn, (cursor, 50), 9).await.unwrap();
                rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
            };
            assert_eq!(ids(&mut tx, "").await, ["b1", "b2"]);
            let mut run = find(&mut tx, "s1").await.unwrap().unwrap();
            assert_eq!(run, row("s1"));
            (run.cursor, run.bundles_done, run.bytes_read) = ("b1".into(), 1, 4);
            assert!(progress(&mut tx, &run).await.unwrap());
            assert_eq!(ids(&mut tx, &run.cursor).await, ["b2"]);
            let hit = HitRow {
                bundle_id: "b1".into(),
                ticket_id: "t1".into(),
                hits: 3,
                file: "f".into(),
                line: 4,
                fresh: 1,
            };
            for _ in 0..2 {
                add_hit(&mut tx, "s1", &hit).await.unwrap();
            }
            assert_eq!(hits(&mut tx, "s1").await.unwrap(), [hit]);
            forget(&mut tx, "b1").await.unwrap();
            assert_eq!(hits(&mut tx, "s1").await.unwrap(), []);
            assert!(end(&mut tx, "s1", ("cancelled", None), 9).await.unwrap());
            assert!(!end(&mut tx, "s1", ("done", None), 9).await.unwrap());
            assert!(!progress(&mut tx, &run).await.unwrap(), "it was ended");
            let rows = of_signature(&mut tx, "SIG-1").await.unwrap();
            assert_eq!(
                (rows[0].state.as_str(), rows[0].bytes_read),
                ("cancelled", 4)
            );
        })
        .await;
    }
}
