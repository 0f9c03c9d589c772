//! Completing an upload: verify, seal, and one transaction that makes it a bundle with a job. Every step may be
//! repeated, whatever happened in between.

use std::sync::Arc;

use uuid::Uuid;

use super::turns::Turn;
use super::{ReceiveError, Receiver, now_ms, settled, to_db};
use crate::bundles::INGEST;
use crate::bundles::storage::{HashState, Part, StorageError, Store};
use crate::db::bundles::{self, NewBundle};
use crate::db::uploads::{self, UploadRow};
use crate::db::{jobs, pieces, quotas};

/// Whether the database knows of an upload that is complete now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It has a row that is open.
    Open,
    /// It came whole with its creation.
    New,
}

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
            Sealed::Yes(digest) => self.record(row, &digest, Known::Open).await,
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
        self.record(row, &digest, Known::Open).await
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

    /// The one transaction: upload complete, code spent, bundle and job there.
    pub(super) async fn record(
        &self,
        mut row: UploadRow,
        digest: &str,
        known: Known,
    ) -> Result<UploadRow, ReceiveError> {
        let now = now_ms();
        let bytes = row.length_bytes.unwrap_or(row.offset_bytes);
        let mut tx = self.db.join().await?;
        match known {
            Known::Open if !uploads::complete(&mut tx, &row, digest, now).await? => {
                return Err(ReceiveError::Superseded);
            }
            Known::Open => {}
            Known::New => quotas::lock(&mut tx, self.db.engine()).await?,
        }
        row.offset_bytes = bytes;
        "complete".clone_into(&mut row.state);
        row.sha256 = Some(digest.to_owned());
        let refused = match self.recheck(&mut tx, &row).await {
            Err(error) => Some((error, "quota_exceeded")),
            Ok(()) if self.tickets.received(&mut tx, &row, digest).await? => None,
            Ok(()) => Some((ReceiveError::CodeUsed, "code_used")),
        };
        if let Some((error, reason)) = refused {
            drop(tx);
            self.refuse(&row, known, reason).await?;
            return Err(error);
        }
        if known == Known::New {
            uploads::insert(&mut tx, &row).await?;
        }
        let new = NewBundle {
            id: &row.bundle_id,
            upload_id: &row.id,
            ticket_id: &row.ticket_id,
            filename: &row.filename,
            bytes,
            sha256: digest,
            receipt: &row.receipt,
            received_ms: now,
        };
        bundles::insert(&mut tx, &new).await?;
        jobs::enqueue(&mut tx, INGEST, &row.bundle_id, now).await?;
        if self.store.is_shared() && known == Known::Open {
            pieces::forget(&mut tx, &row.id).await?;
        }
        tx.commit().await?;
        self.wake.call(INGEST);
        tracing::info!(upload.id = %row.id, bundle.id = %row.bundle_id, ticket.id = %row.ticket_id, "upload complete");
        Ok(row)
    }

    /// Two uploads raced for the last use of a code, or for the last room of a ticket, and this one lost.
    async fn refuse(
        &self,
        row: &UploadRow,
        known: Known,
        reason: &str,
    ) -> Result<(), ReceiveError> {
        if known == Known::Open {
            self.end_row(row, "failed", Some(reason)).await?;
            self.discard(row).await?;
        }
        let bundle = super::parse(&row.bundle_id)?;
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.remove_bundle(bundle)).await??)
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
