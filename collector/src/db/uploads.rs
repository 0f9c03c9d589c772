//! Rows of uploads. Every change is a compare-and-set on state, epoch and offset: a request that lost its turn changes
//! nothing.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named, dialect};

/// One upload as the database knows it. `offset_bytes` is durable: it was synced before it was written here.
#[derive(Debug, Clone, Default, FromRow)]
pub struct UploadRow {
    /// UUIDv7.
    pub id: String,
    /// The ticket it is for, from the upload code.
    pub ticket_id: String,
    /// The upload code it came by.
    pub code_id: String,
    /// The bundle it will be.
    pub bundle_id: String,
    /// What the customer can quote.
    pub receipt: String,
    /// created, receiving, complete, failed, cancelled or expired.
    pub state: String,
    /// The turn that may write.
    pub epoch: i64,
    /// Acknowledged bytes.
    pub offset_bytes: i64,
    /// Length of the whole, unless deferred.
    pub length_bytes: Option<i64>,
    /// Bytes set aside for it.
    pub reserved_bytes: i64,
    /// The client's name for the file: data, never a path of ours.
    pub filename: String,
    /// The Upload-Metadata header.
    pub metadata: String,
    /// The digest the client promised.
    pub declared_sha256: Option<String>,
    /// What was agreed to, JSON.
    pub consent: Option<String>,
    /// The digest of what came.
    pub sha256: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// When a byte last came.
    pub touched_ms: i64,
    /// When it lapses unless completed.
    pub expires_ms: i64,
    /// The SHA-256 state over the acknowledged bytes.
    pub hash_state: Option<String>,
    /// The multipart upload in an object store.
    pub multipart_id: Option<String>,
    /// The client's address.
    pub address: String,
}

impl UploadRow {
    /// Whether bytes may still come.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "created" | "receiving")
    }
}

const COLUMNS: &str = "id, ticket_id, code_id, bundle_id, receipt, state, epoch, offset_bytes, length_bytes, \
    reserved_bytes, filename, metadata, declared_sha256, consent, sha256, reason, created_ms, touched_ms, expires_ms, \
    hash_state, multipart_id, address";

pub(super) fn select(tail: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM uploads {tail}"))
}

/// Adds a new upload.
///
/// # Errors
/// When the database refuses.
pub async fn insert(db: &mut AnyConnection, row: &UploadRow) -> Result<(), DbError> {
    insert_all(db, std::slice::from_ref(row)).await
}

/// Adds new uploads.
///
/// # Errors
/// When the database refuses one: none is added then.
pub async fn insert_all(db: &mut AnyConnection, rows: &[UploadRow]) -> Result<(), DbError> {
    let values = dialect::values(db, rows.len(), 22);
    let text = format!("INSERT INTO uploads ({COLUMNS}) VALUES {values}");
    let mut query = dialect::over(text, rows.len());
    for row in rows {
        query = query
            .bind(&row.id)
            .bind(&row.ticket_id)
            .bind(&row.code_id)
            .bind(&row.bundle_id)
            .bind(&row.receipt)
            .bind(&row.state)
            .bind(row.epoch)
            .bind(row.offset_bytes)
            .bind(row.length_bytes)
            .bind(row.reserved_bytes)
            .bind(&row.filename)
            .bind(&row.metadata)
            .bind(&row.declared_sha256)
            .bind(&row.consent)
            .bind(&row.sha256)
            .bind(&row.reason)
            .bind(row.created_ms)
            .bind(row.touched_ms)
            .bind(row.expires_ms)
            .bind(&row.hash_state)
            .bind(&row.multipart_id)
            .bind(&row.address);
    }
    query.execute(db).await.named("add uploads").map(|_| ())
}

/// Finds an upload by id.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &mut AnyConnection, id: &str) -> Result<Option<UploadRow>, DbError> {
    sqlx::query_as(select("WHERE id = $1"))
        .bind(id)
        .fetch_optional(db)
        .await
        .named("find an upload")
}

/// Takes the next turn on an open upload and gives the row as it stands. Any request with an earlier epoch can commit
/// nothing from now on. `None`: there is no such open upload.
///
/// # Errors
/// When the database does not answer.
pub async fn take_turn(db: &mut AnyConnection, id: &str) -> Result<Option<UploadRow>, DbError> {
    let sql = format!(
        "UPDATE uploads SET epoch = epoch + 1 WHERE id = $1 AND state IN ('created', 'receiving') RETURNING {COLUMNS}"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(db)
        .await
        .named("take a turn on an upload")
}

/// Bytes that are durable now.
#[derive(Debug)]
pub struct Step<'a> {
    /// Where the upload stood.
    pub from: i64,
    /// Where it stands.
    pub to: i64,
    /// The SHA-256 state there.
    pub hash_state: Option<&'a str>,
    /// Now.
    pub now_ms: i64,
}

/// Acknowledges bytes under `epoch`. False when the turn was lost.
///
/// # Errors
/// When the database refuses: nothing is acknowledged then.
pub async fn advance(
    db: &mut AnyConnection,
    id: &str,
    epoch: i64,
    step: &Step<'_>,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE uploads SET offset_bytes = $1, state = 'receiving', touched_ms = $2, hash_state = $3 \
         WHERE id = $4 AND epoch = $5 AND offset_bytes = $6 AND state IN ('created', 'receiving')",
    )
    .bind(step.to)
    .bind(step.now_ms)
    .bind(step.hash_state)
    .bind(id)
    .bind(epoch)
    .bind(step.from)
    .execute(db)
    .await
    .named("acknowledge bytes")
    .map(|done| done.rows_affected() == 1)
}

/// Sets a deferred length, once. False when it was set to something else or the turn was lost.
///
/// # Errors
/// When the database refuses.
pub async fn set_length(
    db: &mut AnyConnection,
    id: &str,
    epoch: i64,
    length: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE uploads SET length_bytes = $1, reserved_bytes = $1 \
         WHERE id = $2 AND epoch = $3 AND (length_bytes IS NULL OR length_bytes = $1) AND offset_bytes <= $1",
    )
    .bind(length)
    .bind(id)
    .bind(epoch)
    .execute(db)
    .await.named("set the length of an upload")
    .map(|done| done.rows_affected() == 1)
}

/// Completes an upload under its epoch, with the digest that the row has now. False when the turn was lost or it was
/// complete already.
///
/// # Errors
/// When the database refuses.
pub async fn complete(
    db: &mut AnyConnection,
    row: &UploadRow,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE uploads SET state = 'complete', offset_bytes = $1, sha256 = $2, touched_ms = $3, reserved_bytes = 0, \
         hash_state = NULL WHERE id = $4 AND epoch = $5 AND state IN ('created', 'receiving')",
    )
    .bind(row.length_bytes)
    .bind(&row.sha256)
    .bind(now_ms)
    .bind(&row.id)
    .bind(row.epoch)
    .execute(db)
    .await.named("complete an upload")
    .map(|done| done.rows_affected() == 1)
}

/// Ends an open upload without a bundle: failed, cancelled or expired. False when it was not open any more.
///
/// # Errors
/// When the database refuses.
pub async fn end(
    db: &mut AnyConnection,
    id: &str,
    state: &str,
    reason: Option<&str>,
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE uploads SET state = $1, reason = $2, touched_ms = $3, reserved_bytes = 0, epoch = epoch + 1 \
         WHERE id = $4 AND state IN ('created', 'receiving')",
    )
    .bind(state)
    .bind(reason)
    .bind(now_ms)
    .bind(id)
    .execute(db)
    .await.named("end an upload")
    .map(|done| done.rows_affected() == 1)
}

/// Every open upload, oldest first: what a start must bring in order.
///
/// # Errors
/// When the database does not answer.
pub async fn open(db: &mut AnyConnection) -> Result<Vec<UploadRow>, DbError> {
    sqlx::query_as(select(
        "WHERE state IN ('created', 'receiving') ORDER BY id",
    ))
    .fetch_all(db)
    .await
    .named("list open uploads")
}

/// Open uploads that have lapsed.
///
/// # Errors
/// When the database does not answer.
pub async fn lapsed(
    db: &mut AnyConnection,
    idle_before_ms: i64,
    now_ms: i64,
) -> Result<Vec<UploadRow>, DbError> {
    sqlx::query_as(select(
        "WHERE state IN ('created', 'receiving') AND (touched_ms < $1 OR expires_ms < $2) ORDER BY id LIMIT 500",
    ))
    .bind(idle_before_ms)
    .bind(now_ms)
    .fetch_all(db)
    .await.named("list lapsed uploads")
}

/// The uploads made with one code, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_code(db: &mut AnyConnection, code_id: &str) -> Result<Vec<UploadRow>, DbError> {
    sqlx::query_as(select("WHERE code_id = $1 ORDER BY id DESC LIMIT 50"))
        .bind(code_id)
        .fetch_all(db)
        .await
        .named("list uploads of a code")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    fn upload(id: &str) -> UploadRow {
        UploadRow {
            id: id.into(),
            ticket_id: "t".into(),
            code_id: "c".into(),
            bundle_id: format!("b-{id}"),
            receipt: format!("r-{id}"),
            state: "created".into(),
            reserved_bytes: 100,
            created_ms: 1,
            touched_ms: 10,
            expires_ms: 1_000,
            ..UploadRow::default()
        }
    }

    #[tokio::test]
    async fn only_the_request_whose_turn_it_is_changes_an_upload() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            insert(&mut tx, &upload("u1")).await.unwrap();
            assert_eq!(take_turn(&mut tx, "u1").await.unwrap().unwrap().epoch, 1);
            assert_eq!(take_turn(&mut tx, "u1").await.unwrap().unwrap().epoch, 2);
            let step = |from| Step {
                from,
                to: 40,
                hash_state: Some("ff"),
                now_ms: 20,
            };
            let lost = advance(&mut tx, "u1", 1, &step(0)).await.unwrap();
            let elsewhere = advance(&mut tx, "u1", 2, &step(7)).await.unwrap();
            assert!(!lost && !elsewhere);
            assert!(advance(&mut tx, "u1", 2, &step(0)).await.unwrap());
            assert!(
                !set_length(&mut tx, "u1", 2, 39).await.unwrap(),
                "more is there"
            );
            assert!(set_length(&mut tx, "u1", 2, 80).await.unwrap());
            assert!(set_length(&mut tx, "u1", 2, 80).await.unwrap());
            assert!(
                !set_length(&mut tx, "u1", 2, 90).await.unwrap(),
                "set already"
            );
            let row = find(&mut tx, "u1").await.unwrap().unwrap();
            assert_eq!(
                (row.state.as_str(), row.length_bytes),
                ("receiving", Some(80))
            );
            let row = UploadRow {
                sha256: Some("ab".into()),
                ..row
            };
            let stale = UploadRow {
                epoch: 1,
                ..row.clone()
            };
            assert!(!complete(&mut tx, &stale, 30).await.unwrap());
            assert!(complete(&mut tx, &row, 30).await.unwrap());
            assert!(!complete(&mut tx, &row, 30).await.unwrap());
            assert!(
                take_turn(&mut tx, "u1").await.unwrap().is_none(),
                "not open any more"
            );
            assert_eq!(find(&mut tx, "u1").await.unwrap().unwrap().offset_bytes, 80);
        })
        .await;
    }

    #[tokio::test]
    async fn lapsed_uploads_are_found_and_ended_once() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let new = ["u1", "u2", "u3"].map(upload);
            insert_all(&mut tx, &new).await.unwrap();
            let ids = |rows: Vec<UploadRow>| rows.into_iter().map(|r| r.id).collect::<Vec<_>>();
            assert_eq!(ids(lapsed(&mut tx, 10, 1_000).await.unwrap()), [""; 0]);
            for (idle, expired) in [(11, 1_000), (10, 1_001)] {
                assert_eq!(lapsed(&mut tx, idle, expired).await.unwrap().len(), 3);
            }
            let asked = Some("by request");
            assert!(end(&mut tx, "u2", "cancelled", asked, 50).await.unwrap());
            assert!(!end(&mut tx, "u2", "expired", None, 60).await.unwrap());
            assert_eq!(ids(open(&mut tx).await.unwrap()), ["u1", "u3"]);
            let of = ids(of_code(&mut tx, "c").await.unwrap());
            assert_eq!(of, ["u3", "u2", "u1"]);
            let ended = find(&mut tx, "u2").await.unwrap().unwrap();
            assert_eq!((ended.reason.as_deref(), ended.reserved_bytes), (asked, 0));
        })
        .await;
    }
}
