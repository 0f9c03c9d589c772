//! The growing bytes of one upload: written and hashed in one go, durable before their offset is told to anyone.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use super::digest::HashState;
use super::folder::sync_folder;
use super::objects::part::RemotePart;
use super::{StorageError, Store};

/// Some bytes of an upload that are durable in an object store: a part of its multipart upload, or a tail, an object
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Number of the part, from 0; none for a tail.
    pub number: Option<u32>,
    /// The part's etag, or the tail's key.
    pub name: String,
    /// Where it begins in the upload.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its digest, hex.
    pub sha256: String,
}

/// What is recorded of an upload, from which any process can go on.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The upload.
    pub upload: Uuid,
    /// The bundle it will be.
    pub bundle: Uuid,
    /// The turn that writes now.
    pub epoch: i64,
    /// Acknowledged bytes.
    pub committed: u64,
    /// The hash over them, when it is known.
    pub hash: Option<HashState>,
    /// The multipart upload, in an object store.
    pub multipart: Option<String>,
    /// Where the acknowledged bytes lie in an object store, in order.
    pub pieces: Vec<Piece>,
}

impl Resume {
    /// An upload of which nothing is recorded yet.
    pub fn new(upload: Uuid, bundle: Uuid) -> Self {
        Self {
            upload,
            bundle,
            epoch: 0,
            committed: 0,
            hash: Some(HashState::default()),
            multipart: None,
            pieces: Vec::new(),
        }
    }
}

/// An open part, at its end.
#[derive(Debug)]
pub enum Part {
    /// A file of the folder.
    Local(LocalPart),
    /// Parts and tails in an object store.
    Remote(Box<RemotePart>),
}

/// The file of an upload.
#[derive(Debug)]
pub struct LocalPart {
    upload: Uuid,
    file: File,
    /// The folder, until its name there is durable.
    unnamed: Option<PathBuf>,
    offset: u64,
    hash: Option<HashState>,
}

impl LocalPart {
    pub(super) fn upload(&self) -> Uuid {
        self.upload
    }

    fn fault(&self, source: std::io::Error) -> StorageError {
        StorageError::Write {
            upload: self.upload,
            source,
        }
    }

    fn digest(&mut self) -> Result<HashState, StorageError> {
        let mut hash = HashState::default();
        let read = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| std::io::copy(&mut self.file, &mut HashWriter(&mut hash)));
        read.map_err(|source| self.fault(source)).map(|_| hash)
    }
}

struct HashWriter<'h>(&'h mut HashState);

impl Write for HashWriter<'_> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Store {
    /// Begins a new upload of a bundle; gives the multipart upload, when an object store needs one for it. In a folder
    /// its file is made with its first bytes. `length` is none while it is deferred.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn begin(&self, bundle: Uuid, length: Option<u64>) -> Result<Option<String>, StorageError> {
        match &self.objects {
            Some(objects) if length.is_none_or(|length| length > super::PIECE_BYTES) => {
                objects.begin(bundle).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Begins a new upload and opens it.
    ///
    /// # Errors
    /// As [`Self::begin`] and [`Self::open_part`].
    pub fn create_part(
        &self,
        upload: Uuid,
        bundle: Uuid,
        length: Option<u64>,
    ) -> Result<Part, StorageError> {
        let multipart = self.begin(bundle, length)?;
        self.open_part(Resume {
            multipart,
            ..Resume::new(upload, bundle)
        })
    }

    /// Opens a part to go on at its acknowledged offset, cutting off whatever was written after it.
    ///
    /// # Errors
    /// [`StorageError::Short`] when acknowledged bytes are missing, or when it cannot be opened or cut; an error that
    /// says it is absent when it was sealed already.
    pub fn open_part(&self, resume: Resume) -> Result<Part, StorageError> {
        if let Some(objects) = &self.objects {
            return Ok(Part::Remote(Box::new(RemotePart::new(
                Arc::clone(objects),
                resume,
            )?)));
        }
        let (upload, committed) = (resume.upload, resume.committed);
        let path = self.folder.part_path(upload);
        let open = |new: bool| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(new).mode(0o600);
            options.open(&path)
        };
        let (mut file, named) = match open(false) {
            Ok(file) => (file, true),
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && committed == 0
                    && !self.folder.blob_path(resume.bundle).exists() =>
            {
                let made = open(true).map_err(|source| StorageError::Open {
                    path: path.clone(),
                    source,
                });
                (made?, false)
            }
            Err(source) => return Err(StorageError::Open { path, source }),
        };
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
            Some(HashState::default())
        } else {
            resume.hash
        };
        Ok(Part::Local(LocalPart {
            upload,
            file,
            // What was found may be from a process that died before its name was durable.
            unnamed: (!named || committed == 0).then(|| self.folder.parts()),
            offset: committed,
            hash,
        }))
    }
}

impl Part {
    /// Bytes written so far, durable or not.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Local(part) => part.offset,
            Self::Remote(part) => part.offset(),
        }
    }

    /// The hash over everything written, unless it was lost when the part was opened.
    pub fn hash(&self) -> Option<&HashState> {
        match self {
            Self::Local(part) => part.hash.as_ref(),
            Self::Remote(part) => Some(part.hash()),
        }
    }

    /// Appends and hashes.
    ///
    /// # Errors
    /// When the store refuses. The part must then be opened anew at its committed offset.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StorageError> {
        match self {
            Self::Remote(part) => part.write(data),
            Self::Local(part) => {
                let written = part.file.write_all(data);
                written.map_err(|source| part.fault(source))?;
                if let Some(hash) = &mut part.hash {
                    hash.update(data);
                }
                part.offset += data.len() as u64;
                Ok(())
            }
        }
    }

    /// Makes everything written durable. Only after this may the offset be committed.
    ///
    /// # Errors
    /// When the store refuses: the bytes since the last sync count as lost.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Local(part) => {
                let synced = part.file.sync_data();
                synced.map_err(|source| part.fault(source))?;
                match &part.unnamed {
                    Some(folder) => sync_folder(folder)?,
                    None => return Ok(()),
                }
                part.unnamed = None;
                Ok(())
            }
            Self::Remote(part) => part.sync(),
        }
    }

    /// Makes the bytes durable before the part gets its last name, which is made durable with it.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn sync_bytes(&mut self) -> Result<(), StorageError> {
        match self {
            Self::Local(part) => part.file.sync_data().map_err(|source| part.fault(source)),
            Self::Remote(part) => part.sync(),
        }
    }

    /// What has to be recorded together with the offset: pieces that came, names of pieces that they replace.
    pub fn change(&self) -> (&[Piece], &[String]) {
        match self {
            Self::Local(_) => (&[], &[]),
            Self::Remote(part) => part.change(),
        }
    }

    /// To be called when the offset was committed: what was replaced is removed now, and not before.
    pub fn committed(&mut self) {
        if let Self::Remote(part) = self {
            part.committed();
        }
    }

    /// The multipart upload that was begun, to be recorded.
    pub fn multipart(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::Remote(part) => part.multipart(),
        }
    }

    /// Whether the last bytes must be committed before the part can be sealed.
    pub fn commits_before_seal(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// The digest of the whole part, hex. Reads the file again when the running state was lost.
    ///
    /// # Errors
    /// When the file cannot be read back.
    pub fn digest(&mut self) -> Result<String, StorageError> {
        match self {
            Self::Remote(part) => Ok(part.hash().clone().digest()),
            Self::Local(part) => {
                let state = match part.hash.take() {
                    Some(state) => state,
                    None => part.digest()?,
                };
                Ok(state.digest())
            }
        }
    }

    /// Removes what sealing left over.
    pub fn clear(&self) {
        if let Self::Remote(part) = self {
            part.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::digest::hex;
    use super::*;

    fn opened(store: &Store, n: u128, committed: u64) -> Result<Part, StorageError> {
        let id = Uuid::from_u128(n);
        store.open_part(Resume {
            committed,
            hash: None,
            ..Resume::new(id, id)
        })
    }

    #[test]
    fn bytes_after_the_committed_offset_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let id = Uuid::from_u128(7);
        let mut part = store.create_part(id, id, None).unwrap();
        part.write(b"committed").unwrap();
        part.sync().unwrap();
        part.write(b" and then power was lost").unwrap();
        drop(part);
        let mut part = opened(&store, 7, 9).unwrap();
        assert_eq!(part.offset(), 9);
        part.write(b"!").unwrap();
        let expected = hex(&Sha256::digest(b"committed!"));
        assert_eq!(part.digest().unwrap(), expected, "hashed again");
        drop(part);
        let short = opened(&store, 7, 11).unwrap_err();
        assert!(short.is_lost(), "{short}");
    }
}
