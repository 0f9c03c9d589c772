//! Writes a bundle in one pass with bounded memory: one block of tar bytes and one compressed.
//!
//! An entry whose size is not known beforehand goes into the current block while it is small. As
//! soon as it reaches 64 KiB its header becomes a member of its own, stored and thus of known
//! size, which is patched when the size is known.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::gzip::{self, Packer};
use super::header::{EntryKind, Head, RECORD, encoded_len, padded};
use super::limits::{Limits, Reject};
use super::manifest::Manifest;
use super::{layout, path};
use crate::hash::{Digest, Sha256};
use crate::time::UtcMs;

/// Tar bytes of a block at most.
pub const BLOCK_BYTES: usize = 1 << 20;
/// From this size on an entry begins a new block.
pub const OWN_BLOCK_BYTES: usize = 64 << 10;

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output failed.
    #[error("cannot {doing} the bundle")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that a bundle may not hold.
    #[error("cannot store {path:?}")]
    Path {
        /// The name.
        path: String,
        /// Why.
        #[source]
        source: Reject,
    },
    /// A name that is there already.
    #[error("{path:?} is in the bundle already")]
    Duplicate {
        /// The name.
        path: String,
    },
    /// Calls in the wrong order: an entry is open, or none is.
    #[error("{0}")]
    Order(&'static str),
    /// A stored entry without an item, or an item without an entry.
    #[error("manifest and content of {path:?} disagree")]
    Unaccounted {
        /// The name.
        path: String,
    },
    /// The manifest could not be written as JSON.
    #[error("cannot write the manifest")]
    Manifest(#[source] serde_json::Error),
    /// The bundle that is being resealed could not be read.
    #[error("cannot read the bundle")]
    Input(#[source] Reject),
}

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

/// An entry that is being written.
struct Open {
    head: Head,
    /// Where the header begins in the current block, or in the file once it is a member of its own.
    place: Place,
    bytes: u64,
    hash: Sha256,
    offset: u64,
}

#[derive(Clone, Copy)]
enum Place {
    InBlock(usize),
    InFile(u64),
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
    /// Begins a file of unknown size; [`Self::write_data`] and [`Self::end`] follow.
    ///
    /// # Errors
    /// A bad or taken name, an open entry, or a failing output.
    pub fn start(&mut self, path: &str) -> Result<(), WriteError> {
        let head = self.head(path, EntryKind::File, "", 0)?;
        let header = encoded_len(&head.path, "") as usize;
        // A small entry stays within one block, so that it can still move to its own.
        if self.block.len() + header + OWN_BLOCK_BYTES > BLOCK_BYTES {
            self.flush_block()?;
        }
        let place = Place::InBlock(self.block.len());
        self.block.resize(self.block.len() + header, 0);
        self.open = Some(Open {
            head,
            place,
            bytes: 0,
            hash: Sha256::new(),
            offset: self.position(),
        });
        Ok(())
    }

    /// Adds data to the open entry.
    ///
    /// # Errors
    /// No entry is open, or the output fails.
    pub fn write_data(&mut self, data: &[u8]) -> Result<(), WriteError> {
        let open = self
            .open
            .as_mut()
            .ok_or(WriteError::Order("no entry is open"))?;
        open.hash.update(data);
        open.bytes += data.len() as u64;
        if let Place::InBlock(at) = open.place
            && open.bytes >= OWN_BLOCK_BYTES as u64
        {
            self.move_out(at)?;
        }
        self.append(data)
    }

    /// Gives the open entry blocks of its own: packs what is before it, stores its header.
    fn move_out(&mut self, at: usize) -> Result<(), WriteError> {
        let Some(open) = self.open.as_mut() else {
            return Ok(());
        };
        let header = encoded_len(&open.head.path, "") as usize;
        let data = self.block.split_off(at + header);
        self.block.truncate(at);
        self.flush_block()?;
        let member = gzip::stored_member(&vec![0; header]);
        // From here on the digest waits for the patched header.
        self.hash_ends.get_or_insert(self.written);
        emit(&mut self.out, &mut self.hash, self.hash_ends, &member)?;
        self.blocks.push([self.written, self.packed]);
        if let Some(open) = self.open.as_mut() {
            open.place = Place::InFile(self.written);
            open.offset = self.packed + header as u64;
        }
        self.written += member.len() as u64;
        self.packed += header as u64;
        self.block.extend_from_slice(&data);
        Ok(())
    }

    /// Ends the open entry.
    ///
    /// # Errors
    /// No entry is open, or the output fails.
    pub fn end(&mut self) -> Result<Stored, WriteError> {
        let mut open = self
            .open
            .take()
            .ok_or(WriteError::Order("no entry is open"))?;
        open.head.size = open.bytes;
        self.pad(open.bytes)?;
        let encoded = open.head.encode();
        match open.place {
            Place::InBlock(at) => self.block[at..at + encoded.len()].copy_from_slice(&encoded),
            Place::InFile(at) => self.patch(at, &gzip::stored_member(&encoded))?,
        }
        let path = open.head.path[self.options.top_dir.len() + 1..].to_owned();
        let stored = Stored {
            path: path.clone(),
            bytes: open.bytes,
            sha256: open.hash.finish(),
            offset: open.offset,
        };
        self.stored.insert(path, stored.clone());
        Ok(stored)
    }

    /// Writes a block that will be patched; returns where it is in the file.
    pub(super) fn stored_block(&mut self, tar: &[u8]) -> Result<u64, WriteError> {
        let (at, member) = (self.written, gzip::stored_member(tar));
        // From here on the digest waits for the patched bytes.
        self.hash_ends.get_or_insert(at);
        self.copy_member(&member, tar.len() as u64)?;
        Ok(at)
    }

    /// Notes what is stored at a path.
    pub(super) fn account_for(&mut self, stored: Stored) {
        self.stored.insert(stored.path.clone(), stored);
    }

    pub(super) fn patch(&mut self, at: u64, member: &[u8]) -> Result<(), WriteError> {
        let step = |source| WriteError::Io {
            doing: "patch a header of",
            source,
        };
        self.out.seek(SeekFrom::Start(at)).map_err(step)?;
        self.out.write_all(member).map_err(step)?;
        self.out.seek(SeekFrom::Start(self.written)).map_err(step)?;
        Ok(())
    }

    /// Begins a file of unknown size as a writer.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn begin(&mut self, path: &str) -> Result<EntryWriter<'_, W>, WriteError> {
        self.start(path)?;
        Ok(EntryWriter { writer: self })
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

/// An open entry as a `Write`. Dropping it leaves the entry open; `BundleWriter::end` ends it.
#[derive(Debug)]
pub struct EntryWriter<'a, W> {
    writer: &'a mut BundleWriter<W>,
}

impl<W: Write + Seek> EntryWriter<'_, W> {
    /// Ends the entry.
    ///
    /// # Errors
    /// As [`BundleWriter::end`].
    pub fn finish(self) -> Result<Stored, WriteError> {
        self.writer.end()
    }
}

impl<W: Write + Seek> Write for EntryWriter<'_, W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.writer.write_data(data) {
            Ok(()) => Ok(data.len()),
            Err(WriteError::Io { source, .. }) => Err(source),
            Err(other) => Err(io::Error::other(other)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
