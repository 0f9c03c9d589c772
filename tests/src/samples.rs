//! The redaction samples of other projects, which lie outside of this one; `SITREP_SHARED` says where.

#![allow(
    clippy::panic,
    reason = "samples that are absent end the test that needs them"
)]

use serde::Deserialize;
use std::path::PathBuf;

/// One case of `cases.jsonl`; its README says what the fields mean.
#[derive(Deserialize)]
pub struct Case {
    /// id of the case.
    pub id: String,
    /// kind of the case.
    pub kind: String,
    /// tier of the case.
    pub tier: String,
    /// file_name of the case.
    pub file_name: String,
    /// text of the case.
    pub text: String,
    /// secrets of the case.
    pub secrets: Vec<String>,
    /// keep of the case.
    pub keep: Vec<String>,
}

/// The text of a file of samples.
///
/// # Panics
/// The samples are absent.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "where the samples are is the caller's choice"
)]
pub fn shared(name: &str) -> String {
    let root = std::env::var("SITREP_SHARED").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
        PathBuf::from,
    );
    let path = root.join("redaction-samples").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every case.
///
/// # Panics
/// The samples are absent or not of their form.
#[must_use]
pub fn cases() -> Vec<Case> {
    let text = shared("cases.jsonl");
    text.lines()
        .map(|l| serde_json::from_str(l).expect("a case"))
        .collect()
}

/// A long piece of the secret (half of it, eight characters or more) that is in a text, by the letter
/// of the samples' README.
#[must_use]
pub fn piece(secret: &str, text: &str) -> Option<String> {
    if text.contains(secret) {
        return Some(secret.to_owned());
    }
    let chars: Vec<char> = secret.chars().collect();
    let least = 8.max(chars.len().div_ceil(2));
    if chars.len() < least {
        return None;
    }
    chars
        .windows(least)
        .map(|w| w.iter().collect::<String>())
        .find(|w| text.contains(w.as_str()))
}

/// Whether a case says no to itself: a long piece of a secret is in what must survive.
#[must_use]
pub fn contradicts_itself(case: &Case) -> bool {
    let kept = |s: &String| case.keep.iter().any(|k| piece(s, k).is_some());
    case.secrets.iter().any(kept)
}
