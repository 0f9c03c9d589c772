//! Whether there is room: counted when an upload is made, with its row already there, and again when it is complete.

use sqlx::AnyConnection;

use super::{Grant, ReceiveError, Receiver, from_db};
use crate::db::quotas::{self, Usage, Whose};
use crate::db::uploads::{self, UploadRow};

impl Receiver {
    /// Inserts first and counts after, one transaction after the other, so that two requests cannot both take the last
    /// room.
    pub(super) async fn reserve(&self, grant: &Grant, row: &UploadRow) -> Result<(), ReceiveError> {
        let mut tx = self.db.begin().await?;
        quotas::lock(&mut tx, self.db.engine()).await?;
        uploads::insert(&mut tx, row).await?;
        let used = quotas::usage(&mut tx, whose(row)).await?;
        let open_most = grant.uploads_left.saturating_add(self.limits.spare_open);
        if used.open_of_code > open_most || used.open_of_address > self.limits.address_open {
            return Err(ReceiveError::TooMany);
        }
        self.check(used)?;
        if !self.store.space()?.admits(used.promised_bytes) {
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
        let mut used = quotas::usage(tx, whose(row)).await?;
        let more = from_db(row.length_bytes.unwrap_or(row.offset_bytes));
        used.ticket_bytes = used.ticket_bytes.saturating_add(more);
        used.all_bytes = used.all_bytes.saturating_add(more);
        self.check(used)
    }

    fn check(&self, used: Usage) -> Result<(), ReceiveError> {
        for (of, used, most) in [
            ("ticket", used.ticket_bytes, self.limits.ticket_bytes),
            ("collector", used.all_bytes, self.limits.all_bytes),
        ] {
            if used > most {
                return Err(ReceiveError::Quota { of });
            }
        }
        Ok(())
    }
}

fn whose(row: &UploadRow) -> Whose<'_> {
    Whose {
        code_id: &row.code_id,
        ticket_id: &row.ticket_id,
        address: &row.address,
    }
}
