//! The strict reader for archives that strangers made with other tools: tar (ustar, PAX, GNU),
//! plain or in gzip, xz, zstd or bzip2; zip; and single files, compressed or not.
//!
//! An archive has one meaning or it is rejected: whatever two honest readers could take
//! differently is a reject with a reason code. What is only hostile to someone who extracts it
//! (links out of the tree, devices, names with control characters) is neutralised: recorded under
//! a safe name, never made. Archives inside archives are stored, not opened.

mod decode;
mod detect;
mod ledger;
mod manifest;
mod names;
mod reading;
mod tar;
#[cfg(test)]
mod tests;
mod zip;

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use serde::Serialize;

use crate::bundle::limits::{Limits, Reason, Reject};
use crate::bundle::reader as bundle;
use decode::{Codec, Decoded};
use detect::{Inner, Shape};
use ledger::Ledger;

/// What an entry is. Only files have data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; recorded.
    Symlink,
    /// A second name of an earlier file; recorded.
    Hardlink,
    /// A device; recorded.
    Device,
    /// A FIFO; recorded.
    Fifo,
}

/// An entry as a visitor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Safe, relative, unique path.
    pub path: &'a str,
    /// The name as it stands in the archive.
    pub raw: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// Bytes of data, zeros of sparse regions included; absent when only reading tells.
    pub size: Option<u64>,
    /// Target of a link, as text.
    pub link_target: Option<&'a str>,
    /// When it was last changed, UTC seconds, as far as the archive says.
    pub mtime_s: Option<i64>,
}

/// Sees every entry in order. What it leaves unread is read and checked anyway. Until the verdict
/// is there, nothing that it saw counts.
pub trait Visitor {
    /// Takes one entry.
    ///
    /// # Errors
    /// A reject ends the reading with that reason.
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject>;
}

/// Looks at nothing.
impl Visitor for () {
    fn entry(&mut self, _: &Entry<'_>, _: &mut dyn BufRead) -> Result<(), Reject> {
        Ok(())
    }
}

/// What became of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Taken as it is.
    Accept,
    /// Taken; hostile entries were made inert and are listed.
    Neutralise,
    /// Not taken.
    Reject,
}

/// Something that was made inert, or is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Safe path of the entry.
    pub path: String,
    /// Code.
    pub reason: Reason,
    /// More, such as a link's target.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The verdict on one file, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Code of the reject, of the first neutralised entry, or `ok`.
    pub reason: &'static str,
    /// The reject in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// `sitrep/1`, `tar.gz`, `zip`, `file`, …
    pub format: String,
    /// Entries.
    pub entries: u64,
    /// Unpacked bytes.
    pub unpacked_bytes: u64,
    /// How many notes there are; the list is cut at 1,000.
    pub neutralised: u64,
    /// What was made inert.
    pub notes: Vec<Note>,
}

/// Code of an archive without any fault.
pub const OK: &str = "ok";

/// Reads a whole file of any known format and judges it. The time limit is the caller's.
pub fn inspect<R: Read + Seek>(
    input: &mut R,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Report {
    let mut ledger = Ledger::new(limits);
    let mut format = String::from("unknown");
    let result = read(input, limits, visitor, &mut ledger, &mut format);
    let (verdict, reason, detail) = match result {
        Err(reject) => (Verdict::Reject, reject.reason.as_str(), reject.detail),
        Ok(()) => match ledger.hostile {
            Some(reason) => (Verdict::Neutralise, reason.as_str(), String::new()),
            None => (
                Verdict::Accept,
                ledger.remark.map_or(OK, Reason::as_str),
                String::new(),
            ),
        },
    };
    Report {
        verdict,
        reason,
        detail,
        format,
        entries: ledger.count,
        unpacked_bytes: ledger.unpacked,
        neutralised: ledger.noted,
        notes: ledger.notes,
    }
}

fn read<R: Read + Seek>(
    input: &mut R,
    limits: &Limits,
    visitor: &mut dyn Visitor,
    ledger: &mut Ledger<'_>,
    format: &mut String,
) -> Result<(), Reject> {
    let size = input.seek(SeekFrom::End(0))?;
    if size > limits.upload_bytes {
        return Err(Reject::new(Reason::UploadTooLarge, format!("{size} bytes")));
    }
    if size == 0 {
        return Err(Reject::new(Reason::Empty, "the file is empty"));
    }
    if has_footer(input, size)? {
        "sitrep/1".clone_into(format);
        return own(input, limits, visitor, ledger);
    }
    let head = head(input)?;
    let shape = detect::outer(&head)?;
    shape.name().clone_into(format);
    let budget = limits.unpacked_for(size);
    ledger.budget = budget;
    match shape {
        Shape::Zip => zip::read(input, size, limits, visitor, ledger)?,
        Shape::Stream(codec) => {
            let holds = detect::inner(&mut decode(codec, input, budget, limits)?, codec)?;
            let mut decoded = decode(codec, input, budget, limits)?;
            match holds {
                Inner::File => ledger.file("content", &mut decoded, visitor)?,
                Inner::Tar => {
                    codec.tar_name().clone_into(format);
                    tar::read(&mut decoded, limits, visitor, ledger)?;
                }
            }
            drop(decoded);
            detect::no_zip_behind(input, size)?;
        }
    }
    ledger.finish()
}

/// The decoded stream of a file, from its start.
fn decode<'i, R: Read + Seek>(
    codec: Codec,
    input: &'i mut R,
    budget: u64,
    limits: &Limits,
) -> Result<Decoded<BufReader<&'i mut R>>, Reject> {
    input.seek(SeekFrom::Start(0))?;
    let reader = BufReader::with_capacity(128 << 10, input);
    Decoded::new(codec, reader, budget, limits)
}

/// Whether a file of `size` bytes ends as a bundle of ours does.
///
/// # Errors
/// When it cannot be read.
pub fn has_footer<R: Read + Seek>(input: &mut R, size: u64) -> io::Result<bool> {
    let mut footer = [0; bundle::FOOTER_BYTES];
    let Some(at) = size.checked_sub(footer.len() as u64) else {
        return Ok(false);
    };
    input.seek(SeekFrom::Start(at))?;
    input.read_exact(&mut footer)?;
    Ok(bundle::parse_footer(&footer).is_some())
}

fn head<R: Read + Seek>(input: &mut R) -> io::Result<Vec<u8>> {
    input.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    input.by_ref().take(64 << 10).read_to_end(&mut head)?;
    Ok(head)
}

/// A bundle of ours: its own reader is stricter still.
fn own<R: Read + Seek>(
    input: &mut R,
    limits: &Limits,
    visitor: &mut dyn Visitor,
    ledger: &mut Ledger<'_>,
) -> Result<(), Reject> {
    struct Bridge<'v>(&'v mut dyn Visitor, u64);
    impl bundle::Visitor for Bridge<'_> {
        fn entry(
            &mut self,
            entry: &bundle::Entry<'_>,
            data: &mut dyn BufRead,
        ) -> Result<(), Reject> {
            self.1 += 1;
            let kind = if entry.link_target.is_some() {
                Kind::Symlink
            } else {
                Kind::File
            };
            let (path, raw) = (entry.path, entry.path.as_bytes());
            self.0.entry(
                &Entry {
                    path,
                    raw,
                    kind,
                    size: Some(entry.size),
                    link_target: entry.link_target,
                    mtime_s: None,
                },
                data,
            )
        }
    }
    input.seek(SeekFrom::Start(0))?;
    let mut bridge = Bridge(visitor, 0);
    let verified = bundle::verify(&mut *input, limits, &mut bridge);
    ledger.count = bridge.1;
    ledger.unpacked = verified?.unpacked_bytes;
    Ok(())
}
