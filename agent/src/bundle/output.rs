//! What a bundle is written to: the spool file, or the road itself, where nothing may touch the disk.
//!
//! On the road a byte that left cannot be changed any more. An entry whose header is still to be patched is
//! therefore held in memory, packed, until it has ended; then it leaves.

use super::encrypt::randomness;
use sitrep_shared::age::{Recipient, Sealer};
use sitrep_shared::hash::{Digest, Sha256};
use sitrep_shared::size::format_bytes;
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
pub enum Output {
    /// A file that is read again.
    File(File),
    /// The road.
    Road(Road),
}

/// Bytes on their way out.
pub struct Road {
    out: Exit,
    /// Bytes that left.
    gone: u64,
    /// Bytes after them that may still change.
    held: Vec<u8>,
    /// Of which these are final.
    settled: usize,
    at: u64,
}

/// How they leave.
enum Exit {
    Plain(Lane),
    Encrypted(Box<Sealer<Lane>>),
}

/// To whoever listens, in pieces, hashed and counted.
struct Lane {
    out: SyncSender<Piece>,
    ready: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl Lane {
    fn send(&self, piece: Piece) -> io::Result<()> {
        let broken =
            |_| io::Error::new(io::ErrorKind::BrokenPipe, "the way to the collector is cut");
        self.out.send(piece).map_err(broken)
    }

    fn end(mut self) -> io::Result<(Digest, u64)> {
        self.flush()?;
        self.send(Piece::End)?;
        Ok((self.hash.finish(), self.bytes))
    }
}

impl Write for Lane {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.ready.len());
        self.ready.extend_from_slice(&bytes[..taken]);
        if self.ready.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.ready.is_empty() {
            return Ok(());
        }
        self.hash.update(&self.ready);
        self.bytes += self.ready.len() as u64;
        let piece = std::mem::take(&mut self.ready);
        self.send(Piece::Bytes(piece))
    }
}

impl Road {
    /// A road to whoever listens, encrypted to whom it is for.
    ///
    /// # Errors
    /// It cannot be encrypted, or nobody listens.
    pub fn new(out: SyncSender<Piece>, recipient: Option<&Recipient>) -> io::Result<Self> {
        let lane = Lane {
            out,
            ready: Vec::new(),
            hash: Sha256::new(),
            bytes: 0,
        };
        let out = match recipient {
            None => Exit::Plain(lane),
            Some(to) => Exit::Encrypted(Box::new(Sealer::new(lane, to, &randomness()?)?)),
        };
        Ok(Self {
            out,
            gone: 0,
            held: Vec::new(),
            settled: 0,
            at: 0,
        })
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
        self.gone += ready.len() as u64;
        self.settled = 0;
        match &mut self.out {
            Exit::Plain(lane) => lane.write_all(&ready),
            Exit::Encrypted(sealer) => sealer.write_all(&ready),
        }
    }

    /// Sends the rest and the word that this was all; digest and length of everything that left.
    ///
    /// # Errors
    /// The way is cut.
    pub fn end(mut self) -> io::Result<(Digest, u64)> {
        self.settled = self.held.len();
        self.leave()?;
        match self.out {
            Exit::Plain(lane) => lane.end(),
            Exit::Encrypted(sealer) => sealer.finish()?.end(),
        }
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

impl Output {
    /// Why to write no more than what must be: the disk runs short, and this bundle has a share in that.
    pub fn shortage(&self) -> Option<String> {
        let Self::File(file) = self else { return None };
        let disk = rustix::fs::fstatvfs(file).ok()?;
        let written = file.metadata().ok()?.len();
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        judge(written, bytes(disk.f_bavail), bytes(disk.f_blocks))
    }
}

/// On a disk with less than a tenth free a bundle may take a tenth of what is left: the full disk may be what the
/// ticket is about, so it is no reason to collect nothing.
fn judge(written: u64, free: u64, all: u64) -> Option<String> {
    (free < all / 10 && written > free / 10).then(|| {
        let free = format_bytes(free);
        format!("only {free} of the disk that this bundle is written to are free")
    })
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
    fn a_bundle_gives_way_on_a_disk_that_it_helps_to_fill() {
        const G: u64 = 1 << 30;
        assert_eq!(judge(5 * G, 11 * G, 100 * G), None, "enough is free");
        assert_eq!(judge(G / 2, 9 * G, 100 * G), None, "it takes little");
        let why = judge(G, 9 * G, 100 * G).expect("it takes more than a tenth");
        assert!(why.contains("GB") && why.contains("free"), "{why}");
    }

    #[test]
    fn only_what_is_final_leaves_and_the_digest_is_of_that() {
        let (out, come) = sync_channel(64);
        let mut road = Output::Road(Road::new(out, None).expect("a road"));
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
        let (digest, bytes) = road.end().expect("left");
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
        assert_eq!(
            (digest, bytes),
            (sitrep_shared::hash::sha256(&all), all.len() as u64)
        );
    }
}
