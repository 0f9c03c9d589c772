//! What a scanner may see of the file: a bounded part of the buffer round its anchor.
//!
//! The bounds are what makes the result independent of the chunk size: whether more bytes happen
//! to be in the buffer must not matter.

use std::cell::Cell;

/// Bytes before the anchor that a scanner may look at.
pub const BACK: usize = 4 * 1024;
/// Bytes after the anchor that a scanner may look at.
pub const AHEAD: usize = 64 * 1024;

/// What is known about where a line ends, so that keys on one long line do not look for its end again and again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LineEnd {
    /// From here on there is no line end before `to`.
    from: usize,
    to: usize,
    /// There is one at `to`.
    found: bool,
}

impl LineEnd {
    /// The buffer has lost its first `by` bytes.
    pub(crate) fn shift(self, by: usize) -> Self {
        self.to
            .checked_sub(by)
            .map_or_else(Self::default, |to| Self {
                from: self.from.saturating_sub(by),
                to,
                found: self.found,
            })
    }
}

/// The bounded view of one anchor. Positions are offsets into the stream's buffer.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub buf: &'a [u8],
    pub lo: usize,
    pub hi: usize,
    /// The view's end is the end of the file.
    pub ends: bool,
    line: &'a Cell<LineEnd>,
}

impl<'a> View<'a> {
    pub(crate) fn new(buf: &'a [u8], at: usize, eof: bool, line: &'a Cell<LineEnd>) -> Self {
        let hi = buf.len().min(at + AHEAD);
        Self {
            buf,
            lo: at.saturating_sub(BACK),
            hi,
            ends: eof && hi == buf.len(),
            line,
        }
    }

    /// The byte at `i`, if the scanner may see it.
    #[inline]
    pub(crate) fn at(&self, i: usize) -> Option<u8> {
        if i >= self.lo && i < self.hi {
            self.buf.get(i).copied()
        } else {
            None
        }
    }

    /// The byte before `i`.
    #[inline]
    pub(crate) fn before(&self, i: usize) -> Option<u8> {
        i.checked_sub(1).and_then(|i| self.at(i))
    }

    /// Bytes from `a` to `b`, cut to the view.
    pub(crate) fn slice(&self, a: usize, b: usize) -> &'a [u8] {
        let b = b.min(self.hi);
        self.buf.get(a.max(self.lo).min(b)..b).unwrap_or_default()
    }

    /// Start of the line that holds `at` (or the view's start).
    pub(crate) fn line_start(&self, at: usize) -> usize {
        let at = at.min(self.hi);
        memchr::memrchr2(b'\n', b'\r', self.slice(self.lo, at)).map_or(self.lo, |i| self.lo + i + 1)
    }

    /// End of the line that holds `at`, without its line end (or the view's end).
    pub(crate) fn line_end(&self, at: usize) -> usize {
        let mut line = self.line.get();
        if !(line.from..=line.to).contains(&at) {
            line = LineEnd {
                from: at,
                to: at,
                found: false,
            };
        }
        if !line.found && line.to < self.hi {
            let next = memchr::memchr2(b'\n', b'\r', self.slice(line.to, self.hi));
            line.found = next.is_some();
            line.to = next.map_or(self.hi, |i| line.to + i);
        }
        self.line.set(line);
        line.to.min(self.hi)
    }

    /// End of the line that holds `at`, or `most` bytes on if that comes first.
    pub(crate) fn line_end_within(&self, at: usize, most: usize) -> usize {
        self.line_end(at).min(at + most)
    }

    /// Whether the same literal stands shortly before on the same line, so that what it leads to
    /// has been looked at from there. Keeps repetitions from costing more than they are worth.
    pub(crate) fn repeated(&self, at: usize, literal: &[u8]) -> bool {
        let before = self.slice(at.saturating_sub(48), at);
        let line = memchr::memrchr(b'\n', before).map_or(before, |n| &before[n + 1..]);
        memchr::memmem::find(line, literal).is_some()
    }

    /// Whether a literal stands three times shortly before on the same line: text that only
    /// repeats it, where searching on from each would cost more than it is worth.
    pub(crate) fn crowded(&self, at: usize, literal: &[u8]) -> bool {
        let before = self.slice(at.saturating_sub(96), at);
        let line = memchr::memrchr(b'\n', before).map_or(before, |n| &before[n + 1..]);
        memchr::memmem::find_iter(line, literal).take(3).count() == 3
    }

    /// Start of the next line after the line end at `end`; `None` at the view's end.
    pub(crate) fn next_line(&self, end: usize) -> Option<usize> {
        let mut i = end;
        if self.at(i) == Some(b'\r') {
            i += 1;
            if self.at(i) == Some(b'\n') {
                i += 1;
            }
        } else if self.at(i) == Some(b'\n') {
            i += 1;
        }
        (i > end && i < self.hi).then_some(i)
    }

    /// First position from `i` on whose byte is not a blank.
    pub(crate) fn skip_blanks(&self, mut i: usize) -> usize {
        while matches!(self.at(i), Some(b' ' | b'\t')) {
            i += 1;
        }
        i
    }

    /// Whether the bytes at `i` are `what`, ignoring ASCII case.
    pub(crate) fn has(&self, i: usize, what: &[u8]) -> bool {
        let part = self.slice(i, i + what.len());
        part.len() == what.len() && i >= self.lo && part.eq_ignore_ascii_case(what)
    }
}

/// Bytes that make up identifiers and keys.
#[inline]
pub(crate) fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
