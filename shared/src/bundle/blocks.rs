//! Bytes as gzip members of at most 1 MiB each, and where every one begins: the blocks of format 1 without the tar around
//! them, for files of other makers that are to be read by range.

use std::io::{self, Write};

use super::gzip::Packer;
use super::header::{EntryKind, Head, RECORD, padded};
use super::writer::BLOCK_BYTES;

static ZEROS: [u8; 2 * RECORD] = [0; 2 * RECORD];

/// Packs a stream into blocks.
pub struct BlockStream<W> {
    out: W,
    packer: Packer,
    block: Vec<u8>,
    written: u64,
    packed: u64,
    blocks: Vec<[u64; 2]>,
}

impl<W> std::fmt::Debug for BlockStream<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockStream")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl<W: Write> BlockStream<W> {
    /// Starts at the current place of `out`, with libdeflate's level.
    pub fn new(out: W, level: u8) -> Self {
        Self {
            out,
            packer: Packer::new(level),
            block: Vec::with_capacity(BLOCK_BYTES),
            written: 0,
            packed: 0,
            blocks: Vec::new(),
        }
    }

    /// Where the next byte stands in the unpacked stream.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.packed + self.block.len() as u64
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When the output fails.
    pub fn push(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let room = BLOCK_BYTES - self.block.len();
            let (now, rest) = data.split_at(room.min(data.len()));
            self.block.extend_from_slice(now);
            data = rest;
            if self.block.len() == BLOCK_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let member = self.packer.member(&self.block);
        self.out.write_all(member)?;
        self.blocks.push([self.written, self.packed]);
        self.written += member.len() as u64;
        self.packed += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }

    /// Ends the stream: compressed and unpacked offset of each block.
    ///
    /// # Errors
    /// When the output fails.
    pub fn finish(mut self) -> io::Result<Vec<[u64; 2]>> {
        self.flush()?;
        Ok(self.blocks)
    }
}

/// The header of a file in a tar archive, as in a bundle; long names have an extended one before it.
#[must_use]
pub fn tar_header(path: &str, bytes: u64) -> Vec<u8> {
    let head = Head {
        path: path.to_owned(),
        kind: EntryKind::File,
        target: String::new(),
        size: bytes,
        mtime: 0,
    };
    head.encode()
}

/// The zeros that follow so many bytes of a file in a tar archive.
#[must_use]
pub fn tar_padding(bytes: u64) -> &'static [u8] {
    &ZEROS[..(padded(bytes) - bytes) as usize]
}

/// The end of a tar archive.
#[must_use]
pub fn tar_end() -> &'static [u8] {
    &ZEROS
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn every_block_is_a_member_of_its_own() {
        let data: Vec<u8> = (0..2_500_000u32).flat_map(|n| n.to_le_bytes()).collect();
        let mut out = Vec::new();
        let mut stream = BlockStream::new(&mut out, 1);
        for piece in data.chunks(70_000) {
            stream.push(piece).unwrap();
        }
        assert_eq!(stream.position(), data.len() as u64);
        let blocks = stream.finish().unwrap();
        assert_eq!(blocks.len(), data.len().div_ceil(BLOCK_BYTES));
        for [compressed, unpacked] in blocks {
            let mut member = Vec::new();
            let from = &out[usize::try_from(compressed).unwrap()..];
            flate2::read::GzDecoder::new(from)
                .read_to_end(&mut member)
                .unwrap();
            let at = usize::try_from(unpacked).unwrap();
            assert_eq!(member, &data[at..(at + BLOCK_BYTES).min(data.len())]);
        }
    }
}
