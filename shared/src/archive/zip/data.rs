//! The data of one zip entry: as long as the directory says, on both sides, with its checksum.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::directory::Central;
use crate::bundle::limits::{Reason, Reject};

/// Data that is unpacked as it is read.
pub(super) struct Data<'r, R> {
    input: &'r mut R,
    inflate: Option<Decompress>,
    /// Compressed bytes to come.
    left: u64,
    size: u64,
    expected: u32,
    given: u64,
    crc: libdeflater::Crc,
    buffer: Vec<u8>,
    filled: usize,
    used: usize,
    ended: bool,
}

impl<'r, R: BufRead> Data<'r, R> {
    pub(super) fn new(input: &'r mut R, entry: &Central) -> Self {
        Self {
            input,
            inflate: (entry.method == 8).then(|| Decompress::new(false)),
            left: entry.compressed,
            size: entry.size,
            expected: entry.crc,
            given: 0,
            crc: libdeflater::Crc::new(),
            buffer: vec![
                0;
                usize::try_from(entry.size)
                    .unwrap_or(usize::MAX)
                    .clamp(16, 256 << 10)
            ],
            filled: 0,
            used: 0,
            ended: false,
        }
    }

    /// Reads what was left unread and checks the end.
    pub(super) fn finish(mut self) -> Result<(), Reject> {
        loop {
            let now = self.fill_buf()?.len();
            if now == 0 {
                return Ok(());
            }
            self.consume(now);
        }
    }

    fn more(&mut self) -> Result<(), Reject> {
        self.used = 0;
        self.filled = 0;
        while self.filled == 0 && !self.ended {
            let bytes = self.input.fill_buf()?;
            let have = usize::try_from(self.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            if have == 0 && self.left > 0 {
                return Err(Reject::new(
                    Reason::Truncated,
                    "an entry ends in the middle",
                ));
            }
            let bytes = &bytes[..have];
            let taken = match &mut self.inflate {
                None => {
                    let taken = have.min(self.buffer.len());
                    self.buffer[..taken].copy_from_slice(&bytes[..taken]);
                    self.filled = taken;
                    self.ended = taken as u64 == self.left;
                    taken
                }
                Some(inflate) => {
                    let (taken, given) = (inflate.total_in(), inflate.total_out());
                    let status = inflate.decompress(bytes, &mut self.buffer, FlushDecompress::None);
                    let taken = (inflate.total_in() - taken) as usize;
                    self.filled = (inflate.total_out() - given) as usize;
                    self.ended = matches!(status, Ok(Status::StreamEnd));
                    if status.is_err() || (taken == 0 && self.filled == 0 && !self.ended) {
                        return Err(Reject::new(
                            Reason::BadStream,
                            "an entry's deflate stream is damaged",
                        ));
                    }
                    taken
                }
            };
            self.input.consume(taken);
            self.left -= taken as u64;
        }
        self.crc.update(&self.buffer[..self.filled]);
        self.given += self.filled as u64;
        self.judge()
    }

    fn judge(&self) -> Result<(), Reject> {
        if self.given > self.size || (self.ended && self.given != self.size) {
            return Err(Reject::new(
                Reason::AmbiguousEntry,
                "an entry unpacks to another size than it says",
            ));
        }
        if self.ended && self.left > 0 {
            return Err(Reject::new(
                Reason::AmbiguousEntry,
                "bytes behind an entry's deflate stream",
            ));
        }
        if self.ended && self.crc.sum() != self.expected {
            return Err(Reject::new(
                Reason::BadChecksum,
                "an entry's checksum is wrong",
            ));
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Data<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.filled && !self.ended {
            self.more()?;
        }
        Ok(&self.buffer[self.used..self.filled])
    }

    fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.filled);
    }
}

impl<R: BufRead> Read for Data<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let now = self.fill_buf()?;
        let take = now.len().min(out.len());
        out[..take].copy_from_slice(&now[..take]);
        self.consume(take);
        Ok(take)
    }
}
