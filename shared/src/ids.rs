//! What people type and read aloud: upload codes, ticket keys, receipts, and links.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Crockford's base 32: no I, L, O, U, so that reading aloud and typing cannot confuse digits.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 16 characters of the alphabet.
    #[error("an upload code has 16 letters and digits, such as 7K2M-9QXD-4HTC-8W3N")]
    Code,
    /// Not `ABC-123`.
    #[error("a ticket key looks like TKT-1042")]
    TicketKey,
    /// Not `RCP-XXXX-XXXX`.
    #[error("a receipt looks like RCP-4F7K-2M9Q")]
    Receipt,
    /// Neither a code nor a link with one.
    #[error(
        "give the upload code or the whole link, such as https://support.example/u/7K2M-9QXD-4HTC-8W3N"
    )]
    Target,
}

/// A write-only secret that ties uploads to one ticket: 4 public characters, 12 secret ones.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadCode {
    text: [u8; 16],
}

impl UploadCode {
    /// Makes a code of 80 random bits that the caller drew.
    #[must_use]
    pub fn generate(random: &[u8; 10]) -> Self {
        Self {
            text: base32(random),
        }
    }

    /// Reads a code; case, dashes and blanks do not matter, O is 0, I and L are 1.
    ///
    /// # Errors
    /// Not 16 characters of the alphabet.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Ok(Self {
            text: normalise(text).ok_or(IdError::Code)?,
        })
    }

    /// The public part, by which a collector finds the code.
    #[must_use]
    pub fn selector(&self) -> &str {
        ascii(&self.text[..4])
    }

    /// The secret part; never to be logged or stored in clear.
    #[must_use]
    pub fn secret(&self) -> &str {
        ascii(&self.text[4..])
    }

    /// `XXXX-XXXX-XXXX-XXXX`: shown once to the engineer, and what goes over the wire.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.text.chunks(4).map(ascii).collect::<Vec<_>>().join("-")
    }
}

// No Display: a code must not get into a log by accident.
impl fmt::Debug for UploadCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadCode({}-…)", self.selector())
    }
}

impl FromStr for UploadCode {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

/// The name of a ticket, `TKT-1042`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketKey(String);

impl TicketKey {
    /// Makes the key of the collector's own numbering.
    #[must_use]
    pub fn of_number(number: u64) -> Self {
        Self(format!("TKT-{number}"))
    }

    /// Reads a key: 2 to 10 letters, a dash, 1 to 12 digits; letters are made upper-case.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let (prefix, number) = text.trim().split_once('-').ok_or(IdError::TicketKey)?;
        let good = (2..=10).contains(&prefix.len())
            && prefix.bytes().all(|b| b.is_ascii_alphabetic())
            && (1..=12).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit());
        if !good {
            return Err(IdError::TicketKey);
        }
        Ok(Self(format!("{}-{number}", prefix.to_ascii_uppercase())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits after the dash.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0
            .rsplit('-')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    }
}

/// What a customer keeps as proof of an upload, `RCP-XXXX-XXXX`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Receipt(String);

impl Receipt {
    /// Makes a receipt of 40 random bits that the caller drew.
    #[must_use]
    pub fn generate(random: &[u8; 5]) -> Self {
        Self::of(base32(random))
    }

    /// Reads a receipt as tolerantly as a code.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let rest = match text.get(..3) {
            Some(prefix) if prefix.eq_ignore_ascii_case("RCP") => &text[3..],
            _ => return Err(IdError::Receipt),
        };
        Ok(Self::of(normalise(rest).ok_or(IdError::Receipt)?))
    }

    fn of(text: [u8; 8]) -> Self {
        Self(format!("RCP-{}-{}", ascii(&text[..4]), ascii(&text[4..])))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}
text_id!(TicketKey);
text_id!(Receipt);

/// Where an upload goes: a code, and the collector when a link named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTarget {
    /// `https://host[:port]`, without a path, when a link was given.
    pub base_url: Option<String>,
    /// The code.
    pub code: UploadCode,
}

impl UploadTarget {
    /// Reads `CODE` or `https://host[:port]/u/CODE`.
    ///
    /// # Errors
    /// Neither of the two, or a link with credentials, a query or another path.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else {
            let code = UploadCode::parse(text).map_err(|_| IdError::Target)?;
            return Ok(Self {
                base_url: None,
                code,
            });
        };
        let scheme = scheme.to_ascii_lowercase();
        let (host, path) = rest.split_once('/').ok_or(IdError::Target)?;
        let host_ok = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        let code = path.strip_prefix("u/").ok_or(IdError::Target)?;
        if !matches!(scheme.as_str(), "http" | "https") || !host_ok {
            return Err(IdError::Target);
        }
        let code = UploadCode::parse(code.trim_end_matches('/')).map_err(|_| IdError::Target)?;
        Ok(Self {
            base_url: Some(format!("{scheme}://{}", host.to_ascii_lowercase())),
            code,
        })
    }

    /// The link form of a code at a collector.
    #[must_use]
    pub fn link(base_url: &str, code: &UploadCode) -> String {
        format!("{}/u/{}", base_url.trim_end_matches('/'), code.canonical())
    }
}

fn base32<const BYTES: usize, const CHARS: usize>(random: &[u8; BYTES]) -> [u8; CHARS] {
    let bits = random
        .iter()
        .fold(0u128, |all, byte| all << 8 | u128::from(*byte));
    let mut text = [0; CHARS];
    for (at, slot) in text.iter_mut().rev().enumerate() {
        *slot = ALPHABET[(bits >> (5 * at)) as usize & 31];
    }
    text
}

fn normalise<const CHARS: usize>(text: &str) -> Option<[u8; CHARS]> {
    let mut out = [0; CHARS];
    let mut filled = 0;
    for c in text.bytes().filter(|c| !matches!(c, b'-' | b' ' | b'\t')) {
        let c = match c.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        *out.get_mut(filled)? = ALPHABET.contains(&c).then_some(c)?;
        filled += 1;
    }
    (filled == CHARS).then_some(out)
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("only characters of the alphabet are stored")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "7K2M-9QXD-4HTC-8W3N";

    #[test]
    fn codes_are_read_tolerantly() {
        for text in [CODE, "7k2m9qxd4htc8w3n", " 7K2M 9QXD 4HTC 8W3N "] {
            let code = UploadCode::parse(text).unwrap();
            assert_eq!(code.canonical(), CODE);
            assert_eq!((code.selector(), code.secret()), ("7K2M", "9QXD4HTC8W3N"));
        }
        let sloppy = UploadCode::parse("oil0-0000-0000-0000").unwrap();
        assert_eq!(sloppy.canonical(), "0110-0000-0000-0000");
    }

    #[test]
    fn bad_codes_are_refused() {
        for text in [
            "",
            "7K2M",
            "7K2M-9QXD-4HTC-8W3U",
            "7K2M-9QXD-4HTC-8W3N0",
            "7K2M-9QXD-4HTC-8Wä",
        ] {
            assert_eq!(UploadCode::parse(text), Err(IdError::Code), "{text}");
        }
    }

    #[test]
    fn random_bits_all_count_and_debug_hides_the_secret() {
        let all = UploadCode::generate(&[0xff; 10]);
        assert_eq!(all.canonical(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        let last = UploadCode::generate(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(last.canonical(), "0000-0000-0000-0001");
        assert_eq!(format!("{all:?}"), "UploadCode(ZZZZ-…)");
    }

    #[test]
    fn keys_and_receipts() {
        assert_eq!(TicketKey::parse("tkt-1042").unwrap().as_str(), "TKT-1042");
        assert_eq!(TicketKey::of_number(7).number(), 7);
        for text in ["", "TKT", "TKT-", "-1", "TKT-1a", "T-1", "TKT-1-2"] {
            assert!(TicketKey::parse(text).is_err(), "{text}");
        }
        let receipt = Receipt::generate(&[1, 2, 3, 4, 5]);
        assert_eq!(
            Receipt::parse(&receipt.as_str().to_lowercase()),
            Ok(receipt)
        );
        assert!(Receipt::parse("RCP-12").is_err());
        assert!(Receipt::parse("ä").is_err());
    }

    #[test]
    fn targets() {
        let target =
            UploadTarget::parse(&format!("HTTPS://Support.example:8443/u/{CODE}")).unwrap();
        assert_eq!(
            target.base_url.as_deref(),
            Some("https://support.example:8443")
        );
        assert_eq!(
            UploadTarget::link("https://a.example/", &target.code),
            format!("https://a.example/u/{CODE}")
        );
        assert_eq!(UploadTarget::parse(CODE).unwrap().base_url, None);
        for text in [
            "ftp://a/u/",
            "https://user@a/u/7K2M-9QXD-4HTC-8W3N",
            "https://a/x/7K2M-9QXD-4HTC-8W3N",
            "https://a/u/7K2M?x",
        ] {
            assert_eq!(UploadTarget::parse(text), Err(IdError::Target), "{text}");
        }
    }
}
