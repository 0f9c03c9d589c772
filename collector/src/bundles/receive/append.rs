//! Appending a request's body to an upload.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use super::body::{Batches, End};
use super::headers::Checksum;
use super::turns::Turn;
use super::{ReceiveError, Receiver, from_db, now_ms, settled, to_db};
use crate::bundles::storage::{HashState, Part, StorageError};
use crate::db::uploads::{self, Step, UploadRow};
use crate::db::{Db, pieces};
use crate::tasks;

/// Long bodies are committed after this long as well, when there is something worth a sync.
const GROUP_TIME: Duration = Duration::from_secs(1);
/// Less than this is not worth a sync of its own: 10,000 slow clients would cost 10,000 a second.
const GROUP_MIN_BYTES: u64 = 256 * 1024;

/// What a PATCH, or the body of a creation, asks for.
#[derive(Debug, Clone)]
pub struct Append {
    /// The upload.
    pub upload: Uuid,
    /// Where the client believes it stands.
    pub offset: u64,
    /// Length, when it was deferred and is known now.
    pub length: Option<u64>,
    /// Digest the body must have.
    pub checksum: Option<Checksum>,
    /// Length of the body, when the client says it.
    pub body_bytes: Option<u64>,
}

/// The part and the right to write it. It goes into each blocking write and comes back, so that a request that is
/// dropped in the middle keeps its turn until the write is over.
struct Hold {
    part: Part,
    turn: Turn,
    sum: Option<Sum>,
}

pub(super) enum Sum {
    Sha1(Sha1, [u8; 20]),
    Sha256(Sha256, [u8; 32]),
}

impl Sum {
    pub(super) fn new(checksum: Checksum) -> Self {
        match checksum {
            Checksum::Sha1(expected) => Self::Sha1(Sha1::new(), expected),
            Checksum::Sha256(expected) => Self::Sha256(Sha256::new(), expected),
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha1(hash, _) => hash.update(data),
            Self::Sha256(hash, _) => hash.update(data),
        }
    }

    pub(super) fn fits(self) -> bool {
        match self {
            Self::Sha1(hash, expected) => hash.finalize()[..] == expected,
            Self::Sha256(hash, expected) => hash.finalize()[..] == expected,
        }
    }
}

impl Hold {
    /// Writes off the async threads.
    async fn write(mut self, batch: Vec<Bytes>) -> Result<Self, ReceiveError> {
        let written = tokio::task::spawn_blocking(move || {
            for chunk in &batch {
                self.part.write(chunk)?;
                if let Some(sum) = &mut self.sum {
                    sum.update(chunk);
                }
            }
            Ok::<_, StorageError>(self)
        });
        Ok(written.await??)
    }

    async fn sync(mut self) -> Result<Self, ReceiveError> {
        let synced = tokio::task::spawn_blocking(move || self.part.sync().map(|()| self));
        Ok(synced.await??)
    }

    /// After the commit: what was replaced goes.
    async fn committed(mut self) -> Result<Self, ReceiveError> {
        if self.part.change() == (&[], &[]) {
            return Ok(self);
        }
        let cleaned = tokio::task::spawn_blocking(move || {
            self.part.committed();
            self
        });
        Ok(cleaned.await?)
    }
}

impl Receiver {
    /// Appends a body. Gives the row as it stands after, complete when the last byte came.
    ///
    /// # Errors
    /// See [`ReceiveError`]; what was acknowledged before stays acknowledged in every case.
    pub async fn append<S, E>(
        &self,
        code_id: &str,
        request: Append,
        body: S,
    ) -> Result<UploadRow, ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let _slot = self.slots.try_acquire().map_err(|_| ReceiveError::Busy)?;
        let row = self.find(code_id, request.upload).await?;
        if !row.is_open() {
            return self.repeated(settled(row)?, &request, body).await;
        }
        let turn = self.turns.take(request.upload).await;
        let Some(row) = self.take_turn(&row.id).await? else {
            drop(turn);
            let row = settled(self.find(code_id, request.upload).await?)?;
            return self.repeated(row, &request, body).await;
        };
        let row = self.prepare(row, &request).await?;
        let hold = match self.open(&row, turn, request.checksum).await? {
            Some(hold) => hold,
            None => return self.complete_sealed(row).await,
        };
        self.stream(row, hold, body).await
    }

    /// A request repeated after completion gets the same answer when it stands at the end and brings nothing more.
    async fn repeated<S, E>(
        &self,
        row: UploadRow,
        request: &Append,
        mut body: S,
    ) -> Result<UploadRow, ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let actual = from_db(row.offset_bytes);
        if request.offset != actual {
            return Err(ReceiveError::Offset { actual });
        }
        self.ends_here(&mut body, request.body_bytes, actual)
            .await?;
        Ok(row)
    }

    /// Refuses a body that has a byte, where an upload of `limit` bytes has them all: it would be told that the byte
    /// is kept. `said` is the length of the body, when the client says it.
    ///
    /// # Errors
    /// Too large, or the body does not come to its end.
    pub async fn ends_here<S, E>(
        &self,
        body: &mut S,
        said: Option<u64>,
        limit: u64,
    ) -> Result<(), ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        match said {
            Some(0) => return Ok(()),
            Some(_) => return Err(ReceiveError::TooLarge { limit }),
            None => {}
        }
        let mut batches = Batches::new(body, self.limits.idle, self.limits.min_rate);
        loop {
            match batches.next().await {
                Ok(batch) if batch.iter().all(Bytes::is_empty) => {}
                Ok(_) => return Err(ReceiveError::TooLarge { limit }),
                Err(End::Done) => return Ok(()),
                Err(end) => return Err(broken(end, limit)),
            }
        }
    }

    /// Checks offset and sizes, and sets a deferred length.
    async fn prepare(
        &self,
        mut row: UploadRow,
        request: &Append,
    ) -> Result<UploadRow, ReceiveError> {
        let actual = from_db(row.offset_bytes);
        if request.offset != actual {
            return Err(ReceiveError::Offset { actual });
        }
        let limit = from_db(row.reserved_bytes);
        if let Some(length) = request.length {
            let set = row.length_bytes.is_some_and(|set| from_db(set) != length);
            if set || length < actual {
                return Err(ReceiveError::LengthSet);
            }
            if length > limit {
                return Err(ReceiveError::TooLarge { limit });
            }
        }
        // Before the length is set: a request that is refused changes nothing.
        let limit = request
            .length
            .or(row.length_bytes.map(from_db))
            .unwrap_or(limit);
        if request
            .body_bytes
            .is_some_and(|bytes| bytes > limit.saturating_sub(actual))
        {
            return Err(ReceiveError::TooLarge { limit });
        }
        if let Some(length) = request.length {
            let mut tx = self.db.join().await?;
            let set = uploads::set_length(&mut tx, &row.id, row.epoch, to_db(length)).await?;
            tx.commit().await?;
            if !set {
                return Err(ReceiveError::LengthSet);
            }
            row.length_bytes = Some(to_db(length));
        }
        Ok(row)
    }

    /// Opens the part at the committed offset. `None`: it was sealed already, and only the record is missing.
    async fn open(
        &self,
        row: &UploadRow,
        turn: Turn,
        checksum: Option<Checksum>,
    ) -> Result<Option<Hold>, ReceiveError> {
        let Some(part) = self.open_part(row).await? else {
            return Ok(None);
        };
        Ok(Some(Hold {
            part,
            turn,
            sum: checksum.map(Sum::new),
        }))
    }

    /// Opens the part of an upload at its committed offset. `None`: it was sealed already. An upload whose
    /// acknowledged bytes are missing ends here.
    pub(super) async fn open_part(&self, row: &UploadRow) -> Result<Option<Part>, ReceiveError> {
        let resume = self.resume(row).await?;
        let (store, bundle) = (Arc::clone(&self.store), resume.bundle);
        let opened = tokio::task::spawn_blocking(move || match store.open_part(resume) {
            Err(error) if error.is_absent() && store.has_blob(bundle) => Ok(None),
            other => other.map(Some),
        });
        match opened.await? {
            Err(error) if error.is_lost() => {
                tracing::error!(upload.id = %row.id, error = %error, "acknowledged bytes are missing");
                self.end_row(row, "failed", Some("state_lost")).await?;
                Err(ReceiveError::Gone {
                    reason: "state_lost".to_owned(),
                })
            }
            other => Ok(other?),
        }
    }

    async fn stream<S, E>(
        &self,
        mut row: UploadRow,
        mut hold: Hold,
        body: S,
    ) -> Result<UploadRow, ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let cut = hold.turn.cut.clone();
        let limit = from_db(row.length_bytes.unwrap_or(row.reserved_bytes));
        let mut batches = Batches::new(body, self.limits.idle, self.limits.min_rate);
        let mut last = Instant::now();
        let end = loop {
            let batch = tokio::select! {
                biased;
                () = cut.cancelled() => return Err(ReceiveError::Superseded),
                batch = batches.next() => batch,
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(end) => break end,
            };
            let size: u64 = batch.iter().map(|chunk| chunk.len() as u64).sum();
            if hold.part.offset() + size > limit {
                return Err(ReceiveError::TooLarge { limit });
            }
            hold = hold.write(batch).await?;
            let pending = hold.part.offset() - from_db(row.offset_bytes);
            let due = pending >= self.limits.group_bytes
                || (pending >= GROUP_MIN_BYTES && last.elapsed() >= GROUP_TIME);
            let whole = hold.part.offset() == limit && row.length_bytes.is_some();
            if due && !whole && hold.sum.is_none() {
                (row, hold) = self.commit(row, hold).await?;
                last = Instant::now();
            }
        };
        self.settle(row, hold, end).await
    }

    /// What follows the last batch of a body.
    async fn settle(
        &self,
        row: UploadRow,
        mut hold: Hold,
        end: End,
    ) -> Result<UploadRow, ReceiveError> {
        if let Some(sum) = hold.sum.take() {
            if end != End::Done {
                return Err(broken(end, from_db(row.offset_bytes)));
            }
            if !sum.fits() {
                return Err(ReceiveError::Checksum);
            }
        }
        let whole = row.length_bytes == Some(to_db(hold.part.offset()));
        let more = hold.part.offset() > from_db(row.offset_bytes);
        let (row, hold) = if more && (!whole || hold.part.commits_before_seal()) {
            self.commit(row, hold).await?
        } else {
            (row, hold)
        };
        if whole {
            let Hold { part, turn, .. } = hold;
            return self.complete(row, part, turn).await;
        }
        match end {
            End::Done => Ok(row),
            _ => Err(broken(end, hold.part.offset())),
        }
    }

    /// Sync, then commit: only now is the offset true.
    async fn commit(&self, row: UploadRow, hold: Hold) -> Result<(UploadRow, Hold), ReceiveError> {
        let hold = hold.sync().await?;
        // A commit may come through after its request was dropped. The turn lasts as long: whoever has it next begins where
        // this one ended.
        tasks::to_the_end(advance(self.db.clone(), row, hold)).await
    }
}

async fn advance(
    db: Db,
    mut row: UploadRow,
    mut hold: Hold,
) -> Result<(UploadRow, Hold), ReceiveError> {
    let (from, to) = (row.offset_bytes, to_db(hold.part.offset()));
    let hash_state = hold.part.hash().map(HashState::text);
    let step = Step {
        from,
        to,
        hash_state: hash_state.as_deref(),
        now_ms: now_ms(),
    };
    let mut tx = db.join().await?;
    if !uploads::advance(&mut tx, &row.id, row.epoch, &step).await? {
        return Err(ReceiveError::Superseded);
    }
    let (added, dropped) = hold.part.change();
    for name in dropped {
        pieces::remove_tail(&mut tx, &row.id, name).await?;
    }
    for piece in added {
        pieces::add(&mut tx, &row.id, &super::resume::piece_row(piece)).await?;
    }
    tx.commit().await?;
    hold = hold.committed().await?;
    tracing::debug!(upload.id = %row.id, offset = to, "acknowledged");
    row.offset_bytes = to;
    row.touched_ms = step.now_ms;
    row.hash_state = hash_state;
    "receiving".clone_into(&mut row.state);
    Ok((row, hold))
}

fn broken(end: End, committed: u64) -> ReceiveError {
    match end {
        End::Slow => ReceiveError::Slow { committed },
        End::Done | End::Broken => ReceiveError::Broken { committed },
    }
}
