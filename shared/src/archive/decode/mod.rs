//! Decompression of a whole stream, strict about its end, with a budget.

mod bzip2;
mod gzip;
mod xz;
mod zstd;

use std::io::{self, BufRead, Read};

use crate::bundle::limits::{Limits, Reason, Reject};

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Gzip,
    Xz,
    Zstd,
    Bzip2,
}

impl Codec {
    pub(super) fn tar_name(self) -> &'static str {
        match self {
            Self::Plain => "tar",
            Self::Gzip => "tar.gz",
            Self::Xz => "tar.xz",
            Self::Zstd => "tar.zst",
            Self::Bzip2 => "tar.bz2",
        }
    }

    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Plain => "file",
            Self::Gzip => "gz",
            Self::Xz => "xz",
            Self::Zstd => "zst",
            Self::Bzip2 => "bz2",
        }
    }
}

/// A decoder: gives bytes until the stream has ended properly with the input.
trait Decode<R: BufRead> {
    /// Fills some of `out`, which is not empty; 0 is the proper end.
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject>;
}

struct Plain;

impl<R: BufRead> Decode<R> for Plain {
    fn decode(&mut self, input: &mut R, out: &mut [u8]) -> Result<usize, Reject> {
        loop {
            match input.read(out) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Ok(result?),
            }
        }
    }
}

/// The decoded stream.
pub(super) struct Decoded<R> {
    input: R,
    decoder: Box<dyn Decode<R>>,
    buffer: Vec<u8>,
    filled: usize,
    used: usize,
    given: u64,
    budget: u64,
    ended: bool,
}

impl<R: BufRead> Decoded<R> {
    pub(super) fn new(
        codec: Codec,
        input: R,
        budget: u64,
        limits: &Limits,
    ) -> Result<Self, Reject> {
        let decoder: Box<dyn Decode<R>> = match codec {
            Codec::Plain => Box::new(Plain),
            Codec::Gzip => Box::new(gzip::Gzip::new()),
            Codec::Xz => Box::new(xz::Xz::new(limits.decoder_bytes)?),
            Codec::Zstd => Box::new(zstd::Zstd::new(limits.decoder_bytes)),
            Codec::Bzip2 => Box::new(bzip2::Bzip2::new()),
        };
        Ok(Self {
            input,
            decoder,
            buffer: vec![0; 256 << 10],
            filled: 0,
            used: 0,
            given: 0,
            budget,
            ended: false,
        })
    }

    /// The first bytes without taking them; fewer when the stream is shorter. Only before reading.
    pub(super) fn peek(&mut self, bytes: usize) -> Result<&[u8], Reject> {
        while self.filled < bytes && !self.ended {
            self.more()?;
        }
        Ok(&self.buffer[..self.filled.min(bytes)])
    }

    /// Decodes on behind what is in the buffer.
    fn more(&mut self) -> Result<(), Reject> {
        let given = self
            .decoder
            .decode(&mut self.input, &mut self.buffer[self.filled..])?;
        self.ended = given == 0;
        self.filled += given;
        self.given += given as u64;
        if self.given > self.budget {
            return Err(Reject::new(
                Reason::LimitUnpacked,
                format!("more than {} bytes", self.budget),
            ));
        }
        Ok(())
    }
}

impl<R: BufRead> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.filled && !self.ended {
            self.used = 0;
            self.filled = 0;
            self.more()?;
        }
        Ok(&self.buffer[self.used..self.filled])
    }

    fn consume(&mut self, bytes: usize) {
        self.used = (self.used + bytes).min(self.filled);
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let now = self.fill_buf()?;
        let take = now.len().min(out.len());
        out[..take].copy_from_slice(&now[..take]);
        self.consume(take);
        Ok(take)
    }
}

fn cut(what: &str) -> Reject {
    Reject::new(
        Reason::Truncated,
        format!("the {what} stream ends in the middle"),
    )
}

fn damaged(what: &str) -> Reject {
    Reject::new(Reason::BadStream, format!("the {what} stream is damaged"))
}

fn behind(what: &str) -> Reject {
    Reject::new(
        Reason::TrailingData,
        format!("bytes after the end of the {what} stream"),
    )
}
