//! Files made from a bundle: they can be made again, so they are replaced by rename and never edited.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use uuid::Uuid;

use super::{StorageError, Store, remove, sync_folder};

/// What is kept beside a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// File table, block table and line index for browsing.
    Index,
    /// The manifest as it stood in the bundle, JSON.
    Manifest,
    /// The facts as they stood in the bundle, JSON.
    Facts,
}

impl Derived {
    /// Every kind, for removal.
    pub const ALL: [Self; 3] = [Self::Index, Self::Manifest, Self::Facts];

    fn suffix(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Manifest => "manifest.json",
            Self::Facts => "facts.json",
        }
    }
}

impl Store {
    pub(super) fn derived_path(&self, bundle: Uuid, kind: Derived) -> PathBuf {
        self.derived_root()
            .join(format!("{bundle}.{}", kind.suffix()))
    }

    /// Opens a derived file.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub fn derived(&self, bundle: Uuid, kind: Derived) -> Result<File, StorageError> {
        let path = self.derived_path(bundle, kind);
        File::open(&path).map_err(|source| StorageError::Open { path, source })
    }

    /// Reads a whole derived file, for the kinds that are small.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn read_derived(&self, bundle: Uuid, kind: Derived) -> Result<Vec<u8>, StorageError> {
        let path = self.derived_path(bundle, kind);
        fs::read(&path).map_err(|source| StorageError::Open { path, source })
    }

    /// Replaces a derived file durably. `None` removes it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_derived(
        &self,
        bundle: Uuid,
        kind: Derived,
        data: Option<&[u8]>,
    ) -> Result<(), StorageError> {
        let path = self.derived_path(bundle, kind);
        let Some(data) = data else {
            return remove(&path);
        };
        let scratch = self.derived_root().join(format!("{}.tmp", Uuid::now_v7()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&scratch)
            .and_then(|mut file| file.write_all(data).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&scratch, &path));
        if let Err(source) = written {
            // The scratch file holds nothing that is needed; the first fault is the one to report.
            let _ = fs::remove_file(&scratch);
            return Err(StorageError::Derived { path, source });
        }
        sync_folder(&self.derived_root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_files_are_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let id = Uuid::from_u128(3);
        store
            .write_derived(id, Derived::Facts, Some(b"{\"a\":1}"))
            .unwrap();
        store
            .write_derived(id, Derived::Facts, Some(b"{}"))
            .unwrap();
        assert_eq!(store.read_derived(id, Derived::Facts).unwrap(), b"{}");
        store.write_derived(id, Derived::Facts, None).unwrap();
        assert!(
            store
                .read_derived(id, Derived::Facts)
                .unwrap_err()
                .is_absent()
        );
        assert_eq!(
            fs::read_dir(folder.path().join("derived")).unwrap().count(),
            0,
            "no scratch left behind"
        );
    }
}
