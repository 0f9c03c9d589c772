//! Building the browse index while a bundle streams by: where each file's bytes are, and where every so many lines
//! begin and when they were written. Bounded in memory whatever the bundle holds; `browse::index` is the other side.

use super::stamps::Stamps;
use crate::bundles::browse::index::{FLAG_BINARY, HEADER_BYTES, MAGIC, RECORD_BYTES};

/// Lines between two marks, to begin with.
const STRIDE: u64 = 1024;
/// Marks a file may have before every second one is dropped and the stride doubled.
const FILE_MARKS_MAX: usize = 65_536;
/// Marks of all files after which new files get few.
const ALL_MARKS_SOFT_MAX: usize = 2_000_000;
/// A file with a zero byte this near its start is binary.
const SNIFF_BYTES: u64 = 8 * 1024;

/// The index being built.
#[derive(Debug)]
pub struct Indexer {
    collected_ms: i64,
    records: Vec<u8>,
    marks: Vec<u8>,
    times: Vec<u8>,
    names: Vec<u8>,
    files: u64,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    offset: u64,
    name_at: u32,
    name_bytes: u32,
    size: u64,
    newlines: u64,
    ends_open: bool,
    binary: bool,
    stride: u64,
    cap: usize,
    marks: Vec<u64>,
    stamps: Stamps,
}

impl Indexer {
    /// For files that were collected at this time, UTC milliseconds, which decides the year of stamps without one.
    pub fn new(collected_ms: i64) -> Self {
        Self {
            collected_ms,
            records: Vec::new(),
            marks: Vec::new(),
            times: Vec::new(),
            names: Vec::new(),
            files: 0,
            current: None,
        }
    }

    /// Begins a file whose data is at `offset` of the unpacked stream.
    pub fn begin(&mut self, path: &str, offset: u64) {
        self.end();
        let cap = if self.marks.len() / 8 > ALL_MARKS_SOFT_MAX {
            16
        } else {
            FILE_MARKS_MAX
        };
        let name_at = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.extend_from_slice(path.as_bytes());
        self.current = Some(Current {
            offset,
            name_at,
            name_bytes: u32::try_from(path.len()).unwrap_or(0),
            size: 0,
            newlines: 0,
            ends_open: false,
            binary: false,
            stride: STRIDE,
            cap,
            marks: Vec::new(),
            stamps: Stamps::new(self.collected_ms),
        });
    }

    /// Takes the next bytes of the file that was begun.
    pub fn feed(&mut self, data: &[u8]) {
        if let Some(current) = &mut self.current {
            current.feed(data);
        }
    }

    /// Ends the file that was begun, if any.
    pub fn end(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let lines = current.newlines + u64::from(current.ends_open);
        let marks_at = (self.marks.len() / 8) as u64;
        for value in [current.offset, current.size, lines, marks_at] {
            self.records.extend_from_slice(&value.to_le_bytes());
        }
        let flags = if current.binary { FLAG_BINARY } else { 0 };
        let count = u32::try_from(current.marks.len()).unwrap_or(0);
        let stride = u32::try_from(current.stride).unwrap_or(u32::MAX);
        for value in [count, stride, current.name_at, current.name_bytes, flags, 0] {
            self.records.extend_from_slice(&value.to_le_bytes());
        }
        for mark in &current.marks {
            self.marks.extend_from_slice(&mark.to_le_bytes());
        }
        for time in current.stamps.finish() {
            self.times.extend_from_slice(&time.to_le_bytes());
        }
        self.files += 1;
    }

    /// Files so far.
    pub fn files(&self) -> u64 {
        self.files + u64::from(self.current.is_some())
    }

    /// The finished index. `blocks` are compressed and unpacked offset of each block, rising.
    pub fn finish(mut self, blocks: &[[u64; 2]]) -> Vec<u8> {
        self.end();
        debug_assert_eq!(self.records.len() as u64, self.files * RECORD_BYTES);
        debug_assert_eq!(self.marks.len(), self.times.len());
        let size = self.records.len() + blocks.len() * 16 + 2 * self.marks.len() + self.names.len();
        let mut out = Vec::with_capacity(usize::try_from(HEADER_BYTES).unwrap_or(0) + size);
        out.extend_from_slice(MAGIC);
        let counts = [
            self.files,
            blocks.len() as u64,
            (self.marks.len() / 8) as u64,
            self.names.len() as u64,
        ];
        for count in counts {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(&self.records);
        for block in blocks {
            out.extend_from_slice(&block[0].to_le_bytes());
            out.extend_from_slice(&block[1].to_le_bytes());
        }
        out.extend_from_slice(&self.marks);
        out.extend_from_slice(&self.times);
        out.extend_from_slice(&self.names);
        out
    }
}

impl Current {
    fn feed(&mut self, data: &[u8]) {
        if self.size < SNIFF_BYTES && memchr::memchr(0, &data[..data.len().min(8 * 1024)]).is_some()
        {
            self.binary = true;
        }
        let mut marked = 0;
        for at in memchr::memchr_iter(b'\n', data) {
            self.newlines += 1;
            if self.newlines.is_multiple_of(self.stride) {
                self.stamps.feed(&data[marked..=at]);
                marked = at + 1;
                self.mark(self.size + marked as u64);
            }
        }
        self.stamps.feed(&data[marked..]);
        self.size += data.len() as u64;
        if let Some(last) = data.last() {
            self.ends_open = *last != b'\n';
        }
    }

    /// Remembers where line `newlines` (from 0) begins.
    fn mark(&mut self, offset: u64) {
        if self.marks.len() >= self.cap {
            // Mark n is at line (n + 1) × stride: every second one fits the doubled stride.
            let mut place = 0u64;
            self.marks.retain(|_| {
                place += 1;
                place.is_multiple_of(2)
            });
            self.stamps.thin();
            self.stride *= 2;
            if !self.newlines.is_multiple_of(self.stride) {
                return;
            }
        }
        self.marks.push(offset);
        self.stamps.mark();
    }
}
