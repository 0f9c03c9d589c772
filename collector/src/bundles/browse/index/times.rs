//! Where in a file a time is, by the times of its marks: hints, since lines need not be in order.

use std::io;
use std::os::unix::fs::FileExt;

use super::{BrowseIndex, FileEntry, bad, u64_at};
use crate::bundles::ingest::stamps;

/// A part of a file, between marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Lines before it.
    pub lines: u64,
    /// Where it begins in the file.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

impl BrowseIndex {
    /// The lines (from 0) between which a file passes a time, by the times of its marks: the last mark before it, and
    /// the first one behind that. `None`: the index knows no times of this file.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn lines_around(&self, entry: &FileEntry, ms: i64) -> io::Result<Option<(u64, u64)>> {
        if !self.dated || entry.marks == 0 || self.time(entry, entry.marks - 1)? == stamps::NONE {
            return Ok(None);
        }
        let (mut low, mut high) = (0, entry.marks);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time(entry, middle)? < ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let line = |n: u64| n.saturating_mul(entry.stride).min(entry.lines);
        let behind = match low {
            low if low < entry.marks => line(low + 1),
            _ => entry.lines,
        };
        Ok(Some((line(low), behind)))
    }

    /// What of a file can have lines of a window of time, its end not included, by the times of its marks; all of it
    /// when the index knows none.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn within(&self, entry: &FileEntry, (from_ms, to_ms): (i64, i64)) -> io::Result<Span> {
        let mut span = Span {
            lines: 0,
            from: 0,
            to: entry.size,
        };
        if !self.dated || entry.marks == 0 {
            return Ok(span);
        }
        let mut times = vec![0; usize::try_from(entry.marks * 8).map_err(|_| bad("too long"))?];
        let at = self.times_at() + entry.marks_at * 8;
        self.file.read_exact_at(&mut times, at)?;
        let times = times
            .chunks_exact(8)
            .map(|time| u64_at(time, 0).cast_signed());
        // A stretch goes from a mark to the next one; what is before the first and behind the last mark, nobody knows.
        let begins = std::iter::once(stamps::NONE).chain(times.clone());
        let ends = times.chain(std::iter::once(i64::MAX));
        let may = begins
            .zip(ends)
            .map(|(begin, end)| begin < to_ms && (end >= from_ms || end == stamps::NONE));
        let (mut first, mut last) = (None, 0);
        for (n, _) in (0u64..).zip(may).filter(|(_, may)| *may) {
            first.get_or_insert(n);
            last = n;
        }
        let first = first.unwrap_or(0);
        if first > 0 {
            span.lines = first.saturating_mul(entry.stride);
            span.from = self.mark(entry, first - 1)?;
        }
        if last < entry.marks {
            span.to = self.mark(entry, last)?;
        }
        Ok(span)
    }

    fn time(&self, entry: &FileEntry, n: u64) -> io::Result<i64> {
        let time = self.number(self.times_at() + (entry.marks_at + n) * 8)?;
        Ok(time.cast_signed())
    }
}
