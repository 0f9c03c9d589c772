//! Room at the head of a bundle for a text that is only known at its end, such as the README.
//!
//! The entry has its final size from the start and is a stored block of its own, so it can be written
//! over in place. A reservation that is never filled is a file of spaces.

use std::io::{Seek, Write};

use super::gzip;
use super::header::{EntryKind, padded};
use super::writer::{BundleWriter, Stored, WriteError};
use crate::hash::sha256;

/// An entry that is still to be filled.
#[derive(Debug)]
pub struct Reserved {
    stored: Stored,
    header: Vec<u8>,
    at: u64,
}

impl Reserved {
    /// Bytes that the file has, and the most that [`BundleWriter::fill`] takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        usize::try_from(self.stored.bytes).unwrap_or(usize::MAX)
    }
}

/// The tar bytes of the entry; the end of the text is padded with spaces and a line end.
fn tar_bytes(header: &[u8], text: &[u8], bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let mut data = text.to_vec();
    data.resize(bytes, b' ');
    if text.len() < bytes {
        data[bytes - 1] = b'\n';
    }
    let mut tar = header.to_vec();
    tar.extend_from_slice(&data);
    tar.resize(header.len() + padded(bytes as u64) as usize, 0);
    (tar, data)
}

impl<W: Write + Seek> BundleWriter<W> {
    /// Makes room for a file of exactly `bytes`, less than 48 KiB.
    ///
    /// # Errors
    /// A bad or taken name, an open entry, or a failing output.
    pub fn reserve(&mut self, path: &str, bytes: u16) -> Result<Reserved, WriteError> {
        if bytes >= 48 << 10 {
            return Err(WriteError::Order("a reservation is less than 48 KiB"));
        }
        let header = self
            .head(path, EntryKind::File, "", u64::from(bytes))?
            .encode();
        self.flush_block()?;
        let (tar, data) = tar_bytes(&header, &[], usize::from(bytes));
        let offset = self.position() + header.len() as u64;
        let at = self.stored_block(&tar)?;
        let stored = Stored {
            path: path.to_owned(),
            bytes: u64::from(bytes),
            sha256: sha256(&data),
            offset,
        };
        self.account_for(stored.clone());
        Ok(Reserved { stored, header, at })
    }

    /// Writes the text of a reserved file; what is too long is cut.
    ///
    /// # Errors
    /// The output fails.
    pub fn fill(&mut self, reserved: Reserved, text: &[u8]) -> Result<Stored, WriteError> {
        let bytes = reserved.bytes();
        let (tar, data) = tar_bytes(&reserved.header, &text[..text.len().min(bytes)], bytes);
        self.patch(reserved.at, &gzip::stored_member(&tar))?;
        let stored = Stored {
            sha256: sha256(&data),
            ..reserved.stored
        };
        self.account_for(stored.clone());
        Ok(stored)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::super::limits::Limits;
    use super::super::manifest::{Item, Manifest, SCHEMA};
    use super::super::reader::Index;
    use super::super::{BundleWriter, WriterOptions};
    use crate::time::UtcMs;

    fn bundle(filled: Option<&[u8]>) -> Vec<u8> {
        let options = WriterOptions {
            top_dir: "local-h-x".into(),
            mtime: UtcMs(0),
            level: 1,
        };
        let mut writer = BundleWriter::create(Cursor::new(Vec::new()), options);
        let room = writer.reserve("README.txt", 64).unwrap();
        writer.add("sos/a", b"after it").unwrap();
        if let Some(text) = filled {
            writer.fill(room, text).unwrap();
        }
        let item = |path: &str| Item {
            id: path.into(),
            path: Some(path.into()),
            ..Item::default()
        };
        let mut manifest = Manifest {
            schema: SCHEMA.into(),
            format: 1,
            items: vec![item("README.txt"), item("sos/a")],
            ..Manifest::default()
        };
        writer.seal(&mut manifest).unwrap().0.into_inner()
    }

    #[test]
    fn what_is_filled_in_later_is_read_first() {
        for (filled, start) in [
            (None, "   "),
            (Some(&b"hello"[..]), "hello "),
            (Some(&[b'x'; 99][..]), "xxx"),
        ] {
            let mut file = Cursor::new(bundle(filled));
            let index = Index::open(&mut file, &Limits::default()).unwrap();
            let mut text = String::new();
            index
                .read(&mut file, "README.txt", 0..64)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            assert!(text.starts_with(start) && text.len() == 64, "{text:?}");
            let mut drain = Drain;
            super::super::reader::verify(
                Cursor::new(bundle(filled)),
                &Limits::default(),
                &mut drain,
            )
            .unwrap();
        }
    }

    struct Drain;
    impl super::super::reader::Visitor for Drain {
        fn entry(
            &mut self,
            _: &super::super::reader::Entry<'_>,
            data: &mut dyn std::io::BufRead,
        ) -> Result<(), super::super::limits::Reject> {
            std::io::copy(data, &mut std::io::sink()).unwrap();
            Ok(())
        }
    }
}
