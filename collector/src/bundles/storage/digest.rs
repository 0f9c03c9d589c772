//! The digest of an upload while it grows: goes on in another process, and is read back from the database.

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

/// The hash over the first bytes of an upload, as text that goes on in another process.
#[derive(Debug, Clone)]
pub struct HashState(Sha256);

impl Default for HashState {
    fn default() -> Self {
        Self(Sha256::new())
    }
}

impl HashState {
    /// Reads what [`Self::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: Option<Vec<u8>> = (0..text.len() / 2)
            .map(|n| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok())
            .collect();
        let state = bytes?.as_slice().try_into().ok()?;
        Sha256::deserialize(&state).ok().map(Self)
    }

    /// The state, hex.
    pub fn text(&self) -> String {
        hex(&self.0.serialize())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest, hex.
    pub fn digest(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let text = String::with_capacity(bytes.len() * 2);
    bytes.iter().fold(text, |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_goes_on_from_its_text() {
        let mut state = HashState::default();
        state.update(&[7; 100]);
        let mut state = HashState::parse(&state.text()).unwrap();
        state.update(b"two");
        let whole = [&[7; 100][..], b"two"].concat();
        assert_eq!(state.digest(), hex(&Sha256::digest(whole)));
        for wrong in ["", "00", "zz", &"f".repeat(210)] {
            assert!(HashState::parse(wrong).is_none(), "{wrong}");
        }
    }
}
