//! Redaction: removes secrets (and at `strict` also identifiers) from bytes as they stream by.
//!
//! The engine is a sliding window over the file. A literal filter finds *anchors* (a key word, a
//! token prefix, `://`, `@` …); the scanner that owns the anchor looks at most [`window::BACK`]
//! bytes back and [`window::AHEAD`] bytes on and names the bytes to replace. Because a decision
//! depends on nothing else, the result is the same whatever the chunk size, a line may be of any
//! length, and memory is bounded. What is not replaced is copied byte for byte, so encodings,
//! line ends and broken files survive.
//!
//! It fails closed: a [`RedactError`] means that nothing more of the file may be shown.
//!
//! Must not: read the clock, the environment or the network; keep values of secrets.

mod ahead;
mod context;
mod edit;
mod encoding;
mod family;
mod filter;
mod key;
mod keyed;
mod learned;
mod names;
mod random;
mod redactor;
mod report;
mod scan;
mod signs;
mod standin;
mod stream;
mod value;
mod window;

pub use family::{Example, Family, RuleError, families};
pub use learned::Learned;
pub use redactor::{FileContext, Redactor, RedactorBuilder};
pub use report::{FileReport, Place, RedactError};
pub use stream::Stream;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// How much is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing: bytes pass unchanged.
    Off,
    /// Secrets.
    #[default]
    Standard,
    /// Secrets, and identifiers (addresses, names, mail) by stable stand-ins.
    Strict,
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "off" => Ok(Self::Off),
            "standard" => Ok(Self::Standard),
            "strict" => Ok(Self::Strict),
            other => Err(format!("unknown level '{other}': off, standard or strict")),
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Standard => "standard",
            Self::Strict => "strict",
        })
    }
}
