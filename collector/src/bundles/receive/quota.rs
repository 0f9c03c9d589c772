//! Whether there is room for a new upload: counted with its row already there. It is counted again when it is complete.

use std::collections::BTreeMap;

use super::{Grant, ReceiveError, Receiver};
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
        let counted = BTreeMap::from([(&*row.ticket_id, 0)]);
        self.recorder.check_room(&mut tx, &counted).await?;
        if !self.store.space()?.admits(open.promised_bytes) {
            return Err(ReceiveError::Full);
        }
        Ok(tx.commit().await?)
    }
}
