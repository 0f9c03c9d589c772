//! An entry's data on its way through: what looks at it sees it once.

use std::io::{self, BufRead, Read};

use crate::bundle::limits::{Reason, Reject};
use crate::hash::Sha256;

/// Data on its way to the visitor: counted, hashed, and the start of a manifest kept.
pub(super) struct Reading<'d> {
    pub(super) data: &'d mut dyn BufRead,
    pub(super) hash: Sha256,
    pub(super) bytes: u64,
    pub(super) limit: u64,
    pub(super) start: Vec<u8>,
    pub(super) keep: usize,
}

impl Reading<'_> {
    /// Reads on to the end.
    pub(super) fn drain(&mut self) -> Result<(), Reject> {
        loop {
            let now = self.fill_buf()?.len();
            if now == 0 {
                return Ok(());
            }
            self.consume(now);
        }
    }
}

impl BufRead for Reading<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes > self.limit {
            return Err(Reject::new(
                Reason::LimitUnpacked,
                format!("an entry has more than {} bytes", self.limit),
            )
            .into());
        }
        self.data.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        // The bytes are in the buffer still: hash them as they are taken.
        if let Ok(now) = self.data.fill_buf() {
            let taken = &now[..bytes.min(now.len())];
            self.hash.update(taken);
            let room = self.keep.saturating_sub(self.start.len());
            self.start
                .extend_from_slice(&taken[..room.min(taken.len())]);
            self.bytes += taken.len() as u64;
        }
        self.data.consume(bytes);
    }
}

impl Read for Reading<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let now = self.fill_buf()?;
        let take = now.len().min(out.len());
        out[..take].copy_from_slice(&now[..take]);
        self.consume(take);
        Ok(take)
    }
}
