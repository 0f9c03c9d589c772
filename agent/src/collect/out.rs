//! Where readers write an item's bytes: bounded chunks to the runner's thread, with the item's limits.

use super::cancel::Cancel;
use super::sink::{ItemEnd, ItemStart};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Size of a chunk: large enough that handing over costs nothing, small enough for a 24 MB process.
pub const CHUNK: usize = 128 << 10;
/// Time beyond an item's own limit after which its reader is taken for hung.
const GRACE_MS: u64 = 3_000;

/// Messages from the worker to the runner's thread.
pub(crate) enum Msg {
    /// A whole small item.
    Whole(Box<(ItemStart, Vec<u8>, ItemEnd)>),
    /// The beginning of a larger one.
    Start(Box<ItemStart>),
    /// More bytes of it.
    Data(Vec<u8>),
    /// Its end.
    End(Box<ItemEnd>),
    /// A step of a source begins.
    StepStart,
    /// A step of a source has ended.
    StepEnd,
}

/// What both threads look at.
#[derive(Debug)]
pub(crate) struct Shared {
    pub began: Instant,
    /// When the item at hand counts as hung, in ms since the run began; 0 for none.
    pub deadline_ms: AtomicU64,
    /// Bytes handed over by items that count against the budget.
    pub used_bytes: AtomicU64,
    /// Commands started.
    pub commands: AtomicU64,
    /// Why no more is collected, once that is so.
    pub pressure: OnceLock<String>,
}

impl Shared {
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Why no more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The item's byte limit is reached.
    Full,
    /// The item's time is over.
    Late,
    /// The run was cancelled, or nobody listens any more.
    Cancelled,
}

/// The writing end of one item.
pub struct Out {
    tx: SyncSender<Msg>,
    shared: Arc<Shared>,
    cancel: Cancel,
    start: Option<Box<ItemStart>>,
    buffer: Vec<u8>,
    limit: u64,
    timeout_ms: u64,
    ends_ms: u64,
    handed: u64,
    stop: Option<Stop>,
}

impl Out {
    pub(crate) fn new(
        tx: SyncSender<Msg>,
        shared: Arc<Shared>,
        cancel: Cancel,
        start: ItemStart,
        (limit, timeout_ms): (u64, u64),
    ) -> Self {
        let ends_ms = shared.now_ms() + timeout_ms;
        shared
            .deadline_ms
            .store(ends_ms + GRACE_MS, Ordering::SeqCst);
        let start = Some(Box::new(start));
        Self {
            tx,
            shared,
            cancel,
            start,
            buffer: Vec::new(),
            limit,
            timeout_ms,
            ends_ms,
            handed: 0,
            stop: None,
        }
    }

    /// Bytes taken so far.
    pub fn len(&self) -> u64 {
        self.handed
    }

    /// Whether nothing has been taken yet.
    pub fn is_empty(&self) -> bool {
        self.handed == 0
    }

    /// Bytes that still fit.
    pub fn room(&self) -> u64 {
        self.limit - self.handed
    }

    /// The byte limit.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Time left for this item.
    pub fn time_left(&self) -> Duration {
        Duration::from_millis(self.ends_ms.saturating_sub(self.shared.now_ms()))
    }

    /// Why no more is taken, once that is so.
    pub fn stopped(&self) -> Option<Stop> {
        self.stop
    }

    /// Takes bytes; what does not fit is cut at the last line end. Answers whether more is wanted.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if self.stop.is_some() {
            return false;
        }
        let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
        let fits = if bytes.len() <= room {
            bytes
        } else {
            self.stop = Some(Stop::Full);
            let cut = &bytes[..room];
            // Without any line end the text is cut where the limit is.
            &cut[..memchr::memrchr(b'\n', cut)
                .map_or(if self.handed == 0 { room } else { 0 }, |at| at + 1)]
        };
        self.handed += fits.len() as u64;
        if self.buffer.len() + fits.len() > CHUNK {
            self.flush_chunk();
        }
        if fits.len() > CHUNK {
            for part in fits.chunks(CHUNK) {
                self.buffer.extend_from_slice(part);
                self.flush_chunk();
            }
        } else {
            self.buffer.extend_from_slice(fits);
        }
        self.stop.is_none()
    }

    /// Looks at the clock and the cancel token; readers that produce little call it in their loops.
    pub fn check(&mut self) -> bool {
        if self.stop.is_none() {
            if self.cancel.is_cancelled() {
                self.stop = Some(Stop::Cancelled);
            } else if self.shared.now_ms() > self.ends_ms {
                self.stop = Some(Stop::Late);
            }
        }
        self.stop.is_none()
    }

    fn flush_chunk(&mut self) {
        if let Some(start) = self.start.take() {
            self.send(Msg::Start(start));
        }
        if !self.buffer.is_empty() {
            let next = Vec::with_capacity(self.buffer.len());
            let full = std::mem::replace(&mut self.buffer, next);
            self.send(Msg::Data(full));
        }
        self.check();
        // An item that makes progress is not hung.
        let hung = self.shared.now_ms() + self.timeout_ms + GRACE_MS;
        self.shared.deadline_ms.store(hung, Ordering::SeqCst);
    }

    fn send(&mut self, msg: Msg) {
        if self.tx.send(msg).is_err() {
            self.stop = Some(Stop::Cancelled);
        }
    }

    /// Ends the item. Answers whether somebody still listens.
    pub(crate) fn finish(mut self, end: ItemEnd) -> bool {
        self.shared.deadline_ms.store(0, Ordering::SeqCst);
        if let Some(start) = self.start.take() {
            let buffer = std::mem::take(&mut self.buffer);
            return self
                .tx
                .send(Msg::Whole(Box::new((*start, buffer, end))))
                .is_ok();
        }
        self.flush_chunk();
        self.shared.deadline_ms.store(0, Ordering::SeqCst);
        self.tx.send(Msg::End(Box::new(end))).is_ok()
    }
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.push(bytes) {
            Ok(bytes.len())
        } else {
            Err(io::Error::from(io::ErrorKind::WriteZero))
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
