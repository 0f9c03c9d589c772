//! What is recorded of an upload, as the store needs it to go on, in this process or another.

use std::sync::Arc;

use super::{ReceiveError, Receiver, from_db, to_db};
use crate::bundles::storage::{HashState, Piece, Resume};
use crate::db::pieces::{self, PieceRow};
use crate::db::uploads::UploadRow;

impl Receiver {
    /// Everything that is recorded of an upload.
    pub(super) async fn resume(&self, row: &UploadRow) -> Result<Resume, ReceiveError> {
        let pieces = if self.store.is_shared() {
            pieces::of_upload(&mut *self.db.read().await?, &row.id).await?
        } else {
            Vec::new()
        };
        Ok(Resume {
            epoch: row.epoch,
            committed: from_db(row.offset_bytes),
            hash: row.hash_state.as_deref().and_then(HashState::parse),
            multipart: row.multipart_id.clone(),
            pieces: pieces.into_iter().map(piece).collect(),
            ..Resume::new(super::parse(&row.id)?, super::parse(&row.bundle_id)?)
        })
    }

    /// Removes from the store what is left of an upload that has ended without a bundle, and then its record. When
    /// the store fails, the sweep comes back to it.
    pub(super) async fn discard(&self, row: &UploadRow) -> Result<(), ReceiveError> {
        let (resume, store) = (self.resume(row).await?, Arc::clone(&self.store));
        tokio::task::spawn_blocking(move || store.discard(&resume)).await??;
        let mut tx = self.db.begin().await?;
        pieces::forget(&mut tx, &row.id).await?;
        Ok(tx.commit().await?)
    }
}

fn piece(row: PieceRow) -> Piece {
    Piece {
        number: u32::try_from(row.number).ok(),
        name: row.name,
        offset: from_db(row.offset_bytes),
        bytes: from_db(row.bytes),
        sha256: row.sha256,
    }
}

pub(super) fn piece_row(piece: &Piece) -> PieceRow {
    PieceRow {
        name: piece.name.clone(),
        number: piece.number.map_or(-1, i64::from),
        offset_bytes: to_db(piece.offset),
        bytes: to_db(piece.bytes),
        sha256: piece.sha256.clone(),
    }
}
