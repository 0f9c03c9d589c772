//! Random access: footer and manifest first, then only the blocks that hold what is asked for.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use super::super::gzip::{self, FOOTER_BYTES};
use super::super::header::EntryKind;
use super::super::inflate::Inflater;
use super::super::layout;
use super::super::limits::{Limits, Reason, Reject};
use super::super::manifest::{Item, Manifest};
use super::blocks::Blocks;
use super::tar::{Data, next_head, split_top};

/// Manifest and block index of a bundle.
#[derive(Debug, Clone)]
pub struct Index {
    /// The manifest.
    pub manifest: Manifest,
    /// Name of the top directory.
    pub top_dir: String,
    /// Compressed offset of the manifest's block, which is the end of the last block before it.
    pub manifest_at: u64,
    paths: HashMap<String, usize>,
    limits: Limits,
}

/// One block that is needed, and where its tar bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRange {
    /// Bytes of the file.
    pub compressed: Range<u64>,
    /// Uncompressed offset of the block's first byte.
    pub uncompressed_start: u64,
}

impl Index {
    /// Reads footer and manifest; for object storage, see [`Self::parse`].
    ///
    /// # Errors
    /// The reason code of the first fault. The blocks themselves are not looked at.
    pub fn open<R: Read + Seek>(input: &mut R, limits: &Limits) -> Result<Self, Reject> {
        let size = input.seek(SeekFrom::End(0))?;
        let at = size
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or_else(|| Reject::new(Reason::NotABundle, "the file is too short"))?;
        let mut footer = [0; FOOTER_BYTES];
        input.seek(SeekFrom::Start(at))?;
        input.read_exact(&mut footer)?;
        let manifest_at = gzip::parse_footer(&footer)
            .filter(|manifest_at| *manifest_at < at)
            .ok_or_else(|| Reject::new(Reason::NotABundle, "the file has no footer of a bundle"))?;
        input.seek(SeekFrom::Start(manifest_at))?;
        Self::parse(input, manifest_at, limits)
    }

    /// Reads the manifest from a reader that stands at its block and ends with the file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn parse<R: Read>(input: R, manifest_at: u64, limits: &Limits) -> Result<Self, Reject> {
        let mut blocks = Blocks::new(input, limits);
        let head = next_head(&mut blocks, limits)?.ok_or_else(|| {
            Reject::new(
                Reason::ManifestMissing,
                "there is no manifest where the footer points",
            )
        })?;
        let (top, path) = split_top(&head, limits)?;
        if path != layout::MANIFEST || head.kind != EntryKind::File {
            return Err(Reject::new(
                Reason::ManifestMissing,
                "another entry stands where the manifest should",
            ));
        }
        if head.size > limits.manifest_bytes {
            return Err(Reject::new(
                Reason::LimitManifest,
                format!("{} bytes", head.size),
            ));
        }
        let mut json = Vec::new();
        Data::new(&mut blocks, head.size).read_to_end(&mut json)?;
        let manifest = Manifest::parse(&json, limits)?;
        let bad = || Reject::new(Reason::ManifestMismatch, "the block index is not in order");
        let ordered = manifest
            .blocks
            .windows(2)
            .all(|w| w[0][0] < w[1][0] && w[0][1] < w[1][1]);
        let inside = manifest
            .blocks
            .last()
            .is_none_or(|last| last[0] < manifest_at);
        if !ordered
            || !inside
            || manifest
                .blocks
                .first()
                .is_some_and(|first| *first != [0, 0])
        {
            return Err(bad());
        }
        let named = manifest.items.iter().enumerate();
        let paths = named
            .filter_map(|(at, item)| Some((item.path.clone()?, at)))
            .collect();
        Ok(Self {
            manifest,
            top_dir: top.to_owned(),
            manifest_at,
            paths,
            limits: limits.clone(),
        })
    }

    /// The item stored at a path.
    #[must_use]
    pub fn item(&self, path: &str) -> Option<&Item> {
        self.paths.get(path).map(|at| &self.manifest.items[*at])
    }

    /// The blocks that hold a range of an item's bytes; the range is cut to the item.
    #[must_use]
    pub fn blocks_for(&self, item: &Item, range: Range<u64>) -> Vec<BlockRange> {
        let Some(offset) = item.offset else {
            return Vec::new();
        };
        let (start, end) = (
            range.start.min(item.stored_bytes),
            range.end.min(item.stored_bytes),
        );
        if start >= end {
            return Vec::new();
        }
        let (start, end) = (offset.saturating_add(start), offset.saturating_add(end));
        let blocks = &self.manifest.blocks;
        let first = blocks
            .partition_point(|block| block[1] <= start)
            .saturating_sub(1);
        let last = blocks.partition_point(|block| block[1] < end);
        (first..last).map(|at| self.block(at)).collect()
    }

    /// One block of the index; `at` must be below the number of blocks.
    pub(in super::super) fn block(&self, at: usize) -> BlockRange {
        let blocks = &self.manifest.blocks;
        let end = blocks.get(at + 1).map_or(self.manifest_at, |next| next[0]);
        BlockRange {
            compressed: blocks[at][0]..end,
            uncompressed_start: blocks[at][1],
        }
    }

    /// Reads a range of a stored file's bytes.
    ///
    /// # Errors
    /// `not_found` as `io::ErrorKind::NotFound` when no file is stored at the path.
    pub fn read<'r, R: Read + Seek>(
        &self,
        input: &'r mut R,
        path: &str,
        range: Range<u64>,
    ) -> io::Result<ItemReader<'r, R>> {
        let item = self
            .item(path)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let offset = item.offset.unwrap_or(0);
        let end = range.end.min(item.stored_bytes);
        let start = range.start.min(end);
        let mut blocks = self.blocks_for(item, start..end);
        blocks.reverse();
        Ok(ItemReader {
            input,
            blocks,
            inflater: Inflater::new(),
            compressed: Vec::new(),
            block: Vec::new(),
            filled: 0,
            used: 0,
            position: offset.saturating_add(start),
            left: end - start,
            limits: self.limits.clone(),
        })
    }
}

/// Reads a range of one file, a block at a time.
#[derive(Debug)]
pub struct ItemReader<'r, R> {
    input: &'r mut R,
    /// Blocks to come, the next one last.
    blocks: Vec<BlockRange>,
    inflater: Inflater,
    compressed: Vec<u8>,
    block: Vec<u8>,
    filled: usize,
    used: usize,
    position: u64,
    left: u64,
    limits: Limits,
}

impl<R: Read + Seek> ItemReader<'_, R> {
    fn next_block(&mut self) -> io::Result<()> {
        let gone = || {
            Reject::new(
                Reason::ManifestMismatch,
                "the block index does not reach the data",
            )
        };
        let range = self.blocks.pop().ok_or_else(gone)?;
        let bytes = range.compressed.end - range.compressed.start;
        if bytes > gzip::member_bound(self.limits.block_bytes) {
            return Err(
                Reject::new(Reason::BadHeader, "a block is larger than format 1 allows").into(),
            );
        }
        self.compressed.resize(bytes as usize, 0);
        self.input.seek(SeekFrom::Start(range.compressed.start))?;
        self.input.read_exact(&mut self.compressed)?;
        self.block.resize(self.limits.block_bytes as usize, 0);
        self.filled = inflate(&mut self.inflater, &self.compressed, &mut self.block)?;
        let skip = self
            .position
            .checked_sub(range.uncompressed_start)
            .ok_or_else(gone)?;
        self.used = usize::try_from(skip)
            .ok()
            .filter(|skip| *skip < self.filled)
            .ok_or_else(gone)?;
        Ok(())
    }
}

impl<R: Read + Seek> Read for ItemReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        if self.used == self.filled {
            self.next_block()?;
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let take = (self.filled - self.used).min(buffer.len()).min(left);
        buffer[..take].copy_from_slice(&self.block[self.used..self.used + take]);
        self.used += take;
        self.position += take as u64;
        self.left -= take as u64;
        Ok(take)
    }
}

/// Decodes blocks one after the other, reusing its memory.
#[derive(Debug)]
pub struct BlockDecoder {
    inflater: Inflater,
    block: Vec<u8>,
    given: usize,
    most: u64,
}

impl BlockDecoder {
    /// For blocks of a bundle within these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            inflater: Inflater::new(),
            block: vec![0; limits.block_bytes as usize],
            given: 0,
            most: gzip::member_bound(limits.block_bytes),
        }
    }

    /// The longest block, packed.
    #[must_use]
    pub fn most_bytes(&self) -> u64 {
        self.most
    }

    /// Decodes the block at the start of some bytes; gives how many of them it took.
    ///
    /// # Errors
    /// The reason code of the fault.
    pub fn first(&mut self, packed: &[u8]) -> Result<usize, Reject> {
        self.given = 0;
        let member = self.inflater.member(packed, &mut self.block)?;
        self.given = member.given;
        Ok(member.taken)
    }

    /// What was in the block that was decoded last.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.block[..self.given]
    }
}

/// Decodes the bytes of one block, as a [`BlockRange`] names them.
///
/// # Errors
/// The reason code of the fault; bytes after the member are one.
pub fn decode_block(compressed: &[u8], limits: &Limits) -> Result<Vec<u8>, Reject> {
    // The member's own length is a hint for the allocation only; the decoder checks it.
    let hint = compressed
        .last_chunk::<4>()
        .map_or(0, |last| u64::from(u32::from_le_bytes(*last)));
    let mut block = vec![0; hint.min(limits.block_bytes) as usize];
    let given = inflate(&mut Inflater::new(), compressed, &mut block)?;
    block.truncate(given);
    Ok(block)
}

fn inflate(inflater: &mut Inflater, compressed: &[u8], block: &mut [u8]) -> Result<usize, Reject> {
    let member = inflater.member(compressed, block)?;
    if member.taken != compressed.len() {
        return Err(Reject::new(
            Reason::ManifestMismatch,
            "the block index does not meet the blocks",
        ));
    }
    Ok(member.given)
}
