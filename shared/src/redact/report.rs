//! What redaction tells about a file: counts and places per rule, never values; and why a file
//! had to be withheld.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Places kept per file; enough to review, and bounded for a file full of secrets.
pub(crate) const MAX_PLACES: usize = 1_000;

/// Where something was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Line in the file, from 1.
    pub line: u64,
    /// Rule (family or `family.rule`).
    pub rule: String,
}

/// Counts for one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Replacements made.
    pub total: u64,
    /// Replacements by rule.
    pub by_rule: BTreeMap<String, u64>,
    /// The first places, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
}

/// Why a file cannot be redacted; it must be withheld.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// Text in an encoding that the engine cannot decode without loss.
    #[error("text in {0} cannot be decoded without loss")]
    Encoding(&'static str),
    /// Compressed in a form that is not opened here.
    #[error("{0} data cannot be searched for secrets")]
    Compressed(&'static str),
    /// Damaged compressed data.
    #[error("compressed data is damaged: {0}")]
    Damaged(String),
    /// The stream was used after it failed.
    #[error("the stream has failed before")]
    Failed,
}
