//! Reads a bundle once from start to end and believes nothing: one meaning, or a reject.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use super::super::header::{EntryKind, RECORD};
use super::super::layout;
use super::super::limits::{Limits, Reason, Reject};
use super::super::manifest::{Item, Kind, Manifest};
use super::blocks::Blocks;
use super::tar::{Data, next_head, padding, split_top};
use crate::hash::{Digest, HashingReader};

/// An entry as a visitor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Path below the top directory.
    pub path: &'a str,
    /// File or link.
    pub kind: EntryKind,
    /// Bytes of data.
    pub size: u64,
    /// Offset of the data in the uncompressed tar.
    pub offset: u64,
    /// Target of a link.
    pub link_target: Option<&'a str>,
}

/// Sees every entry in order, the manifest last. What it leaves unread is read and checked anyway.
pub trait Visitor {
    /// Takes one entry. The reader is also a `BufRead` that gives up to 1 MiB without copying.
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

/// A bundle that holds what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The manifest.
    pub manifest: Manifest,
    /// Name of the top directory.
    pub top_dir: String,
    /// Digest of the file.
    pub sha256: Digest,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of the tar in it.
    pub unpacked_bytes: u64,
}

/// What was seen of an entry, to be compared with the manifest.
struct Seen {
    kind: EntryKind,
    size: u64,
    offset: u64,
    target: String,
    sha256: Digest,
}

/// Reads and checks a whole bundle in constant memory but for names and manifest.
///
/// # Errors
/// The first fault, by its code. Findings of the visitor before that must be dropped.
pub fn verify<R: Read>(
    input: R,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Result<Verified, Reject> {
    let mut hashing = HashingReader::new(input);
    let mut blocks = Blocks::new(&mut hashing, limits);
    let mut walk = Walk {
        limits,
        seen: BTreeMap::new(),
        names_bytes: 0,
        top: None,
    };
    let (manifest, at) = walk.entries(&mut blocks, visitor)?;
    end_of_archive(&mut blocks)?;
    let unpacked_bytes = blocks.position();
    if blocks.footer != Some(at.compressed) {
        return Err(mismatch("the footer does not point at the manifest"));
    }
    if manifest.blocks != blocks.index[..at.blocks] {
        return Err(mismatch("the block index is wrong"));
    }
    walk.compare(&manifest)?;
    let (_, sha256, bytes) = hashing.finish();
    Ok(Verified {
        manifest,
        top_dir: walk.top.unwrap_or_default(),
        sha256,
        bytes,
        unpacked_bytes,
    })
}

/// Where the manifest's block begins.
struct ManifestAt {
    compressed: u64,
    blocks: usize,
}

struct Walk<'a> {
    limits: &'a Limits,
    seen: BTreeMap<String, Seen>,
    names_bytes: u64,
    top: Option<String>,
}

impl Walk<'_> {
    fn entries<R: Read>(
        &mut self,
        blocks: &mut Blocks<'_, R>,
        visitor: &mut dyn Visitor,
    ) -> Result<(Manifest, ManifestAt), Reject> {
        loop {
            blocks.peek()?;
            let own_block = blocks.at_block_start();
            let at = ManifestAt {
                compressed: blocks.index.last().map_or(0, |block| block[0]),
                blocks: blocks.index.len().saturating_sub(1),
            };
            let head = next_head(blocks, self.limits)?.ok_or_else(|| {
                Reject::new(
                    Reason::ManifestMissing,
                    "the archive ends without a manifest",
                )
            })?;
            let (top, path) = split_top(&head, self.limits)?;
            if self.top.get_or_insert_with(|| top.to_owned()) != top {
                return Err(Reject::new(Reason::BadName, "more than one top directory"));
            }
            if head.size > self.limits.entry_bytes {
                return Err(Reject::new(
                    Reason::LimitUnpacked,
                    format!("{path:?} has {} bytes", head.size),
                ));
            }
            let target = (head.kind == EntryKind::Link).then_some(head.target.as_str());
            let entry = Entry {
                path,
                kind: head.kind,
                size: head.size,
                offset: blocks.position(),
                link_target: target,
            };
            if path == layout::MANIFEST {
                if !own_block || head.kind != EntryKind::File {
                    return Err(mismatch("the manifest does not begin a block"));
                }
                return Ok((self.manifest(blocks, &entry, visitor)?, at));
            }
            self.count(path)?;
            let mut data = Data::new(blocks, head.size);
            visitor.entry(&entry, &mut data)?;
            let sha256 = data.finish()?;
            let seen = Seen {
                kind: entry.kind,
                size: entry.size,
                offset: entry.offset,
                target: head.target.clone(),
                sha256,
            };
            padding(blocks, seen.size)?;
            self.seen.insert(path.to_owned(), seen);
        }
    }

    fn count(&mut self, path: &str) -> Result<(), Reject> {
        self.names_bytes += path.len() as u64;
        if self.seen.contains_key(path) {
            return Err(Reject::new(
                Reason::DuplicateEntry,
                format!("name {path:?} twice"),
            ));
        }
        if self.seen.len() as u64 >= self.limits.entries {
            return Err(Reject::new(
                Reason::LimitEntries,
                format!("more than {} entries", self.limits.entries),
            ));
        }
        // Every name must stand in the manifest, so more of them than it may hold cannot be honest.
        if self.names_bytes > self.limits.manifest_bytes {
            return Err(Reject::new(
                Reason::LimitManifest,
                "the names alone are larger than a manifest may be",
            ));
        }
        Ok(())
    }

    fn manifest<R: Read>(
        &self,
        blocks: &mut Blocks<'_, R>,
        entry: &Entry<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<Manifest, Reject> {
        if entry.size > self.limits.manifest_bytes {
            return Err(Reject::new(
                Reason::LimitManifest,
                format!("{} bytes", entry.size),
            ));
        }
        let mut json = Vec::new();
        Data::new(blocks, entry.size).read_to_end(&mut json)?;
        padding(blocks, entry.size)?;
        visitor.entry(entry, &mut &json[..])?;
        Manifest::parse(&json, self.limits)
    }

    /// Every entry has one item and every item with a path one entry, and both say the same.
    fn compare(&mut self, manifest: &Manifest) -> Result<(), Reject> {
        for path in self.seen.keys() {
            for (at, _) in path.match_indices('/') {
                if self.seen.contains_key(&path[..at]) {
                    return Err(Reject::new(
                        Reason::DuplicateEntry,
                        format!("{path:?} lies below a file or link"),
                    ));
                }
            }
        }
        for item in &manifest.items {
            let Some(path) = item.path.as_deref() else {
                continue;
            };
            let seen = self
                .seen
                .remove(path)
                .ok_or_else(|| mismatch(&format!("item {path:?} has no entry of its own")))?;
            same(item, &seen).map_err(|what| mismatch(&format!("{what} of {path:?}")))?;
        }
        match self.seen.first_key_value() {
            Some((path, _)) => Err(mismatch(&format!("entry {path:?} is not in the manifest"))),
            None => Ok(()),
        }
    }
}

fn same(item: &Item, seen: &Seen) -> Result<(), &'static str> {
    if (item.kind == Kind::Link) != (seen.kind == EntryKind::Link) {
        return Err("kind");
    }
    if item.link_target.as_deref().unwrap_or_default() != seen.target {
        return Err("link target");
    }
    if item.stored_bytes != seen.size {
        return Err("size");
    }
    if item.offset != Some(seen.offset) {
        return Err("offset");
    }
    if item.sha256 != Some(seen.sha256) {
        return Err("digest");
    }
    Ok(())
}

/// After the manifest: two records of zeros (the first one is still to be read), then the footer.
fn end_of_archive<R: Read>(blocks: &mut Blocks<'_, R>) -> Result<(), Reject> {
    let mut end = [0; 2 * RECORD];
    blocks.fill(&mut end)?;
    if end.iter().any(|byte| *byte != 0) {
        return Err(Reject::new(
            Reason::TrailingData,
            "entries after the manifest",
        ));
    }
    if !blocks.peek()?.is_empty() {
        return Err(Reject::new(
            Reason::TrailingData,
            "bytes after the end of the archive",
        ));
    }
    Ok(())
}

fn mismatch(detail: &str) -> Reject {
    Reject::new(Reason::ManifestMismatch, detail)
}
