//! Files made from a bundle: they can be made again, so they are replaced by rename and never edited.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::folder::{self, remove, sync_folder};
use super::{StorageError, Store, objects};

/// What is kept beside a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// File table, block table and line index for browsing.
    Index,
    /// The manifest as it stood in the bundle, JSON.
    Manifest,
    /// The facts as they stood in the bundle, or were read from its files, JSON.
    Facts,
    /// The files of a bundle of another maker, in blocks.
    Blocks,
    /// Where in the bundle a signature cannot match.
    Filter,
}

impl Derived {
    /// Every kind, for removal.
    pub const ALL: [Self; 5] = [
        Self::Index,
        Self::Manifest,
        Self::Facts,
        Self::Blocks,
        Self::Filter,
    ];

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Manifest => "manifest.json",
            Self::Facts => "facts.json",
            Self::Blocks => "blocks",
            Self::Filter => "filter",
        }
    }
}

/// A derived file being written; dropped without [`Store::keep`] it is removed.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Scratch {
    /// Nothing was written to it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

impl Write for Scratch {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(data)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Kept ones have another name by now; what cannot be removed is swept later.
        let _ = fs::remove_file(&self.path);
    }
}

impl Store {
    /// Opens a derived file. From an object store it is fetched whole, and kept open for those who ask soon after.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub fn derived(&self, bundle: Uuid, kind: Derived) -> Result<File, StorageError> {
        match &self.objects {
            Some(objects) => {
                let key = objects::derived(bundle, kind);
                objects.fetch_kept(&key, || self.folder.unnamed())
            }
            None => self.folder.open_derived(bundle, kind),
        }
    }

    /// Reads a whole derived file, for the kinds that are small.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn read_derived(&self, bundle: Uuid, kind: Derived) -> Result<Vec<u8>, StorageError> {
        if let Some(objects) = &self.objects {
            return objects.get(&objects::derived(bundle, kind));
        }
        let path = self.folder.derived_path(bundle, kind);
        fs::read(&path).map_err(|source| StorageError::Open { path, source })
    }

    /// Begins a derived file that is too long for memory; it is nothing until [`Self::keep`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn scratch(&self) -> Result<Scratch, StorageError> {
        let path = self
            .folder
            .derived()
            .join(format!("{}.tmp", Uuid::now_v7()));
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(file) => Ok(Scratch {
                file,
                path,
                bytes: 0,
            }),
            Err(source) => Err(StorageError::Derived { path, source }),
        }
    }

    /// Makes a finished scratch file a derived one, durably; an empty one takes the place of none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&self, bundle: Uuid, kind: Derived, scratch: &Scratch) -> Result<(), StorageError> {
        if scratch.bytes == 0 {
            return self.write_derived(bundle, kind, None);
        }
        if let Some(objects) = &self.objects {
            let key = objects::derived(bundle, kind);
            return objects.put_file(&key, &scratch.file, scratch.bytes);
        }
        let path = self.folder.derived_path(bundle, kind);
        let kept = scratch
            .file
            .sync_all()
            .and_then(|()| fs::rename(&scratch.path, &path));
        kept.map_err(|source| StorageError::Derived { path, source })?;
        sync_folder(&self.folder.derived())
    }

    /// Removes archives of selections, and scratch files that a process which died left, unless they are as young as
    /// `keep`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sweep_scratch(&self, keep: Duration) -> Result<usize, StorageError> {
        let folder = self.folder.derived();
        let fault = |source| StorageError::Folder {
            path: folder.clone(),
            source,
        };
        if let Some(objects) = &self.objects {
            objects.let_go();
        }
        let mut swept = 0;
        for entry in fs::read_dir(&folder).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            let age = fs::metadata(&path)
                .and_then(|meta| meta.modified())
                .ok()
                .and_then(|changed| changed.elapsed().ok());
            if path
                .extension()
                .is_some_and(|end| end == "tmp" || end == "selection")
                && age.is_some_and(|age| age > keep)
            {
                remove(&path)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn selection_path(&self, bundle: Uuid, name: &str) -> PathBuf {
        self.folder
            .derived()
            .join(format!("{bundle}.{name}.selection"))
    }

    /// Opens an archive of some files of a bundle that was made before.
    ///
    /// # Errors
    /// When it is not there or cannot be opened.
    pub fn selection(&self, bundle: Uuid, name: &str) -> Result<File, StorageError> {
        let path = self.selection_path(bundle, name);
        match &self.objects {
            Some(objects) => objects.kept(&path.display().to_string()),
            None => folder::open(path),
        }
    }

    /// Keeps an archive of some files of a bundle until the next sweep of its age, and opens it. Not synced: it can be
    /// made again. Beside an object store it has no name and goes after a minute, since other replicas could not
    /// remove it with the bundle.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_selection(
        &self,
        bundle: Uuid,
        name: &str,
        scratch: &Scratch,
    ) -> Result<File, StorageError> {
        let path = self.selection_path(bundle, name);
        if let Some(objects) = &self.objects {
            let file = folder::open(scratch.path.clone())?;
            return Ok(objects.keep(path.display().to_string(), file));
        }
        fs::rename(&scratch.path, &path)
            .map_err(|source| StorageError::Derived { path, source })?;
        self.selection(bundle, name)
    }

    /// Removes all archives of files of a bundle.
    ///
    /// # Errors
    /// When the folder cannot be read or a file not be removed.
    pub(super) fn remove_selections(&self, bundle: Uuid) -> Result<(), StorageError> {
        let folder = self.folder.derived();
        let fault = |source| StorageError::Folder {
            path: folder.clone(),
            source,
        };
        let prefix = format!("{bundle}.");
        for entry in fs::read_dir(&folder).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with(&prefix) && name.ends_with(".selection")) {
                remove(&path)?;
            }
        }
        Ok(())
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
        if let Some(objects) = &self.objects {
            let key = objects::derived(bundle, kind);
            return match data {
                Some(data) => objects.put(&key, data.to_vec()),
                None => objects.delete(&key),
            };
        }
        let path = self.folder.derived_path(bundle, kind);
        let Some(data) = data else {
            return remove(&path);
        };
        let scratch = self
            .folder
            .derived()
            .join(format!("{}.tmp", Uuid::now_v7()));
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
        sync_folder(&self.folder.derived())
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
