//! Where uploads and bundles lie: a folder with parts still growing, blobs that never change, and what was derived
//! from them.
//!
//! Names are made from ids of ours only; nothing a client sent is ever part of a path. Every step that must survive
//! power loss ends in a sync of the file and of the folder that names it, and every step may be repeated.

mod derived;
mod error;
mod part;

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

pub use derived::{Derived, Scratch};
pub use error::StorageError;
pub use part::Part;

/// The folder of one collector. Cheap to clone by reference; holds no open files.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens (and makes, mode 0700) the folder and its parts.
    ///
    /// # Errors
    /// When a folder cannot be made or synced.
    pub fn open(root: &Path) -> Result<Self, StorageError> {
        let store = Self {
            root: root.to_path_buf(),
        };
        for folder in [store.parts(), store.blobs(), store.derived_root()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|source| StorageError::Folder {
                    path: folder.clone(),
                    source,
                })?;
        }
        sync_folder(&store.root)?;
        Ok(store)
    }

    fn parts(&self) -> PathBuf {
        self.root.join("parts")
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    fn derived_root(&self) -> PathBuf {
        self.root.join("derived")
    }

    fn part_path(&self, upload: Uuid) -> PathBuf {
        self.parts().join(upload.to_string())
    }

    fn blob_path(&self, bundle: Uuid) -> PathBuf {
        self.blobs().join(bundle.to_string())
    }

    /// Turns a finished part into the bundle's blob: rename, then sync of both folders. Repeatable: when the part is
    /// gone and the blob is there, only the syncs are done.
    ///
    /// # Errors
    /// When neither exists, or the rename or a sync fails.
    pub fn seal(&self, upload: Uuid, bundle: Uuid) -> Result<(), StorageError> {
        let (from, to) = (self.part_path(upload), self.blob_path(bundle));
        match fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && to.exists() => {}
            Err(source) => {
                return Err(StorageError::Seal {
                    upload,
                    bundle,
                    source,
                });
            }
        }
        sync_folder(&self.blobs())?;
        sync_folder(&self.parts())
    }

    /// Opens a bundle's blob for reading.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub fn blob(&self, bundle: Uuid) -> Result<File, StorageError> {
        let path = self.blob_path(bundle);
        File::open(&path).map_err(|source| StorageError::Open { path, source })
    }

    /// Whether the bundle's blob exists.
    pub fn has_blob(&self, bundle: Uuid) -> bool {
        self.blob_path(bundle).exists()
    }

    /// Removes everything of a bundle: blob and derived files. Repeatable.
    ///
    /// # Errors
    /// When something that exists cannot be removed.
    pub fn remove_bundle(&self, bundle: Uuid) -> Result<(), StorageError> {
        for kind in Derived::ALL {
            remove(&self.derived_path(bundle, kind))?;
        }
        self.remove_selections(bundle)?;
        remove(&self.blob_path(bundle))?;
        sync_folder(&self.blobs())?;
        sync_folder(&self.derived_root())
    }

    /// Bytes free for new data, and the size of the file system.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn space(&self) -> Result<Space, StorageError> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|error| StorageError::Folder {
            path: self.root.clone(),
            source: error.into(),
        })?;
        Ok(Space {
            free: stat.f_bavail * stat.f_frsize,
            total: stat.f_blocks * stat.f_frsize,
        })
    }

    /// The ids of all parts in the folder, for the sweep of orphans. Files that are not named by an id are left alone.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn part_ids(&self) -> Result<Vec<Uuid>, StorageError> {
        list_ids(&self.parts())
    }

    /// The ids of all blobs in the folder, for the sweep of orphans.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn blob_ids(&self) -> Result<Vec<Uuid>, StorageError> {
        list_ids(&self.blobs())
    }
}

/// Room on the file system that holds the store, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Free for us.
    pub free: u64,
    /// In all.
    pub total: u64,
}

impl Space {
    /// Whether `bytes` more fit while one part in twenty stays free, which the database needs to go on.
    pub fn admits(&self, bytes: u64) -> bool {
        self.free.saturating_sub(bytes) >= self.total / 20
    }
}

fn list_ids(folder: &Path) -> Result<Vec<Uuid>, StorageError> {
    let fault = |source| StorageError::Folder {
        path: folder.to_path_buf(),
        source,
    };
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let name = entry.map_err(fault)?.file_name();
        if let Some(id) = name.to_str().and_then(|name| Uuid::parse_str(name).ok()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn remove(path: &Path) -> Result<(), StorageError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StorageError::Remove {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// Makes renames, creations and removals inside a folder durable.
fn sync_folder(path: &Path) -> Result<(), StorageError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StorageError::Folder {
            path: path.to_path_buf(),
            source,
        })
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
        let mut part = store.create_part(id(1)).unwrap();
        part.write(b"hello").unwrap();
        part.sync().unwrap();
        store.seal(id(1), id(2)).unwrap();
        store.seal(id(1), id(2)).unwrap();
        let mut text = String::new();
        store
            .blob(id(2))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "hello");
        assert!(store.part_ids().unwrap().is_empty());
        store.remove_bundle(id(2)).unwrap();
        store.remove_bundle(id(2)).unwrap();
        assert!(!store.has_blob(id(2)));
    }

    #[test]
    fn sealing_what_never_was_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(matches!(
            store.seal(id(1), id(2)),
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
    }
}
