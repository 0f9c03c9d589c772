//! Walks the entries of a bundle's tar: headers in their one spelling, data, padding, the end.

use std::io::{self, BufRead, Read};

use super::super::header::{self, EntryKind, Head, Next, RECORD};
use super::super::limits::{Limits, Reason, Reject};
use super::super::path;
use super::blocks::Blocks;
use crate::hash::{Digest, Sha256};

/// Reads one header; none at the end of the archive.
pub(super) fn next_head<R: Read>(
    blocks: &mut Blocks<'_, R>,
    limits: &Limits,
) -> Result<Option<Head>, Reject> {
    let mut first = [0; RECORD];
    blocks.fill(&mut first)?;
    match header::look(&first, limits)? {
        Next::End => Ok(None),
        Next::Entry => header::decode(&[], &first, &first).map(Some),
        Next::Pax(size) => {
            let size = size as usize;
            let mut raw = vec![0; RECORD + header::padded(size as u64) as usize + RECORD];
            raw[..RECORD].copy_from_slice(&first);
            blocks.fill(&mut raw[RECORD..])?;
            let mut last = [0; RECORD];
            last.copy_from_slice(&raw[raw.len() - RECORD..]);
            if !matches!(header::look(&last, limits)?, Next::Entry) {
                return Err(Reject::new(
                    Reason::BadHeader,
                    "a PAX header without an entry",
                ));
            }
            header::decode(&raw[RECORD..RECORD + size], &last, &raw).map(Some)
        }
    }
}

/// Splits a name into top directory and path, and checks both.
pub(super) fn split_top<'a>(head: &'a Head, limits: &Limits) -> Result<(&'a str, &'a str), Reject> {
    if head.path.starts_with('/') {
        return Err(Reject::new(
            Reason::AbsolutePath,
            format!("name {:?}", head.path),
        ));
    }
    let (top, rest) = head.path.split_once('/').ok_or_else(|| {
        Reject::new(
            Reason::BadName,
            format!("name {:?} is not below a top directory", head.path),
        )
    })?;
    path::check(top, limits)?;
    path::check(rest, limits)?;
    if head.kind == EntryKind::Link {
        path::check_link(rest, &head.target, limits)?;
    }
    Ok((top, rest))
}

/// The data of one entry, hashed as it is read.
pub(super) struct Data<'b, 'a, R> {
    blocks: &'b mut Blocks<'a, R>,
    left: u64,
    hash: Sha256,
}

impl<'b, 'a, R: Read> Data<'b, 'a, R> {
    pub(super) fn new(blocks: &'b mut Blocks<'a, R>, size: u64) -> Self {
        Self {
            blocks,
            left: size,
            hash: Sha256::new(),
        }
    }

    /// Reads what the visitor left, and the padding; gives the digest.
    pub(super) fn finish(mut self) -> Result<Digest, Reject> {
        loop {
            let now = self.fill_buf()?.len();
            if now == 0 {
                break;
            }
            self.consume(now);
        }
        Ok(self.hash.finish())
    }
}

impl<R: Read> BufRead for Data<'_, '_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let now = self.blocks.peek()?;
        if now.is_empty() {
            return Err(Reject::new(Reason::Truncated, "an entry ends in the middle").into());
        }
        let take = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(now.len());
        Ok(&now[..take])
    }

    fn consume(&mut self, bytes: usize) {
        // The bytes are in the block still: hash them as they are taken.
        if let Ok(now) = self.blocks.peek() {
            let bytes = bytes.min(now.len());
            self.hash.update(&now[..bytes]);
            self.blocks.consume(bytes);
            self.left -= (bytes as u64).min(self.left);
        }
    }
}

impl<R: Read> Read for Data<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.fill_buf()?;
        let take = now.len().min(buffer.len());
        buffer[..take].copy_from_slice(&now[..take]);
        self.consume(take);
        Ok(take)
    }
}

/// Reads the zeros that fill an entry's last record.
pub(super) fn padding<R: Read>(blocks: &mut Blocks<'_, R>, size: u64) -> Result<(), Reject> {
    let mut zeros = [0; RECORD];
    let length = (header::padded(size) - size) as usize;
    blocks.fill(&mut zeros[..length])?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(Reject::new(Reason::BadHeader, "padding that is not zero"));
    }
    Ok(())
}
