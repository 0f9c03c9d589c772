//! Finds the entry that a byte belongs to: a dated line with the undated lines after it.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};

use super::time::{Clock, Layout, Stamp};

/// One entry within a slab of complete entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// First byte.
    pub start: usize,
    /// Behind the last byte, its line end not included.
    pub end: usize,
    /// Its stamp, unless it has none.
    pub stamp: Option<Stamp>,
    /// It has more than one line.
    pub folded: bool,
}

/// A piece of a file that begins and ends at entry boundaries.
pub(super) struct Slab<'a> {
    pub text: &'a [u8],
    pub layout: Layout,
    pub clock: Clock,
    /// The stamp of the entry that the slab begins within, when it had to be cut.
    pub carried: Option<Stamp>,
}

impl<'a> Slab<'a> {
    /// The line that holds the byte `at`: its start and end.
    fn line_at(&self, at: usize) -> (usize, usize) {
        let start = memrchr(b'\n', &self.text[..at]).map_or(0, |n| n + 1);
        let end = memchr(b'\n', &self.text[at..]).map_or(self.text.len(), |n| at + n);
        (start, end)
    }

    fn stamp(&self, start: usize, end: usize) -> Option<Stamp> {
        self.layout.stamp(&self.text[start..end], self.clock)
    }

    /// The entry that holds the byte `at`.
    pub(super) fn entry_at(&self, at: usize) -> Entry {
        let (mut start, mut end) = self.line_at(at);
        if !self.layout.is_dated() {
            return Entry {
                start,
                end,
                stamp: None,
                folded: false,
            };
        }
        let mut stamp = self.stamp(start, end);
        let first_end = end;
        while stamp.is_none() && start > 0 {
            let (before, before_end) = self.line_at(start - 1);
            start = before;
            stamp = self.stamp(before, before_end);
        }
        stamp = stamp.or(self.carried);
        end = first_end;
        while end < self.text.len() {
            let (next, next_end) = self.line_at(end + 1);
            if next >= self.text.len() || self.stamp(next, next_end).is_some() {
                break;
            }
            end = next_end;
        }
        let folded = memchr(b'\n', &self.text[start..end]).is_some();
        Entry {
            start,
            end,
            stamp,
            folded,
        }
    }

    /// The entry that begins at `start`; `None` at the end.
    pub(super) fn entry_from(&self, start: usize) -> Option<Entry> {
        (start < self.text.len()).then(|| self.entry_at(start))
    }

    /// The text that rules match: without the envelope, lines joined with nothing between.
    pub(super) fn matched_text(&self, entry: &Entry) -> Cow<'a, [u8]> {
        let start = (entry.start + entry.stamp.map_or(0, |s| s.text)).min(entry.end);
        let text = &self.text[start..entry.end];
        if !entry.folded {
            return Cow::Borrowed(trim_end(text));
        }
        let mut joined = Vec::with_capacity(text.len());
        let mut at = 0;
        for end in memchr_iter(b'\n', text) {
            joined.extend_from_slice(trim_end(&text[at..end]));
            at = end + 1;
        }
        joined.extend_from_slice(trim_end(&text[at..]));
        Cow::Owned(joined)
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
