//! The one who sent a bundle takes it back, with the code whose digest the upload named.

use uuid::Uuid;

use super::receive::headers::Metadata;
use super::{Bundles, DeleteError};
use crate::auth::{same, sha256_hex};
use crate::db::bundles::{self, BundleRow};
use crate::db::{holds, retention, uploads};

impl Bundles {
    /// Deletes the bundle of a receipt for good, and notes it on the ticket. `None` when there is no such bundle, or
    /// when the code is not the one that its upload named: nobody learns which.
    ///
    /// # Errors
    /// When it is on hold; when disk or database refuses: a deletion that has begun is ended by the sweep.
    pub async fn withdraw(
        &self,
        receipt: &str,
        code: &str,
    ) -> Result<Option<BundleRow>, DeleteError> {
        let mut tx = self.db.begin().await?;
        let Some(row) = bundles::by_receipt(&mut tx, receipt).await? else {
            return Ok(None);
        };
        let Some(upload) = uploads::find(&mut tx, &row.upload_id).await? else {
            return Ok(None);
        };
        let named = Metadata::parse(&upload.metadata)
            .ok()
            .and_then(|metadata| metadata.withdrawal);
        let fits = named.is_some_and(|digest| same(&digest, &sha256_hex(code.as_bytes())));
        let Some(id) = Uuid::parse_str(&row.id).ok().filter(|_| fits) else {
            return Ok(None);
        };
        if row.state != "deleting" {
            if holds::on(&mut tx, &row.id).await? {
                return Err(DeleteError::Held);
            }
            if !retention::begin_deletion(&mut tx, &row.id).await? {
                return Ok(None);
            }
            self.ingest
                .tickets
                .withdrawn(&mut tx, &row, &upload.code_id)
                .await?;
        }
        tx.commit().await?;
        self.remove(id).await?;
        tracing::info!(bundle.id = %id, ticket.id = %row.ticket_id, "withdrawn by its sender");
        Ok(Some(row))
    }
}
