//! Completing an upload that was received in parts: verify, seal, and record it. Every step may be repeated,
//! whatever happened in between.

use std::slice;
use std::sync::Arc;

use uuid::Uuid;

use super::record::Known;
use super::turns::Turn;
use super::{ReceiveError, Receiver, settled, to_db};
use crate::bundles::storage::{HashState, Part, StorageError, Store};
use crate::db::uploads::UploadRow;

/// What the disk says about a part that is whole.
enum Sealed {
    Yes(String),
    WrongDigest,
}

fn seal(
    store: &Store,
    row: &UploadRow,
    bundle: Uuid,
    part: &mut Part,
) -> Result<Sealed, StorageError> {
    part.sync_bytes()?;
    let digest = part.digest()?;
    if row
        .declared_sha256
        .as_ref()
        .is_some_and(|declared| *declared != digest)
    {
        return Ok(Sealed::WrongDigest);
    }
    store.seal(bundle, part)?;
    Ok(Sealed::Yes(digest))
}

impl Receiver {
    /// Completes an upload whose part holds all bytes.
    pub(super) async fn complete(
        &self,
        row: UploadRow,
        mut part: Part,
        turn: Turn,
    ) -> Result<UploadRow, ReceiveError> {
        let (upload, bundle) = (super::parse(&row.id)?, super::parse(&row.bundle_id)?);
        let store = Arc::clone(&self.store);
        let copy = row.clone();
        // The turn goes along: a newer request waits until the rename is over.
        let sealed = tokio::task::spawn_blocking(move || {
            seal(&store, &copy, bundle, &mut part).map(|sealed| (sealed, part, turn))
        });
        let (sealed, part, turn) = sealed.await??;
        let done = match sealed {
            Sealed::Yes(digest) => self.record(row, digest).await,
            Sealed::WrongDigest => {
                drop(turn);
                self.drop_upload(&row, "failed", Some("checksum_mismatch"))
                    .await?;
                return Err(ReceiveError::Checksum);
            }
        };
        drop(turn);
        if done.is_ok() {
            self.turns.forget(upload);
            tokio::task::spawn_blocking(move || part.clear()).await?;
        }
        done
    }

    /// Completes an upload whose part was sealed before, when only the record is missing.
    pub(super) async fn complete_sealed(&self, row: UploadRow) -> Result<UploadRow, ReceiveError> {
        let bundle = super::parse(&row.bundle_id)?;
        let store = Arc::clone(&self.store);
        let hashed = tokio::task::spawn_blocking(move || hash_blob(&store, bundle));
        let (digest, bytes) = hashed.await??;
        if row.length_bytes != Some(to_db(bytes))
            || row.declared_sha256.as_ref().is_some_and(|d| *d != digest)
        {
            self.end_row(&row, "failed", Some("state_lost")).await?;
            return Err(ReceiveError::Gone {
                reason: "state_lost".to_owned(),
            });
        }
        self.record(row, digest).await
    }

    /// Completes an open upload that stands at its length, if it does.
    pub(super) async fn complete_if_whole(
        &self,
        code_id: &str,
        upload: Uuid,
    ) -> Result<UploadRow, ReceiveError> {
        let turn = self.turns.take(upload).await;
        let Some(row) = self.take_turn(&upload.to_string()).await? else {
            return settled(self.find(code_id, upload).await?);
        };
        if row.length_bytes != Some(row.offset_bytes) {
            return Ok(row);
        }
        match self.open_part(&row).await? {
            Some(part) => self.complete(row, part, turn).await,
            None => self.complete_sealed(row).await,
        }
    }

    /// Records an upload that has an open row as complete.
    async fn record(&self, mut row: UploadRow, digest: String) -> Result<UploadRow, ReceiveError> {
        row.offset_bytes = row.length_bytes.unwrap_or(row.offset_bytes);
        "complete".clone_into(&mut row.state);
        row.sha256 = Some(digest);
        match self
            .recorder
            .record(slice::from_ref(&row), Known::Open)
            .await
        {
            Ok(()) => Ok(row),
            Err(error) => {
                // Two uploads raced for the last use of a code, or for the last room of a ticket, and this one lost.
                if let Some(reason) = error.refusal() {
                    self.end_row(&row, "failed", Some(reason)).await?;
                    self.discard(&row).await?;
                    self.recorder.remove(&row).await?;
                }
                Err(error)
            }
        }
    }
}

fn hash_blob(store: &Store, bundle: Uuid) -> Result<(String, u64), StorageError> {
    use std::io::Read as _;
    let mut source = store.blob_source(bundle)?;
    let (mut hash, mut bytes, mut buffer) = (HashState::default(), 0u64, vec![0u8; 256 * 1024]);
    loop {
        let fault = |source| StorageError::Seal {
            upload: bundle,
            bundle,
            source,
        };
        match source.read(&mut buffer).map_err(fault)? {
            0 => return Ok((hash.digest(), bytes)),
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
}
