//! An object store. Keys are made from ids of ours only, and what is written under a key that is
//! read later is always the same: not every store can refuse to overwrite.
//!
//! Requests are repeated with growing waits for some seconds; a store that fails on and on is left alone for a while,
//! so that clients hear it at once.

mod access;
mod breaker;
mod kept;
mod list;
pub(super) mod part;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Derived, PIECE_BYTES, StorageError};
use access::Remote;
pub use access::{Access, Speaks};
use breaker::Breaker;
use kept::Kept;

/// Longest wait for one request with its repetitions; then the client is told 503.
const PATIENCE: Duration = Duration::from_secs(25);
/// Requests that carry a piece's bytes at once: each holds up to two pieces in memory.
const TRANSFERS: usize = 16;

/// A bucket.
#[derive(Debug)]
pub(super) struct Objects {
    remote: Arc<dyn Remote>,
    prefix: String,
    runtime: Handle,
    transfers: Semaphore,
    breaker: Breaker,
    kept: Kept,
}

/// The key of a bundle's blob.
pub(super) fn blob(bundle: Uuid) -> String {
    format!("blobs/{bundle}")
}

/// What the keys of derived files begin with.
const DERIVED: &str = "derived/";

/// The key of a derived file.
pub(super) fn derived(bundle: Uuid, kind: Derived) -> String {
    format!("{DERIVED}{bundle}.{}", kind.suffix())
}

impl Objects {
    pub(super) fn open(access: &Access) -> Result<Self, StorageError> {
        // Another part of this program may have been first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            remote: access.connect().map_err(StorageError::Access)?,
            prefix: access.prefix.clone(),
            runtime: Handle::current(),
            transfers: Semaphore::new(TRANSFERS),
            breaker: Breaker::default(),
            kept: Kept::default(),
        })
    }

    fn path(&self, key: &str) -> Path {
        if self.prefix.is_empty() {
            Path::from(key)
        } else {
            Path::from(format!("{}/{key}", self.prefix))
        }
    }

    /// Runs requests to their end on this thread.
    fn run<T>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StorageError> {
        let silent = || StorageError::Silent {
            operation,
            key: key.to_owned(),
        };
        if !self.breaker.admits() {
            return Err(silent());
        }
        let timed = async { tokio::time::timeout(PATIENCE, work).await };
        match self.runtime.block_on(timed) {
            Ok(Ok(done)) => {
                self.breaker.well();
                Ok(done)
            }
            Ok(Err(source)) => {
                match source {
                    object_store::Error::NotFound { .. } => self.breaker.well(),
                    _ => self.breaker.ill(),
                }
                Err(StorageError::Object {
                    operation,
                    key: key.to_owned(),
                    source,
                })
            }
            Err(_) => {
                self.breaker.ill();
                Err(silent())
            }
        }
    }

    pub(super) fn put(&self, key: &str, data: impl Into<Bytes>) -> Result<(), StorageError> {
        self.kept.forget(key);
        let (path, data) = (self.path(key), PutPayload::from(data.into()));
        self.run("put", key, async {
            let _slot = self.transfers.acquire().await;
            self.remote.put(&path, data).await.map(drop)
        })
    }

    pub(super) fn get(&self, key: &str) -> Result<Vec<u8>, StorageError> {
        let path = self.path(key);
        self.run("get", key, async {
            self.remote.get(&path).await?.bytes().await.map(Vec::from)
        })
    }

    pub(super) fn range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let path = self.path(key);
        self.run("get", key, async {
            self.remote.get_range(&path, range).await
        })
    }

    /// The size of an object, kept for a while; so is that a derived one is not there, since those are made before the
    /// index that leads to them.
    pub(super) fn size(&self, key: &str) -> Result<u64, StorageError> {
        let path = self.path(key);
        match self.kept.size(key) {
            Some(Some(size)) => return Ok(size),
            Some(None) => {
                return Err(StorageError::Object {
                    operation: "head",
                    key: key.to_owned(),
                    source: object_store::Error::NotFound {
                        path: path.to_string(),
                        source: "it was not there a moment ago".into(),
                    },
                });
            }
            None => {}
        }
        let size = self.run("head", key, async {
            self.remote.head(&path).await.map(|meta| meta.size)
        });
        match &size {
            Ok(size) => self.kept.keep_size(key, Some(*size)),
            Err(error) if error.is_absent() && key.starts_with(DERIVED) => {
                self.kept.keep_size(key, None);
            }
            Err(_) => {}
        }
        size
    }

    pub(super) fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.kept.forget(key);
        let path = self.path(key);
        let gone = self.run("delete", key, async { self.remote.delete(&path).await });
        match gone {
            Err(error) if error.is_absent() => Ok(()),
            other => other,
        }
    }

    /// Copies an object into an empty local file.
    pub(super) fn fetch(&self, key: &str, mut into: File) -> Result<File, StorageError> {
        let path = self.path(key);
        let mut stream = self.run("get", key, async {
            Ok(self.remote.get(&path).await?.into_stream())
        })?;
        let disk = |source| StorageError::Derived {
            path: key.into(),
            source,
        };
        while let Some(chunk) = self.run("get", key, async { stream.next().await.transpose() })? {
            into.write_all(&chunk).map_err(disk)?;
        }
        into.seek(SeekFrom::Start(0)).map_err(disk)?;
        Ok(into)
    }

    /// [`Self::fetch`], kept for those who ask again soon.
    pub(super) fn fetch_kept(
        &self,
        key: &str,
        into: impl FnOnce() -> Result<File, StorageError>,
    ) -> Result<File, StorageError> {
        match self.kept(key) {
            Err(error) if error.is_absent() => {
                Ok(self.keep(key.to_owned(), self.fetch(key, into()?)?))
            }
            other => other,
        }
    }

    /// A file that was kept.
    pub(super) fn kept(&self, name: &str) -> Result<File, StorageError> {
        self.kept.file(name)
    }

    /// Keeps a file open for a while.
    pub(super) fn keep(&self, name: String, file: File) -> File {
        self.kept.keep_file(name, file)
    }

    /// Lets go of what was kept long enough.
    pub(super) fn let_go(&self) {
        self.kept.let_go();
    }

    /// Puts a local file of any length.
    pub(super) fn put_file(&self, key: &str, file: &File, bytes: u64) -> Result<(), StorageError> {
        self.kept.forget(key);
        let disk = |source| StorageError::Derived {
            path: key.into(),
            source,
        };
        let piece = |at: u64| {
            let size = usize::try_from((bytes - at).min(PIECE_BYTES)).unwrap_or(0);
            let mut piece = vec![0; size];
            file.read_exact_at(&mut piece, at)
                .map_err(disk)
                .map(|()| piece)
        };
        if bytes <= PIECE_BYTES {
            return self.put(key, piece(0)?);
        }
        let (path, mut parts, mut at) = (self.path(key), Vec::new(), 0);
        let id = self.run("begin", key, async {
            self.remote.create_multipart(&path).await
        })?;
        let put = loop {
            if at >= bytes {
                break self.complete(key, &id, parts);
            }
            match piece(at).and_then(|piece| self.put_part(key, &id, parts.len(), piece)) {
                Ok(etag) => parts.push(etag),
                Err(error) => break Err(error),
            }
            at += PIECE_BYTES;
        };
        if put.is_err() {
            // What is left holds no name that anyone reads; the first fault is the one to report.
            let _ = self.abort(key, &id);
        }
        put
    }

    /// Begins the multipart upload of a bundle's blob.
    pub(super) fn begin(&self, bundle: Uuid) -> Result<String, StorageError> {
        let key = blob(bundle);
        let path = self.path(&key);
        self.run("begin", &key, async {
            self.remote.create_multipart(&path).await
        })
    }

    /// Gives the etag.
    fn put_part(
        &self,
        key: &str,
        id: &str,
        number: usize,
        data: impl Into<Bytes>,
    ) -> Result<String, StorageError> {
        let (path, data, id) = (self.path(key), PutPayload::from(data.into()), id.to_owned());
        self.run("put part of", key, async {
            let _slot = self.transfers.acquire().await;
            let part = self.remote.put_part(&path, &id, number, data).await?;
            Ok(part.content_id)
        })
    }

    fn complete(&self, key: &str, id: &str, etags: Vec<String>) -> Result<(), StorageError> {
        let (path, id) = (self.path(key), id.to_owned());
        let parts = etags.into_iter().map(|content_id| PartId { content_id });
        let parts = parts.collect();
        self.run("complete", key, async {
            self.remote
                .complete_multipart(&path, &id, parts)
                .await
                .map(drop)
        })
    }

    fn abort(&self, key: &str, id: &str) -> Result<(), StorageError> {
        let (path, id) = (self.path(key), id.to_owned());
        let gone = self.run("abort", key, async {
            self.remote.abort_multipart(&path, &id).await
        });
        match gone {
            Err(error) if error.is_absent() => Ok(()),
            other => other,
        }
    }

    pub(super) fn remove_bundle(&self, bundle: Uuid) -> Result<(), StorageError> {
        for kind in Derived::ALL {
            self.delete(&derived(bundle, kind))?;
        }
        self.kept.forget_all(&bundle.to_string());
        self.delete(&blob(bundle))
    }

    /// Puts, reads and removes an object of its own.
    pub(super) fn probe(&self) -> Result<(), StorageError> {
        let key = format!("probe/{}", Uuid::now_v7());
        self.put(&key, &b"sitrepd"[..])?;
        let read = self.get(&key);
        self.delete(&key)?;
        match read? {
            data if data == b"sitrepd" => Ok(()),
            _ => Err(StorageError::Changed { key }),
        }
    }
}
