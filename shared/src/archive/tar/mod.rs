//! Tar as ustar, PAX, GNU and V7 write it, read so that no other reader can see something else.

mod header;
mod pax;
mod sparse;

use std::io::{self, BufRead, Read};

use super::ledger::{Head, Ledger};
use super::{Kind, Visitor};
use crate::bundle::limits::{Limits, Reason, Reject};
use header::{Header, is_zero};
pub(super) use header::{RECORD, looks_like, resembles};
use pax::Pax;
use sparse::Sparse;

/// What stands before an entry and belongs to it.
#[derive(Default)]
struct Pending {
    pax: Option<Pax>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.name.is_none() && self.link.is_none()
    }
}

struct Reader<'r, R> {
    input: &'r mut R,
    limits: &'r Limits,
    /// Bytes of all extension headers so far.
    headers: u64,
    pending: Pending,
}

/// Reads a whole tar archive, to the last byte behind it.
pub(super) fn read<R: BufRead>(
    input: &mut R,
    limits: &Limits,
    visitor: &mut dyn Visitor,
    ledger: &mut Ledger<'_>,
) -> Result<(), Reject> {
    let mut reader = Reader {
        input,
        limits,
        headers: 0,
        pending: Pending::default(),
    };
    loop {
        let mut record = [0; RECORD];
        reader.fill(&mut record)?;
        if is_zero(&record) {
            return reader.end();
        }
        let header = header::parse(&record)?;
        match header.flag {
            b'x' | b'g' | b'L' | b'K' => reader.extension(&header)?,
            _ => reader.entry(&header, &record, visitor, ledger)?,
        }
    }
}

fn bad(what: impl Into<String>) -> Reject {
    Reject::new(Reason::BadHeader, what)
}

impl<R: BufRead> Reader<'_, R> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Reject> {
        self.input.read_exact(out).map_err(|error| {
            let reject = Reject::from(error);
            let cut = reject.reason == Reason::Truncated;
            if cut {
                Reject::new(Reason::Truncated, "the tar archive has no end")
            } else {
                reject
            }
        })
    }

    /// Data of an extension header, within limits.
    fn extension(&mut self, header: &Header) -> Result<(), Reject> {
        self.headers = self.headers.saturating_add(header.size);
        if header.size > self.limits.header_bytes || self.headers > self.limits.headers_total_bytes
        {
            return Err(Reject::new(
                Reason::LimitHeader,
                format!("an extension header of {} bytes", header.size),
            ));
        }
        // An attribute before each of very many entries is counted too, however short it is.
        let mut data = vec![0; header.size as usize];
        self.fill(&mut data)?;
        self.padding(header.size)?;
        let once = |there: bool| {
            if there {
                Err(bad("two extension headers of one kind"))
            } else {
                Ok(())
            }
        };
        match header.flag {
            b'g' if self.pending.is_empty() => pax::check_global(&data),
            b'g' => Err(bad("a global header between an entry and its own")),
            b'x' => {
                once(!self.pending.is_empty())?;
                self.pending.pax = Some(pax::parse(&data)?);
                Ok(())
            }
            b'L' => {
                once(self.pending.pax.is_some() || self.pending.name.is_some())?;
                self.pending.name = Some(long_name(data)?);
                Ok(())
            }
            _ => {
                once(self.pending.pax.is_some() || self.pending.link.is_some())?;
                self.pending.link = Some(long_name(data)?);
                Ok(())
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        record: &[u8; RECORD],
        visitor: &mut dyn Visitor,
        ledger: &mut Ledger<'_>,
    ) -> Result<(), Reject> {
        let pending = std::mem::take(&mut self.pending);
        let pax = pending.pax.unwrap_or_default();
        let stored = pax.size(header.size)?;
        if pax.has_size() && (pax.sparse.is_some() || header.flag == b'S') {
            return Err(bad("a sparse entry with two sizes"));
        }
        let name = pax
            .sparse_name()?
            .or(pax.path)
            .or(pending.name)
            .unwrap_or_else(|| header.name.clone());
        let link = pax
            .link
            .or(pending.link)
            .unwrap_or_else(|| header.link.clone());
        let kind = kind(header, &name)?;
        let target = matches!(kind, Kind::Symlink | Kind::Hardlink).then_some(link.as_slice());
        if target.is_some_and(|target| target.is_empty() || target.contains(&0)) {
            return Err(Reject::new(Reason::BadName, "a link without a target"));
        }
        if kind != Kind::File && stored != 0 {
            return Err(bad("an entry with data that may have none"));
        }
        if kind != Kind::File && (pax.sparse.is_some() || header.flag == b'S') {
            return Err(bad("a sparse entry that is no file"));
        }
        let map = if header.flag == b'S' {
            if pax.sparse.is_some() {
                return Err(bad("sparse in two ways"));
            }
            Some(sparse::old_gnu(self.input, record, stored, self.limits)?)
        } else {
            None
        };
        let mut data = Stored {
            input: &mut *self.input,
            left: stored,
        };
        let map = match pax.sparse {
            Some(real) => Some(sparse::in_data(&mut data, real, self.limits)?),
            None => map,
        };
        let size = map.as_ref().map_or(stored, |map| map.size);
        if map.is_some() && ledger.unpacked.saturating_add(size) > ledger.budget {
            return Err(Reject::new(
                Reason::LimitSparse,
                "sparse entries are too large together",
            ));
        }
        let head = Head {
            raw: &name,
            kind,
            size: Some(size),
            target,
            mtime_s: pax.mtime_s.or(header.mtime_s),
        };
        match map {
            Some(map) => ledger.entry(&head, &mut Sparse::new(&mut data, map), visitor)?,
            None => ledger.entry(&head, &mut data, visitor)?,
        }
        // The archive's own root is skipped by the ledger and has no data.
        io::copy(&mut data, &mut io::sink())?;
        self.padding(stored)
    }

    fn padding(&mut self, bytes: u64) -> Result<(), Reject> {
        let mut record = [0; RECORD];
        let length = (RECORD - (bytes % RECORD as u64) as usize) % RECORD;
        self.fill(&mut record[..length])?;
        if is_zero(&record) {
            Ok(())
        } else {
            Err(bad("padding that is not zero"))
        }
    }

    /// After the first record of zeros: a second one, and nothing but whole records of zeros.
    fn end(&mut self) -> Result<(), Reject> {
        if !self.pending.is_empty() {
            return Err(bad("an extension header without an entry"));
        }
        let mut record = [0; RECORD];
        self.fill(&mut record)?;
        let mut length = 0;
        let mut zero = is_zero(&record);
        while zero {
            let now = self.input.fill_buf()?;
            if now.is_empty() {
                break;
            }
            zero = now.iter().all(|byte| *byte == 0);
            let taken = now.len();
            length += taken as u64;
            self.input.consume(taken);
        }
        if !zero || length % RECORD as u64 != 0 {
            return Err(Reject::new(
                Reason::TrailingData,
                "bytes after the end of the tar archive",
            ));
        }
        Ok(())
    }
}

fn kind(header: &Header, name: &[u8]) -> Result<Kind, Reject> {
    Ok(match header.flag {
        // Some readers go by the header's own name, some by the one that replaces it.
        0 if name.ends_with(b"/") != header.name.ends_with(b"/") => {
            return Err(bad("a directory by one name and a file by the other"));
        }
        // V7 wrote directories as files with a slash; everybody reads them so.
        0 if name.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::Hardlink,
        b'2' => Kind::Symlink,
        b'3' | b'4' => Kind::Device,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => {
            let shown = char::from(other).escape_default().to_string();
            return Err(Reject::new(
                Reason::Unsupported,
                format!("entry type {shown}"),
            ));
        }
    })
}

/// A GNU long name: ends with one NUL, and has none inside.
fn long_name(mut data: Vec<u8>) -> Result<Vec<u8>, Reject> {
    if data.last() == Some(&0) {
        data.pop();
    }
    if data.is_empty() || data.contains(&0) {
        return Err(Reject::new(
            Reason::BadName,
            "a long name with a NUL in it, or empty",
        ));
    }
    Ok(data)
}

/// The stored bytes of one entry.
struct Stored<'r, R> {
    input: &'r mut R,
    left: u64,
}

impl<R: BufRead> BufRead for Stored<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let now = self.input.fill_buf()?;
        if now.is_empty() {
            return Err(Reject::new(Reason::Truncated, "an entry ends in the middle").into());
        }
        Ok(&now[..usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(now.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
        self.input.consume(bytes);
    }
}

impl<R: BufRead> Read for Stored<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let now = self.fill_buf()?;
        let take = now.len().min(out.len());
        out[..take].copy_from_slice(&now[..take]);
        self.consume(take);
        Ok(take)
    }
}
