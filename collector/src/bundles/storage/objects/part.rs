//! The bytes of an upload in an object store: parts of one size of a multipart upload, and behind them tails, each an
//! object of its own, until they make up a part. What was acknowledged is never written again: a part's content is
//! held by its etag, a tail's key is used once, and the blob is made from acknowledged pieces only, so that two
//! replicas that finish the same upload write the same.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::digest::hex;
use super::super::{HashState, PIECE_BYTES, Piece, Resume, StorageError};
use super::{Objects, blob};

/// Tails of one upload at most: then they are put together.
const TAILS: usize = 16;

/// An upload being written.
#[derive(Debug)]
pub struct RemotePart {
    objects: Arc<Objects>,
    resume: Resume,
    hash: HashState,
    /// Bytes behind the pieces that are not durable yet: less than one piece.
    buffer: Vec<u8>,
    /// The last tail written, so that it need not be read back.
    last: Option<(String, Vec<u8>)>,
    added: Vec<Piece>,
    dropped: Vec<String>,
}

impl RemotePart {
    pub(in super::super) fn new(
        objects: Arc<Objects>,
        mut resume: Resume,
    ) -> Result<Self, StorageError> {
        let stored: u64 = resume.pieces.iter().map(|piece| piece.bytes).sum();
        let hash = match resume.hash.take() {
            _ if resume.committed == 0 => Some(HashState::default()),
            hash => hash,
        };
        match hash {
            Some(hash) if stored == resume.committed => Ok(Self {
                objects,
                resume,
                hash,
                buffer: Vec::new(),
                last: None,
                added: Vec::new(),
                dropped: Vec::new(),
            }),
            _ => Err(StorageError::Short {
                upload: resume.upload,
                found: stored,
                committed: resume.committed,
            }),
        }
    }

    fn stored(&self) -> u64 {
        self.resume
            .pieces
            .last()
            .map_or(0, |piece| piece.offset + piece.bytes)
    }

    pub(in super::super) fn offset(&self) -> u64 {
        self.stored() + self.buffer.len() as u64
    }

    pub(in super::super) fn hash(&self) -> &HashState {
        &self.hash
    }

    pub(in super::super) fn multipart(&self) -> Option<&str> {
        self.resume.multipart.as_deref()
    }

    pub(in super::super) fn change(&self) -> (&[Piece], &[String]) {
        (&self.added, &self.dropped)
    }

    fn parts(&self) -> usize {
        let parts = self.resume.pieces.iter();
        parts.filter(|piece| piece.number.is_some()).count()
    }

    fn tails(&self) -> &[Piece] {
        &self.resume.pieces[self.parts()..]
    }

    /// Takes bytes; each time they make up a part, it is put.
    pub(in super::super) fn write(&mut self, mut data: &[u8]) -> Result<(), StorageError> {
        self.hash.update(data);
        while !data.is_empty() {
            let full = PIECE_BYTES * (self.parts() as u64 + 1);
            let room = usize::try_from(full - self.offset()).unwrap_or(usize::MAX);
            let (now, later) = data.split_at(data.len().min(room));
            self.buffer.extend_from_slice(now);
            data = later;
            if self.offset() == full && self.resume.multipart.is_some() {
                self.put_part()?;
            }
        }
        Ok(())
    }

    /// Makes tails and buffer a part, which is full unless it is the last.
    fn put_part(&mut self) -> Result<(), StorageError> {
        let (number, mut data) = (self.parts(), self.read_tails()?);
        data.append(&mut self.buffer);
        let piece = Piece {
            number: u32::try_from(number).ok(),
            name: String::new(),
            offset: PIECE_BYTES * number as u64,
            bytes: data.len() as u64,
            sha256: hex(&Sha256::digest(&data)),
        };
        let (key, id) = (blob(self.resume.bundle), self.resume.multipart.clone());
        let name = self
            .objects
            .put_part(&key, &id.unwrap_or_default(), number, data)?;
        self.replace_tails(Piece { name, ..piece });
        self.buffer = Vec::new();
        Ok(())
    }

    /// Puts one piece in the place of all tails.
    fn replace_tails(&mut self, piece: Piece) {
        let tails = self.resume.pieces.split_off(self.parts());
        for tail in tails {
            // A tail that was never recorded has only to be removed; removing a row that is not there does no harm.
            self.added.retain(|added| added.name != tail.name);
            self.dropped.push(tail.name);
        }
        self.resume.pieces.push(piece.clone());
        self.added.push(piece);
    }

    fn read_tails(&self) -> Result<Vec<u8>, StorageError> {
        let mut data = Vec::new();
        for tail in self.tails() {
            match &self.last {
                Some((key, kept)) if *key == tail.name => data.extend_from_slice(kept),
                _ => {
                    let read = self.objects.get(&tail.name)?;
                    if hex(&Sha256::digest(&read)) != tail.sha256 {
                        return Err(StorageError::Changed {
                            key: tail.name.clone(),
                        });
                    }
                    data.extend_from_slice(&read);
                }
            }
        }
        Ok(data)
    }

    /// Puts what is in the buffer as a tail.
    pub(in super::super) fn sync(&mut self) -> Result<(), StorageError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let together = self.tails().len() >= TAILS;
        let (mut offset, mut data) = (self.stored(), Vec::new());
        if together {
            offset = PIECE_BYTES * self.parts() as u64;
            data = self.read_tails()?;
        }
        data.append(&mut self.buffer);
        let (upload, epoch) = (self.resume.upload, self.resume.epoch);
        let piece = Piece {
            number: None,
            name: format!("tails/{upload}/{epoch}-{offset}-{}", data.len()),
            offset,
            bytes: data.len() as u64,
            sha256: hex(&Sha256::digest(&data)),
        };
        self.objects.put(&piece.name, data.clone())?;
        self.last = Some((piece.name.clone(), data));
        if together {
            self.replace_tails(piece);
        } else {
            self.resume.pieces.push(piece.clone());
            self.added.push(piece);
        }
        Ok(())
    }

    /// Removes the tails that were replaced.
    pub(in super::super) fn committed(&mut self) {
        self.added.clear();
        for key in self.dropped.drain(..) {
            if let Err(error) = self.objects.delete(&key) {
                // The sweep finds it when the upload is over.
                tracing::debug!(key, error = %error, "a tail was left");
            }
        }
    }

    /// Makes the blob of the acknowledged pieces. Repeatable.
    pub(in super::super) fn seal(&mut self) -> Result<(), StorageError> {
        let (key, size) = (blob(self.resume.bundle), self.offset());
        let mut etags: Vec<String> = self.resume.pieces[..self.parts()]
            .iter()
            .map(|part| part.name.clone())
            .collect();
        let tail = self.read_tails()?;
        let Some(id) = self.resume.multipart.clone().filter(|_| !etags.is_empty()) else {
            self.objects.put(&key, tail)?;
            return match &self.resume.multipart {
                Some(id) => self.objects.abort(&key, id),
                None => Ok(()),
            };
        };
        let completed = (|| {
            if !tail.is_empty() {
                etags.push(self.objects.put_part(&key, &id, etags.len(), tail)?);
            }
            self.objects.complete(&key, &id, etags)
        })();
        match completed {
            // Completed before, by us or by another replica: from the same pieces.
            Err(error) if error.is_absent() && self.objects.size(&key).ok() == Some(size) => Ok(()),
            other => other,
        }
    }

    /// Removes the tails that the blob was made of.
    pub(in super::super) fn clear(&self) {
        for tail in self.tails() {
            if let Err(error) = self.objects.delete(&tail.name) {
                tracing::debug!(key = %tail.name, error = %error, "a tail was left");
            }
        }
    }
}

impl Objects {
    /// Removes what an upload that is over has left: its multipart upload and all tails.
    pub(in super::super) fn discard(&self, left: &Resume) -> Result<(), StorageError> {
        if let Some(id) = &left.multipart {
            self.abort(&blob(left.bundle), id)?;
        }
        let upload: Uuid = left.upload;
        for key in self.tails_of(upload)? {
            self.delete(&key)?;
        }
        Ok(())
    }
}
