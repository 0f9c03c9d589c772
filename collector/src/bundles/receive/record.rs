//! Recording: the one transaction that makes complete uploads bundles with jobs. Uploads that came whole are recorded
//! together with those that wait meanwhile, since many rows at once cost little more than one.

use std::collections::{BTreeMap, VecDeque};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::AnyConnection;
use tokio::sync::oneshot;

use super::{Limits, ReceiveError, from_db, now_ms};
use crate::bundles::INGEST;
use crate::bundles::storage::Store;
use crate::bundles::tickets::Tickets;
use crate::db::bundles::{self, NewBundle};
use crate::db::uploads::{self, UploadRow};
use crate::db::{Db, DbError, jobs, pieces, quotas};
use crate::queue::Wake;
use crate::tasks::Tasks;

/// Uploads that are recorded together at most.
const TOGETHER: usize = 32;

/// Whether the database knows of uploads that are complete now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// They have rows that are open.
    Open,
    /// They came whole with their creation.
    New,
}

type Outcome = Result<UploadRow, ReceiveError>;
type Sender = oneshot::Sender<Outcome>;
/// An upload that is stored whole, and who waits for it.
type Waiting = (UploadRow, Sender);

fn tell(waiting: Sender, outcome: Outcome) {
    // Whoever has gone finds the upload recorded, as when an answer is lost.
    let _ = waiting.send(outcome);
}

/// Records complete uploads.
#[derive(Debug)]
pub(super) struct Recorder {
    pub db: Db,
    pub store: Arc<Store>,
    pub limits: Limits,
    pub tickets: Arc<dyn Tickets>,
    /// Told when a job was queued, so that a worker of this process need not wait for its next look.
    pub wake: Arc<Wake>,
}

/// Uploads that came whole and wait to be recorded. Nobody waits for company: whoever comes while nothing is recorded is
/// recorded at once, and those who come meanwhile are the next.
#[derive(Debug)]
pub(super) struct RecordQueue {
    recorder: Arc<Recorder>,
    tasks: Tasks,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Some are being recorded.
    busy: bool,
}

/// The right to record. Whatever ends it, also a panic, the next are let in.
struct Turn(Arc<RecordQueue>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.next();
    }
}

impl RecordQueue {
    pub(super) fn new(recorder: Arc<Recorder>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            recorder,
            tasks,
            queue: Mutex::default(),
        })
    }

    /// Records an upload whose bytes are stored. It is recorded also when the caller gives up.
    pub(super) async fn record(self: &Arc<Self>, row: UploadRow) -> Outcome {
        let (sender, outcome) = oneshot::channel();
        let idle = {
            let mut queue = self.queue();
            queue.waiting.push_back((row, sender));
            !std::mem::replace(&mut queue.busy, true)
        };
        if idle {
            self.next();
        }
        outcome.await.map_err(|_| ReceiveError::Unrecorded)?
    }

    fn next(self: &Arc<Self>) {
        let some: Vec<Waiting> = {
            let mut queue = self.queue();
            let count = queue.waiting.len().min(TOGETHER);
            queue.busy = count > 0;
            queue.waiting.drain(..count).collect()
        };
        if some.is_empty() {
            return;
        }
        let turn = Turn(Arc::clone(self));
        self.tasks.spawn("record uploads", async move {
            if let Some((error, mut rest)) = turn.0.recorder.record_each(some).await {
                // Those who came meanwhile would wait as long for a database that does not answer.
                let late = turn.0.queue().waiting.split_off(0);
                rest.extend(late.into_iter().map(|(_, waiting)| waiting));
                for waiting in rest {
                    tell(waiting, Err(DbError::Together(Arc::clone(&error)).into()));
                }
            }
        });
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Records new uploads together; when one of them cannot be, each by itself. Gives those back who wait for a database that
    /// does not answer.
    async fn record_each(&self, some: Vec<Waiting>) -> Option<(Arc<DbError>, VecDeque<Sender>)> {
        let (rows, mut waiting): (Vec<_>, VecDeque<_>) = some.into_iter().unzip();
        if let Err(error) = self.sync_names().await {
            // Not tried again: a fault of the disk is told once, and the next sync succeeds without what was lost.
            tracing::error!(%error, "uploads were not recorded");
            for waiting in waiting {
                tell(waiting, Err(ReceiveError::Unrecorded));
            }
            return None;
        }
        let mut failed = match self.record(&rows, Known::New).await {
            Ok(()) => {
                for (waiting, row) in waiting.into_iter().zip(rows) {
                    tell(waiting, Ok(row));
                }
                return None;
            }
            Err(ReceiveError::Db(error)) if error.is_unavailable() => {
                return Some((error.into(), waiting));
            }
            Err(error) if rows.len() == 1 => Some(error),
            Err(error) => {
                tracing::debug!(%error, "each upload is recorded by itself");
                None
            }
        };
        for row in rows {
            let ended = match failed.take() {
                Some(error) => Err(error),
                None => self.record(slice::from_ref(&row), Known::New).await,
            };
            let outcome = match ended {
                Ok(()) => Ok(row),
                Err(ReceiveError::Db(error)) if error.is_unavailable() => {
                    return Some((error.into(), waiting));
                }
                Err(error) => self.refuse(row, error).await,
            };
            if let Some(waiting) = waiting.pop_front() {
                tell(waiting, outcome);
            }
        }
        None
    }

    async fn sync_names(&self) -> Result<(), ReceiveError> {
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.sync_names()).await??)
    }

    /// Whoever sent a new upload hears why it was not recorded; of one that is refused for good nothing is left. It may be
    /// recorded all the same, when the answer to a commit was lost.
    async fn refuse(&self, row: UploadRow, error: ReceiveError) -> Outcome {
        if error.refusal().is_some() {
            let mut db = self.db.read().await?;
            if bundles::find(&mut db, &row.bundle_id).await?.is_some() {
                return Ok(row);
            }
            drop(db);
            self.remove(&row).await?;
        }
        Err(error)
    }

    /// Removes the bytes of an upload that was refused.
    pub(super) async fn remove(&self, row: &UploadRow) -> Result<(), ReceiveError> {
        let (store, bundle) = (Arc::clone(&self.store), super::parse(&row.bundle_id)?);
        Ok(tokio::task::spawn_blocking(move || store.remove_bundle(bundle)).await??)
    }

    /// The one transaction: uploads complete, codes spent, bundles and jobs there; for all of them, or for none.
    pub(super) async fn record(
        &self,
        rows: &[UploadRow],
        known: Known,
    ) -> Result<(), ReceiveError> {
        let now = now_ms();
        let mut tx = self.db.join().await?;
        match known {
            Known::Open => {
                for row in rows {
                    if !uploads::complete(&mut tx, row, now).await? {
                        return Err(ReceiveError::Superseded);
                    }
                }
            }
            Known::New => quotas::lock(&mut tx, self.db.engine()).await?,
        }
        // Counted again: limits may have been lowered, and lengths been deferred. The own reservations are gone, and the
        // bundles not yet there.
        let mut more = BTreeMap::<&str, u64>::new();
        for row in rows {
            *more.entry(&row.ticket_id).or_default() += from_db(row.offset_bytes);
        }
        self.check_room(&mut tx, &more).await?;
        if !self.tickets.received(&mut tx, rows).await? {
            return Err(ReceiveError::CodeUsed);
        }
        if known == Known::New {
            uploads::insert_all(&mut tx, rows).await?;
        }
        let new: Vec<NewBundle<'_>> = rows.iter().map(|row| new_bundle(row, now)).collect();
        bundles::insert_all(&mut tx, &new).await?;
        let ids: Vec<&str> = new.iter().map(|new| new.id).collect();
        jobs::enqueue_all(&mut tx, INGEST, &ids, now).await?;
        if self.store.is_shared() && known == Known::Open {
            for row in rows {
                pieces::forget(&mut tx, &row.id).await?;
            }
        }
        tx.commit().await?;
        self.wake.call(INGEST);
        for row in rows {
            tracing::info!(upload.id = %row.id, bundle.id = %row.bundle_id, ticket.id = %row.ticket_id, "upload complete");
        }
        Ok(())
    }

    /// Whether so many more bytes have room in each ticket, and all in the collector.
    pub(super) async fn check_room(
        &self,
        tx: &mut AnyConnection,
        more: &BTreeMap<&str, u64>,
    ) -> Result<(), ReceiveError> {
        let limited = self.limits.all_bytes < u64::MAX;
        let all = more
            .values()
            .fold(0, |sum: u64, more| sum.saturating_add(*more));
        for (ticket, more) in more {
            let used = quotas::bytes(tx, ticket, limited).await?;
            for (of, used, more, most) in [
                ("ticket", used.ticket, *more, self.limits.ticket_bytes),
                ("collector", used.all, all, self.limits.all_bytes),
            ] {
                if used.saturating_add(more) > most {
                    return Err(ReceiveError::Quota { of });
                }
            }
        }
        Ok(())
    }
}

fn new_bundle(row: &UploadRow, now: i64) -> NewBundle<'_> {
    NewBundle {
        id: &row.bundle_id,
        upload_id: &row.id,
        ticket_id: &row.ticket_id,
        filename: &row.filename,
        bytes: row.offset_bytes,
        sha256: row.sha256.as_deref().unwrap_or_default(),
        receipt: &row.receipt,
        received_ms: now,
    }
}
