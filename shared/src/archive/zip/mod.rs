//! Zip: the directory at the end and the headers before the data must tell the same story, and the
//! entries must fill the file without a gap or an overlap.

mod data;
mod directory;
mod local;

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::ledger::{Head, Ledger};
use super::{Kind, Visitor};
use crate::bundle::limits::{Limits, Reason, Reject};
use data::Data;
use directory::Central;

/// Flag: the name is UTF-8.
const UTF8: u16 = 0x800;

/// Reads a whole zip archive of `size` bytes.
pub(super) fn read<R: Read + Seek>(
    input: &mut R,
    size: u64,
    limits: &Limits,
    visitor: &mut dyn Visitor,
    ledger: &mut Ledger<'_>,
) -> Result<(), Reject> {
    let directory = directory::read(input, size, limits)?;
    tiled(&directory.entries, directory.start)?;
    let mut declared = 0u64;
    for entry in &directory.entries {
        declared = declared.saturating_add(entry.size);
        if declared > ledger.budget {
            return Err(Reject::new(
                Reason::LimitUnpacked,
                format!("more than {} bytes", ledger.budget),
            ));
        }
    }
    input.seek(SeekFrom::Start(0))?;
    // The entries lie one behind the other: one pass, no seeking.
    let mut reader = BufReader::with_capacity(128 << 10, input);
    let ends = directory
        .entries
        .iter()
        .skip(1)
        .map(|next| next.offset)
        .chain([directory.start]);
    for (entry, end) in directory.entries.iter().zip(ends) {
        let header = local::read(&mut reader, entry)?;
        // Without the flag some readers take the name for UTF-8, some for the code page of a PC.
        let said = entry.flags & UTF8 != 0 || entry.unicode_name.as_ref() == Some(&entry.name);
        if !said && !entry.name.is_ascii() {
            ledger.note_name(entry.called(), Reason::NameUnsafe, "encoding not said");
        }
        let mut data = Data::new(&mut reader, entry);
        run(entry, &mut data, limits, visitor, ledger)?;
        data.finish()?;
        let after = end.checked_sub(entry.offset + header.bytes + entry.compressed);
        local::descriptor(&mut reader, entry, &header, after)?;
    }
    Ok(())
}

/// Cheap check before anything is unpacked: no two entries share bytes, and the first is first.
fn tiled(entries: &[Central], end: u64) -> Result<(), Reject> {
    if entries.first().map_or(end, |first| first.offset) != 0 {
        return Err(Reject::new(
            Reason::BadHeader,
            "bytes before the first entry",
        ));
    }
    let ends = entries.iter().skip(1).map(|next| next.offset).chain([end]);
    for (entry, end) in entries.iter().zip(ends) {
        let least = local::FIXED + entry.name.len() as u64;
        let reach = entry
            .offset
            .saturating_add(least)
            .saturating_add(entry.compressed);
        if reach > end {
            return Err(Reject::new(
                Reason::OverlappingEntries,
                "entries share bytes",
            ));
        }
    }
    Ok(())
}

fn run<R: std::io::BufRead>(
    entry: &Central,
    data: &mut Data<'_, R>,
    limits: &Limits,
    visitor: &mut dyn Visitor,
    ledger: &mut Ledger<'_>,
) -> Result<(), Reject> {
    let mut kind = kind(entry)?;
    if kind == Kind::Fifo && entry.size > 0 {
        // What came through a pipe is stored with the pipe's mode, and unpackers make a file of it.
        ledger.note_name(entry.called(), Reason::SpecialFile, "with data");
        kind = Kind::File;
    }
    if kind == Kind::Symlink {
        if entry.size > limits.path_bytes as u64 {
            return Err(Reject::new(
                Reason::LimitPath,
                "the target of a link is too long",
            ));
        }
        let mut target = Vec::new();
        data.read_to_end(&mut target)?;
        if target.is_empty() || target.contains(&0) {
            return Err(Reject::new(Reason::BadName, "a link without a target"));
        }
        let head = Head {
            raw: entry.called(),
            kind,
            size: Some(0),
            target: Some(&target),
            mtime_s: None,
        };
        return ledger.entry(&head, &mut std::io::empty(), visitor);
    }
    if kind != Kind::File && entry.size != 0 {
        return Err(Reject::new(
            Reason::BadHeader,
            "an entry with data that may have none",
        ));
    }
    ledger.entry(
        &Head {
            raw: entry.called(),
            kind,
            size: Some(entry.size),
            target: None,
            mtime_s: entry.mtime_s,
        },
        data,
        visitor,
    )
}

/// What an entry is: its name's slash says directory, and its mode may not contradict.
fn kind(entry: &Central) -> Result<Kind, Reject> {
    let slash = entry.name.ends_with(b"/");
    // Hosts 3 and 19 are Unix and macOS; others have no mode.
    let mode = if matches!(entry.host, 3 | 19) {
        entry.attributes >> 16 & 0o170_000
    } else {
        0
    };
    let kind = match mode {
        0 if slash => Kind::Directory,
        0 | 0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Symlink,
        0o010_000 => Kind::Fifo,
        _ => Kind::Device,
    };
    if slash != (kind == Kind::Directory) {
        return Err(Reject::new(
            Reason::AmbiguousEntry,
            "an entry is a directory by name or by mode, not both",
        ));
    }
    Ok(kind)
}
