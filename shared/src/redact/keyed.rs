//! Keyed functions: fingerprints of removed secrets and the numbers behind stand-ins.
//!
//! Without the key (which stays with the customer) a fingerprint can be neither reversed nor
//! tested against guesses; with the same key the same value gives the same result in every file.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The marker begins with this; scanners take it for a value that has been dealt with.
pub(crate) const MARK: &str = "REMOVED-";

/// The key, in the form that each use needs.
#[derive(Clone)]
pub(crate) struct Keyed {
    mac: Hmac<Sha256>,
    sip: (u64, u64),
    /// The numbers behind the first two octets of addresses, which every address asks for.
    first: u64,
    second: std::sync::Arc<[u64]>,
}

impl Keyed {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        let half = |d: &[u8]| d.iter().take(8).fold(0u64, |n, b| n << 8 | u64::from(*b));
        let mut derived = mac.clone();
        derived.update(b"sitrep stand-ins");
        let derived = derived.finalize().into_bytes();
        let mut keyed = Self {
            mac,
            sip: (half(&derived[..8]), half(&derived[8..16])),
            first: 0,
            second: std::sync::Arc::new([]),
        };
        keyed.first = keyed.number(b'4', b"");
        keyed.second = (0..=255u8).map(|o| keyed.number(b'4', &[o])).collect();
        keyed
    }

    /// The number behind the octets of an address.
    pub(crate) fn prefix(&self, octets: &[u8]) -> u64 {
        match octets {
            [] => self.first,
            [one] => self.second.get(*one as usize).copied().unwrap_or_default(),
            more => self.number(b'4', more),
        }
    }

    /// 48 bits of HMAC-SHA256 over `value`, as 12 hex digits.
    pub(crate) fn fingerprint(&self, value: &[u8]) -> String {
        let mut mac = self.mac.clone();
        mac.update(b"secret\0");
        mac.update(value);
        let full = mac.finalize().into_bytes();
        full.iter().take(6).map(|b| format!("{b:02x}")).collect()
    }

    /// 64 bits that depend on the key, the purpose and the value (SipHash-1-3).
    pub(crate) fn number(&self, purpose: u8, value: &[u8]) -> u64 {
        let mut v = [
            self.sip.0 ^ 0x736f_6d65_7073_6575,
            self.sip.1 ^ 0x646f_7261_6e64_6f6d,
            self.sip.0 ^ 0x6c79_6765_6e65_7261,
            self.sip.1 ^ 0x7465_6462_7974_6573 ^ u64::from(purpose) << 32,
        ];
        let mut chunks = value.chunks_exact(8);
        for c in &mut chunks {
            let m = c.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
            v[3] ^= m;
            round(&mut v);
            v[0] ^= m;
        }
        let tail = chunks
            .remainder()
            .iter()
            .rev()
            .fold(0u64, |n, b| n << 8 | u64::from(*b));
        let last = tail | ((value.len() as u64) << 56);
        v[3] ^= last;
        round(&mut v);
        v[0] ^= last;
        v[2] ^= 0xff;
        for _ in 0..3 {
            round(&mut v);
        }
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_key_and_value_only() {
        let (a, b) = (Keyed::new(&[1; 32]), Keyed::new(&[2; 32]));
        assert_eq!(a.fingerprint(b"x"), Keyed::new(&[1; 32]).fingerprint(b"x"));
        assert_ne!(a.fingerprint(b"x"), b.fingerprint(b"x"));
        assert_ne!(a.fingerprint(b"x"), a.fingerprint(b"y"));
        assert_eq!(a.fingerprint(b"x").len(), 12);
        assert_ne!(a.number(1, b"10.0.0.1"), b.number(1, b"10.0.0.1"));
        assert_ne!(a.number(1, b"10.0.0.1"), a.number(2, b"10.0.0.1"));
        assert_ne!(a.number(1, b"10.0.0.1"), a.number(1, b"10.0.0.2"));
    }
}
