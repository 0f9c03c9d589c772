//! What each signature came to: how often it found something, on how many tickets, and how often it was right.

use std::collections::HashMap;

use serde::Serialize;
use sitrep_shared::signature::Severity;

use super::catalogue::{Entry, word};
use crate::db::packs::{self, StatsRow};
use crate::error::AppResult;
use crate::state::AppState;

/// Hits are counted over this time.
const RECENT_MS: i64 = 30 * 86_400_000;

/// A signature in a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// critical … info.
    pub severity: String,
    /// draft, shadow, live or retired.
    pub status: String,
    /// Its pack; `built-in` comes with the program.
    pub pack: String,
    /// The area it belongs to.
    pub category: String,
    /// Bundles of the last 30 days in which it found something.
    pub hits_30d: i64,
    /// Tickets on which it found something.
    pub tickets: i64,
    /// Findings that people said are right.
    pub right: i64,
    /// Findings that people said are wrong or beside the point.
    pub wrong: i64,
    /// Part of the judged findings that is right, in percent; none while nobody judged.
    pub precision: Option<i64>,
    /// When it last found something, UTC milliseconds.
    pub last_ms: Option<i64>,
}

/// What the list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Narrow {
    /// Words in id, title, category or tags.
    pub text: String,
    /// A status.
    pub status: String,
    /// A pack.
    pub pack: String,
}

impl Line {
    /// A signature with what it came to.
    pub fn of(entry: &Entry, stats: Option<&StatsRow>) -> Self {
        let signature = &entry.signature;
        let none = StatsRow::default();
        let known = stats.unwrap_or(&none);
        Self {
            id: signature.id.clone(),
            title: signature.title.clone(),
            severity: signature.severity.as_str().to_owned(),
            status: word(signature.status()).to_owned(),
            pack: entry.pack.clone(),
            category: signature.category.clone(),
            hits_30d: known.recent,
            tickets: known.tickets,
            right: known.right_ones,
            wrong: known.wrong_ones,
            precision: precision(known.right_ones, known.wrong_ones),
            last_ms: stats.map(|stats| stats.last_ms),
        }
    }
}

/// Percent of right ones.
fn precision(right: i64, wrong: i64) -> Option<i64> {
    let judged = right + wrong;
    (judged > 0).then(|| (right * 100 + judged / 2) / judged)
}

/// All signatures, those first that found something of late, then by severity and id.
///
/// # Errors
/// When the database does not answer or the signatures do not load.
pub async fn list(state: &AppState, narrow: &Narrow) -> AppResult<Vec<Line>> {
    let loaded = state.bundles.signatures.current().await?;
    let since = state.now_ms() - RECENT_MS;
    let stats = packs::stats(&mut *state.db.read().await?, None, since).await?;
    let stats: HashMap<&str, &StatsRow> = stats
        .iter()
        .map(|row| (row.signature_id.as_str(), row))
        .collect();
    let wanted = narrow.text.to_lowercase();
    let fits = |entry: &&Entry| {
        let signature = &entry.signature;
        (narrow.pack.is_empty() || narrow.pack == entry.pack)
            && (narrow.status.is_empty() || narrow.status == word(signature.status()))
            && (wanted.is_empty() || has(entry, &wanted))
    };
    let mut found: Vec<(Severity, Line)> = loaded
        .entries
        .iter()
        .filter(fits)
        .map(|entry| {
            let stats = stats.get(entry.signature.id.as_str()).copied();
            (entry.signature.severity, Line::of(entry, stats))
        })
        .collect();
    found.sort_by(|(a, one), (b, other)| {
        let recent = other.hits_30d.cmp(&one.hits_30d);
        recent.then(a.cmp(b)).then_with(|| one.id.cmp(&other.id))
    });
    Ok(found.into_iter().map(|(_, line)| line).collect())
}

/// Signatures that have a text in their id, title, area or tags; what they came to is not counted.
///
/// # Errors
/// When the signatures do not load.
pub async fn named(state: &AppState, text: &str, limit: usize) -> AppResult<Vec<Line>> {
    let loaded = state.bundles.signatures.current().await?;
    let wanted = text.to_lowercase();
    let entries = loaded.entries.iter().filter(|entry| has(entry, &wanted));
    Ok(entries
        .take(limit)
        .map(|entry| Line::of(entry, None))
        .collect())
}

/// Whether a signature has a text, in lower case, in its id, title, area or tags.
fn has(entry: &Entry, wanted: &str) -> bool {
    let signature = &entry.signature;
    let texts = [&signature.id, &signature.title, &signature.category];
    let mut texts = texts.into_iter().chain(&signature.tags);
    texts.any(|text| text.to_lowercase().contains(wanted))
}

/// One signature with what it came to.
///
/// # Errors
/// When the database does not answer.
pub async fn one(state: &AppState, entry: &Entry) -> AppResult<Line> {
    let since = state.now_ms() - RECENT_MS;
    let id = entry.signature.id.as_str();
    let stats = packs::stats(&mut *state.db.read().await?, Some(id), since).await?;
    Ok(Line::of(entry, stats.first()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_told_when_somebody_judged() {
        for (right, wrong, expected) in [(0, 0, None), (2, 1, Some(67)), (0, 3, Some(0))] {
            assert_eq!(precision(right, wrong), expected);
        }
    }
}
