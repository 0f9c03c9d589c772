//! Sums that quotas are checked against: what is stored, and what is promised to uploads that are still open.

use sqlx::AnyConnection;

use super::dialect;
use super::{DbError, Engine, Named};

/// What is stored, and promised to open uploads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Of the one ticket.
    pub ticket: u64,
    /// In all; not counted unless asked for.
    pub all: u64,
}

/// What is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// Bytes promised and not yet received.
    pub promised_bytes: u64,
    /// Uploads of the one code.
    pub of_code: u64,
    /// Uploads of the one address.
    pub of_address: u64,
}

/// Lets one transaction after the other count, until its end: two that count at once would both take the last room.
///
/// # Errors
/// When the database does not answer.
pub async fn lock(db: &mut AnyConnection, engine: Engine) -> Result<(), DbError> {
    match engine.lock_quotas() {
        Some(text) => dialect::run(db, text).await,
        None => Ok(()),
    }
}

/// Sums what a ticket uses, and what all use when `all` says so, which looks at every bundle.
///
/// # Errors
/// When the database does not answer.
pub async fn bytes(db: &mut AnyConnection, ticket_id: &str, all: bool) -> Result<Bytes, DbError> {
    let sum = |which: &str| {
        format!(
            "CAST((SELECT COALESCE(SUM(reserved_bytes), 0) FROM uploads WHERE {which} state IN ('created', 'receiving')) \
             + (SELECT COALESCE(SUM(bytes), 0) FROM bundles WHERE {which} state <> 'deleted') AS BIGINT)"
        )
    };
    let of_all = if all {
        sum("")
    } else {
        "CAST(0 AS BIGINT)".to_owned()
    };
    let text = format!("SELECT {}, {of_all}", sum("ticket_id = $1 AND"));
    let (ticket, all): (i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(ticket_id)
        .fetch_one(db)
        .await
        .named("sum what is used")?;
    Ok(Bytes {
        ticket: ticket.max(0).unsigned_abs(),
        all: all.max(0).unsigned_abs(),
    })
}

/// Counts what is open.
///
/// # Errors
/// When the database does not answer.
pub async fn open(db: &mut AnyConnection, code_id: &str, address: &str) -> Result<Open, DbError> {
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT CAST((SELECT COALESCE(SUM(reserved_bytes - offset_bytes), 0) FROM uploads \
                      WHERE state IN ('created', 'receiving')) AS BIGINT), \
         (SELECT COUNT(*) FROM uploads WHERE code_id = $1 AND state IN ('created', 'receiving')), \
         (SELECT COUNT(*) FROM uploads WHERE address = $2 AND state IN ('created', 'receiving'))",
    )
    .bind(code_id)
    .bind(address)
    .fetch_one(db)
    .await
    .named("count what is open")?;
    Ok(Open {
        promised_bytes: counts.0.max(0).unsigned_abs(),
        of_code: counts.1.max(0).unsigned_abs(),
        of_address: counts.2.max(0).unsigned_abs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::{self, NewBundle};
    use crate::db::testing::on_both;
    use crate::db::uploads::{self, UploadRow};

    #[tokio::test]
    async fn stored_and_promised_bytes_are_counted_for_each() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            lock(&mut tx, db.engine()).await.unwrap();
            for (id, code, ticket, address) in [
                ("u1", "c", "t", "a"),
                ("u2", "c", "x", "b"),
                ("u3", "d", "t", "a"),
            ] {
                let row = UploadRow {
                    id: id.into(),
                    bundle_id: format!("b-{id}"),
                    receipt: format!("r-{id}"),
                    state: "receiving".into(),
                    code_id: code.into(),
                    ticket_id: ticket.into(),
                    address: address.into(),
                    reserved_bytes: 100,
                    offset_bytes: 40,
                    ..UploadRow::default()
                };
                uploads::insert(&mut tx, &row).await.unwrap();
            }
            let new = NewBundle {
                id: "b",
                upload_id: "u0",
                ticket_id: "t",
                filename: "",
                bytes: 7,
                sha256: "",
                receipt: "",
                received_ms: 1,
            };
            bundles::insert(&mut tx, &new).await.unwrap();
            let expected = Open {
                promised_bytes: 180,
                of_code: 2,
                of_address: 2,
            };
            assert_eq!(open(&mut tx, "c", "a").await.unwrap(), expected);
            for (asked, all) in [(true, 307), (false, 0)] {
                let expected = Bytes { ticket: 207, all };
                assert_eq!(bytes(&mut tx, "t", asked).await.unwrap(), expected);
            }
        })
        .await;
    }
}
