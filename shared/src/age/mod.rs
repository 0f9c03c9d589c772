//! Encryption to a recipient's public key in the `age` format, version 1, X25519 recipients only: what
//! `age -r` writes and `age -d -i` reads. No plugins, no passphrases, no other kinds of keys.
//!
//! Format: <https://age-encryption.org/v1>. A header wraps a file key for each recipient and is sealed by an
//! HMAC; the payload is ChaCha20-Poly1305 in chunks of 64 KiB, each with its number and whether it is the
//! last, so that nothing can be cut off, moved or left out.

mod keys;
mod open;
mod seal;

pub use keys::{Identity, KeyError, Recipient};
pub use open::{OpenError, Opened, is_encrypted};
pub use seal::{Randomness, Sealer};

use ring::{aead, hkdf, hmac};

/// First line of a file.
pub const MAGIC: &str = "age-encryption.org/v1";
/// Bytes of a chunk before encryption.
const CHUNK: usize = 64 << 10;
/// Bytes that authenticate a chunk.
const TAG: usize = 16;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 to 32 bytes.
fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let info = [info];
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    if let Ok(stream) = key.expand(&info, Length(32)) {
        // 32 bytes are always to be had.
        let _ = stream.fill(&mut out);
    }
    out
}

fn cipher(key: &[u8; 32]) -> Option<aead::LessSafeKey> {
    aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key)
        .ok()
        .map(aead::LessSafeKey::new)
}

/// Eleven bytes of a counter and the mark of the last chunk.
fn nonce(number: u64, last: bool) -> aead::Nonce {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(last);
    aead::Nonce::assume_unique_for_key(bytes)
}

/// The wrapping key of one stanza.
fn wrapping(shared: &[u8; 32], ephemeral: &[u8; 32], recipient: &[u8; 32]) -> [u8; 32] {
    let mut salt = [0; 64];
    salt[..32].copy_from_slice(ephemeral);
    salt[32..].copy_from_slice(recipient);
    derive(&salt, shared, b"age-encryption.org/v1/X25519")
}

fn header_key(file_key: &[u8; 16]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive(&[], file_key, b"header"))
}

/// Base64 without padding, as the header has it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(
                ALPHABET[(word >> (18 - 6 * place) & 63) as usize],
            ));
        }
    }
    text
}

/// The inverse; strict, one text for each value.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let (mut word, mut bits, mut out) = (0u32, 0, Vec::new());
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits & 0xff) as u8);
        }
    }
    (bits < 6 && word & ((1 << bits) - 1) == 0).then_some(out)
}

#[cfg(test)]
mod tests;
