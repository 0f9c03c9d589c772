//! Secrets that the service itself has to show to others: kept sealed under the key file, never told to a person again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;

use super::{Pepper, random};
use crate::config::Secret;

impl Pepper {
    fn vault(&self) -> LessSafeKey {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(b"sitrep secrets that are shown to others");
        let key = UnboundKey::new(&CHACHA20_POLY1305, &mac.finalize().into_bytes());
        LessSafeKey::new(key.expect("a digest of 32 bytes is a key"))
    }

    /// Seals a secret for its place, such as the id of a row: elsewhere it cannot be opened.
    pub fn lock(&self, place: &str, secret: &Secret) -> String {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = secret.reveal().as_bytes().to_vec();
        self.vault()
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut sealed,
            )
            .expect("a secret is far shorter than the cipher's limit");
        STANDARD.encode([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for this place; none when it was sealed under another key, or changed.
    pub fn unlock(&self, place: &str, sealed: &str) -> Option<Secret> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(place.as_bytes());
        let open = self.vault().open_in_place(nonce, aad, &mut sealed);
        let open = open.ok()?.to_vec();
        String::from_utf8(open).ok().map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_in_its_place_under_its_key_only() {
        let pepper = Pepper::new(&[7; 32]);
        let secret = Secret::new("s3cret 密");
        let sealed = pepper.lock("a", &secret);
        assert_ne!(sealed, pepper.lock("a", &secret), "a nonce each");
        assert_eq!(pepper.unlock("a", &sealed), Some(secret));
        assert_eq!(pepper.unlock("b", &sealed), None);
        assert_eq!(Pepper::new(&[8; 32]).unlock("a", &sealed), None);
        for wrong in ["", "AAAA", "no base64!"] {
            assert_eq!(pepper.unlock("a", wrong), None, "{wrong}");
        }
    }
}
