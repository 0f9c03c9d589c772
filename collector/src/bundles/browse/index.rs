//! Reading the browse index of a bundle: a table of files, a table of blocks, line marks and names, each found by
//! position. It was made by a confined child from untrusted bytes, so nothing in it is believed without a check.
//!
//! Layout, little-endian: magic, four counts (files, blocks, marks, name bytes), file records, block pairs, marks, times
//! of the marks, names. A record is offset, size, lines, first mark (u64), marks, stride, name offset, name bytes,
//! flags, 0 (u32). A time is UTC milliseconds (i64), see `ingest::stamps`; the first version of the layout has none.

mod times;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub use times::Span;

use crate::bundles::ingest::as_collected;

/// First bytes of an index.
pub const MAGIC: &[u8; 8] = b"SRINDEX2";
/// First bytes of an index of the first version, as it lies beside older bundles.
const MAGIC_1: &[u8; 8] = b"SRINDEX1";
/// Bytes before the first record.
pub const HEADER_BYTES: u64 = 40;
/// Bytes of a record.
pub const RECORD_BYTES: u64 = 56;
/// The file is not text.
pub const FLAG_BINARY: u32 = 1;
/// Longest table of files read at once, in entries: the limit of entries of a bundle.
const FILES_MAX: u64 = 200_000;

/// A file in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its number in the bundle, stable for ever.
    pub fid: u64,
    /// Path inside the bundle: data, never a path of ours.
    pub path: String,
    /// Where its bytes begin in the unpacked stream.
    pub offset: u64,
    /// Its bytes.
    pub size: u64,
    /// Its lines; a last one without an end counts.
    pub lines: u64,
    /// Whether it looks like text.
    pub text: bool,
    marks_at: u64,
    marks: u64,
    stride: u64,
}

/// An open index.
#[derive(Debug)]
pub struct BrowseIndex {
    file: File,
    files: u64,
    blocks: u64,
    marks: u64,
    names: u64,
    dated: bool,
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("browse index: {what}"))
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    let mut bytes = [0u8; 8];
    bytes.copy_from_slice(&data[at..at + 8]);
    u64::from_le_bytes(bytes)
}

fn u32_at(data: &[u8], at: usize) -> u64 {
    let mut bytes = [0u8; 4];
    bytes.copy_from_slice(&data[at..at + 4]);
    u64::from(u32::from_le_bytes(bytes))
}

impl BrowseIndex {
    /// Opens an index and checks that its tables fit the file.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn open(file: File) -> io::Result<Self> {
        let mut head = [0u8; 40];
        file.read_exact_at(&mut head, 0)?;
        let dated = &head[..8] == MAGIC;
        if !dated && &head[..8] != MAGIC_1 {
            return Err(bad("wrong first bytes"));
        }
        let [files, blocks, marks, names] = [8, 16, 24, 32].map(|at| u64_at(&head, at));
        let sizes = [
            files.checked_mul(RECORD_BYTES),
            blocks.checked_mul(16),
            marks.checked_mul(if dated { 16 } else { 8 }),
            Some(names),
        ];
        let sum = sizes
            .into_iter()
            .try_fold(HEADER_BYTES, |sum, size| sum.checked_add(size?));
        if sum != Some(file.metadata()?.len()) || files > FILES_MAX {
            return Err(bad("tables do not fit"));
        }
        Ok(Self {
            file,
            files,
            blocks,
            marks,
            names,
            dated,
        })
    }

    /// How many files there are.
    pub fn len(&self) -> u64 {
        self.files
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }

    fn blocks_at(&self) -> u64 {
        HEADER_BYTES + self.files * RECORD_BYTES
    }

    fn marks_at(&self) -> u64 {
        self.blocks_at() + self.blocks * 16
    }

    fn times_at(&self) -> u64 {
        self.marks_at() + self.marks * 8
    }

    fn names_at(&self) -> u64 {
        match self.dated {
            true => self.times_at() + self.marks * 8,
            false => self.times_at(),
        }
    }

    /// One file by its number.
    ///
    /// # Errors
    /// When there is none of that number (`NotFound`), or the index lies.
    pub fn entry(&self, fid: u64) -> io::Result<FileEntry> {
        if fid >= self.files {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut record = [0u8; RECORD_BYTES as usize];
        self.file
            .read_exact_at(&mut record, HEADER_BYTES + fid * RECORD_BYTES)?;
        let (name_at, name_bytes) = (u32_at(&record, 40), u32_at(&record, 44));
        if name_at + name_bytes > self.names || name_bytes > 4096 {
            return Err(bad("a name lies outside"));
        }
        let mut name = vec![0u8; usize::try_from(name_bytes).unwrap_or(0)];
        self.file
            .read_exact_at(&mut name, self.names_at() + name_at)?;
        self.parse(fid, &record, &name)
    }

    fn parse(&self, fid: u64, record: &[u8], name: &[u8]) -> io::Result<FileEntry> {
        let entry = FileEntry {
            fid,
            path: String::from_utf8_lossy(name).into_owned(),
            offset: u64_at(record, 0),
            size: u64_at(record, 8),
            lines: u64_at(record, 16),
            marks_at: u64_at(record, 24),
            marks: u32_at(record, 32),
            stride: u32_at(record, 36).max(1),
            text: u32_at(record, 48) & u64::from(FLAG_BINARY) == 0,
        };
        let marks_end = entry.marks_at.checked_add(entry.marks);
        if marks_end.is_none_or(|end| end > self.marks)
            || entry.offset.checked_add(entry.size).is_none()
        {
            return Err(bad("a record lies outside"));
        }
        Ok(entry)
    }

    /// All files, in the order of the bundle.
    ///
    /// # Errors
    /// When the index cannot be read or lies.
    pub fn entries(&self) -> io::Result<Vec<FileEntry>> {
        let size = |bytes: u64| usize::try_from(bytes).map_err(|_| bad("too long"));
        let mut records = vec![0u8; size(self.files * RECORD_BYTES)?];
        self.file.read_exact_at(&mut records, HEADER_BYTES)?;
        let mut names = vec![0u8; size(self.names)?];
        self.file.read_exact_at(&mut names, self.names_at())?;
        let mut entries = Vec::with_capacity(size(self.files)?);
        for (fid, record) in records.chunks_exact(RECORD_BYTES as usize).enumerate() {
            let (at, bytes) = (size(u32_at(record, 40))?, size(u32_at(record, 44))?);
            let name = names
                .get(at..at.saturating_add(bytes))
                .ok_or_else(|| bad("a name lies outside"))?;
            entries.push(self.parse(fid as u64, record, name)?);
        }
        Ok(entries)
    }

    /// The file of a path.
    ///
    /// # Errors
    /// When there is none (`NotFound`), or the index lies.
    pub fn find(&self, path: &str) -> io::Result<FileEntry> {
        let mut entries = self.entries()?;
        // Findings name the files of a sos report as a collection of ours has them, whatever its top folder is called.
        let at = entries
            .iter()
            .position(|entry| entry.path == path)
            .or_else(|| {
                entries
                    .iter()
                    .position(|entry| as_collected(&entry.path) == path)
            });
        at.map(|at| entries.swap_remove(at))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The blocks that hold a range of the unpacked stream, and the one behind them: where each lies in the file, and in
    /// the stream. Behind the last block of all there is none.
    ///
    /// # Errors
    /// When the index cannot be read or has no such block.
    pub fn blocks_of(&self, range: std::ops::Range<u64>) -> io::Result<Vec<(u64, u64)>> {
        let first = self.blocks_until(range.start)?;
        if first == 0 {
            return Err(bad("no block holds this place"));
        }
        let behind = self.blocks_until(range.end.saturating_sub(1).max(range.start))?;
        let (first, end) = (first - 1, self.blocks.min(behind + 1));
        let bytes = usize::try_from((end - first) * 16).map_err(|_| bad("too long"))?;
        let mut pairs = vec![0u8; bytes];
        let at = self.blocks_at() + first * 16;
        self.file.read_exact_at(&mut pairs, at)?;
        let pairs = pairs.chunks_exact(16);
        Ok(pairs
            .map(|pair| (u64_at(pair, 0), u64_at(pair, 8)))
            .collect())
    }

    /// The block to begin with for a place in the unpacked stream: where it lies in the file, and in the stream.
    ///
    /// # Errors
    /// When the index cannot be read or has no such block.
    pub fn block_before(&self, offset: u64) -> io::Result<(u64, u64)> {
        self.blocks_of(offset..offset).map(|blocks| blocks[0])
    }

    /// How many blocks begin at or before a place of the unpacked stream.
    fn blocks_until(&self, offset: u64) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.blocks);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block(middle)?.1 <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Where the block behind the one that holds a place of the unpacked stream lies in the file; `u64::MAX` behind the
    /// last one.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn block_after(&self, offset: u64) -> io::Result<u64> {
        match self.blocks_until(offset)? {
            behind if behind < self.blocks => Ok(self.block(behind)?.0),
            _ => Ok(u64::MAX),
        }
    }

    /// Bytes of the table of files and their names.
    pub fn table_bytes(&self) -> u64 {
        HEADER_BYTES + self.files * RECORD_BYTES + self.names
    }

    fn block(&self, n: u64) -> io::Result<(u64, u64)> {
        let mut pair = [0u8; 16];
        self.file
            .read_exact_at(&mut pair, self.blocks_at() + n * 16)?;
        Ok((u64_at(&pair, 0), u64_at(&pair, 8)))
    }

    /// The last mark at or before a line (from 0): that mark's line, and its byte offset in the file.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn mark_before(&self, entry: &FileEntry, line: u64) -> io::Result<(u64, u64)> {
        let n = (line / entry.stride).min(entry.marks);
        if n == 0 {
            return Ok((0, 0));
        }
        Ok((n * entry.stride, self.mark(entry, n - 1)?))
    }

    /// The byte offset in the file of the first mark behind a line (from 0); the end of the file when there is none.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn mark_after(&self, entry: &FileEntry, line: u64) -> io::Result<u64> {
        match line / entry.stride {
            n if n < entry.marks => self.mark(entry, n),
            _ => Ok(entry.size),
        }
    }

    /// The last mark at or before a byte of the file: that mark's line (from 0) and byte offset.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn mark_before_byte(&self, entry: &FileEntry, byte: u64) -> io::Result<(u64, u64)> {
        let (mut low, mut high) = (0, entry.marks);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.mark(entry, middle)? <= byte {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == 0 {
            Ok((0, 0))
        } else {
            Ok((low * entry.stride, self.mark(entry, low - 1)?))
        }
    }

    fn mark(&self, entry: &FileEntry, n: u64) -> io::Result<u64> {
        let mark = self.number(self.marks_at() + (entry.marks_at + n) * 8)?;
        Ok(mark.min(entry.size))
    }

    fn number(&self, at: u64) -> io::Result<u64> {
        let mut bytes = [0u8; 8];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
impl BrowseIndex {
    pub(crate) fn file_for_tests(&self) -> File {
        self.file.try_clone().unwrap()
    }

    /// The same, as the first version of the layout had it.
    pub(crate) fn of_first_version(&self) -> Self {
        use std::io::Write as _;
        let part = |from: u64, to: u64| {
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            self.file.read_exact_at(&mut bytes, from).unwrap();
            bytes
        };
        let end = self.file.metadata().unwrap().len();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(MAGIC_1).unwrap();
        file.write_all(&part(8, self.times_at())).unwrap();
        file.write_all(&part(self.names_at(), end)).unwrap();
        Self::open(file).unwrap()
    }
}
