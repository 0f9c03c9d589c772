//! Gathers the index while a bundle streams by.

use super::{GRAM_BYTES, HEAD_BYTES, MAGIC, RECORD_BYTES, STRIDE, Segment, folded, place};

/// Unpacked bytes of a segment within a file, at least; half of it where a file ends.
pub(super) const SEGMENT_BYTES: usize = 1 << 20;
/// Bits of a table while it is filled: 128 KiB, which stays in a core's own cache.
pub(super) const FULL_LOG2: u32 = 20;
/// A finished table has at least this many bits.
pub(super) const LEAST_LOG2: u32 = 8;
/// A table is halved while the halved one has at most one bit in this many set.
const MAX_FILL: u64 = 4;
/// Bytes behind a segment that it also knows, so that a literal that begins in it is known as a whole; literals are
/// cut at 48 bytes.
const OVERLAP: usize = 64;
/// Tables kept, in bytes; of what comes behind them nothing is known. Enough for some GB of logs.
const TABLES_MAX_BYTES: usize = 48 << 20;
/// First bytes of a file that tell whether it is text.
const SNIFF_BYTES: usize = 4096;
/// Bytes folded at once.
const PIECE_BYTES: usize = 32 << 10;

/// The index of a bundle, being gathered. Memory is bounded whatever the bundle holds.
pub struct FilterBuilder {
    bits: Vec<u64>,
    /// Folded bytes that are not all looked at; its start is a multiple of the stride.
    rest: Vec<u8>,
    /// Where the next byte of the file lies in the unpacked stream.
    offset: u64,
    /// Bytes of the segment so far.
    bytes: usize,
    from: u64,
    /// Nothing is known of this file, or of this segment.
    file_opaque: bool,
    opaque: bool,
    sniffed: bool,
    segments: Vec<Segment>,
    tables: Vec<u8>,
}

impl Default for FilterBuilder {
    fn default() -> Self {
        Self {
            bits: vec![0; (1 << FULL_LOG2) / 64],
            rest: Vec::with_capacity(PIECE_BYTES + 8),
            offset: 0,
            bytes: 0,
            from: 0,
            file_opaque: false,
            opaque: false,
            sniffed: false,
            segments: Vec::new(),
            tables: Vec::new(),
        }
    }
}

impl FilterBuilder {
    /// Begins a file whose bytes are at `offset` of the unpacked stream.
    pub fn begin(&mut self, offset: u64) {
        self.end();
        // The end of a long file is not mixed with what follows, small files are put together.
        if self.bytes >= SEGMENT_BYTES / 2 {
            self.close();
        }
        if self.bytes == 0 {
            self.from = offset;
        }
        self.offset = offset;
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if !self.sniffed {
            self.sniffed = true;
            self.file_opaque = is_wide(&data[..data.len().min(SNIFF_BYTES)]);
        }
        if self.bytes >= SEGMENT_BYTES && data.len() >= OVERLAP {
            let rest = self.rest.clone();
            self.gather(&data[..OVERLAP]);
            self.close();
            self.rest = rest;
            self.from = self.offset;
        }
        self.opaque |= self.file_opaque;
        self.gather(data);
        self.bytes += data.len();
        self.offset += data.len() as u64;
    }

    /// Ends the file, if one was begun.
    pub fn end(&mut self) {
        self.rest.clear();
        self.sniffed = false;
        self.file_opaque = false;
    }

    fn gather(&mut self, data: &[u8]) {
        for piece in data.chunks(PIECE_BYTES) {
            self.rest.extend(piece.iter().map(|byte| folded(*byte)));
            let mut at = 0;
            while let Some(bytes) = self.rest.get(at..at + 8) {
                let mut word = [0; 8];
                word.copy_from_slice(bytes);
                let place = place(u64::from_le_bytes(word), FULL_LOG2);
                self.bits[place / 64] |= 1 << (place % 64);
                at += STRIDE;
            }
            self.rest.drain(..at);
        }
        // What ends the data is looked at now, and again when more comes: setting a bit twice is harmless.
        let mut at = 0;
        while let Some(bytes) = self.rest.get(at..at + GRAM_BYTES) {
            let gram = bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
            let place = place(gram, FULL_LOG2);
            self.bits[place / 64] |= 1 << (place % 64);
            at += STRIDE;
        }
    }

    /// Ends the segment.
    fn close(&mut self) {
        let mut log2 = FULL_LOG2;
        let mut bits = std::mem::replace(&mut self.bits, vec![0; (1 << FULL_LOG2) / 64]);
        while log2 > LEAST_LOG2 {
            let half = halved(&bits);
            let set: u64 = half.iter().map(|word| u64::from(word.count_ones())).sum();
            if set * MAX_FILL > half.len() as u64 * 64 {
                break;
            }
            bits = half;
            log2 -= 1;
        }
        let opaque = self.opaque || self.tables.len() + bits.len() * 8 > TABLES_MAX_BYTES;
        if let Some(last) = self.segments.last_mut().filter(|s| opaque && s.opaque) {
            last.to = self.offset;
        } else {
            self.segments.push(Segment {
                from: self.from,
                to: self.offset,
                at: self.tables.len() as u64,
                log2,
                opaque,
            });
        }
        if !opaque {
            self.tables
                .extend(bits.iter().flat_map(|word| word.to_le_bytes()));
        }
        self.bytes = 0;
        self.opaque = false;
    }

    /// The stored form.
    pub fn finish(mut self) -> Vec<u8> {
        self.end();
        if self.bytes > 0 {
            self.close();
        }
        let first = HEAD_BYTES + (self.segments.len() * RECORD_BYTES) as u64;
        let mut out = Vec::with_capacity(first as usize + self.tables.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for segment in &self.segments {
            for word in [segment.from, segment.to, first + segment.at] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(&segment.log2.to_le_bytes());
            out.extend_from_slice(&u32::from(segment.opaque).to_le_bytes());
        }
        out.extend_from_slice(&self.tables);
        out
    }
}

/// Whether a file's first bytes are text of two bytes a letter, which the engine reads in another form.
fn is_wide(head: &[u8]) -> bool {
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    marked || memchr::memchr_iter(0, head).count() * 4 >= head.len().max(4)
}

/// Puts neighbouring bits together: a sequence's place in the smaller table is half that in the larger.
fn halved(bits: &[u64]) -> Vec<u64> {
    let squeeze = |word: u64| {
        let mut word = (word | (word >> 1)) & 0x5555_5555_5555_5555;
        for (shift, mask) in [
            (1, 0x3333_3333_3333_3333),
            (2, 0x0F0F_0F0F_0F0F_0F0F),
            (4, 0x00FF_00FF_00FF_00FF),
            (8, 0x0000_FFFF_0000_FFFF),
            (16, 0x0000_0000_FFFF_FFFF),
        ] {
            word = (word | (word >> shift)) & mask;
        }
        word
    };
    bits.chunks_exact(2)
        .map(|pair| squeeze(pair[0]) | (squeeze(pair[1]) << 32))
        .collect()
}
