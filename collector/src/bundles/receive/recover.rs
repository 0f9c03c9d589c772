//! Bringing disk and database in line: at a start, and from time to time.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::{ReceiveError, Receiver, from_db, now_ms};
use crate::bundles::storage::StorageError;
use crate::db::bundles;
use crate::db::uploads::{self, UploadRow};

/// What a recovery did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Uploads that go on at their acknowledged offset.
    pub open: usize,
    /// Uploads that were whole and are complete now.
    pub completed: usize,
    /// Uploads whose acknowledged bytes are missing; their clients are told 410.
    pub lost: usize,
    /// Files without a row that were removed.
    pub orphans: usize,
}

impl Receiver {
    /// To be called before the first request is taken: cuts every part back to its acknowledged offset, completes
    /// what is whole, removes files nobody knows.
    ///
    /// # Errors
    /// When the folder or the database does not answer.
    pub async fn recover(&self) -> Result<Recovered, ReceiveError> {
        let rows = uploads::open(&mut *self.db.read().await?).await?;
        let mut done = Recovered::default();
        for row in &rows {
            match self.recover_one(row).await {
                Ok(true) => done.completed += 1,
                Ok(false) => done.open += 1,
                Err(
                    ReceiveError::Gone { .. } | ReceiveError::Checksum | ReceiveError::CodeUsed,
                ) => done.lost += 1,
                Err(error) => return Err(error),
            }
        }
        done.orphans = self.remove_orphans(&rows).await?;
        Ok(done)
    }

    /// True when the upload is complete now.
    async fn recover_one(&self, row: &UploadRow) -> Result<bool, ReceiveError> {
        let (upload, bundle) = (super::parse(&row.id)?, super::parse(&row.bundle_id)?);
        let committed = from_db(row.offset_bytes);
        if row.length_bytes == Some(row.offset_bytes) {
            return self
                .complete_if_whole(&row.code_id, upload)
                .await
                .map(|_| true);
        }
        let store = Arc::clone(&self.store);
        let opened =
            tokio::task::spawn_blocking(move || match store.open_part(upload, committed, None) {
                Err(error) if error.is_absent() && store.has_blob(bundle) => Ok(true),
                other => other.map(|_| false),
            });
        match opened.await? {
            Ok(false) => Ok(false),
            Ok(true) => self.complete_sealed(row.clone()).await.map(|_| true),
            Err(error) if error.is_absent() || matches!(error, StorageError::Short { .. }) => {
                tracing::error!(upload.id = %row.id, error = %error, "acknowledged bytes are missing");
                self.end_row(row, "failed", Some("state_lost")).await?;
                Err(ReceiveError::Gone {
                    reason: "state_lost".to_owned(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Parts without an open upload, and blobs without a bundle: left by a stop between two steps.
    async fn remove_orphans(&self, rows: &[UploadRow]) -> Result<usize, ReceiveError> {
        let known: HashSet<Uuid> = rows
            .iter()
            .filter_map(|row| Uuid::parse_str(&row.id).ok())
            .collect();
        let promised: HashSet<Uuid> = rows
            .iter()
            .filter_map(|row| Uuid::parse_str(&row.bundle_id).ok())
            .collect();
        let store = Arc::clone(&self.store);
        let listed = tokio::task::spawn_blocking(move || {
            Ok::<_, StorageError>((store.part_ids()?, store.blob_ids()?))
        });
        let (parts, blobs) = listed.await??;
        let mut orphans = 0;
        for part in parts.into_iter().filter(|id| !known.contains(id)) {
            self.store.remove_part(part)?;
            orphans += 1;
        }
        for blob in blobs.into_iter().filter(|id| !promised.contains(id)) {
            if bundles::find(&mut *self.db.read().await?, &blob.to_string())
                .await?
                .is_none()
            {
                self.store.remove_bundle(blob)?;
                orphans += 1;
            }
        }
        Ok(orphans)
    }

    /// Ends uploads that lapsed and frees their room. Returns how many.
    ///
    /// # Errors
    /// When the folder or the database does not answer.
    pub async fn expire(&self) -> Result<usize, ReceiveError> {
        let now = now_ms();
        let idle = i64::try_from(self.limits.idle_expiry.as_millis()).unwrap_or(i64::MAX / 2);
        let rows = uploads::lapsed(&mut *self.db.read().await?, now - idle, now).await?;
        for row in &rows {
            self.drop_upload(row, "expired", None).await?;
        }
        Ok(rows.len())
    }
}
