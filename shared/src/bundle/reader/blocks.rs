//! The stream of blocks: reads members one after the other, checks their frame, and gives their
//! tar bytes without copying them again.

use std::io::Read;

use super::super::gzip::{self, FOOTER_BYTES};
use super::super::inflate::Inflater;
use super::super::limits::{Limits, Reason, Reject};

/// Reads blocks in order.
pub(super) struct Blocks<'a, R> {
    input: R,
    limits: &'a Limits,
    inflater: Inflater,
    /// Compressed bytes: a window that holds the largest member more than once.
    window: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    block: Vec<u8>,
    /// Bytes of the current block, and how many were taken.
    filled: usize,
    used: usize,
    /// Compressed offset of the next member.
    pub(super) compressed: u64,
    /// Uncompressed offset of the current block's end.
    unpacked: u64,
    /// Both offsets of each block so far.
    pub(super) index: Vec<[u64; 2]>,
    /// What the footer said, once it was seen.
    pub(super) footer: Option<u64>,
}

impl<'a, R: Read> Blocks<'a, R> {
    pub(super) fn new(input: R, limits: &'a Limits) -> Self {
        let member = gzip::member_bound(limits.block_bytes) as usize;
        Self {
            input,
            limits,
            inflater: Inflater::new(),
            window: vec![0; 2 * member],
            start: 0,
            end: 0,
            ended: false,
            block: vec![0; limits.block_bytes as usize],
            filled: 0,
            used: 0,
            compressed: 0,
            unpacked: 0,
            index: Vec::new(),
            footer: None,
        }
    }

    /// Uncompressed offset of the next tar byte.
    pub(super) fn position(&self) -> u64 {
        self.unpacked - (self.filled - self.used) as u64
    }

    /// Whether the next tar byte begins a block.
    pub(super) fn at_block_start(&self) -> bool {
        self.used == self.filled || self.used == 0
    }

    /// Tar bytes that can be had without reading on; empty only after the footer.
    pub(super) fn peek(&mut self) -> Result<&[u8], Reject> {
        while self.used == self.filled && self.footer.is_none() {
            self.next_block()?;
        }
        Ok(&self.block[self.used..self.filled])
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.filled);
    }

    /// Fills a buffer of tar bytes; an end in the middle is a cut-off archive.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Reject> {
        let mut done = 0;
        while done < buffer.len() {
            let now = self.peek()?;
            if now.is_empty() {
                return Err(Reject::new(Reason::Truncated, "the tar archive has no end"));
            }
            let take = now.len().min(buffer.len() - done);
            buffer[done..done + take].copy_from_slice(&now[..take]);
            self.consume(take);
            done += take;
        }
        Ok(())
    }

    fn next_block(&mut self) -> Result<(), Reject> {
        self.refill()?;
        let member = &self.window[self.start..self.end];
        if member.is_empty() {
            return Err(self.judge(Reject::new(Reason::Truncated, "the bundle has no footer")));
        }
        if gzip::starts_footer(member) {
            return self.read_footer();
        }
        let sizes = self
            .inflater
            .member(member, &mut self.block)
            .map_err(|reject| self.judge(reject))?;
        if sizes.given == 0 {
            return Err(Reject::new(Reason::BadHeader, "an empty block"));
        }
        self.index.push([self.compressed, self.unpacked]);
        self.start += sizes.taken;
        self.compressed += sizes.taken as u64;
        self.unpacked += sizes.given as u64;
        self.filled = sizes.given;
        self.used = 0;
        if self.unpacked > self.limits.unpacked_for(self.compressed) {
            return Err(Reject::new(
                Reason::LimitUnpacked,
                format!("more than {} bytes", self.unpacked),
            ));
        }
        Ok(())
    }

    /// Before the first block a strange frame means that this is something else altogether.
    fn judge(&self, reject: Reject) -> Reject {
        let strange = matches!(reject.reason, Reason::BadHeader)
            || (reject.reason == Reason::Truncated && self.end < 8);
        if self.index.is_empty() && strange {
            return Reject::new(
                Reason::NotABundle,
                "the file does not begin as a bundle does",
            );
        }
        reject
    }

    fn read_footer(&mut self) -> Result<(), Reject> {
        let rest = &self.window[self.start..self.end];
        if rest.len() < FOOTER_BYTES {
            return Err(Reject::new(Reason::Truncated, "the footer is cut off"));
        }
        let at = gzip::parse_footer(&rest[..FOOTER_BYTES])
            .ok_or_else(|| Reject::new(Reason::BadHeader, "the footer is damaged"))?;
        if rest.len() > FOOTER_BYTES {
            return Err(Reject::new(Reason::TrailingData, "bytes after the footer"));
        }
        self.start += FOOTER_BYTES;
        self.compressed += FOOTER_BYTES as u64;
        self.footer = Some(at);
        self.filled = 0;
        self.used = 0;
        Ok(())
    }

    /// Reads on until the window holds a whole member or the input ends.
    fn refill(&mut self) -> Result<(), Reject> {
        let member = self.window.len() / 2;
        if self.end - self.start > member || self.ended {
            return Ok(());
        }
        self.window.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.window.len() {
            match self.input.read(&mut self.window[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(given) => self.end += given,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.compressed + (self.end - self.start) as u64 > self.limits.upload_bytes {
            return Err(Reject::new(
                Reason::UploadTooLarge,
                format!("more than {} bytes", self.limits.upload_bytes),
            ));
        }
        Ok(())
    }
}
