//! The growing file of one upload: written and hashed in one go, synced before its offset is told to anyone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{StorageError, Store, remove, sync_folder};

/// An open part, positioned at its end.
#[derive(Debug)]
pub struct Part {
    upload: Uuid,
    file: File,
    offset: u64,
    hash: Option<Sha256>,
}

impl Store {
    /// Makes the empty file of a new upload, durable before this returns.
    ///
    /// # Errors
    /// When it exists already, or cannot be made or synced.
    pub fn create_part(&self, upload: Uuid) -> Result<Part, StorageError> {
        let path = self.part_path(upload);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| StorageError::Open { path, source })?;
        file.sync_all()
            .map_err(|source| StorageError::Write { upload, source })?;
        sync_folder(&self.parts())?;
        Ok(Part {
            upload,
            file,
            offset: 0,
            hash: Some(Sha256::new()),
        })
    }

    /// Opens a part to go on at `committed`, cutting off whatever was written after the last acknowledged byte.
    /// `hash` is the state over the first `committed` bytes when it is still known.
    ///
    /// # Errors
    /// [`StorageError::Short`] when acknowledged bytes are missing, or when the file cannot be opened or cut.
    pub fn open_part(
        &self,
        upload: Uuid,
        committed: u64,
        hash: Option<Sha256>,
    ) -> Result<Part, StorageError> {
        let path = self.part_path(upload);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|source| StorageError::Open { path, source })?;
        let fault = |source| StorageError::Write { upload, source };
        let found = file.metadata().map_err(fault)?.len();
        if found < committed {
            return Err(StorageError::Short {
                upload,
                found,
                committed,
            });
        }
        if found > committed {
            file.set_len(committed).map_err(fault)?;
        }
        file.seek(SeekFrom::Start(committed)).map_err(fault)?;
        let hash = if committed == 0 {
            Some(Sha256::new())
        } else {
            hash
        };
        Ok(Part {
            upload,
            file,
            offset: committed,
            hash,
        })
    }

    /// Removes a part. Repeatable.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove_part(&self, upload: Uuid) -> Result<(), StorageError> {
        remove(&self.part_path(upload))?;
        sync_folder(&self.parts())
    }
}

impl Part {
    /// Bytes written so far, synced or not.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The hash state over everything written, unless it was lost when the part was opened.
    pub fn hash(&self) -> Option<&Sha256> {
        self.hash.as_ref()
    }

    /// Appends and hashes.
    ///
    /// # Errors
    /// When the disk refuses. The part must then be opened anew at its committed offset.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StorageError> {
        self.file
            .write_all(data)
            .map_err(|source| StorageError::Write {
                upload: self.upload,
                source,
            })?;
        if let Some(hash) = &mut self.hash {
            hash.update(data);
        }
        self.offset += data.len() as u64;
        Ok(())
    }

    /// Makes everything written durable. Only after this may the offset be committed.
    ///
    /// # Errors
    /// When the disk refuses: the bytes since the last sync count as lost.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(|source| StorageError::Write {
            upload: self.upload,
            source,
        })
    }

    /// The digest of the whole part. Reads the file again when the running state was lost.
    ///
    /// # Errors
    /// When the file cannot be read back.
    pub fn digest(mut self) -> Result<[u8; 32], StorageError> {
        if let Some(hash) = self.hash.take() {
            return Ok(hash.finalize().into());
        }
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| digest_of(&mut self.file))
            .map_err(|source| StorageError::Write {
                upload: self.upload,
                source,
            })
    }
}

/// Hashes a reader to its end in bounded memory.
pub(super) fn digest_of(input: &mut impl Read) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 256 * 1024];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_after_the_committed_offset_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let id = Uuid::from_u128(7);
        let mut part = store.create_part(id).unwrap();
        part.write(b"committed").unwrap();
        part.sync().unwrap();
        part.write(b" and then power was lost").unwrap();
        drop(part);
        let mut part = store.open_part(id, 9, None).unwrap();
        assert_eq!(part.offset(), 9);
        part.write(b"!").unwrap();
        let expected: [u8; 32] = Sha256::digest(b"committed!").into();
        assert_eq!(
            part.digest().unwrap(),
            expected,
            "hashed again, since the state was lost"
        );
    }

    #[test]
    fn missing_acknowledged_bytes_are_never_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let id = Uuid::from_u128(8);
        store.create_part(id).unwrap().write(b"abc").unwrap();
        let error = store.open_part(id, 4, None).unwrap_err();
        assert!(
            matches!(
                error,
                StorageError::Short {
                    found: 3,
                    committed: 4,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_kept_hash_state_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let id = Uuid::from_u128(9);
        let mut part = store.create_part(id).unwrap();
        part.write(b"one ").unwrap();
        let state = part.hash().cloned();
        let mut part = store.open_part(id, 4, state).unwrap();
        part.write(b"two").unwrap();
        assert!(part.hash().is_some());
        let expected: [u8; 32] = Sha256::digest(b"one two").into();
        assert_eq!(part.digest().unwrap(), expected);
    }
}
