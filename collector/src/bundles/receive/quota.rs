//! Whether there is room: counted when an upload is made, with its row already there, and again when it is complete.

use sqlx::AnyConnection;

use super::{Grant, ReceiveError, Receiver, from_db};
use crate::db::quotas;
use crate::db::uploads::{self, UploadRow};

impl Receiver {
    /// Inserts first and counts after, one transaction after the other, so that two requests cannot both take the last
    /// room.
    pub(super) async fn reserve(&self, grant: &Grant, row: &UploadRow) -> Result<(), ReceiveError> {
        let mut tx = self.db.join().await?;
        quotas::lock(&mut tx, self.db.engine()).await?;
        uploads::insert(&mut tx, row).await?;
        let open = quotas::open(&mut tx, &row.code_id, &row.address).await?;
        let open_most = grant.uploads_left.saturating_add(self.limits.spare_open);
        if open.of_code > open_most || open.of_address > self.limits.address_open {
            return Err(ReceiveError::TooMany);
        }
        self.check(&mut tx, row, 0).await?;
        if !self.store.space()?.admits(open.promised_bytes) {
            return Err(ReceiveError::Full);
        }
        Ok(tx.commit().await?)
    }

    /// At completion, with the upload's own reservation gone and its bundle not yet there: limits may have been
    /// lowered, and lengths been deferred.
    pub(super) async fn recheck(
        &self,
        tx: &mut AnyConnection,
        row: &UploadRow,
    ) -> Result<(), ReceiveError> {
        let more = from_db(row.length_bytes.unwrap_or(row.offset_bytes));
        self.check(tx, row, more).await
    }

    async fn check(
        &self,
        tx: &mut AnyConnection,
        row: &UploadRow,
        more: u64,
    ) -> Result<(), ReceiveError> {
        let limited = self.limits.all_bytes < u64::MAX;
        let used = quotas::bytes(tx, &row.ticket_id, limited).await?;
        for (of, used, most) in [
            ("ticket", used.ticket, self.limits.ticket_bytes),
            ("collector", used.all, self.limits.all_bytes),
        ] {
            if used.saturating_add(more) > most {
                return Err(ReceiveError::Quota { of });
            }
        }
        Ok(())
    }
}
