//! The local folder: parts still growing, blobs that never change, derived files, scratch. Beside an object store only
//! scratch lies here.
//!
//! Names are made from ids of ours only; nothing a client sent is ever part of a path. Every step that must survive
//! power loss ends in a sync of the file and of the folder that names it, and every step may be repeated.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::{Derived, Found, Space, StorageError};

/// The folder of one collector. Holds no open files but the lock.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

/// The right to cut and complete the parts of a folder: one serving process at a time has it.
#[derive(Debug)]
pub struct Claim {
    _lock: Option<File>,
}

impl Claim {
    /// A right that needs no lock.
    pub(super) fn free() -> Self {
        Self { _lock: None }
    }
}

impl Folder {
    /// Opens (and makes, mode 0700) the folder and what is in it.
    pub(super) fn open(root: &Path, with_bundles: bool) -> Result<Self, StorageError> {
        let folder = Self {
            root: root.to_path_buf(),
        };
        let mut inside = vec![folder.derived()];
        if with_bundles {
            inside.extend([folder.parts(), folder.blobs()]);
        }
        for path in inside {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| StorageError::Folder { path, source })?;
        }
        sync_folder(&folder.root)?;
        Ok(folder)
    }

    pub(super) fn parts(&self) -> PathBuf {
        self.root.join("parts")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn derived(&self) -> PathBuf {
        self.root.join("derived")
    }

    pub(super) fn part_path(&self, upload: Uuid) -> PathBuf {
        self.parts().join(upload.to_string())
    }

    pub(super) fn blob_path(&self, bundle: Uuid) -> PathBuf {
        self.blobs().join(bundle.to_string())
    }

    pub(super) fn derived_path(&self, bundle: Uuid, kind: Derived) -> PathBuf {
        self.derived().join(format!("{bundle}.{}", kind.suffix()))
    }

    /// A file without a name, for bytes that are needed for a while: it is gone with the last descriptor.
    pub(super) fn unnamed(&self) -> Result<File, StorageError> {
        let path = self.derived().join(format!("{}.tmp", Uuid::now_v7()));
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|file| fs::remove_file(&path).map(|()| file));
        made.map_err(|source| StorageError::Derived { path, source })
    }

    /// Takes the lock of those who receive into this folder. `None`: another process has it.
    pub(super) fn claim(&self) -> Result<Option<Claim>, StorageError> {
        let path = self.root.join("serve.lock");
        let fault = |source| StorageError::Open {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fault)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Claim { _lock: Some(file) })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(fault(error.into())),
        }
    }

    /// Turns a finished part into the bundle's blob: rename, then sync of the folder that names it now. That the old
    /// name is gone need not last: a part of an upload that is over is removed. When the part is gone and the blob is
    /// there, only the sync is done.
    pub(super) fn seal(&self, upload: Uuid, bundle: Uuid) -> Result<(), StorageError> {
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
        sync_folder(&self.blobs())
    }

    /// Writes a whole blob, durably. What a process that died left under its name is no bundle and is replaced.
    pub(super) fn put_blob(&self, bundle: Uuid, chunks: &[Bytes]) -> Result<(), StorageError> {
        let path = self.blob_path(bundle);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&path).and_then(|mut file| {
            for chunk in chunks {
                file.write_all(chunk)?;
            }
            file.sync_data()
        });
        written.map_err(|source| StorageError::Write {
            upload: bundle,
            source,
        })
    }

    pub(super) fn sync_names(&self) -> Result<(), StorageError> {
        sync_folder(&self.blobs())
    }

    pub(super) fn blob(&self, bundle: Uuid) -> Result<File, StorageError> {
        open(self.blob_path(bundle))
    }

    pub(super) fn open_derived(&self, bundle: Uuid, kind: Derived) -> Result<File, StorageError> {
        open(self.derived_path(bundle, kind))
    }

    pub(super) fn remove_bundle(&self, bundle: Uuid) -> Result<(), StorageError> {
        for kind in Derived::ALL {
            remove(&self.derived_path(bundle, kind))?;
        }
        remove(&self.blob_path(bundle))?;
        sync_folder(&self.blobs())?;
        sync_folder(&self.derived())
    }

    pub(super) fn space(&self) -> Result<Space, StorageError> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|error| StorageError::Folder {
            path: self.root.clone(),
            source: error.into(),
        })?;
        Ok(Space {
            free: stat.f_bavail * stat.f_frsize,
            total: stat.f_blocks * stat.f_frsize,
        })
    }

    /// What lies here and was last written more than `age` ago.
    pub(super) fn found(&self, age: Duration) -> Result<Found, StorageError> {
        let mut bundles = list_ids(&self.blobs(), age)?;
        bundles.extend(list_ids(&self.derived(), age)?);
        bundles.sort_unstable();
        bundles.dedup();
        Ok(Found {
            uploads: list_ids(&self.parts(), age)?,
            bundles,
        })
    }
}

pub(super) fn open(path: PathBuf) -> Result<File, StorageError> {
    File::open(&path).map_err(|source| StorageError::Open { path, source })
}

/// Ids that names in a folder begin with. Other names, those of scratch files too, are left alone.
fn list_ids(folder: &Path, age: Duration) -> Result<Vec<Uuid>, StorageError> {
    let fault = |source| StorageError::Folder {
        path: folder.to_path_buf(),
        source,
    };
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let changed = entry.metadata().and_then(|meta| meta.modified());
        let old = changed.is_ok_and(|changed| changed.elapsed().unwrap_or_default() >= age);
        if !old {
            continue;
        }
        let name = entry.file_name();
        let name = name.to_str().filter(|name| !name.ends_with(".tmp"));
        let id = name.and_then(|name| name.split('.').next());
        ids.extend(id.and_then(|id| Uuid::parse_str(id).ok()));
    }
    Ok(ids)
}

pub(super) fn remove(path: &Path) -> Result<(), StorageError> {
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
pub(super) fn sync_folder(path: &Path) -> Result<(), StorageError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StorageError::Folder {
            path: path.to_path_buf(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_receives_into_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), true).unwrap();
        let first = folder.claim().unwrap().unwrap();
        assert!(folder.claim().unwrap().is_none());
        drop(first);
        assert!(folder.claim().unwrap().is_some());
    }

    #[test]
    fn ids_are_found_and_scratch_is_not() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), true).unwrap();
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for name in [format!("{a}"), format!("{b}.facts.json")] {
            let place = if name.contains('.') {
                folder.derived()
            } else {
                folder.blobs()
            };
            fs::write(place.join(name), b"x").unwrap();
        }
        fs::write(
            folder.derived().join(format!("{}.tmp", Uuid::from_u128(3))),
            b"x",
        )
        .unwrap();
        assert_eq!(folder.found(Duration::ZERO).unwrap().bundles, [a, b]);
        let young = folder.found(Duration::from_secs(3600)).unwrap();
        assert_eq!(young, Found::default());
    }
}
