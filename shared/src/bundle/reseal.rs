//! Makes a bundle with items left out or replaced, copying untouched blocks as they are.

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::gzip;
use super::header::{encoded_len, padded};
use super::layout;
use super::limits::{Limits, Reason, Reject};
use super::manifest::{Item, Kind, Manifest, Outcome};
use super::reader::{Index, decode_block};
use super::writer::{BundleWriter, Sealed, Stored, WriteError, WriterOptions};
use crate::time::UtcMs;

/// Reason of an item that a person left out.
pub const DESELECTED: &str = "deselected";

/// What to change.
pub struct Edit<'a> {
    /// Items to leave out; they stay in the manifest as skipped.
    pub drop: &'a dyn Fn(&Item) -> bool,
    /// Files to replace in place, or to add at the end when they are new.
    pub replace: Vec<(String, Vec<u8>)>,
    /// Note for the manifest; none leaves it as it is.
    pub note: Option<String>,
    /// Level of redaction for the manifest; none leaves it as it is.
    pub redaction_level: Option<String>,
    /// Time of new entries.
    pub mtime: UtcMs,
}

impl std::fmt::Debug for Edit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edit")
            .field("replace", &self.replace.len())
            .field("note", &self.note)
            .finish_non_exhaustive()
    }
}

/// A stretch of the old tar that goes, and the file that comes in its place.
struct Cut {
    range: Range<u64>,
    new: Option<(String, Vec<u8>)>,
}

/// Copies a bundle with changes; gives the new manifest too. The item for a new file is the caller's to know: it gets kind
/// meta, and its path as id.
///
/// # Errors
/// The input is no sound bundle, a new name is bad, or the output fails.
pub fn reseal<R: Read + Seek, W: Write>(
    input: &mut R,
    out: W,
    edit: Edit<'_>,
    limits: &Limits,
) -> Result<(W, Sealed, Manifest), WriteError> {
    let index = Index::open(input, limits).map_err(WriteError::Input)?;
    let mut manifest = index.manifest.clone();
    let (cuts, added) = plan(&mut manifest, &index.top_dir, edit.drop, edit.replace);
    let options = WriterOptions {
        top_dir: index.top_dir.clone(),
        mtime: edit.mtime,
        level: 1,
    };
    let mut copy = Copy {
        writer: BundleWriter::create(out, options),
        shifts: Vec::new(),
        fresh: Vec::new(),
    };
    copy.blocks(input, &index, cuts, limits)?;
    for (path, data) in added {
        let stored = copy.writer.add(&path, &data)?;
        copy.fresh.push(stored);
    }
    for item in &mut manifest.items {
        if let Some(offset) = item.offset.as_mut() {
            *offset = shifted(&copy.shifts, *offset);
        }
    }
    copy.fresh
        .into_iter()
        .for_each(|stored| update(&mut manifest, stored));
    if edit.note.is_some() {
        manifest.note = edit.note;
    }
    if let Some(level) = edit.redaction_level {
        manifest.redaction_level = level;
    }
    let (out, sealed) = copy.writer.finish_unpatched(&mut manifest)?;
    Ok((out, sealed, manifest))
}

/// Marks dropped items, and lists what goes and comes, in the order of the old tar.
fn plan(
    manifest: &mut Manifest,
    top: &str,
    drop: &dyn Fn(&Item) -> bool,
    mut replace: Vec<(String, Vec<u8>)>,
) -> (Vec<Cut>, Vec<(String, Vec<u8>)>) {
    let mut cuts = Vec::new();
    for item in &mut manifest.items {
        let (Some(path), Some(offset)) = (item.path.clone(), item.offset) else {
            continue;
        };
        let new = replace
            .iter()
            .position(|(new, _)| *new == path)
            .map(|at| replace.remove(at));
        if new.is_none() && !drop(item) {
            continue;
        }
        let header = encoded_len(
            &format!("{top}/{path}"),
            item.link_target.as_deref().unwrap_or_default(),
        );
        let end = offset.saturating_add(padded(item.stored_bytes));
        if new.is_none() {
            deselect(item);
        }
        cuts.push(Cut {
            range: offset.saturating_sub(header)..end,
            new,
        });
    }
    cuts.sort_by_key(|cut| cut.range.start);
    (cuts, replace)
}

fn deselect(item: &mut Item) {
    item.outcome = Outcome::Skipped;
    item.reason = Some(DESELECTED.to_owned());
    item.path = None;
    item.sha256 = None;
    item.offset = None;
    item.link_target = None;
    item.truncated = None;
    item.stored_bytes = 0;
    // How often a rule fired in what was left out is nobody's business any more.
    item.redactions.clear();
}

fn update(manifest: &mut Manifest, stored: Stored) {
    let at = manifest
        .items
        .iter()
        .position(|item| item.path.as_deref() == Some(&stored.path));
    let item = match at {
        Some(at) => &mut manifest.items[at],
        None => {
            let item = Item {
                id: stored.path.clone(),
                source: "sitrep".into(),
                kind: Kind::Meta,
                ..Item::default()
            };
            manifest.items.push(item);
            manifest
                .items
                .last_mut()
                .expect("an item was pushed just now")
        }
    };
    item.sha256 = Some(stored.sha256);
    item.stored_bytes = stored.bytes;
    item.original_bytes = stored.bytes;
    item.offset = Some(stored.offset);
    item.path = Some(stored.path);
}

struct Copy<W> {
    writer: BundleWriter<W>,
    /// From which old offset on kept bytes stand where: (old, new).
    shifts: Vec<(u64, u64)>,
    fresh: Vec<Stored>,
}

impl<W: Write> Copy<W> {
    fn blocks<R: Read + Seek>(
        &mut self,
        input: &mut R,
        index: &Index,
        cuts: Vec<Cut>,
        limits: &Limits,
    ) -> Result<(), WriteError> {
        let mut cuts = cuts.into_iter().peekable();
        let mut compressed = Vec::new();
        for at in 0..index.manifest.blocks.len() {
            let range = index.block(at);
            let start = range.uncompressed_start;
            let next = index.manifest.blocks.get(at + 1).map(|block| block[1]);
            while cuts
                .next_if(|cut| cut.range.end <= start && cut.new.is_none())
                .is_some()
            {}
            let whole_cut = cuts.peek().is_some_and(|cut| {
                cut.range.start < start && next.is_some_and(|next| next <= cut.range.end)
            });
            if whole_cut {
                continue;
            }
            fetch(input, &range.compressed, limits, &mut compressed).map_err(WriteError::Input)?;
            let size = tar_bytes(&compressed);
            let end = next.unwrap_or(start + size);
            if cuts.peek().is_none_or(|cut| cut.range.start >= end) {
                self.kept(start, true)?;
                self.writer.copy_member(&compressed, size)?;
                continue;
            }
            let block = decode_block(&compressed, limits).map_err(WriteError::Input)?;
            self.part(&block, start, &mut cuts)?;
        }
        Ok(())
    }

    /// Copies a block that is cut somewhere.
    fn part(
        &mut self,
        block: &[u8],
        start: u64,
        cuts: &mut std::iter::Peekable<std::vec::IntoIter<Cut>>,
    ) -> Result<(), WriteError> {
        let end = start + block.len() as u64;
        let mut at = start;
        while at < end {
            let keep_to = cuts
                .peek()
                .map_or(end, |cut| cut.range.start.clamp(at, end));
            if keep_to > at {
                self.kept(at, false)?;
                self.writer
                    .append(&block[(at - start) as usize..(keep_to - start) as usize])?;
                at = keep_to;
                continue;
            }
            let Some(cut) = cuts.peek_mut() else { break };
            if let Some((path, data)) = cut.new.take() {
                let stored = self.writer.add(&path, &data)?;
                self.fresh.push(stored);
            }
            at = cut.range.end.min(end);
            if cut.range.end <= end {
                cuts.next();
            }
        }
        Ok(())
    }

    fn kept(&mut self, old: u64, own_block: bool) -> Result<(), WriteError> {
        if own_block {
            self.writer.flush_block()?;
        }
        self.shifts.push((old, self.writer.position()));
        Ok(())
    }
}

fn shifted(shifts: &[(u64, u64)], old: u64) -> u64 {
    let at = shifts.partition_point(|(from, _)| *from < old);
    match at.checked_sub(1).map(|at| shifts[at]) {
        Some((from, to)) => old - from + to,
        None => old,
    }
}

fn fetch<R: Read + Seek>(
    input: &mut R,
    range: &Range<u64>,
    limits: &Limits,
    into: &mut Vec<u8>,
) -> Result<(), Reject> {
    let bytes = range.end.saturating_sub(range.start);
    if bytes > gzip::member_bound(limits.block_bytes) {
        return Err(Reject::new(
            Reason::BadHeader,
            "a block is larger than format 1 allows",
        ));
    }
    into.resize(bytes as usize, 0);
    input.seek(SeekFrom::Start(range.start))?;
    Ok(input.read_exact(into)?)
}

/// Tar bytes of a member, from its last four bytes.
fn tar_bytes(member: &[u8]) -> u64 {
    member
        .last_chunk::<4>()
        .map_or(0, |last| u64::from(u32::from_le_bytes(*last)))
}

/// The layout's own files that a reseal usually replaces.
pub const REPLACED: [&str; 3] = [layout::README, layout::REDACTION, layout::CONSENT];
