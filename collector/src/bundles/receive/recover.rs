//! Bringing store and database in line: at a start, and from time to time.

use std::sync::Arc;
use std::time::Duration;

use super::{ReceiveError, Receiver, now_ms};
use crate::bundles::storage::Resume;
use crate::db::uploads::{self, UploadRow};
use crate::db::{bundles, leftovers};

/// A whole upload that nobody touched for so long has no request any more, in milliseconds.
const REQUEST_MS: i64 = 60_000;

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
    /// To be called before the first request is taken, by the one process that receives into a folder: cuts every part
    /// back to its acknowledged offset, completes what is whole, removes files nobody knows. With an object store
    /// there is nothing to cut, and other replicas may be at work: the sweep does the rest.
    ///
    /// # Errors
    /// When the folder or the database does not answer.
    pub async fn recover(&self) -> Result<Recovered, ReceiveError> {
        let mut done = Recovered::default();
        if self.store.is_shared() {
            return Ok(done);
        }
        let rows = uploads::open(&mut *self.db.read().await?).await?;
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
        done.orphans = self.remove_orphans(Duration::ZERO).await?;
        Ok(done)
    }

    /// True when the upload is complete now.
    async fn recover_one(&self, row: &UploadRow) -> Result<bool, ReceiveError> {
        if row.length_bytes == Some(row.offset_bytes) {
            let upload = super::parse(&row.id)?;
            return self
                .complete_if_whole(&row.code_id, upload)
                .await
                .map(|_| true);
        }
        match self.open_part(row).await? {
            Some(_) => Ok(false),
            None => self.complete_sealed(row.clone()).await.map(|_| true),
        }
    }

    /// Bytes without an open upload, and blobs and derived files without a bundle: left by a stop between two steps,
    /// or written late by a process that had been stopped. Nothing younger than `age` in a shared store.
    ///
    /// # Errors
    /// When store or database do not answer.
    pub async fn remove_orphans(&self, age: Duration) -> Result<usize, ReceiveError> {
        let store = Arc::clone(&self.store);
        let found = tokio::task::spawn_blocking(move || store.found(age)).await??;
        let mut orphans = 0;
        for upload in found.uploads {
            let row = uploads::find(&mut *self.db.read().await?, &upload.to_string()).await?;
            if row.is_some_and(|row| row.is_open()) {
                continue;
            }
            let store = Arc::clone(&self.store);
            // Its multipart upload, if it had one, is known by its row; see `left_over`.
            let left = Resume::new(upload, upload);
            tokio::task::spawn_blocking(move || store.discard(&left)).await??;
            orphans += 1;
        }
        for bundle in found.bundles {
            let id = bundle.to_string();
            let mut conn = self.db.read().await?;
            let promised = leftovers::promised(&mut conn, &id).await?;
            if promised || bundles::find(&mut conn, &id).await?.is_some() {
                continue;
            }
            drop(conn);
            let store = Arc::clone(&self.store);
            tokio::task::spawn_blocking(move || store.remove_bundle(bundle)).await??;
            orphans += 1;
        }
        Ok(orphans)
    }

    /// Ends what requests left half done: completes uploads that have all their bytes, removes what ended ones left in
    /// the store. Returns how many.
    ///
    /// # Errors
    /// When store or database do not answer.
    pub async fn finish_rest(&self) -> Result<usize, ReceiveError> {
        let (whole, left) = {
            let mut conn = self.db.read().await?;
            let whole = leftovers::whole(&mut conn, now_ms() - REQUEST_MS).await?;
            (whole, leftovers::left_over(&mut conn).await?)
        };
        for row in &whole {
            match self.recover_one(row).await {
                Ok(_) | Err(ReceiveError::Gone { .. } | ReceiveError::Checksum) => {}
                Err(ReceiveError::CodeUsed | ReceiveError::Quota { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for id in &left {
            let row = uploads::find(&mut *self.db.read().await?, id).await?;
            if let Some(row) = row {
                self.discard(&row).await?;
            }
        }
        Ok(whole.len() + left.len())
    }

    /// When an open upload lapses if no more bytes come, in milliseconds of UTC.
    pub fn lapses_ms(&self, row: &UploadRow) -> i64 {
        row.expires_ms
            .min(row.touched_ms.saturating_add(self.idle_ms()))
    }

    /// How long an open upload lasts from now on if no more bytes come, in whole seconds.
    pub fn lasts_s(&self, row: &UploadRow) -> u64 {
        let left = self.lapses_ms(row).saturating_sub(now_ms());
        left.max(0).unsigned_abs() / 1000
    }

    fn idle_ms(&self) -> i64 {
        i64::try_from(self.limits.idle_expiry.as_millis()).unwrap_or(i64::MAX / 2)
    }

    /// Ends uploads that lapsed and frees their room. Returns how many.
    ///
    /// # Errors
    /// When the folder or the database does not answer.
    pub async fn expire(&self) -> Result<usize, ReceiveError> {
        let now = now_ms();
        let idle_before = now - self.idle_ms();
        let rows = uploads::lapsed(&mut *self.db.read().await?, idle_before, now).await?;
        for row in &rows {
            self.drop_upload(row, "expired", None).await?;
        }
        Ok(rows.len())
    }
}
