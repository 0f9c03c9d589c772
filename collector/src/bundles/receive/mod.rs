//! Receiving uploads: tus 1.0 without its HTTP. An offset that was told to a client is on disk and in the database;
//! a completed upload is a stored bundle with a job, in one transaction.
//!
//! The order is: write, sync the file, commit the offset, answer. Nothing here looks into what is uploaded.

mod append;
mod body;
mod error;
mod finish;
pub mod headers;
mod quota;
mod record;
mod recover;
mod resume;
mod turns;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use uuid::Uuid;

pub use append::Append;
pub use error::ReceiveError;
pub use headers::Metadata;
use record::{RecordQueue, Recorder};
pub use recover::Recovered;
use turns::Turns;
pub use whole::First;

use super::now_ms;
use super::storage::Store;
use crate::bundles::tickets::Tickets;
use crate::db::Db;
use crate::db::uploads::{self, UploadRow};
use crate::queue::Wake;
use crate::tasks::Tasks;

/// Bounds of receiving. Bytes and times are per upload unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest upload.
    pub max_bytes: u64,
    /// Bytes that may be lost when a connection dies: the offset is committed at least this often.
    pub group_bytes: u64,
    /// Longest silence inside a body.
    pub idle: Duration,
    /// Slowest average over a minute, bytes per second.
    pub min_rate: u64,
    /// Unfinished uploads lapse after this long without a byte.
    pub idle_expiry: Duration,
    /// Unfinished uploads lapse after this long in any case.
    pub max_age: Duration,
    /// Unfinished uploads a code may have beyond those it may complete: clients lose the address of a cut creation.
    pub spare_open: u64,
    /// Unfinished uploads an address may have.
    pub address_open: u64,
    /// Bytes of all bundles of a ticket.
    pub ticket_bytes: u64,
    /// Bytes of all bundles.
    pub all_bytes: u64,
    /// Bodies received at once.
    pub bodies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 5 << 30,
            group_bytes: 8 << 20,
            idle: Duration::from_secs(30),
            min_rate: 1000,
            idle_expiry: Duration::from_secs(24 * 3600),
            max_age: Duration::from_secs(7 * 24 * 3600),
            spare_open: 8,
            address_open: 1_000,
            ticket_bytes: 100 << 30,
            all_bytes: u64::MAX,
            bodies: 11_000,
        }
    }
}

/// What an upload code grants.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The code's row.
    pub code_id: String,
    /// The ticket that uploads go to.
    pub ticket_id: String,
    /// Longest upload by this code.
    pub max_bytes: u64,
    /// Uploads that may still be completed.
    pub uploads_left: u64,
    /// The client's address, or its network.
    pub address: String,
}

/// A request for a new upload.
#[derive(Debug, Clone, Default)]
pub struct Create {
    /// Length, unless deferred.
    pub length: Option<u64>,
    /// What the client says about the file.
    pub metadata: Metadata,
}

/// The service that receives uploads.
#[derive(Debug)]
pub struct Receiver {
    db: Db,
    store: Arc<Store>,
    limits: Limits,
    turns: Turns,
    slots: Semaphore,
    /// KiB of uploads that are kept in memory until they are whole.
    memory: Semaphore,
    recorder: Arc<Recorder>,
    waiting: Arc<RecordQueue>,
}

impl Receiver {
    /// Makes the service. `wake` is told whenever a job was queued.
    pub fn new(
        db: Db,
        store: Arc<Store>,
        limits: Limits,
        tickets: Arc<dyn Tickets>,
        (wake, tasks): (Arc<Wake>, Tasks),
    ) -> Self {
        let recorder = Arc::new(Recorder {
            db: db.clone(),
            store: Arc::clone(&store),
            limits: limits.clone(),
            tickets,
            wake,
        });
        Self {
            db,
            store,
            waiting: RecordQueue::new(Arc::clone(&recorder), tasks),
            recorder,
            slots: Semaphore::new(limits.bodies.min(Semaphore::MAX_PERMITS)),
            limits,
            turns: Turns::default(),
            memory: Semaphore::new(whole::MEMORY_KIB),
        }
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Makes a new upload: its row, with the bytes reserved. An upload of no bytes is complete at once.
    ///
    /// # Errors
    /// Too large, no room, too many, or a fault of disk or database; nothing is left behind then.
    pub async fn create(&self, grant: &Grant, request: Create) -> Result<UploadRow, ReceiveError> {
        let limit = self.allowed(grant, &request)?;
        let (upload, mut row) = self.new_row(grant, request, limit);
        if self.store.is_shared() {
            let (store, bundle) = (Arc::clone(&self.store), parse(&row.bundle_id)?);
            let length = row.length_bytes.map(from_db);
            let begun = tokio::task::spawn_blocking(move || store.begin(bundle, length));
            row.multipart_id = begun.await??;
        }
        if let Err(error) = self.reserve(grant, &row).await {
            if row.multipart_id.is_some() {
                let (store, resume) = (Arc::clone(&self.store), self.resume(&row).await);
                if let Ok(resume) = resume {
                    // An orphan is swept later; the refusal is what the client must hear.
                    let _ = tokio::task::spawn_blocking(move || store.discard(&resume)).await?;
                }
            }
            return Err(error);
        }
        if row.length_bytes == Some(0) {
            return self.complete_if_whole(&grant.code_id, upload).await;
        }
        Ok(row)
    }

    /// The longest upload that is allowed, when one of this length is.
    fn allowed(&self, grant: &Grant, request: &Create) -> Result<u64, ReceiveError> {
        let limit = self.limits.max_bytes.min(grant.max_bytes);
        if request.length.is_some_and(|length| length > limit) {
            return Err(ReceiveError::TooLarge { limit });
        }
        if grant.uploads_left == 0 {
            return Err(ReceiveError::CodeUsed);
        }
        Ok(limit)
    }

    fn new_row(&self, grant: &Grant, request: Create, limit: u64) -> (Uuid, UploadRow) {
        let (upload, bundle, now) = (Uuid::now_v7(), Uuid::now_v7(), now_ms());
        let row = UploadRow {
            id: upload.to_string(),
            ticket_id: grant.ticket_id.clone(),
            code_id: grant.code_id.clone(),
            bundle_id: bundle.to_string(),
            receipt: receipt(),
            state: "created".to_owned(),
            epoch: 0,
            offset_bytes: 0,
            length_bytes: request.length.map(to_db),
            reserved_bytes: to_db(request.length.unwrap_or(limit)),
            filename: request.metadata.filename,
            metadata: request.metadata.raw,
            declared_sha256: request.metadata.sha256,
            consent: request.metadata.consent,
            sha256: None,
            reason: None,
            created_ms: now,
            touched_ms: now,
            expires_ms: now
                + i64::try_from(self.limits.max_age.as_millis()).unwrap_or(i64::MAX / 2),
            hash_state: None,
            multipart_id: None,
            address: grant.address.clone(),
        };
        (upload, row)
    }

    /// Where an upload stands. Cuts off a request that still writes, so that the answer is not stale at once.
    ///
    /// # Errors
    /// Unknown, ended without a bundle, or the database does not answer.
    pub async fn head(&self, code_id: &str, upload: Uuid) -> Result<UploadRow, ReceiveError> {
        let row = self.find(code_id, upload).await?;
        if !row.is_open() {
            return settled(row);
        }
        if row.length_bytes == Some(row.offset_bytes) {
            // All bytes are there, and a stop came before the end: the client must not hear that nothing is left to do.
            return self.complete_if_whole(code_id, upload).await;
        }
        let turn = self.turns.take(upload).await;
        let taken = self.take_turn(&row.id).await?;
        drop(turn);
        match taken {
            Some(row) => Ok(row),
            None => settled(self.find(code_id, upload).await?),
        }
    }

    /// Ends an upload of deferred length where it stands.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn close(
        &self,
        code_id: &str,
        upload: Uuid,
        at: i64,
    ) -> Result<UploadRow, ReceiveError> {
        let (offset, none) = (
            from_db(at),
            futures_util::stream::empty::<Result<bytes::Bytes, std::io::Error>>(),
        );
        let request = Append {
            upload,
            offset,
            length: Some(offset),
            checksum: None,
            body_bytes: Some(0),
        };
        self.append(code_id, request, none).await
    }

    /// The row of an upload, whatever its state, without disturbing it.
    ///
    /// # Errors
    /// Unknown to this code, or the database does not answer.
    pub async fn find(&self, code_id: &str, upload: Uuid) -> Result<UploadRow, ReceiveError> {
        let mut conn = self.db.read().await?;
        let row = uploads::find(&mut conn, &upload.to_string()).await?;
        row.filter(|row| row.code_id == code_id)
            .ok_or(ReceiveError::Unknown)
    }

    /// Ends an open upload at the client's wish and frees its room.
    ///
    /// # Errors
    /// Unknown, ended already, complete (a bundle is not the uploader's to remove), or a fault.
    pub async fn cancel(&self, code_id: &str, upload: Uuid) -> Result<(), ReceiveError> {
        let row = self.find(code_id, upload).await?;
        if !row.is_open() {
            settled(row)?;
            return Err(ReceiveError::Gone {
                reason: "complete".to_owned(),
            });
        }
        self.drop_upload(&row, "cancelled", None).await
    }

    /// Takes the turn on an open upload and gives the row as it stands. One process receives into a folder, so that
    /// there the turn in this process is all there is.
    async fn take_turn(&self, id: &str) -> Result<Option<UploadRow>, ReceiveError> {
        if !self.store.is_shared() {
            let row = uploads::find(&mut *self.db.read().await?, id).await?;
            return Ok(row.filter(UploadRow::is_open));
        }
        let mut tx = self.db.join().await?;
        let row = uploads::take_turn(&mut tx, id).await?;
        tx.commit().await?;
        Ok(row)
    }

    async fn end_row(
        &self,
        row: &UploadRow,
        state: &str,
        reason: Option<&str>,
    ) -> Result<(), ReceiveError> {
        let mut tx = self.db.join().await?;
        uploads::end(&mut tx, &row.id, state, reason, now_ms()).await?;
        Ok(tx.commit().await?)
    }

    /// Ends an open upload in `state` and removes its part.
    async fn drop_upload(
        &self,
        row: &UploadRow,
        state: &str,
        reason: Option<&str>,
    ) -> Result<(), ReceiveError> {
        let upload = parse(&row.id)?;
        let turn = self.turns.take(upload).await;
        self.end_row(row, state, reason).await?;
        self.discard(row).await?;
        drop(turn);
        self.turns.forget(upload);
        Ok(())
    }
}

/// A row that is not open is either complete, or gone for good.
fn settled(row: UploadRow) -> Result<UploadRow, ReceiveError> {
    if row.state == "complete" {
        return Ok(row);
    }
    Err(ReceiveError::Gone {
        reason: row.reason.unwrap_or(row.state),
    })
}

/// Our own ids are always UUIDs; a row that says otherwise counts as unknown.
fn parse(id: &str) -> Result<Uuid, ReceiveError> {
    Uuid::parse_str(id).map_err(|_| ReceiveError::Unknown)
}

/// Sizes are checked against limits far below 2^63 before they come here.
pub(crate) fn to_db(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(crate) fn from_db(bytes: i64) -> u64 {
    bytes.max(0).unsigned_abs()
}

/// `RCP-XXXX-XXXX` in Crockford's alphabet: 40 random bits, unique by the table's constraint.
fn receipt() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    // The last eight bytes of a UUIDv7 are random but for two bits in the first of them, which `& 31` leaves out.
    let id = Uuid::now_v7();
    let random = &id.as_bytes()[8..];
    let mut text = String::from("RCP");
    for (place, byte) in random.iter().enumerate() {
        if place % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte & 31)]));
    }
    text
}

#[cfg(test)]
mod tests;
