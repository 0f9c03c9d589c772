//! Reading large files through the page cache without leaving them there: what a diagnosis reads once must
//! not push the host's own data out of memory. What the host had in memory before stays there.

use super::sys;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU64;

/// Smaller reads leave no trace worth a system call.
const SMALL: u64 = 1 << 20;
/// Bytes after which what was read is dropped, so that a large file never fills the cache meanwhile.
const STRIDE: u64 = 8 << 20;
/// Bytes of a page.
const PAGE: u64 = 4096;

/// The way through one file.
#[derive(Debug)]
pub(super) struct Passage {
    leaves_trace: bool,
    dropped: u64,
}

impl Passage {
    /// Before `from..to` of `file` is read.
    pub(super) fn begin(file: &File, from: u64, to: u64) -> Self {
        let length = to.saturating_sub(from);
        // An old kernel cannot say what is in memory; then what we read is dropped.
        let cached = sys::cached_pages(file, from, length).unwrap_or(0) * PAGE;
        Self {
            leaves_trace: length > SMALL && cached < length / 2,
            dropped: from,
        }
    }

    /// Everything before `at` has been read.
    pub(super) fn passed(&mut self, file: &File, at: u64) {
        if self.leaves_trace && at >= self.dropped + STRIDE {
            self.drop_to(file, at);
        }
    }

    /// Nothing more is read.
    pub(super) fn end(&mut self, file: &File) {
        if self.leaves_trace {
            // The kernel reads ahead, so that more than what we asked for may be there.
            let _ = fadvise(file, self.dropped, None, Advice::DontNeed);
        }
    }

    fn drop_to(&mut self, file: &File, at: u64) {
        let length = NonZeroU64::new(at - self.dropped);
        let _ = fadvise(file, self.dropped, length, Advice::DontNeed);
        self.dropped = at;
    }
}

/// A file that is read from its beginning by somebody who takes a reader.
#[derive(Debug)]
pub(super) struct Passing {
    file: File,
    at: u64,
    passage: Passage,
}

impl Passing {
    pub(super) fn new(file: File, size: u64) -> Self {
        let passage = Passage::begin(&file, 0, size);
        Self {
            file,
            at: 0,
            passage,
        }
    }
}

impl Read for Passing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let given = self.file.read(buffer)?;
        self.at += given as u64;
        self.passage.passed(&self.file, self.at);
        Ok(given)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.passage.end(&self.file);
    }
}
