//! Reading one file, or one page of its lines, out of a stored bundle: from the block that holds the place, never the
//! whole.

use std::io::{self, BufRead, Read};
use std::ops::Range;

use serde::Serialize;

use super::index::{BrowseIndex, FileEntry};
use super::unpack::{self, Stretch};
use crate::bundles::storage::Source;

/// Longest text of a line that is given, in bytes.
pub const LINE_MAX_BYTES: usize = 8 * 1024;
/// Most lines of a page.
pub const LINES_MAX: u64 = 1_000;
/// Bytes unpacked at most for a page: lines may be long, an answer may not.
const PAGE_READ_MAX_BYTES: u64 = 32 << 20;
/// Bytes of text in a page at most.
const PAGE_TEXT_MAX_BYTES: usize = 2 << 20;

/// One line of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Number, from 1.
    pub n: u64,
    /// Byte offset in the file.
    pub o: u64,
    /// Level, when the line shows one: error, warning, info or debug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l: Option<&'static str>,
    /// Text without its end, invalid bytes replaced.
    pub s: String,
    /// Whether the text was longer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A page of lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Lines of the whole file.
    pub total: u64,
    /// Number of the first line, from 1.
    pub from: u64,
    /// The lines; fewer than asked when they are very long.
    pub lines: Vec<Line>,
}

/// A range of a file's bytes.
///
/// # Errors
/// When blob or index cannot be read.
pub fn file_range(
    blob: Source,
    index: &BrowseIndex,
    entry: &FileEntry,
    from: u64,
    length: u64,
) -> io::Result<impl BufRead + Send + use<>> {
    let from = from.min(entry.size);
    let length = length.min(entry.size - from);
    let stretch = Stretch {
        offset: entry.offset + from,
        length,
        likely: length,
    };
    unpack::stream(blob, index, stretch)
}

/// Lines `from` (1-based) to `from + count - 1`.
///
/// # Errors
/// When blob or index cannot be read.
pub fn page(
    blob: Source,
    index: &BrowseIndex,
    entry: &FileEntry,
    from: u64,
    count: u64,
) -> io::Result<Page> {
    let from = from.max(1);
    let mut page = Page {
        total: entry.lines,
        from,
        lines: Vec::new(),
    };
    if from > entry.lines || count == 0 {
        return Ok(page);
    }
    let count = count.min(LINES_MAX);
    let (mut scan, mut reader) = from_line(blob, index, entry, from..from.saturating_add(count))?;
    for _ in 0..count {
        if scan.text >= PAGE_TEXT_MAX_BYTES {
            break;
        }
        match scan.next(&mut reader)? {
            Some(line) => page.lines.push(line),
            None => break,
        }
    }
    Ok(page)
}

/// The number of the first of some lines (1-based) whose text, as far as a page shows it, is sought.
///
/// # Errors
/// When blob or index cannot be read.
pub(super) fn find(
    blob: Source,
    index: &BrowseIndex,
    entry: &FileEntry,
    lines: Range<u64>,
    is: impl Fn(&[u8]) -> bool,
) -> io::Result<Option<u64>> {
    let until = lines.end;
    let (mut scan, mut reader) = from_line(blob, index, entry, lines)?;
    while scan.line + 1 < until {
        match scan.next(&mut reader)? {
            Some(line) if is(line.s.as_bytes()) => return Ok(Some(line.n)),
            Some(_) => {}
            None => break,
        }
    }
    Ok(None)
}

/// A reader that stands before the first of some lines (1-based), of which it will likely give all, and no more.
fn from_line(
    blob: Source,
    index: &BrowseIndex,
    entry: &FileEntry,
    lines: Range<u64>,
) -> io::Result<(Scan, impl BufRead + use<>)> {
    let before = lines.start.saturating_sub(1);
    let (line, byte) = index.mark_before(entry, before)?;
    let likely = match lines.end.saturating_sub(1) {
        last if last < entry.lines => index.mark_after(entry, last)?,
        _ => entry.size,
    };
    let stretch = Stretch {
        offset: entry.offset + byte,
        length: PAGE_READ_MAX_BYTES.min(entry.size - byte),
        likely: likely.saturating_sub(byte),
    };
    let mut reader = unpack::stream(blob, index, stretch)?;
    let mut scan = Scan {
        line,
        byte,
        text: 0,
    };
    while scan.line < before && scan.skip(&mut reader)? {}
    Ok((scan, reader))
}

/// The number (from 1) of the line that holds a byte of the file.
///
/// # Errors
/// When blob or index cannot be read.
pub fn line_at(blob: Source, index: &BrowseIndex, entry: &FileEntry, byte: u64) -> io::Result<u64> {
    let (line, at) = index.mark_before_byte(entry, byte)?;
    let length = byte.saturating_sub(at).min(PAGE_READ_MAX_BYTES);
    let mut reader = file_range(blob, index, entry, at, length)?;
    let (mut newlines, mut buffer) = (0u64, vec![0u8; 64 * 1024]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(line + newlines + 1),
            n => newlines += memchr::memchr_iter(b'\n', &buffer[..n]).count() as u64,
        }
    }
}

struct Scan {
    line: u64,
    byte: u64,
    text: usize,
}

impl Scan {
    /// Passes over one line. False at the end.
    fn skip(&mut self, reader: &mut impl BufRead) -> io::Result<bool> {
        let mut any = false;
        loop {
            let available = reader.fill_buf()?;
            if available.is_empty() {
                return Ok(any);
            }
            any = true;
            let (used, done) = match memchr::memchr(b'\n', available) {
                Some(at) => (at + 1, true),
                None => (available.len(), false),
            };
            reader.consume(used);
            self.byte += used as u64;
            if done {
                self.line += 1;
                return Ok(true);
            }
        }
    }

    fn next(&mut self, reader: &mut impl BufRead) -> io::Result<Option<Line>> {
        let (offset, mut kept, mut cut, mut any) = (self.byte, Vec::new(), false, false);
        loop {
            let available = reader.fill_buf()?;
            if available.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', available);
            let text = &available[..end.unwrap_or(available.len())];
            let room = LINE_MAX_BYTES - kept.len();
            cut |= text.len() > room;
            kept.extend_from_slice(&text[..text.len().min(room)]);
            let used = end.map_or(available.len(), |at| at + 1);
            reader.consume(used);
            self.byte += used as u64;
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.line += 1;
        self.text += kept.len();
        if kept.last() == Some(&b'\r') && !cut {
            kept.pop();
        }
        let s = String::from_utf8_lossy(&kept).into_owned();
        Ok(Some(Line {
            n: self.line,
            o: offset,
            l: level(&kept),
            s,
            cut,
        }))
    }
}

/// The level a line shows in its first 160 bytes, by the first word that names one.
pub(super) fn level(line: &[u8]) -> Option<&'static str> {
    let head = &line[..line.len().min(160)];
    head.split(|byte| !byte.is_ascii_alphabetic())
        .find_map(|word| {
            let known = [
                (&b"error"[..], "error"),
                (b"err", "error"),
                (b"fatal", "error"),
                (b"critical", "error"),
                (b"crit", "error"),
                (b"alert", "error"),
                (b"emerg", "error"),
                (b"panic", "error"),
                (b"severe", "error"),
                (b"warning", "warning"),
                (b"warn", "warning"),
                (b"info", "info"),
                (b"notice", "info"),
                (b"debug", "debug"),
                (b"trace", "debug"),
            ];
            known
                .iter()
                .find(|(name, _)| word.eq_ignore_ascii_case(name))
                .map(|(_, level)| *level)
        })
}

#[cfg(test)]
mod tests;
