//! The writing end of the pipeline: hashes, compresses and stores on a thread of its own, while the
//! collecting side redacts and matches the next bytes. The channel between them is short, so memory
//! stays bounded whatever the size of a file.

use sitrep_shared::bundle::writer::{BundleWriter, Stored, WriteError};
use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Parts on their way; with 128 KiB each this is 1 MiB.
const IN_FLIGHT: usize = 8;
/// Entries up to this size are handed to the writer whole.
const SMALL_BYTES: usize = 64 * 1024;

enum Order {
    Begin { number: usize, path: String },
    Data(Vec<u8>),
    End,
    Link { number: usize, path: String, target: String },
}

/// What was stored, by the number the caller gave.
pub type StoredItems = Vec<(usize, Stored)>;

/// Hands entries to the writing thread.
pub struct Packer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<Result<(BundleWriter<File>, StoredItems), WriteError>>>,
    fault: Arc<Mutex<Option<String>>>,
}

impl Packer {
    /// Starts the thread.
    pub fn start(writer: BundleWriter<File>) -> std::io::Result<Self> {
        let (orders, inbox) = sync_channel(IN_FLIGHT);
        let fault = Arc::new(Mutex::new(None));
        let told = Arc::clone(&fault);
        let thread = std::thread::Builder::new().name("packer".into()).spawn(move || {
            let result = pack(writer, &inbox);
            if let (Err(error), Ok(mut fault)) = (&result, told.lock()) {
                *fault = Some(sitrep_shared::error::chain(error));
            }
            result
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread), fault })
    }

    fn order(&self, order: Order) {
        // A closed channel means that the thread has failed; `fault` and `finish` tell why.
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }

    /// Begins an entry.
    pub fn begin(&self, number: usize, path: String) {
        self.order(Order::Begin { number, path });
    }

    /// The entry's next bytes.
    pub fn data(&self, bytes: Vec<u8>) {
        self.order(Order::Data(bytes));
    }

    /// Ends the entry.
    pub fn end(&self) {
        self.order(Order::End);
    }

    /// Stores a link.
    pub fn link(&self, number: usize, path: String, target: String) {
        self.order(Order::Link { number, path, target });
    }

    /// Why nothing more can be stored, if so.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().ok().and_then(|fault| fault.clone())
    }

    /// Waits for everything to be stored.
    pub fn finish(mut self) -> Result<(BundleWriter<File>, StoredItems), WriteError> {
        self.orders = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => unreachable!("finish consumes the packer"),
        }
    }
}

fn pack(
    mut writer: BundleWriter<File>,
    inbox: &Receiver<Order>,
) -> Result<(BundleWriter<File>, StoredItems), WriteError> {
    let mut stored = Vec::new();
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Begin { number, path } => stored.push((number, entry(&mut writer, &path, inbox)?)),
            Order::Link { number, path, target } => stored.push((number, writer.link(&path, &target)?)),
            Order::Data(_) | Order::End => {}
        }
    }
    Ok((writer, stored))
}

fn entry(
    writer: &mut BundleWriter<File>,
    path: &str,
    inbox: &Receiver<Order>,
) -> Result<Stored, WriteError> {
    let mut small = Vec::new();
    loop {
        match inbox.recv() {
            Ok(Order::Data(bytes)) => small.extend_from_slice(&bytes),
            _ => return writer.add(path, &small),
        }
        if small.len() >= SMALL_BYTES {
            break;
        }
    }
    let mut entry = writer.begin(path)?;
    entry.write_all(&small)?;
    drop(small);
    while let Ok(Order::Data(bytes)) = inbox.recv() {
        entry.write_all(&bytes)?;
    }
    entry.finish()
}
