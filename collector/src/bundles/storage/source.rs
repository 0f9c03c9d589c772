//! Reading a stored file by range: a file's bytes as they are, an object's by requests that grow while it is read on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;

use super::StorageError;
use super::objects::Objects;

/// Bytes of the first request after a seek when nobody says how much will be read: a block of a bundle and more.
const FIRST_BYTES: u64 = 256 << 10;
/// Bytes of a request at most.
const MOST_BYTES: u64 = 4 << 20;

/// A stored file, at a place in it.
#[derive(Debug)]
pub struct Source(Inner);

#[derive(Debug)]
enum Inner {
    File(File),
    Object(Object),
}

#[derive(Debug)]
struct Object {
    objects: Arc<Objects>,
    key: String,
    size: u64,
    at: u64,
    /// What was fetched and not yet read, from `at` on.
    ready: Bytes,
    next_bytes: u64,
}

impl Source {
    /// A local file.
    pub fn file(file: File) -> Self {
        Self(Inner::File(file))
    }

    /// An object; asks for its size.
    pub(super) fn object(objects: &Arc<Objects>, key: String) -> Result<Self, StorageError> {
        let size = objects.size(&key)?;
        Ok(Self(Inner::Object(Object {
            objects: Arc::clone(objects),
            key,
            size,
            at: 0,
            ready: Bytes::new(),
            next_bytes: FIRST_BYTES,
        })))
    }
}

impl Source {
    /// Says how many bytes will likely be read from here on.
    pub fn ahead(&mut self, bytes: Option<u64>) {
        if let (Inner::Object(object), Some(bytes)) = (&mut self.0, bytes) {
            object.next_bytes = bytes.clamp(1, MOST_BYTES);
        }
    }
}

impl Object {
    fn fill(&mut self) -> io::Result<()> {
        if !self.ready.is_empty() || self.at >= self.size {
            return Ok(());
        }
        let end = self.size.min(self.at + self.next_bytes);
        let given = self.objects.range(&self.key, self.at..end);
        self.ready = given.map_err(io::Error::other)?;
        if self.ready.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.next_bytes = (self.next_bytes * 2).clamp(FIRST_BYTES, MOST_BYTES);
        Ok(())
    }

    fn seek_to(&mut self, to: u64) {
        let ahead = to.checked_sub(self.at);
        match ahead.and_then(|ahead| usize::try_from(ahead).ok()) {
            Some(ahead) if ahead < self.ready.len() => drop(self.ready.split_to(ahead)),
            _ => {
                self.ready = Bytes::new();
                self.next_bytes = FIRST_BYTES;
            }
        }
        self.at = to;
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::File(file) => file.read(out),
            Inner::Object(object) => {
                object.fill()?;
                let count = out.len().min(object.ready.len());
                out[..count].copy_from_slice(&object.ready.split_to(count));
                object.at += count as u64;
                Ok(count)
            }
        }
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.0 {
            Inner::File(file) => file.seek(to),
            Inner::Object(object) => {
                let to = match to {
                    SeekFrom::Start(to) => Some(to),
                    SeekFrom::End(by) => object.size.checked_add_signed(by),
                    SeekFrom::Current(by) => object.at.checked_add_signed(by),
                };
                let to = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
                object.seek_to(to);
                Ok(to)
            }
        }
    }
}
