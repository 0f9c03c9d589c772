//! Writes a bundle in one pass with bounded memory: one block of tar bytes and one compressed.
//!
//! An entry whose size is not known beforehand goes into the current block while it is small. As
//! soon as it reaches 64 KiB its header becomes a member of its own, stored and thus of known
//! size, which is patched when the size is known.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::gzip::{self, Packer};
use super::header::{EntryKind, Head, RECORD, padded};
use super::limits::Limits;
use super::manifest::Manifest;
use super::{layout, path};
use crate::hash::{Digest, Sha256};
use crate::time::UtcMs;

mod entry;
mod error;

pub use entry::EntryWriter;
use entry::Open;
pub use error::WriteError;

/// Tar bytes of a block at most.
pub const BLOCK_BYTES: usize = 1 << 20;
/// From this size on an entry begins a new block.
pub const OWN_BLOCK_BYTES: usize = 64 << 10;

/// How a bundle is written.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// Name of the top directory, from [`layout::top_dir`].
    pub top_dir: String,
    /// Time of all entries.
    pub mtime: UtcMs,
    /// libdeflate's level; 1 is the default of the product.
    pub level: u8,
}

/// What was stored for one entry; goes into the item of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Path below the top directory.
    pub path: String,
    /// Bytes of data.
    pub bytes: u64,
    /// Digest of the data.
    pub sha256: Digest,
    /// Offset of the data in the uncompressed tar.
    pub offset: u64,
}

/// A finished bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of the file.
    pub bytes: u64,
    /// Digest of the file: what is shown, agreed to, and receipted.
    pub sha256: Digest,
}

/// Writes a bundle. See the module for how.
pub struct BundleWriter<W> {
    pub(super) out: W,
    options: WriterOptions,
    packer: Packer,
    block: Vec<u8>,
    /// Compressed bytes written.
    written: u64,
    /// Tar bytes in finished blocks.
    packed: u64,
    pub(super) blocks: Vec<[u64; 2]>,
    stored: std::collections::BTreeMap<String, Stored>,
    open: Option<Open>,
    /// Digest up to the first header that is patched, and where that is.
    hash: Sha256,
    hash_ends: Option<u64>,
    limits: Limits,
}

impl<W> std::fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BundleWriter")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl<W: Write> BundleWriter<W> {
    /// Starts a bundle at the current, empty end of `out`.
    pub fn create(out: W, options: WriterOptions) -> Self {
        Self {
            out,
            packer: Packer::new(options.level),
            options,
            block: Vec::with_capacity(BLOCK_BYTES),
            written: 0,
            packed: 0,
            blocks: Vec::new(),
            stored: std::collections::BTreeMap::new(),
            open: None,
            hash: Sha256::new(),
            hash_ends: None,
            limits: Limits::default(),
        }
    }

    /// Compressed bytes written so far; the current block is not in it.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What is written to. Between entries everything that was written is final, except what was reserved.
    pub fn output(&mut self) -> &mut W {
        &mut self.out
    }

    /// The same, only to look at.
    pub fn written_to(&self) -> &W {
        &self.out
    }

    /// Adds a whole file.
    ///
    /// # Errors
    /// A bad or taken name, an open entry, or a failing output.
    pub fn add(&mut self, path: &str, data: &[u8]) -> Result<Stored, WriteError> {
        let head = self.head(path, EntryKind::File, "", data.len() as u64)?;
        let encoded = head.encode();
        let need = encoded.len() + padded(data.len() as u64) as usize;
        if data.len() >= OWN_BLOCK_BYTES || self.block.len() + need > BLOCK_BYTES {
            self.flush_block()?;
        }
        self.append(&encoded)?;
        let offset = self.position();
        self.append(data)?;
        self.pad(data.len() as u64)?;
        let stored = Stored {
            path: path.to_owned(),
            bytes: data.len() as u64,
            sha256: crate::hash::sha256(data),
            offset,
        };
        self.stored.insert(path.to_owned(), stored.clone());
        Ok(stored)
    }

    /// Adds a symbolic link; the target is relative and stays inside the bundle.
    ///
    /// # Errors
    /// A bad or taken name, a target that leads out, an open entry, or a failing output.
    pub fn link(&mut self, path: &str, target: &str) -> Result<Stored, WriteError> {
        path::check_link(path, target, &self.limits).map_err(|source| WriteError::Path {
            path: path.to_owned(),
            source,
        })?;
        let encoded = self.head(path, EntryKind::Link, target, 0)?.encode();
        if self.block.len() + encoded.len() > BLOCK_BYTES {
            self.flush_block()?;
        }
        self.append(&encoded)?;
        let sha256 = crate::hash::sha256(&[]);
        let stored = Stored {
            path: path.to_owned(),
            bytes: 0,
            sha256,
            offset: self.position(),
        };
        self.stored.insert(path.to_owned(), stored.clone());
        Ok(stored)
    }

    pub(super) fn head(
        &self,
        path: &str,
        kind: EntryKind,
        target: &str,
        size: u64,
    ) -> Result<Head, WriteError> {
        if self.open.is_some() {
            return Err(WriteError::Order("the entry before was not ended"));
        }
        path::check(path, &self.limits).map_err(|source| WriteError::Path {
            path: path.to_owned(),
            source,
        })?;
        if self.stored.contains_key(path) || path == layout::MANIFEST {
            return Err(WriteError::Duplicate {
                path: path.to_owned(),
            });
        }
        Ok(self.raw_head(path, kind, target, size))
    }

    fn raw_head(&self, path: &str, kind: EntryKind, target: &str, size: u64) -> Head {
        Head {
            path: format!("{}/{path}", self.options.top_dir),
            kind,
            target: target.to_owned(),
            size,
            mtime: self.options.mtime.seconds(),
        }
    }

    /// Offset of the next tar byte.
    pub(super) fn position(&self) -> u64 {
        self.packed + self.block.len() as u64
    }

    /// Adds tar bytes, packing every full block; whole blocks are packed from where they are.
    pub(super) fn append(&mut self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            if self.block.is_empty() && bytes.len() >= BLOCK_BYTES {
                let (whole, rest) = bytes.split_at(BLOCK_BYTES);
                let member = self.packer.member(whole);
                emit(&mut self.out, &mut self.hash, self.hash_ends, member)?;
                self.blocks.push([self.written, self.packed]);
                self.written += member.len() as u64;
                self.packed += BLOCK_BYTES as u64;
                bytes = rest;
                continue;
            }
            let room = BLOCK_BYTES - self.block.len();
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            if self.block.len() == BLOCK_BYTES {
                self.flush_block()?;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Packs what is in the current block.
    pub(super) fn flush_block(&mut self) -> Result<(), WriteError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let member = self.packer.member(&self.block);
        emit(&mut self.out, &mut self.hash, self.hash_ends, member)?;
        self.blocks.push([self.written, self.packed]);
        self.written += member.len() as u64;
        self.packed += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }

    /// Writes a member that is packed already.
    pub(super) fn copy_member(&mut self, member: &[u8], tar_bytes: u64) -> Result<(), WriteError> {
        self.flush_block()?;
        emit(&mut self.out, &mut self.hash, self.hash_ends, member)?;
        self.blocks.push([self.written, self.packed]);
        self.written += member.len() as u64;
        self.packed += tar_bytes;
        Ok(())
    }

    fn pad(&mut self, bytes: u64) -> Result<(), WriteError> {
        let zeros = [0; RECORD];
        self.append(&zeros[..(padded(bytes) - bytes) as usize])
    }

    /// Writes manifest, end of archive and footer. The digest is whole unless a header was patched.
    pub(super) fn close(&mut self, manifest: &mut Manifest) -> Result<(), WriteError> {
        self.flush_block()?;
        manifest.blocks.clone_from(&self.blocks);
        let json = serde_json::to_vec(manifest).map_err(WriteError::Manifest)?;
        let at = self.written;
        let head = self
            .raw_head(layout::MANIFEST, EntryKind::File, "", json.len() as u64)
            .encode();
        self.append(&head)?;
        self.append(&json)?;
        self.pad(json.len() as u64)?;
        self.append(&[0; 2 * RECORD])?;
        self.flush_block()?;
        let footer = gzip::footer(at);
        emit(&mut self.out, &mut self.hash, self.hash_ends, &footer)?;
        self.written += footer.len() as u64;
        self.out.flush().map_err(|source| WriteError::Io {
            doing: "flush",
            source,
        })
    }

    /// Gives items what was stored for them and checks that neither side has more than the other.
    fn account(&self, manifest: &mut Manifest) -> Result<(), WriteError> {
        let unaccounted = |path: &str| WriteError::Unaccounted {
            path: path.to_owned(),
        };
        let mut left: std::collections::BTreeSet<&str> =
            self.stored.keys().map(String::as_str).collect();
        for item in &mut manifest.items {
            let Some(path) = item.path.as_deref() else {
                continue;
            };
            let stored = self.stored.get(path).ok_or_else(|| unaccounted(path))?;
            if !left.remove(path) {
                return Err(unaccounted(path));
            }
            item.sha256 = Some(stored.sha256);
            item.stored_bytes = stored.bytes;
            item.offset = Some(stored.offset);
        }
        left.first().map_or(Ok(()), |path| Err(unaccounted(path)))
    }

    /// Ends a bundle that has no entry from `start`, on an output that can neither seek nor read.
    ///
    /// # Errors
    /// As [`Self::seal`]; also when a header had to be patched.
    pub fn seal_stream(self, manifest: &mut Manifest) -> Result<(W, Sealed), WriteError> {
        if self.open.is_some() || self.hash_ends.is_some() {
            return Err(WriteError::Order(
                "an entry of unknown size needs an output that seeks",
            ));
        }
        self.account(manifest)?;
        self.finish_unpatched(manifest)
    }

    /// Ends a bundle whose items need no accounting.
    pub(super) fn finish_unpatched(
        mut self,
        manifest: &mut Manifest,
    ) -> Result<(W, Sealed), WriteError> {
        self.close(manifest)?;
        Ok((
            self.out,
            Sealed {
                bytes: self.written,
                sha256: self.hash.finish(),
            },
        ))
    }
}

impl<W: Write + Seek> BundleWriter<W> {
    /// As [`Self::seal`], for an output that makes the digest itself: nothing is read again. Gives the
    /// output and the bytes written.
    ///
    /// # Errors
    /// An open entry, entries and items that do not match, or a failing output.
    pub fn seal_unhashed(mut self, manifest: &mut Manifest) -> Result<(W, u64), WriteError> {
        if self.open.is_some() {
            return Err(WriteError::Order("the entry before was not ended"));
        }
        self.account(manifest)?;
        self.close(manifest)?;
        Ok((self.out, self.written))
    }
}

impl<W: Read + Write + Seek> BundleWriter<W> {
    /// Fills the items and the block index of the manifest, writes it and the footer.
    ///
    /// The output is read once more from the first patched header on, for the digest.
    ///
    /// # Errors
    /// An open entry, entries and items that do not match, or a failing output.
    pub fn seal(mut self, manifest: &mut Manifest) -> Result<(W, Sealed), WriteError> {
        if self.open.is_some() {
            return Err(WriteError::Order("the entry before was not ended"));
        }
        self.account(manifest)?;
        self.close(manifest)?;
        if let Some(from) = self.hash_ends {
            let step = |source| WriteError::Io {
                doing: "hash",
                source,
            };
            self.out.seek(SeekFrom::Start(from)).map_err(step)?;
            // The block is free now and saves a buffer.
            self.block.resize(256 << 10, 0);
            loop {
                match self.out.read(&mut self.block) {
                    Ok(0) => break,
                    Ok(given) => self.hash.update(&self.block[..given]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(step(error)),
                }
            }
        }
        Ok((
            self.out,
            Sealed {
                bytes: self.written,
                sha256: self.hash.finish(),
            },
        ))
    }
}

fn emit<W: Write>(
    out: &mut W,
    hash: &mut Sha256,
    hash_ends: Option<u64>,
    bytes: &[u8],
) -> Result<(), WriteError> {
    if hash_ends.is_none() {
        hash.update(bytes);
    }
    out.write_all(bytes).map_err(|source| WriteError::Io {
        doing: "write",
        source,
    })
}
