//! Bundles from the first uploaded byte to the page that shows them. Services only: no HTTP here.

pub mod browse;
pub mod compare;
pub mod download;
pub mod ingest;
pub mod measures;
pub mod receive;
pub mod redactions;
mod status;
pub mod storage;
pub mod tickets;
mod withdraw;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sitrep_shared::bundle::limits::Limits;
use sqlx::AnyConnection;
use uuid::Uuid;

use crate::db::bundles::{self, BundleRow};
use crate::db::findings::{self, FindingRow};
use crate::db::{Db, DbError};
use crate::db::{diagnosis, holds, measures as measure_rows, retention, retro, templates};
use crate::queue::Wake;
use crate::signatures::Signatures;
use crate::tasks::Tasks;
use browse::Browse;
use ingest::Ingest;
use ingest::process::Reader;
use receive::Receiver;
use storage::{StorageError, Store};
use tickets::{TicketName, Tickets};

/// The kind of the job that brings a stored bundle to its verdict.
pub const INGEST: &str = "ingest";

/// The collector's clock: UTC milliseconds.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Everything about bundles that requests and jobs can reach.
#[derive(Debug)]
pub struct Bundles {
    db: Db,
    store: Arc<Store>,
    /// Receives uploads.
    pub receiver: Receiver,
    /// Brings them to a verdict.
    pub ingest: Ingest,
    /// Looks into them.
    pub browse: Browse,
    /// The signatures that are in force.
    pub signatures: Arc<Signatures>,
    /// Told when a job was queued.
    pub wake: Arc<Wake>,
}

/// A bundle that could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The store failed; the deletion goes on later.
    #[error("remove the bundle's files")]
    Storage(#[from] StorageError),
    /// The database failed.
    #[error("record the deletion")]
    Db(#[from] DbError),
    /// It is on hold; nothing was done.
    #[error("the bundle is on legal hold")]
    Held,
    /// A blocking task did not end.
    #[error("run the removal")]
    Task(#[from] tokio::task::JoinError),
}

/// How bundles are kept and read.
#[derive(Debug)]
pub struct Options {
    /// The store's folder, also for scratch beside an object store.
    pub folder: PathBuf,
    /// The object store that bundles lie in, if any.
    pub objects: Option<storage::Access>,
    /// Bounds of receiving.
    pub limits: receive::Limits,
    /// What reads them.
    pub reader: Reader,
    /// Bounds of reading.
    pub reader_limits: Limits,
    /// Where what is done in the background runs.
    pub tasks: Tasks,
}

impl Bundles {
    /// Opens the store. To be called inside the runtime.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(db: Db, tickets: Arc<dyn Tickets>, options: Options) -> Result<Self, StorageError> {
        let Options {
            folder,
            objects,
            limits,
            reader,
            reader_limits,
            tasks,
        } = options;
        let store = Arc::new(Store::open_with(&folder, objects.as_ref())?);
        let wake = Arc::<Wake>::default();
        let signatures = Arc::new(Signatures::new(db.clone(), folder.join("signatures")));
        Ok(Self {
            receiver: Receiver::new(
                db.clone(),
                Arc::clone(&store),
                limits,
                Arc::clone(&tickets),
                (Arc::clone(&wake), tasks),
            ),
            ingest: Ingest {
                db: db.clone(),
                store: Arc::clone(&store),
                reader,
                limits: reader_limits,
                signatures: Arc::clone(&signatures),
                identity: None,
                tickets,
            },
            signatures,
            browse: Browse::new(Arc::clone(&store)),
            db,
            store,
            wake,
        })
    }

    /// Where bundles lie.
    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// The database.
    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// The bundles of a ticket, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_for_ticket(&self, ticket_id: &str) -> Result<Vec<BundleRow>, DbError> {
        bundles::of_ticket(&mut *self.db.read().await?, ticket_id).await
    }

    /// All bundles, newest first, those before an id when given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, before: Option<&str>, count: u32) -> Result<Vec<BundleRow>, DbError> {
        bundles::page(&mut *self.db.read().await?, before, i64::from(count)).await
    }

    /// One bundle.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, id: Uuid) -> Result<Option<BundleRow>, DbError> {
        bundles::find(&mut *self.db.read().await?, &id.to_string()).await
    }

    /// The findings of a bundle, worst first: for staff, those in shadow and the dismissed ones included.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn findings(&self, id: Uuid) -> Result<Vec<FindingRow>, DbError> {
        findings::of_bundle(&mut *self.db.read().await?, &id.to_string(), now_ms()).await
    }

    /// The findings of a ticket's bundles, worst first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn findings_of_ticket(&self, ticket_id: &str) -> Result<Vec<FindingRow>, DbError> {
        findings::of_ticket(&mut *self.db.read().await?, ticket_id, now_ms()).await
    }

    /// What a ticket is called.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ticket_name(&self, ticket_id: &str) -> Result<TicketName, DbError> {
        self.ingest
            .tickets
            .name(&mut *self.db.read().await?, ticket_id)
            .await
    }

    /// Removes scratch files that readers left, older than `keep`. Returns how many.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) async fn sweep_scratch(&self, keep: Duration) -> Result<usize, DeleteError> {
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.sweep_scratch(keep)).await??)
    }

    /// Deletes bundles of tickets that were closed before a time, some at once. Returns how many.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub(crate) async fn retire(&self, closed_before_ms: i64) -> Result<usize, DeleteError> {
        let due = retention::due(&mut *self.db.read().await?, closed_before_ms).await?;
        for id in due.iter().filter_map(|id| Uuid::parse_str(id).ok()) {
            match self.delete(id).await {
                Ok(_) => tracing::info!(bundle.id = %id, "kept long enough"),
                // Placed a moment ago.
                Err(DeleteError::Held) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(due.len())
    }

    /// Deletes a bundle for good: first marked, then its files, then what the rows say of its content. A deletion that
    /// was interrupted is ended by the sweep. False when there is no such bundle.
    ///
    /// # Errors
    /// When it is on hold; when disk or database refuses: the mark stays then.
    pub async fn delete(&self, id: Uuid) -> Result<bool, DeleteError> {
        let mut tx = self.db.begin().await?;
        if !mark(&mut tx, id).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.remove(id).await?;
        Ok(true)
    }

    /// What follows the mark of a deletion; see [`mark`].
    ///
    /// # Errors
    /// When disk or database refuses: the mark stays then.
    pub(crate) async fn remove(&self, id: Uuid) -> Result<(), DeleteError> {
        let text = id.to_string();
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.remove_bundle(id)).await??;
        let mut tx = self.db.begin().await?;
        findings::delete(&mut tx, &text).await?;
        templates::forget(&mut tx, &text).await?;
        retro::forget(&mut tx, &text).await?;
        retention::forget_words(&mut tx, &text).await?;
        measure_rows::forget(&mut tx, &text).await?;
        diagnosis::forget_pins(&mut tx, &text).await?;
        bundles::bury(&mut tx, &text).await?;
        tx.commit().await?;
        // What the search finds by, and then the pages that still hold it.
        crate::search::refresh(&self.db).await?;
        Ok(self.db.forget_log().await?)
    }
}

/// Marks a bundle for its deletion, which goes on whatever happens once that is committed. False when there is no such
/// bundle.
///
/// # Errors
/// When it is on hold, or the database refuses.
pub(crate) async fn mark(tx: &mut AnyConnection, id: Uuid) -> Result<bool, DeleteError> {
    let id = id.to_string();
    if retention::begin_deletion(tx, &id).await? {
        return Ok(true);
    }
    match holds::on(tx, &id).await? {
        true => Err(DeleteError::Held),
        false => Ok(false),
    }
}
