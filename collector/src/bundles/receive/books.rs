//! The books: the one transaction that makes complete uploads bundles with jobs. Uploads that came whole are entered
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

/// Uploads that are entered together at most.
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
/// An upload that is stored whole, and who waits for it.
type Waiting = (UploadRow, oneshot::Sender<Outcome>);

/// Where complete uploads are entered.
#[derive(Debug)]
pub(super) struct Books {
    pub db: Db,
    pub store: Arc<Store>,
    pub limits: Limits,
    pub tickets: Arc<dyn Tickets>,
    /// Told when a job was queued, so that a worker of this process need not wait for its next look.
    pub wake: Arc<Wake>,
}

/// The way into the books for uploads that came whole. Nobody waits for company: whoever comes while nobody is entered is
/// entered at once, and those who come meanwhile are the next.
#[derive(Debug)]
pub(super) struct Entrance {
    books: Arc<Books>,
    tasks: Tasks,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Some are being entered.
    busy: bool,
}

/// The right to enter. Whatever ends it, also a panic, the next are let in.
struct Turn(Arc<Entrance>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.next();
    }
}

impl Entrance {
    pub(super) fn new(books: Arc<Books>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            books,
            tasks,
            queue: Mutex::default(),
        })
    }

    /// Enters an upload whose bytes are stored. It is entered also when the caller gives up.
    pub(super) async fn enter(self: &Arc<Self>, row: UploadRow) -> Outcome {
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
            let (rows, mut waiting): (Vec<_>, Vec<_>) = some.into_iter().unzip();
            let outcomes = match turn.0.books.enter_each(rows).await {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    // Those who came meanwhile would wait as long for a database that does not answer.
                    let late = turn.0.queue().waiting.split_off(0);
                    waiting.extend(late.into_iter().map(|(_, waiting)| waiting));
                    let told = |_: &_| Err(DbError::Together(Arc::clone(&error)).into());
                    waiting.iter().map(told).collect()
                }
            };
            for (waiting, outcome) in waiting.into_iter().zip(outcomes) {
                // Whoever has gone finds the upload recorded, as when an answer is lost.
                let _ = waiting.send(outcome);
            }
        });
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Enters new uploads together; when one of them cannot be, each by itself.
    ///
    /// # Errors
    /// When the database does not answer, for all of them.
    async fn enter_each(&self, rows: Vec<UploadRow>) -> Result<Vec<Outcome>, Arc<DbError>> {
        match self.enter(&rows, Known::New).await {
            Ok(()) => return Ok(rows.into_iter().map(Ok).collect()),
            Err(ReceiveError::Db(error)) if error.is_unavailable() => return Err(error.into()),
            Err(error) if rows.len() == 1 => return Ok(vec![self.refuse(&rows[0], error).await]),
            Err(error) => tracing::debug!(%error, "each upload is recorded by itself"),
        }
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push(match self.enter(slice::from_ref(&row), Known::New).await {
                Ok(()) => Ok(row),
                Err(error) => self.refuse(&row, error).await,
            });
        }
        Ok(outcomes)
    }

    /// Whoever sent a new upload hears why it was not entered; of one that is refused for good nothing is left.
    async fn refuse(&self, row: &UploadRow, error: ReceiveError) -> Outcome {
        if error.refusal().is_some() {
            self.remove(row).await?;
        }
        Err(error)
    }

    /// Removes the bytes of an upload that was refused.
    pub(super) async fn remove(&self, row: &UploadRow) -> Result<(), ReceiveError> {
        let (store, bundle) = (Arc::clone(&self.store), super::parse(&row.bundle_id)?);
        Ok(tokio::task::spawn_blocking(move || store.remove_bundle(bundle)).await??)
    }

    /// The one transaction: uploads complete, codes spent, bundles and jobs there; for all of them, or for none.
    pub(super) async fn enter(&self, rows: &[UploadRow], known: Known) -> Result<(), ReceiveError> {
        if known == Known::New {
            let store = Arc::clone(&self.store);
            tokio::task::spawn_blocking(move || store.sync_names()).await??;
        }
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
