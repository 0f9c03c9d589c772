//! Looking into stored bundles: files, and lines of files, without unpacking the whole. Needs no database: what is
//! read is the blob, and what was derived from it.

pub mod index;
pub mod overview;
pub mod read;
pub mod search;
mod seek;
mod selection;
mod timeline;
mod unpack;

pub use seek::{Level, Sought, Start};
pub(crate) use selection::range as selection_range;
pub use timeline::{Timeline, Window};

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::Manifest;
use uuid::Uuid;

use super::storage::{Derived, StorageError, Store};
use index::{BrowseIndex, FileEntry};
use overview::{Overviews, Parts};
use read::Page;
use search::{Hit, Search};
use tokio::sync::mpsc;

/// Looking into a bundle that did not work.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// There is no such file in the bundle, or the bundle has none to show.
    #[error("no such file in the bundle")]
    Absent,
    /// Blob or index could not be read.
    #[error("read the bundle")]
    Read(#[source] io::Error),
    /// The store failed.
    #[error("use the store")]
    Storage(#[source] StorageError),
    /// A blocking task did not end.
    #[error("run a read")]
    Task(#[from] tokio::task::JoinError),
}

impl From<StorageError> for BrowseError {
    fn from(error: StorageError) -> Self {
        if error.is_absent() {
            Self::Absent
        } else {
            Self::Storage(error)
        }
    }
}

impl From<io::Error> for BrowseError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Absent
        } else {
            Self::Read(error)
        }
    }
}

/// Which file of a bundle is meant.
#[derive(Debug, Clone)]
pub enum Which {
    /// By number.
    Fid(u64),
    /// By path in the bundle.
    Path(String),
}

/// Reads out of bundles.
#[derive(Debug, Clone)]
pub struct Browse {
    store: Arc<Store>,
    overviews: Arc<Overviews>,
}

impl Browse {
    /// Over a store.
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            overviews: Arc::default(),
        }
    }

    async fn run<T, F>(&self, bundle: Uuid, work: F) -> Result<T, BrowseError>
    where
        T: Send + 'static,
        F: FnOnce(&Store, BrowseIndex) -> Result<T, BrowseError> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let index = BrowseIndex::open(store.derived(bundle, Derived::Index)?)?;
            work(&store, index)
        })
        .await?
    }

    /// All files, in the order of the bundle.
    ///
    /// # Errors
    /// `Absent` when the bundle has no index, for example because it was rejected.
    pub async fn files(&self, bundle: Uuid) -> Result<Vec<FileEntry>, BrowseError> {
        self.run(bundle, |_, index| Ok(index.entries()?)).await
    }

    /// One file's entry.
    ///
    /// # Errors
    /// `Absent` when there is none.
    pub async fn file(&self, bundle: Uuid, which: Which) -> Result<FileEntry, BrowseError> {
        self.run(bundle, move |_, index| find(&index, &which)).await
    }

    /// A page of lines, from line `from` (1-based).
    ///
    /// # Errors
    /// `Absent` when there is no such file.
    pub async fn lines(
        &self,
        bundle: Uuid,
        fid: u64,
        from: u64,
        count: u64,
    ) -> Result<Page, BrowseError> {
        self.run(bundle, move |store, index| {
            let entry = index.entry(fid)?;
            Ok(read::page(
                store.body(bundle)?,
                &index,
                &entry,
                from,
                count,
            )?)
        })
        .await
    }

    /// The number of the line that holds a byte.
    ///
    /// # Errors
    /// `Absent` when there is no such file.
    pub async fn line_at(&self, bundle: Uuid, fid: u64, byte: u64) -> Result<u64, BrowseError> {
        self.run(bundle, move |store, index| {
            let entry = index.entry(fid)?;
            Ok(read::line_at(store.body(bundle)?, &index, &entry, byte)?)
        })
        .await
    }

    /// A reader over a range of a file, and that range.
    ///
    /// # Errors
    /// `Absent` when there is no such file.
    pub async fn open(
        &self,
        bundle: Uuid,
        fid: u64,
        from: u64,
        bytes: u64,
    ) -> Result<Box<dyn Read + Send>, BrowseError> {
        self.run(bundle, move |store, index| {
            let entry = index.entry(fid)?;
            let reader = read::file_range(store.body(bundle)?, &index, &entry, from, bytes)?;
            Ok(Box::new(reader) as Box<dyn Read + Send>)
        })
        .await
    }

    /// A reader over a range of the stored file as it came.
    ///
    /// # Errors
    /// `Absent` when it is gone.
    pub async fn blob_range(
        &self,
        bundle: Uuid,
        from: u64,
        bytes: u64,
    ) -> Result<Box<dyn Read + Send>, BrowseError> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            let mut blob = store.blob_source(bundle)?;
            blob.seek(SeekFrom::Start(from))?;
            Ok(Box::new(blob.take(bytes)) as Box<dyn Read + Send>)
        })
        .await?
    }

    /// Searches the text of a bundle; hits go into `found` in order until it is closed.
    ///
    /// # Errors
    /// `Absent` when the bundle has no index.
    pub async fn search(
        &self,
        bundle: Uuid,
        search: Search,
        found: mpsc::Sender<Hit>,
    ) -> Result<(), BrowseError> {
        self.run(bundle, move |store, index| {
            let mut tell = |hit| found.blocking_send(hit).is_ok();
            Ok(search::run((store, bundle), &index, &search, &mut tell)?)
        })
        .await
    }

    /// The number of the line of a file that is sought; none when there is none.
    ///
    /// # Errors
    /// `Absent` when there is no such file.
    pub async fn seek(
        &self,
        bundle: Uuid,
        fid: u64,
        sought: Sought,
        from: Start,
    ) -> Result<Option<u64>, BrowseError> {
        self.run(bundle, move |store, index| {
            let place = seek::Place {
                store,
                bundle,
                index: &index,
                entry: &index.entry(fid)?,
            };
            Ok(place.seek(&sought, from)?)
        })
        .await
    }

    /// Where errors and warnings stand in the whole of a file.
    ///
    /// # Errors
    /// `Absent` when there is no such file.
    pub async fn overview(&self, bundle: Uuid, fid: u64) -> Result<Parts, BrowseError> {
        let place = self.overviews.of(bundle, fid);
        let read = || {
            self.run(bundle, move |store, index| {
                let entry = index.entry(fid)?;
                Ok(overview::read((store, bundle), &index, &entry)?.into())
            })
        };
        place.get_or_try_init(read).await.cloned()
    }

    /// The lines of all logs in a window of time.
    ///
    /// # Errors
    /// `Absent` when the bundle has no index.
    pub async fn timeline(&self, bundle: Uuid, window: Window) -> Result<Timeline, BrowseError> {
        self.run(bundle, move |store, index| {
            Ok(timeline::read((store, bundle), &index, window)?)
        })
        .await
    }

    /// Whether the bundle has an index to search by.
    ///
    /// # Errors
    /// `Absent` when it has none.
    pub async fn searchable(&self, bundle: Uuid) -> Result<(), BrowseError> {
        self.run(bundle, |_, _| Ok(())).await
    }

    /// A selection of files as one `.tar.gz`: made once, then read from there. Its name and length come along.
    ///
    /// # Errors
    /// `Absent` when one of them is not there.
    pub async fn selection(
        &self,
        bundle: Uuid,
        files: Vec<u64>,
    ) -> Result<(File, String, u64), BrowseError> {
        self.run(bundle, move |store, index| {
            let archive = selection::open((store, bundle), &index, &files)?;
            let size = archive.metadata()?.len();
            Ok((archive, selection::name(&files), size))
        })
        .await
    }

    /// The manifest.
    ///
    /// # Errors
    /// `Absent` when there is none.
    pub async fn manifest(&self, bundle: Uuid) -> Result<Manifest, BrowseError> {
        let json = self.derived(bundle, Derived::Manifest).await?;
        Manifest::parse(&json, &Limits::default())
            .map_err(|reject| BrowseError::Read(reject.into()))
    }

    /// The facts, JSON.
    ///
    /// # Errors
    /// `Absent` when there are none.
    pub async fn facts(&self, bundle: Uuid) -> Result<Vec<u8>, BrowseError> {
        self.derived(bundle, Derived::Facts).await
    }

    async fn derived(&self, bundle: Uuid, kind: Derived) -> Result<Vec<u8>, BrowseError> {
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.read_derived(bundle, kind)).await??)
    }
}

/// Threads that read one bundle: all cores, and more where they wait for an object store.
fn readers(store: &Store) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if store.is_shared() { 3 * cores } else { cores }
}

fn find(index: &BrowseIndex, which: &Which) -> Result<FileEntry, BrowseError> {
    Ok(match which {
        Which::Fid(fid) => index.entry(*fid)?,
        Which::Path(path) => index.find(path)?,
    })
}
