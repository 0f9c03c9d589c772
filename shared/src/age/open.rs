//! Reading an encrypted file: nothing of a chunk is given out before it is authenticated.

use super::keys::exchange;
use super::{
    CHUNK, Identity, MAGIC, TAG, base64, cipher, derive, header_key, nonce, unbase64, wrapping,
};
use ring::{aead, hmac};
use std::io::{self, Read};
use thiserror::Error;

/// A header is a few hundred bytes for each recipient.
const MAX_HEADER: usize = 64 << 10;

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The input fails.
    #[error("read the encrypted file")]
    Io(#[from] io::Error),
    /// Not the format.
    #[error("the header is damaged or not of age")]
    Header,
    /// Encrypted to somebody else.
    #[error("it is encrypted to another key")]
    NotForUs,
}

/// The plain text of an encrypted file.
pub struct Opened<R: Read> {
    input: R,
    key: aead::LessSafeKey,
    /// Encrypted bytes read ahead, to know which chunk is the last.
    next: Vec<u8>,
    plain: Vec<u8>,
    at: usize,
    number: u64,
    ended: bool,
}

/// Whether a file begins as an encrypted one does.
#[must_use]
pub fn is_encrypted(start: &[u8]) -> bool {
    start.starts_with(MAGIC.as_bytes())
}

impl<R: Read> Opened<R> {
    /// Reads the header and finds the file's key.
    ///
    /// # Errors
    /// It is damaged, or encrypted to somebody else.
    pub fn new(mut input: R, identity: &Identity) -> Result<Self, OpenError> {
        let header = read_header(&mut input)?;
        let (sealed, mac) = header.rsplit_once(' ').ok_or(OpenError::Header)?;
        let mac = unbase64(mac).ok_or(OpenError::Header)?;
        let lines: Vec<&str> = sealed.split('\n').collect();
        if lines.first() != Some(&MAGIC) || lines.last() != Some(&"---") {
            return Err(OpenError::Header);
        }
        let file_key = file_key(&lines, identity).ok_or(OpenError::NotForUs)?;
        hmac::verify(&header_key(&file_key), sealed.as_bytes(), &mac)
            .map_err(|_| OpenError::Header)?;
        let mut salt = [0; 16];
        input.read_exact(&mut salt)?;
        let key = cipher(&derive(&salt, &file_key, b"payload")).ok_or(OpenError::Header)?;
        let mut opened = Self {
            input,
            key,
            next: Vec::new(),
            plain: Vec::new(),
            at: 0,
            number: 0,
            ended: false,
        };
        opened.next = opened.chunk()?;
        Ok(opened)
    }

    /// One encrypted chunk; shorter at the end.
    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK + TAG);
        let whole = (CHUNK + TAG) as u64;
        (&mut self.input).take(whole).read_to_end(&mut chunk)?;
        Ok(chunk)
    }

    fn advance(&mut self) -> io::Result<()> {
        let damaged = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the encrypted file is damaged or cut off",
            )
        };
        let mut chunk = std::mem::take(&mut self.next);
        let full = chunk.len() == CHUNK + TAG;
        if full {
            self.next = self.chunk()?;
        }
        let last = self.next.is_empty();
        let plain = self
            .key
            .open_in_place(nonce(self.number, last), aead::Aad::empty(), &mut chunk)
            .map_err(|_| damaged())?
            .len();
        // Only a file of nothing ends in an empty chunk.
        if plain == 0 && self.number > 0 {
            return Err(damaged());
        }
        chunk.truncate(plain);
        (self.plain, self.at, self.ended) = (chunk, 0, last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() {
            if self.ended {
                return Ok(0);
            }
            self.advance()?;
        }
        let count = buffer.len().min(self.plain.len() - self.at);
        buffer[..count].copy_from_slice(&self.plain[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// The header up to its MAC, byte by byte: what follows is not text.
fn read_header(input: &mut impl Read) -> Result<String, OpenError> {
    let (mut header, mut byte) = (Vec::new(), [0]);
    loop {
        input.read_exact(&mut byte)?;
        if byte == [b'\n'] {
            let start = header
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            if header[start..].starts_with(b"--- ") {
                return String::from_utf8(header).map_err(|_| OpenError::Header);
            }
        }
        header.push(byte[0]);
        if header.len() > MAX_HEADER {
            return Err(OpenError::Header);
        }
    }
}

/// The file's key, from the stanza that is for us.
fn file_key(lines: &[&str], identity: &Identity) -> Option<[u8; 16]> {
    let own = identity.recipient().0;
    lines.windows(2).find_map(|pair| {
        let share = pair[0].strip_prefix("-> X25519 ")?;
        let ephemeral: [u8; 32] = unbase64(share)?.try_into().ok()?;
        let mut body = unbase64(pair[1])?;
        if base64(&ephemeral) != share || body.len() != 16 + TAG {
            return None;
        }
        let shared = exchange(&identity.0, &ephemeral)?;
        let key = cipher(&wrapping(&shared, &ephemeral, &own))?;
        let nonce = aead::Nonce::assume_unique_for_key([0; 12]);
        let plain = key
            .open_in_place(nonce, aead::Aad::empty(), &mut body)
            .ok()?;
        plain.try_into().ok()
    })
}
