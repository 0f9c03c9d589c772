//! What a bundle is written to: the spool file, or the road itself, where nothing may touch the disk.
//!
//! On the road a byte that left cannot be changed any more. An entry whose header is still to be patched is
//! therefore held in memory, packed, until it has ended; then it leaves.

use sitrep_shared::hash::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::mpsc::SyncSender;

/// Bytes that leave at a time.
pub const PIECE_BYTES: usize = 1 << 20;
/// Most bytes of one entry, packed. One that is longer ends the run.
const HELD_BYTES: usize = 64 << 20;

/// What goes down the road.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes.
    Bytes(Vec<u8>),
    /// That was all of them. Without this word nothing becomes a bundle.
    End,
}

/// Where a bundle goes while it is written.
#[derive(Debug)]
pub enum Output {
    /// A file that is read again.
    File(File),
    /// The road.
    Road(Road),
}

/// Bytes on their way out.
#[derive(Debug)]
pub struct Road {
    out: SyncSender<Piece>,
    /// Bytes that left.
    gone: u64,
    /// Bytes after them that may still change.
    held: Vec<u8>,
    /// Of which these are final.
    settled: usize,
    at: u64,
    hash: Sha256,
}

impl Road {
    /// A road to whoever listens.
    pub fn new(out: SyncSender<Piece>) -> Self {
        Self {
            out,
            gone: 0,
            held: Vec::new(),
            settled: 0,
            at: 0,
            hash: Sha256::new(),
        }
    }

    /// Everything that was written is final now.
    pub fn settle(&mut self) -> io::Result<()> {
        self.settled = self.held.len();
        if self.settled >= PIECE_BYTES {
            self.leave()?;
        }
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        let rest = self.held.split_off(self.settled);
        let ready = std::mem::replace(&mut self.held, rest);
        self.hash.update(&ready);
        self.gone += ready.len() as u64;
        self.settled = 0;
        for piece in ready.chunks(PIECE_BYTES) {
            self.send(Piece::Bytes(piece.to_vec()))?;
        }
        Ok(())
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        let broken =
            |_| io::Error::new(io::ErrorKind::BrokenPipe, "the way to the collector is cut");
        self.out.send(piece).map_err(broken)
    }

    /// Sends the rest and the word that this was all; the digest of everything.
    pub fn end(mut self) -> io::Result<Digest> {
        self.settled = self.held.len();
        self.leave()?;
        self.send(Piece::End)?;
        Ok(self.hash.finish())
    }
}

impl Output {
    /// Between two entries: what was written may leave.
    pub fn settle(&mut self) -> io::Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Road(road) => road.settle(),
        }
    }
}

impl Write for Road {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let from = self
            .at
            .checked_sub(self.gone)
            .and_then(|from| usize::try_from(from).ok())
            .filter(|from| *from <= self.held.len())
            .ok_or_else(|| io::Error::other("what has left cannot be changed"))?;
        let end = from + bytes.len();
        if end > HELD_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "one file is too long to be sent without a spool",
            ));
        }
        let over = (self.held.len() - from).min(bytes.len());
        self.held[from..from + over].copy_from_slice(&bytes[..over]);
        self.held.extend_from_slice(&bytes[over..]);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Road(road) => road.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Road(road) => road.flush(),
        }
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match (self, to) {
            (Self::File(file), to) => file.seek(to),
            (Self::Road(road), SeekFrom::Start(at)) => {
                road.at = at;
                Ok(at)
            }
            (Self::Road(_), _) => Err(io::Error::other("a road only knows its beginning")),
        }
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Road(_) => Err(io::Error::other("what has left cannot be read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn only_what_is_final_leaves_and_the_digest_is_of_that() {
        let (out, come) = sync_channel(64);
        let mut road = Output::Road(Road::new(out));
        road.write_all(b"head").expect("held");
        road.seek(SeekFrom::Start(0)).expect("still here");
        road.write_all(b"HEAD and more").expect("held");
        road.settle().expect("too little to leave");
        assert!(come.try_recv().is_err());
        road.write_all(&vec![7; PIECE_BYTES + 5]).expect("held");
        assert!(come.try_recv().is_err());
        road.settle().expect("left");
        road.seek(SeekFrom::Start(0)).expect("no matter");
        assert!(road.write_all(b"x").is_err(), "what has left is changed");
        let Output::Road(road) = road else {
            unreachable!("it is one");
        };
        let digest = road.end().expect("left");
        let mut all = Vec::new();
        let mut ended = false;
        for piece in come.try_iter() {
            match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(&bytes),
                Piece::End => ended = true,
            }
        }
        assert!(ended && all.starts_with(b"HEAD and more"));
        assert_eq!(all.len(), 13 + PIECE_BYTES + 5);
        assert_eq!(digest, sitrep_shared::hash::sha256(&all));
    }
}
