//! The unpacked stream of a bundle from any place on: block by block, from the one that holds the place.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::reader::BlockDecoder;

use super::index::BrowseIndex;
use crate::bundles::storage::Source;

/// Packed bytes between two places of the table at most: a block, and a stored header before it.
const RANGE_MAX_BYTES: u64 = 4 << 20;

/// A range of the unpacked stream.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// How many of them will likely be read: so much is fetched at once.
    pub likely: u64,
}

/// A reader over a range of the unpacked stream. Blocks are decoded as they are read.
///
/// # Errors
/// When index or source cannot be read.
pub fn stream(
    mut source: Source,
    index: &BrowseIndex,
    stretch: Stretch,
) -> io::Result<impl BufRead + Send + use<>> {
    let Stretch { offset, length, .. } = stretch;
    let table = index.blocks_of(offset..offset.saturating_add(length))?;
    let (packed_at, unpacked_at) = table[0];
    source.seek(SeekFrom::Start(packed_at))?;
    let likely_end = offset.saturating_add(stretch.likely);
    let behind = table.iter().find(|(_, unpacked)| *unpacked >= likely_end);
    source.ahead(behind.map(|(packed, _)| packed.saturating_sub(packed_at)));
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

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.used == self.decoder.bytes().len() {
            self.next_block()?;
        }
        Ok(&self.decoder.bytes()[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
    }
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("browse index: {what}"))
}
