//! What can go wrong between the collector and its store.

use std::io;
use std::path::PathBuf;

use uuid::Uuid;

/// A storage step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A folder could not be made, listed or synced.
    #[error("use folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be opened.
    #[error("open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A part is shorter than what was acknowledged: bytes were lost outside this program.
    #[error("part of upload {upload} has {found} bytes where {committed} were acknowledged")]
    Short {
        /// The upload.
        upload: Uuid,
        /// Bytes on disk.
        found: u64,
        /// Bytes acknowledged.
        committed: u64,
    },
    /// Writing or syncing a part failed.
    #[error("write part of upload {upload}")]
    Write {
        /// The upload.
        upload: Uuid,
        /// Why.
        source: io::Error,
    },
    /// A derived file could not be written or read.
    #[error("use derived file {}", path.display())]
    Derived {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A finished part could not be made a blob.
    #[error("seal upload {upload} as bundle {bundle}")]
    Seal {
        /// The upload.
        upload: Uuid,
        /// The bundle.
        bundle: Uuid,
        /// Why.
        source: io::Error,
    },
    /// The object store refused, or did not answer in time.
    #[error("{operation} {key} in the object store")]
    Object {
        /// What was being done.
        operation: &'static str,
        /// The object.
        key: String,
        /// Why.
        source: object_store::Error,
    },
    /// The object store took too long, or failed so often lately that it is not asked for a while.
    #[error("{operation} {key}: the object store does not answer")]
    Silent {
        /// What was being done.
        operation: &'static str,
        /// The object.
        key: String,
    },
    /// An object does not hold what was put there.
    #[error("object {key} does not hold what was stored")]
    Changed {
        /// The object.
        key: String,
    },
    /// The access to the object store cannot be used.
    #[error("set up the object store")]
    Access(#[source] object_store::Error),
    /// A file could not be removed.
    #[error("remove {}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StorageError {
    /// Whether the cause is a full disk or quota, which the client is told as 507.
    pub fn is_full(&self) -> bool {
        let source = match self {
            Self::Folder { source, .. }
            | Self::Open { source, .. }
            | Self::Write { source, .. }
            | Self::Derived { source, .. }
            | Self::Seal { source, .. }
            | Self::Remove { source, .. } => source,
            Self::Short { .. }
            | Self::Object { .. }
            | Self::Silent { .. }
            | Self::Changed { .. }
            | Self::Access(_) => return false,
        };
        matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// Whether the cause is that the file is not there.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Open { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Object { source, .. } => matches!(source, object_store::Error::NotFound { .. }),
            _ => false,
        }
    }

    /// Whether acknowledged bytes are lost for good.
    pub fn is_lost(&self) -> bool {
        self.is_absent() || matches!(self, Self::Short { .. } | Self::Changed { .. })
    }

    /// Whether trying again later can help: the client is told 503.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Silent { .. })
            || (matches!(self, Self::Object { .. }) && !self.is_absent())
    }
}
