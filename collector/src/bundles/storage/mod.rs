//! Where uploads and bundles lie: in a folder, or in an object store with the folder for scratch. Nobody else knows
//! which.
//!
//! Functions block; they are called where blocking is allowed, never on an async thread.

mod derived;
mod digest;
mod error;
mod folder;
mod objects;
mod part;
mod source;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

pub use derived::{Derived, Scratch};
pub use digest::HashState;
pub use error::StorageError;
pub use folder::Claim;
use folder::Folder;
use objects::Objects;
pub use objects::{Access, Speaks};
pub use part::{Part, Piece, Resume};
pub use source::Source;

/// Uploads at most this long need no multipart upload in an object store; also the size of its parts, in bytes.
pub const PIECE_BYTES: u64 = 8 << 20;

/// The store of one collector.
#[derive(Debug)]
pub struct Store {
    folder: Folder,
    objects: Option<Arc<Objects>>,
}

/// What lies in the store without being asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Uploads of which there are bytes.
    pub uploads: Vec<Uuid>,
    /// Bundles of which there is a blob or something derived.
    pub bundles: Vec<Uuid>,
}

impl Store {
    /// Opens (and makes, mode 0700) the folder.
    ///
    /// # Errors
    /// When a folder cannot be made or synced.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        Self::open_with(root, None)
    }

    /// Opens an object store if one is given, with the folder for scratch, and else the folder. To be called inside the
    /// runtime that is to carry its requests.
    ///
    /// # Errors
    /// When the folder cannot be used or the access is no sensible one; the store itself is not asked yet.
    pub fn open_with(root: &Path, objects: Option<&Access>) -> Result<Self, StorageError> {
        let objects = objects.map(Objects::open).transpose()?;
        Ok(Self {
            folder: Folder::open(root, objects.is_none())?,
            objects: objects.map(Arc::new),
        })
    }

    /// Whether several replicas may receive into it.
    pub fn is_shared(&self) -> bool {
        self.objects.is_some()
    }

    /// Takes the right to receive. `None`: another process receives into this folder.
    ///
    /// # Errors
    /// When the lock cannot be opened.
    pub fn claim(&self) -> Result<Option<Claim>, StorageError> {
        if self.is_shared() {
            return Ok(Some(Claim::free()));
        }
        self.folder.claim()
    }

    /// Writes, reads and removes a small object or file: whether the store can be used at all.
    ///
    /// # Errors
    /// With the step that failed.
    pub fn probe(&self) -> Result<(), StorageError> {
        match &self.objects {
            Some(objects) => objects.probe(),
            None => self.scratch().map(drop),
        }
    }

    /// Turns a finished part into the bundle's blob, durably. Repeatable.
    ///
    /// # Errors
    /// When neither part nor blob is there, or the store refuses.
    pub fn seal(&self, bundle: Uuid, part: &mut Part) -> Result<(), StorageError> {
        match part {
            Part::Local(part) => self.folder.seal(part.upload(), bundle),
            Part::Remote(part) => part.seal(),
        }
    }

    /// Stores a whole blob at once. Its bytes last; that it is there lasts from the next [`Self::sync_names`]. Nobody reads
    /// it before its bundle is recorded.
    ///
    /// # Errors
    /// When the store refuses; what was written is swept as an orphan.
    pub fn put_blob(&self, bundle: Uuid, chunks: &[Bytes]) -> Result<(), StorageError> {
        match &self.objects {
            Some(objects) => objects.put(&objects::blob(bundle), chunks.concat()),
            None => self.folder.put_blob(bundle, chunks),
        }
    }

    /// Makes last that the blobs are there which were put before.
    ///
    /// # Errors
    /// When the folder cannot be synced.
    pub fn sync_names(&self) -> Result<(), StorageError> {
        match self.objects {
            Some(_) => Ok(()),
            None => self.folder.sync_names(),
        }
    }

    /// A bundle's blob as a local file that can be handed to another process.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn blob(&self, bundle: Uuid) -> Result<File, StorageError> {
        match &self.objects {
            Some(objects) => objects.fetch(&objects::blob(bundle), self.folder.unnamed()?),
            None => self.folder.blob(bundle),
        }
    }

    /// A bundle's blob, read by range.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub fn blob_source(&self, bundle: Uuid) -> Result<Source, StorageError> {
        match &self.objects {
            Some(objects) => Source::object(objects, objects::blob(bundle)),
            None => self.folder.blob(bundle).map(Source::file),
        }
    }

    /// Whether the bundle's blob exists; false also when the store does not answer.
    pub fn has_blob(&self, bundle: Uuid) -> bool {
        self.blob_source(bundle).is_ok()
    }

    /// What the files of a bundle are read from by range: the blob, or the blocks made of it.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub fn body(&self, bundle: Uuid) -> Result<Source, StorageError> {
        let blocks = match &self.objects {
            Some(objects) => Source::object(objects, objects::derived(bundle, Derived::Blocks)),
            None => self
                .folder
                .open_derived(bundle, Derived::Blocks)
                .map(Source::file),
        };
        match blocks {
            Err(error) if error.is_absent() => self.blob_source(bundle),
            other => other,
        }
    }

    /// Removes everything of a bundle: blob and derived files. Repeatable.
    ///
    /// # Errors
    /// When something that exists cannot be removed.
    pub fn remove_bundle(&self, bundle: Uuid) -> Result<(), StorageError> {
        if let Some(objects) = &self.objects {
            return objects.remove_bundle(bundle);
        }
        self.remove_selections(bundle)?;
        self.folder.remove_bundle(bundle)
    }

    /// Removes what is left of an upload that is over. Repeatable.
    ///
    /// # Errors
    /// When something that exists cannot be removed.
    pub fn discard(&self, left: &Resume) -> Result<(), StorageError> {
        match &self.objects {
            Some(objects) => objects.discard(left),
            None => {
                folder::remove(&self.folder.part_path(left.upload))?;
                folder::sync_folder(&self.folder.parts())
            }
        }
    }

    /// Bytes free for new data, and the size of the file system; an object store has no end.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn space(&self) -> Result<Space, StorageError> {
        if self.is_shared() {
            return Ok(Space {
                free: u64::MAX,
                total: 0,
            });
        }
        self.folder.space()
    }

    /// What lies in the store, for the search for orphans: nothing younger than `age`, which somebody may
    /// be writing.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn found(&self, age: Duration) -> Result<Found, StorageError> {
        match &self.objects {
            Some(objects) => objects.found(age),
            None => self.folder.found(age),
        }
    }
}

/// Most bytes that are kept free, however large the disk is.
const RESERVE_MAX_BYTES: u64 = 4 << 30;

/// Room on the file system that holds the store, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Free for us.
    pub free: u64,
    /// In all.
    pub total: u64,
}

impl Space {
    /// Whether `bytes` more fit while one part in twenty, or 4 GiB, stays free, which the database needs to go on.
    pub fn admits(&self, bytes: u64) -> bool {
        let reserve = (self.total / 20).min(RESERVE_MAX_BYTES);
        self.free
            .checked_sub(bytes)
            .is_some_and(|left| left >= reserve)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn a_part_becomes_a_blob_and_may_do_so_twice() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut part = store.create_part(id(1), id(2), Some(5)).unwrap();
        part.write(b"hello").unwrap();
        part.sync().unwrap();
        store.seal(id(2), &mut part).unwrap();
        store.seal(id(2), &mut part).unwrap();
        let mut text = String::new();
        store
            .blob(id(2))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "hello");
        assert!(store.found(Duration::ZERO).unwrap().uploads.is_empty());
        store.remove_bundle(id(2)).unwrap();
        store.remove_bundle(id(2)).unwrap();
        assert!(!store.has_blob(id(2)));
    }

    #[test]
    fn sealing_what_never_was_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut part = store.create_part(id(1), id(2), None).unwrap();
        store.discard(&Resume::new(id(1), id(2))).unwrap();
        assert!(matches!(
            store.seal(id(2), &mut part),
            Err(StorageError::Seal { .. })
        ));
    }

    #[test]
    fn the_last_twentieth_stays_free() {
        let space = Space {
            free: 100,
            total: 1000,
        };
        assert!(space.admits(50));
        assert!(!space.admits(51));
        assert!(!space.admits(5000));
        let large = Space {
            free: 5 << 30,
            total: 1 << 40,
        };
        assert!(large.admits(1 << 30));
        assert!(!large.admits((1 << 30) + 1));
    }
}
