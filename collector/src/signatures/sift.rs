//! One signature over one stored bundle: by the index first, which tells in a few bytes where it cannot match, then only
//! through the blocks of files in which it may. Bundles were judged when they came; nothing here writes.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use serde_json::Value;
use sitrep_shared::signature::{
    Admitted, Catalogue, Engine, EngineError, Filter, Finding, Probe, RunOptions, Signature,
    SourceMap, Status,
};
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use crate::bundles::browse::index::{BrowseIndex, FileEntry};
use crate::bundles::ingest::as_collected;
use crate::bundles::storage::{Derived, StorageError, Store};

/// Bytes given to the engine at a time.
const PIECE_BYTES: usize = 256 << 10;
/// Where the files of a host lie in a bundle of ours.
const HOST_FILES: &str = "sos/";

/// A bundle that could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SiftError {
    /// The store failed.
    #[error("use the store")]
    Storage(#[from] StorageError),
    /// A file of it cannot be read.
    #[error("read the bundle")]
    Read(#[from] io::Error),
}

/// One signature, ready to be looked for.
pub struct Sieve {
    /// The signature, in force whatever its status.
    pub signature: Arc<Signature>,
    engine: Engine,
    probe: Probe,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// Bytes of the bundle, as it is stored.
    pub bundle_bytes: u64,
    /// Bytes of the indexes beside it.
    pub index_bytes: u64,
}

/// Which parts of a bundle are to be read.
pub struct Plan {
    /// Stretches of the stored bundle, rising, each with its files.
    stretches: Vec<Stretch>,
    /// Bytes of the indexes that were read to tell.
    index_bytes: u64,
    /// The files are those of another maker.
    foreign: bool,
}

/// Neighbouring blocks.
struct Stretch {
    packed: (u64, u64),
    /// Where the first byte lies in the unpacked stream.
    unpacked: u64,
    files: Vec<(String, FileEntry)>,
}

impl Plan {
    /// Bytes of the indexes that were read to tell.
    pub fn index_bytes(&self) -> u64 {
        self.index_bytes
    }

    /// Bytes of the bundle that will be read.
    pub fn bytes(&self) -> u64 {
        self.stretches.iter().map(|s| s.packed.1 - s.packed.0).sum()
    }
}

impl Sieve {
    /// Prepares a signature; a draft or a retired one is run too.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn new(signature: &Signature, sources: &SourceMap) -> Result<Self, EngineError> {
        let mut active = signature.clone();
        if !active.is_active() {
            active.extension.get_or_insert_default().status = Status::Live;
        }
        let catalogue = Catalogue {
            signatures: vec![active.clone()],
        };
        Ok(Self {
            engine: Engine::new(&catalogue, sources)?,
            probe: Probe::of(&active),
            signature: Arc::new(active),
        })
    }

    /// Tells what of a bundle must be read.
    ///
    /// # Errors
    /// When store or index cannot be read. A missing or broken filter only makes more to be read.
    pub fn plan(&self, store: &Store, bundle: Uuid) -> Result<Plan, SiftError> {
        let mut plan = Plan {
            stretches: Vec::new(),
            index_bytes: 0,
            foreign: false,
        };
        if self.signature.rule.is_none() {
            return Ok(plan);
        }
        let admitted = self.admitted(store, bundle, &mut plan.index_bytes);
        let nowhere = |admitted: &Admitted| !admitted.file(0, u64::MAX);
        if admitted.as_ref().is_some_and(nowhere) {
            return Ok(plan);
        }
        let index = BrowseIndex::open(store.derived(bundle, Derived::Index)?)?;
        let (foreign, files) = as_known(index.entries()?);
        plan.foreign = foreign;
        plan.index_bytes += index.table_bytes();
        for (known_as, entry) in files {
            let (from, to) = (entry.offset, entry.offset + entry.size);
            let may = admitted.as_ref().is_none_or(|a| a.file(from, to));
            if entry.size == 0 || !may || !self.reads(&known_as, foreign) {
                continue;
            }
            let (packed, unpacked) = index.block_before(from)?;
            let end = index.block_after(to - 1)?;
            plan.index_bytes += 2 * 16;
            plan.add(packed, end, unpacked, (known_as, entry));
        }
        let length = store.body(bundle)?.seek(SeekFrom::End(0))?;
        for stretch in &mut plan.stretches {
            stretch.packed.1 = stretch.packed.1.min(length);
        }
        Ok(plan)
    }

    /// Whether its source means a file of this path.
    fn reads(&self, path: &str, foreign: bool) -> bool {
        let options = RunOptions {
            ignore_source: foreign,
            ..RunOptions::default()
        };
        self.engine.run(options).file(path).is_read()
    }

    fn admitted(&self, store: &Store, bundle: Uuid, read_bytes: &mut u64) -> Option<Admitted> {
        if !self.probe.is_selective() {
            return None;
        }
        let file = store.derived(bundle, Derived::Filter).ok()?;
        let counted = Cell::new(0u64);
        let mut read = |at: u64, buffer: &mut [u8]| {
            counted.set(counted.get() + buffer.len() as u64);
            file.read_exact_at(buffer, at)
        };
        let filter = Filter::open(&mut read).ok();
        let admitted = filter.and_then(|filter| self.probe.admitted(&filter, &mut read).ok());
        *read_bytes += counted.get();
        admitted
    }

    /// Looks through what a plan names. `time_ms` is when the content was made.
    ///
    /// # Errors
    /// When the bundle cannot be read.
    pub fn look(
        &self,
        store: &Store,
        (bundle, time_ms): (Uuid, i64),
        plan: &Plan,
    ) -> Result<(Option<Finding>, Touched), SiftError> {
        let mut touched = Touched {
            bundle_bytes: 0,
            index_bytes: plan.index_bytes,
        };
        let facts = self.facts(store, bundle, &mut touched);
        let options = RunOptions {
            bundle_time: UtcMs(time_ms),
            ignore_source: plan.foreign,
            ..RunOptions::default()
        };
        let mut run = self.engine.run(options);
        for stretch in &plan.stretches {
            let mut body = store.body(bundle)?;
            let (from, to) = stretch.packed;
            body.seek(SeekFrom::Start(from))?;
            body.ahead(Some(to - from));
            let packed = BufReader::with_capacity(PIECE_BYTES, body.take(to - from));
            let mut unpacked = MultiGzDecoder::new(packed);
            let mut at = stretch.unpacked;
            for (known_as, entry) in &stretch.files {
                let between = entry.offset.checked_sub(at).ok_or_else(lies)?;
                skip(&mut unpacked, between)?;
                let mut scan = run.file(known_as);
                let mut left = (&mut unpacked).take(entry.size);
                let mut piece = vec![0u8; PIECE_BYTES];
                loop {
                    match left.read(&mut piece)? {
                        0 => break,
                        n => scan.push(&piece[..n]),
                    }
                }
                run.done(scan.finish());
                at = entry.offset + entry.size;
            }
            touched.bundle_bytes += to - from;
        }
        let mut report = run.finish(facts.as_ref());
        Ok((report.findings.pop(), touched))
    }

    /// The facts, when the signature looks at any.
    fn facts(&self, store: &Store, bundle: Uuid, touched: &mut Touched) -> Option<Value> {
        let extension = self.signature.extension.as_ref()?;
        let needed = extension.requires.is_some()
            || extension.introduced_in.is_some()
            || extension.fixed_in.is_some()
            || !extension.suppress.is_empty();
        let json = needed.then(|| store.read_derived(bundle, Derived::Facts).ok())??;
        touched.index_bytes += json.len() as u64;
        serde_json::from_slice(&json).ok()
    }
}

impl Plan {
    fn add(&mut self, packed: u64, end: u64, unpacked: u64, file: (String, FileEntry)) {
        match self.stretches.last_mut() {
            // The file begins in a block that is read anyway, or in the next one.
            Some(last) if packed <= last.packed.1 => {
                last.packed.1 = last.packed.1.max(end);
                last.files.push(file);
            }
            _ => self.stretches.push(Stretch {
                packed: (packed, end),
                unpacked,
                files: vec![file],
            }),
        }
    }
}

/// The files that signatures read, under the paths by which they know them; and whether another maker's they are.
pub(super) fn as_known(entries: Vec<FileEntry>) -> (bool, Vec<(String, FileEntry)>) {
    let ours = |entry: &FileEntry| entry.path.starts_with(HOST_FILES);
    let foreign = !entries.iter().any(ours);
    let files = entries.into_iter().filter(|entry| foreign || ours(entry));
    let named = files.map(|entry| {
        let known_as = if foreign {
            as_collected(&entry.path)
        } else {
            entry.path.clone()
        };
        (known_as, entry)
    });
    (foreign, named.collect())
}

fn lies() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the index of files is not in order",
    )
}

fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if skipped == bytes {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
