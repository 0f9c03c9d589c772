//! Entries whose size is not known beforehand: a header that is patched when it is.

use std::io::{self, Seek, SeekFrom, Write};

use super::{BLOCK_BYTES, BundleWriter, OWN_BLOCK_BYTES, Stored, WriteError, emit};
use crate::bundle::gzip;
use crate::bundle::header::{EntryKind, Head, encoded_len};
use crate::hash::Sha256;

/// An entry that is being written.
pub(super) struct Open {
    head: Head,
    /// Where the header begins in the current block, or in the file once it is a member of its own.
    place: Place,
    bytes: u64,
    hash: Sha256,
    offset: u64,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    InBlock(usize),
    InFile(u64),
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
    pub(in crate::bundle) fn stored_block(&mut self, tar: &[u8]) -> Result<u64, WriteError> {
        let (at, member) = (self.written, gzip::stored_member(tar));
        // From here on the digest waits for the patched bytes.
        self.hash_ends.get_or_insert(at);
        self.copy_member(&member, tar.len() as u64)?;
        Ok(at)
    }

    /// Notes what is stored at a path.
    pub(in crate::bundle) fn account_for(&mut self, stored: Stored) {
        self.stored.insert(stored.path.clone(), stored);
    }

    pub(in crate::bundle) fn patch(&mut self, at: u64, member: &[u8]) -> Result<(), WriteError> {
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
