//! Sums that quotas are checked against: what is stored, and what is promised to uploads that are still open.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::dialect;
use super::{DbError, Engine, Named};

/// What is used by those who want more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes promised and not yet received, over all codes.
    pub promised_bytes: u64,
    /// Bytes of all bundles and all open uploads.
    pub all_bytes: u64,
    /// Bytes of the ticket's bundles and open uploads.
    pub ticket_bytes: u64,
    /// Open uploads of the one code.
    pub open_of_code: u64,
    /// Open uploads of the one address.
    pub open_of_address: u64,
}

/// Whose use is summed.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// The upload code.
    pub code_id: &'a str,
    /// The ticket.
    pub ticket_id: &'a str,
    /// The client's address.
    pub address: &'a str,
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

/// Sums what is used.
///
/// # Errors
/// When the database does not answer.
pub async fn usage(db: &mut AnyConnection, whose: Whose<'_>) -> Result<Usage, DbError> {
    const OPERATION: &str = "sum what is used";
    let open: AnyRow = sqlx::query(
        "SELECT CAST(COALESCE(SUM(reserved_bytes - offset_bytes), 0) AS BIGINT), \
         CAST(COALESCE(SUM(reserved_bytes), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN ticket_id = $1 THEN reserved_bytes ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN code_id = $2 THEN 1 ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN address = $3 THEN 1 ELSE 0 END), 0) AS BIGINT) \
         FROM uploads WHERE state IN ('created', 'receiving')",
    )
    .bind(whose.ticket_id)
    .bind(whose.code_id)
    .bind(whose.address)
    .fetch_one(&mut *db)
    .await
    .named(OPERATION)?;
    let stored: AnyRow = sqlx::query(
        "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN ticket_id = $1 THEN bytes ELSE 0 END), 0) AS BIGINT) \
         FROM bundles WHERE state <> 'deleted'",
    )
    .bind(whose.ticket_id)
    .fetch_one(db)
    .await
    .named(OPERATION)?;
    let sum = |row: &AnyRow, place: usize| -> Result<u64, DbError> {
        let sum: i64 = row.try_get(place).named(OPERATION)?;
        Ok(sum.max(0).unsigned_abs())
    };
    Ok(Usage {
        promised_bytes: sum(&open, 0)?,
        all_bytes: sum(&open, 1)?.saturating_add(sum(&stored, 0)?),
        ticket_bytes: sum(&open, 2)?.saturating_add(sum(&stored, 1)?),
        open_of_code: sum(&open, 3)?,
        open_of_address: sum(&open, 4)?,
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
            let whose = Whose {
                code_id: "c",
                ticket_id: "t",
                address: "a",
            };
            let expected = Usage {
                promised_bytes: 180,
                all_bytes: 307,
                ticket_bytes: 207,
                open_of_code: 2,
                open_of_address: 2,
            };
            assert_eq!(usage(&mut tx, whose).await.unwrap(), expected);
        })
        .await;
    }
}
