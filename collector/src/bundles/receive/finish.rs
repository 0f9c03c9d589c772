//! Completing an upload: verify, seal, and one transaction that makes it a bundle with a job. Every step may be
//! repeated, whatever happened in between.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::turns::Turn;
use super::{ReceiveError, Receiver, from_db, now_ms, settled, to_db};
use crate::bundles::storage::{Part, StorageError, Store};
use crate::db::bundles::{self, NewBundle};
use crate::db::jobs;
use crate::db::uploads::{self, UploadRow};

/// What the disk says about a part that is whole.
enum Sealed {
    Yes(String),
    WrongDigest,
}

fn seal(
    store: &Store,
    row: &UploadRow,
    (upload, bundle): (Uuid, Uuid),
    mut part: Part,
) -> Result<Sealed, StorageError> {
    part.sync()?;
    let digest = hex(&part.digest()?);
    if row
        .declared_sha256
        .as_ref()
        .is_some_and(|declared| *declared != digest)
    {
        return Ok(Sealed::WrongDigest);
    }
    store.seal(upload, bundle)?;
    Ok(Sealed::Yes(digest))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

impl Receiver {
    /// Completes an upload whose part holds all bytes.
    pub(super) async fn complete(
        &self,
        row: UploadRow,
        part: Part,
        turn: Turn,
    ) -> Result<UploadRow, ReceiveError> {
        let ids = (super::parse(&row.id)?, super::parse(&row.bundle_id)?);
        let store = Arc::clone(&self.store);
        let copy = row.clone();
        // The turn goes along: a newer request waits until the rename is over.
        let sealed = tokio::task::spawn_blocking(move || {
            seal(&store, &copy, ids, part).map(|sealed| (sealed, turn))
        });
        let (sealed, turn) = sealed.await??;
        let done = match sealed {
            Sealed::Yes(digest) => self.record(row, &digest).await,
            Sealed::WrongDigest => {
                drop(turn);
                self.drop_upload(&row, "failed", Some("checksum_mismatch"))
                    .await?;
                return Err(ReceiveError::Checksum);
            }
        };
        drop(turn);
        if done.is_ok() {
            self.turns.forget(ids.0);
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
        self.record(row, &digest).await
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
        let committed = from_db(row.offset_bytes);
        let store = Arc::clone(&self.store);
        let part =
            tokio::task::spawn_blocking(move || store.open_part(upload, committed, None)).await?;
        match part {
            Ok(part) => self.complete(row, part, turn).await,
            Err(error) if error.is_absent() => self.complete_sealed(row).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The one transaction: upload complete, code spent, bundle and job there.
    async fn record(&self, mut row: UploadRow, digest: &str) -> Result<UploadRow, ReceiveError> {
        let now = now_ms();
        let mut tx = self.db.begin().await?;
        if !uploads::complete(&mut tx, &row, digest, now).await? {
            return Err(ReceiveError::Superseded);
        }
        if !self.tickets.received(&mut tx, &row, digest).await? {
            drop(tx);
            self.refuse_spent(&row).await?;
            return Err(ReceiveError::CodeUsed);
        }
        let new = NewBundle {
            id: &row.bundle_id,
            upload_id: &row.id,
            ticket_id: &row.ticket_id,
            filename: &row.filename,
            bytes: row.length_bytes.unwrap_or(row.offset_bytes),
            sha256: digest,
            receipt: &row.receipt,
            received_ms: now,
        };
        bundles::insert(&mut tx, &new).await?;
        jobs::enqueue(&mut tx, "ingest", &row.bundle_id, now).await?;
        tx.commit().await?;
        self.wake.notify_one();
        tracing::info!(upload.id = %row.id, bundle.id = %row.bundle_id, ticket.id = %row.ticket_id, "upload complete");
        row.offset_bytes = row.length_bytes.unwrap_or(row.offset_bytes);
        "complete".clone_into(&mut row.state);
        row.sha256 = Some(digest.to_owned());
        Ok(row)
    }

    /// Two uploads raced for the last use of a code, and this one lost.
    async fn refuse_spent(&self, row: &UploadRow) -> Result<(), ReceiveError> {
        self.end_row(row, "failed", Some("code_used")).await?;
        let bundle = super::parse(&row.bundle_id)?;
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.remove_bundle(bundle)).await??)
    }
}

fn hash_blob(store: &Store, bundle: Uuid) -> Result<(String, u64), StorageError> {
    use std::io::Read as _;
    let mut file = store.blob(bundle)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0u64, vec![0u8; 256 * 1024]);
    loop {
        let fault = |source| StorageError::Seal {
            upload: bundle,
            bundle,
            source,
        };
        match file.read(&mut buffer).map_err(fault)? {
            0 => return Ok((hex(&hash.finalize()), bytes)),
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
}
