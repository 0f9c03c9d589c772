//! The unpacked stream of a bundle from any place on: block by block, from the one that holds the place.

use std::io::{self, Read, Seek, SeekFrom};

use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::reader::BlockDecoder;

use super::index::BrowseIndex;
use crate::bundles::storage::Source;

/// Packed bytes between two places of the table at most: a block, and a stored header before it.
const RANGE_MAX_BYTES: u64 = 4 << 20;

/// A reader over a range of the unpacked stream. Blocks are decoded as they are read.
///
/// # Errors
/// When index or source cannot be read.
pub fn stream(
    mut source: Source,
    index: &BrowseIndex,
    offset: u64,
    length: u64,
) -> io::Result<impl Read + Send + use<>> {
    let table = index.blocks_of(offset..offset.saturating_add(length))?;
    let (packed_at, unpacked_at) = table[0];
    source.seek(SeekFrom::Start(packed_at))?;
    let limits = Limits::default();
    Ok(Blocks {
        source,
        ends: table
            .iter()
            .skip(1)
            .map(|(packed, _)| *packed)
            .rev()
            .collect(),
        at: packed_at,
        packed: Vec::new(),
        taken: 0,
        decoder: BlockDecoder::new(&limits),
        used: 0,
        skip: offset - unpacked_at,
    }
    .take(length))
}

struct Blocks {
    source: Source,
    /// Where the next ranges end in the source, the nearest last.
    ends: Vec<u64>,
    /// Where the source stands.
    at: u64,
    packed: Vec<u8>,
    taken: usize,
    decoder: BlockDecoder,
    used: usize,
    /// Bytes before the place that was asked for.
    skip: u64,
}

impl Blocks {
    /// Reads the next packed range. Behind the table, whatever is left: the last block, and what is no block.
    fn fetch(&mut self) -> io::Result<()> {
        let bytes = match self.ends.pop() {
            Some(end) => end.checked_sub(self.at).filter(|n| *n <= RANGE_MAX_BYTES),
            None => Some(self.decoder.most_bytes()),
        };
        let bytes = bytes.ok_or_else(|| bad("the table of blocks lies"))?;
        self.packed.clear();
        self.taken = 0;
        let read = (&mut self.source)
            .take(bytes)
            .read_to_end(&mut self.packed)?;
        self.at += read as u64;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn next_block(&mut self) -> io::Result<()> {
        if self.taken == self.packed.len() {
            self.fetch()?;
        }
        let first = self.decoder.first(&self.packed[self.taken..]);
        self.taken += first.map_err(io::Error::other)?;
        let skipped = self.skip.min(self.decoder.bytes().len() as u64);
        self.skip -= skipped;
        self.used = usize::try_from(skipped).unwrap_or(0);
        Ok(())
    }
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.used == self.decoder.bytes().len() {
            self.next_block()?;
        }
        let ready = &self.decoder.bytes()[self.used..];
        let count = out.len().min(ready.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.used += count;
        Ok(count)
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("browse index: {what}"))
}
