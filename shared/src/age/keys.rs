//! Keys as text: `age1…` for whom to encrypt to, `AGE-SECRET-KEY-1…` for who can read. Bech32 (BIP 173).

use ed25519_compact::x25519::{PublicKey, SecretKey};
use std::fmt;
use thiserror::Error;

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not of the form, or mistyped.
    #[error(
        "not a key of age: it does not have the form age1… or AGE-SECRET-KEY-1…, or is mistyped"
    )]
    Form,
    /// Of another kind.
    #[error("not an X25519 key of age; plugins and other kinds are not used")]
    Kind,
}

/// Whom a file is encrypted to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Recipient(pub(super) [u8; 32]);

/// Who can read it. Never shown.
#[derive(Clone)]
pub struct Identity(pub(super) [u8; 32]);

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode("age", &self.0))
    }
}

impl Recipient {
    /// Takes `age1…`.
    ///
    /// # Errors
    /// The text is no key, or one of another kind.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        match decode(text.trim())? {
            (kind, bytes) if kind == "age" => Ok(Self(bytes)),
            _ => Err(KeyError::Kind),
        }
    }
}

impl Identity {
    /// Takes `AGE-SECRET-KEY-1…`, or a key file as `age-keygen` writes it.
    ///
    /// # Errors
    /// There is no such key in it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))
            .ok_or(KeyError::Form)?;
        match decode(line)? {
            (kind, bytes) if kind == "age-secret-key-" => Ok(Self(bytes)),
            _ => Err(KeyError::Kind),
        }
    }

    /// Whom to encrypt to so that this can read it.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(public(&self.0))
    }
}

/// The public key of a secret one.
pub(super) fn public(secret: &[u8; 32]) -> [u8; 32] {
    // The base point is of full order, so this does not fail.
    exchange(secret, &PublicKey::base_point()).unwrap_or_default()
}

/// What two keys have in common; nothing for a public key of small order.
pub(super) fn exchange(secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
    let shared = PublicKey::new(*public).dh(&SecretKey::new(*secret));
    shared.ok().map(|shared| *shared)
}

fn checksum(kind: &str, values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let high = kind.bytes().map(|byte| byte >> 5);
    let low = kind.bytes().map(|byte| byte & 31);
    let all = high.chain([0]).chain(low).chain(values.iter().copied());
    all.fold(1, |sum: u32, value| {
        let top = sum >> 25;
        let mut sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
        sum
    })
}

/// Regroups bits; what is left over must be zeros, fewer than a group.
fn regroup(values: &[u8], from: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let (mut word, mut bits, mut out) = (0u32, 0, Vec::new());
    for value in values {
        word = word << from | u32::from(*value);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push((word >> bits & ((1 << to) - 1)) as u8);
        }
        word &= (1 << bits) - 1;
    }
    if pad && bits > 0 {
        out.push((word << (to - bits) & ((1 << to) - 1)) as u8);
    } else if !pad && (bits >= from || word != 0) {
        return None;
    }
    Some(out)
}

fn encode(kind: &str, bytes: &[u8; 32]) -> String {
    let mut values = regroup(bytes, 8, 5, true).unwrap_or_default();
    let sum = checksum(kind, &[&values[..], &[0; 6]].concat()) ^ 1;
    values.extend((0..6).map(|place| (sum >> (5 * (5 - place)) & 31) as u8));
    let text = values
        .iter()
        .map(|value| char::from(ALPHABET[usize::from(*value)]));
    std::iter::once(format!("{kind}1"))
        .chain(text.map(String::from))
        .collect()
}

/// Kind in lower case, and 32 bytes.
fn decode(text: &str) -> Result<(String, [u8; 32]), KeyError> {
    let lower = text.to_ascii_lowercase();
    // Mixed case is an error of Bech32.
    if text != lower && text != text.to_ascii_uppercase() {
        return Err(KeyError::Form);
    }
    let (kind, data) = lower.rsplit_once('1').ok_or(KeyError::Form)?;
    let values: Option<Vec<u8>> = data
        .bytes()
        .map(|byte| ALPHABET.iter().position(|known| *known == byte))
        .map(|place| u8::try_from(place?).ok())
        .collect();
    let values = values
        .filter(|values| values.len() > 6)
        .ok_or(KeyError::Form)?;
    if checksum(kind, &values) != 1 {
        return Err(KeyError::Form);
    }
    let bytes = regroup(&values[..values.len() - 6], 5, 8, false).ok_or(KeyError::Form)?;
    let bytes = bytes.try_into().map_err(|_| KeyError::Kind)?;
    Ok((kind.to_owned(), bytes))
}
