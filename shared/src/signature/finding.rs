//! What a scan comes to: findings with their evidence, and what could not be evaluated.

use serde::{Deserialize, Serialize};

use super::model::{FixSteps, Severity};

/// The schema name in `meta/findings.json`.
pub const SCHEMA: &str = "sitrep.findings/1";
/// Bytes of an entry that are kept as evidence.
pub(super) const MAX_TEXT: usize = 500;

/// One entry, or one fact, that a finding rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Path of the file; for a fact the path it was read from, or `meta/facts.json`.
    pub file: String,
    /// The entry's first line, from 1; 0 for a fact.
    pub line: u64,
    /// Byte offset of that line in the file.
    pub offset: u64,
    /// At most 500 bytes of the entry: its first line and, when the match is further down, that line.
    pub text: String,
    /// The entry's time in UTC milliseconds, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<i64>,
    /// Which condition it meets.
    pub why: String,
}

/// A signature that matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The signature's public id.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// The area it belongs to.
    pub category: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Tags for the ticket.
    pub auto_tag: Vec<String>,
    /// Why it happens, Markdown.
    pub cause: String,
    /// What it does, Markdown.
    pub impact: String,
    /// What to do, Markdown.
    pub mitigation: String,
    /// What to do, in steps.
    pub fix: FixSteps,
    /// URLs.
    pub references: Vec<String>,
    /// Only counted, not shown: the signature's status is shadow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// The entries of the first hits, or the facts.
    pub evidence: Vec<Evidence>,
    /// How often it matched; 1 for a state.
    pub hits: u64,
    /// Time of the first hit, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<i64>,
    /// Time of the last hit, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<i64>,
}

/// A signature that could not be decided; never to be shown as passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotEvaluated {
    /// The signature's public id.
    pub id: String,
    /// Why not.
    pub reason: String,
}

/// The result for a bundle; serialises as `meta/findings.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Worst first, then by id.
    pub findings: Vec<Finding>,
    /// By id.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Signatures that were decided, with a finding or without.
    pub evaluated: u64,
}

impl Report {
    /// What may be shown to customers: without the findings of signatures in shadow, which are only
    /// counted until their author is sure of them.
    #[must_use]
    pub fn without_shadow(mut self) -> Self {
        self.findings.retain(|finding| !finding.shadow);
        self
    }
}

/// Cuts bytes to a text that is short enough to keep, on a character boundary.
pub(super) fn excerpt(line: &[u8], max: usize) -> String {
    let cut = &line[..line.len().min(max)];
    let mut text = String::from_utf8_lossy(cut).into_owned();
    while text.len() > max {
        text.pop();
    }
    text
}
