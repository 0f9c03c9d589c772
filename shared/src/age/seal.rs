//! Writing an encrypted file.

use super::keys::{exchange, public};
use super::{CHUNK, MAGIC, Recipient, base64, cipher, derive, header_key, nonce, wrapping};
use ring::{aead, hmac};
use std::io::{self, Write};

/// What must be random and never used twice; the caller takes it from the system.
pub struct Randomness {
    /// Secret of the one key exchange.
    pub ephemeral: [u8; 32],
    /// Key of the file.
    pub file_key: [u8; 16],
    /// Salt of the payload.
    pub salt: [u8; 16],
}

/// Encrypts what is written to it. [`Sealer::finish`] must be called, or the file is cut off.
pub struct Sealer<W: Write> {
    out: W,
    key: aead::LessSafeKey,
    chunk: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The output fails, or the recipient's key is none that anybody can have.
    pub fn new(mut out: W, recipient: &Recipient, random: &Randomness) -> io::Result<Self> {
        let unusable = || {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the recipient's key is unusable",
            )
        };
        let ephemeral = public(&random.ephemeral);
        let shared = exchange(&random.ephemeral, &recipient.0).ok_or_else(unusable)?;
        let wrap = cipher(&wrapping(&shared, &ephemeral, &recipient.0)).ok_or_else(unusable)?;
        let mut body = random.file_key.to_vec();
        wrap.seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key([0; 12]),
            aead::Aad::empty(),
            &mut body,
        )
        .map_err(|_| unusable())?;
        let header = format!(
            "{MAGIC}\n-> X25519 {}\n{}\n---",
            base64(&ephemeral),
            base64(&body)
        );
        let mac = hmac::sign(&header_key(&random.file_key), header.as_bytes());
        writeln!(out, "{header} {}", base64(mac.as_ref()))?;
        out.write_all(&random.salt)?;
        let key =
            cipher(&derive(&random.salt, &random.file_key, b"payload")).ok_or_else(unusable)?;
        Ok(Self {
            out,
            key,
            chunk: Vec::with_capacity(CHUNK + super::TAG),
            number: 0,
        })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        self.key
            .seal_in_place_append_tag(
                nonce(self.number, last),
                aead::Aad::empty(),
                &mut self.chunk,
            )
            .map_err(|_| io::Error::other("cannot encrypt"))?;
        self.number += 1;
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    /// Writes the last chunk and gives the output back.
    ///
    /// # Errors
    /// The output fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk only leaves when more follows: the last one has its own mark.
        if self.chunk.len() == CHUNK {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
