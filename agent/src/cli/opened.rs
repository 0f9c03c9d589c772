//! A bundle on disk, opened for reading: its manifest and single files of it.

use crate::error::Failure;
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::{Item, Manifest};
use sitrep_shared::bundle::reader::Index;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Parts of `meta/` are small; larger ones are not shown.
const MAX_META_BYTES: u64 = 64 * 1024 * 1024;

/// A bundle whose footer and manifest have been read.
pub struct Opened {
    path: PathBuf,
    file: File,
    index: Index,
}

/// Opens a bundle.
pub fn open(path: &Path) -> Result<Opened, Failure> {
    let file = File::open(path).map_err(|error| {
        Failure::usage(format!("cannot open {}", path.display())).because(error)
    })?;
    from_file(path, file)
}

/// Uses a file that is open already.
pub fn from_file(path: &Path, mut file: File) -> Result<Opened, Failure> {
    let index = Index::open(&mut file, &Limits::default()).map_err(|reject| {
        Failure::usage(format!("{} is not a complete bundle", path.display()))
            .because(reject.to_string())
            .hint(format!(
                "sitrep verify {}  says what is wrong",
                path.display()
            ))
    })?;
    Ok(Opened {
        path: path.to_path_buf(),
        file,
        index,
    })
}

impl Opened {
    /// What the bundle says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.index.manifest
    }

    /// The directory that everything in the bundle lies below.
    pub fn top_dir(&self) -> &str {
        &self.index.top_dir
    }

    /// The item a person means: a path with or without the top directory or `sos/`, or an id.
    pub fn find(&self, name: &str) -> Option<&Item> {
        let name = name.trim_start_matches("./").trim_start_matches('/');
        let inside = name
            .strip_prefix(&self.index.top_dir)
            .unwrap_or(name)
            .trim_start_matches('/');
        let sos = format!("sos/{inside}");
        let items = &self.manifest().items;
        items
            .iter()
            .find(|item| {
                item.path
                    .as_deref()
                    .is_some_and(|path| path == inside || path == sos)
            })
            .or_else(|| items.iter().find(|item| item.id == inside))
    }

    /// Streams a file of the bundle to `take`.
    pub fn stream(
        &mut self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let what = format!("cannot read {path} in {}", self.path.display());
        let length = self.index.item(path).map_or(0, |item| item.stored_bytes);
        let mut reader = self
            .index
            .read(&mut self.file, path, 0..length)
            .map_err(|error| Failure::internal(what.clone(), error))?;
        let mut buffer = vec![0u8; 64 * 1024];
        loop {
            let count = reader
                .read(&mut buffer)
                .map_err(|error| Failure::internal(what.clone(), error))?;
            if count == 0 {
                return Ok(());
            }
            take(&buffer[..count]).map_err(|error| Failure::internal("cannot write", error))?;
        }
    }

    /// A part of `meta/` as JSON; null when the bundle has none.
    pub fn meta(&mut self, path: &str) -> Result<serde_json::Value, Failure> {
        let Some(item) = self.index.item(path) else {
            return Ok(serde_json::Value::Null);
        };
        if item.stored_bytes > MAX_META_BYTES {
            return Err(Failure::usage(format!("{path} is too large to show")));
        }
        let mut bytes = Vec::new();
        self.stream(path, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::internal(format!("cannot understand {path}"), error))
    }
}
