//! Two bundles side by side: what differs in findings, facts, packages, configuration and unknown errors, and what one
//! of them cannot tell.

mod configs;
mod content;
mod facts;

use std::collections::BTreeMap;

use serde::Serialize;
use sitrep_shared::bundle::manifest::{Manifest, Outcome};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Bundles;
use super::browse::BrowseError;
use super::browse::index::FileEntry;
use crate::db::bundles::BundleRow;
use crate::db::findings::FindingRow;
use crate::db::{DbError, findings, templates};
pub use configs::ConfigFile;
pub use content::{Change, Line};
pub use facts::Difference;

/// Unknown errors of a bundle that are compared.
const ERRORS_MAX: i64 = 200;
/// A template counts as changed when it is this many times as frequent.
const RATE: i64 = 2;

/// Files of configuration from which something was removed, and which are read to see whether they differ.
const LOOKED_MAX: usize = 100;

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A bundle cannot be looked into.
    #[error("look into a bundle to compare")]
    Browse(#[from] BrowseError),
    /// The database failed.
    #[error("read what is known of a bundle to compare")]
    Db(#[from] DbError),
    /// A blocking task did not end.
    #[error("compare texts")]
    Task(#[from] tokio::task::JoinError),
}

/// A signature that matched in one of the two, or in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundIn {
    /// The signature.
    pub id: String,
    /// Its title.
    pub title: String,
    /// critical … info.
    pub severity: String,
    /// Whether it matched in the earlier one.
    pub before: bool,
    /// Whether it matches in the later one.
    pub after: bool,
}

/// Something that one of the two could read and the other could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Visibility {
    /// What was asked for.
    pub origin: String,
    /// How it ended in the earlier one.
    pub before: String,
    /// How it ended in the later one.
    pub after: String,
    /// Why, in the words of the one that could not.
    pub reason: String,
    /// Whether it is the later one that could not.
    pub lost: bool,
}

/// An unknown error that is new, gone, or far more or less frequent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorRate {
    /// What its lines have in common.
    pub text: String,
    /// Lines in the earlier one.
    pub before: i64,
    /// Lines in the later one.
    pub after: i64,
}

/// What differs between two bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Comparison {
    /// Signatures that matched, those that differ first.
    pub findings: Vec<FoundIn>,
    /// What could be read in one of them only.
    pub visibility: Vec<Visibility>,
    /// Facts that differ.
    pub facts: Vec<Difference>,
    /// Figures that differ, as figures do from one moment to the next.
    pub readings: Vec<Difference>,
    /// Packages that differ.
    pub packages: Vec<Difference>,
    /// Files of configuration that differ.
    pub configs: Vec<ConfigFile>,
    /// Unknown errors that differ.
    pub errors: Vec<ErrorRate>,
}

impl Bundles {
    /// Compares an earlier bundle with a later one.
    ///
    /// # Errors
    /// When one of them cannot be read. What it does not have is empty.
    pub async fn compare(
        &self,
        (before, after): (&BundleRow, &BundleRow),
        now_ms: i64,
    ) -> Result<Comparison, CompareError> {
        let (one, other) = (self.look(before).await?, self.look(after).await?);
        let mut conn = self.db().read().await?;
        let found = [
            findings::of_bundle(&mut conn, &before.id, now_ms).await?,
            findings::of_bundle(&mut conn, &after.id, now_ms).await?,
        ];
        let errors = [
            templates::of_bundle(&mut conn, &before.id, ERRORS_MAX).await?,
            templates::of_bundle(&mut conn, &after.id, ERRORS_MAX).await?,
        ];
        drop(conn);
        let told = facts::compare(&one.facts, &other.facts);
        let rates = errors.map(|rows| rows.into_iter().map(|row| (row.text, row.count)).collect());
        Ok(Comparison {
            findings: matched(&found),
            visibility: visibility(&one, &other),
            facts: told.facts,
            readings: told.readings,
            packages: told.packages,
            configs: self.configs((&one, &other)).await?,
            errors: error_rates(rates),
        })
    }

    /// The lines of a file of configuration that differ, with some around them.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn compare_file(
        &self,
        (before, after): (Uuid, Uuid),
        file: &ConfigFile,
    ) -> Result<Change, CompareError> {
        let one = self.content(before, file.before).await?;
        let other = self.content(after, file.after).await?;
        Ok(tokio::task::spawn_blocking(move || content::compare(&one, &other)).await?)
    }

    /// Files of configuration that differ by more than the fingerprints of what was removed from them.
    async fn configs(&self, (one, other): (&Look, &Look)) -> Result<Vec<ConfigFile>, CompareError> {
        let (mut differing, mut looked) = (Vec::new(), 0);
        for (file, redacted) in configs::compare(one, other) {
            if redacted && looked < LOOKED_MAX {
                looked += 1;
                let before = self.content(one.id, file.before).await?;
                let after = self.content(other.id, file.after).await?;
                if content::same(&before, &after) {
                    continue;
                }
            }
            differing.push(file);
        }
        Ok(differing)
    }

    async fn content(&self, bundle: Uuid, fid: Option<u64>) -> Result<Vec<u8>, CompareError> {
        let Some(fid) = fid else {
            return Ok(Vec::new());
        };
        let mut reader = self.browse.open(bundle, fid, 0, content::BYTES_MAX).await?;
        let read = move || {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut bytes).map(|_| bytes)
        };
        let read = tokio::task::spawn_blocking(read).await?;
        Ok(read.map_err(BrowseError::Read)?)
    }

    /// What a bundle has to compare; what it lacks is empty.
    async fn look(&self, row: &BundleRow) -> Result<Look, CompareError> {
        let id = Uuid::parse_str(&row.id).map_err(|_| BrowseError::Absent)?;
        let facts = present(self.browse.facts(id).await)?.unwrap_or_default();
        Ok(Look {
            id,
            facts: serde_json::from_slice(&facts).unwrap_or_default(),
            manifest: present(self.browse.manifest(id).await)?,
            files: present(self.browse.files(id).await)?.unwrap_or_default(),
        })
    }
}

fn present<T>(found: Result<T, BrowseError>) -> Result<Option<T>, BrowseError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(BrowseError::Absent) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Look {
    id: Uuid,
    facts: serde_json::Value,
    manifest: Option<Manifest>,
    files: Vec<FileEntry>,
}

fn matched(found: &[Vec<FindingRow>; 2]) -> Vec<FoundIn> {
    let mut all: BTreeMap<(i64, &str), FoundIn> = BTreeMap::new();
    for (place, rows) in found.iter().enumerate() {
        for row in rows.iter().filter(|row| row.stands()) {
            let entry = all
                .entry((row.severity_rank, &row.signature_id))
                .or_insert_with(|| FoundIn {
                    id: row.signature_id.clone(),
                    title: row.title.clone(),
                    severity: row.severity.clone(),
                    before: false,
                    after: false,
                });
            if place == 0 {
                entry.before = true;
            } else {
                entry.after = true;
            }
        }
    }
    let mut list: Vec<FoundIn> = all.into_values().collect();
    list.sort_by_key(|finding| finding.before && finding.after);
    list
}

/// The word of an outcome, as the manifest spells it.
fn word(outcome: Outcome) -> String {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

/// Whether something of it came. What a host does not have is no loss of sight.
fn seen(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Collected | Outcome::Partial | Outcome::Absent
    )
}

fn visibility(before: &Look, after: &Look) -> Vec<Visibility> {
    let (Some(before), Some(after)) = (&before.manifest, &after.manifest) else {
        return Vec::new();
    };
    let known: BTreeMap<&str, _> = before
        .items
        .iter()
        .map(|i| (i.origin.as_str(), i))
        .collect();
    let changed = after.items.iter().filter_map(|item| {
        let earlier = known.get(item.origin.as_str())?;
        let (could, can) = (seen(earlier.outcome), seen(item.outcome));
        let blind = if can { earlier } else { item };
        (could != can).then(|| Visibility {
            origin: item.origin.clone(),
            before: word(earlier.outcome),
            after: word(item.outcome),
            reason: blind.reason.clone().unwrap_or_default(),
            lost: could,
        })
    });
    let mut list: Vec<Visibility> = changed.collect();
    list.sort_by(|a, b| b.lost.cmp(&a.lost).then_with(|| a.origin.cmp(&b.origin)));
    list
}

fn error_rates([before, after]: [BTreeMap<String, i64>; 2]) -> Vec<ErrorRate> {
    let all: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let rate = |text: &&String| ErrorRate {
        text: (*text).clone(),
        before: before.get(*text).copied().unwrap_or(0),
        after: after.get(*text).copied().unwrap_or(0),
    };
    let mut list: Vec<ErrorRate> = all.iter().map(rate).collect();
    list.retain(|r| r.before.min(r.after) * RATE <= r.before.max(r.after));
    // What is new first, then what has grown most.
    list.sort_by(|a, b| {
        (b.after - b.before)
            .cmp(&(a.after - a.before))
            .then_with(|| a.text.cmp(&b.text))
    });
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_as_frequent_as_before_are_left_out() {
        let of = |list: &[(&str, i64)]| -> BTreeMap<String, i64> {
            list.iter()
                .map(|(text, n)| ((*text).to_owned(), *n))
                .collect()
        };
        let before = of(&[("same", 10), ("gone", 3), ("grown", 4)]);
        let after = of(&[("same", 12), ("new", 5), ("grown", 40)]);
        let told: Vec<_> = error_rates([before, after])
            .into_iter()
            .map(|r| (r.text, r.before, r.after))
            .collect();
        let expected = [("grown", 4, 40), ("new", 0, 5), ("gone", 3, 0)];
        assert_eq!(told, expected.map(|(text, a, b)| (text.to_owned(), a, b)));
    }

    #[test]
    fn sight_is_lost_and_regained() {
        let look = |first: &str, second: &str| {
            let json = format!(
                r#"{{"schema":"sitrep.manifest/1","format":1,"created":"x","host":"h","started_ms":9,"items":[
                {{"id":"a","source":"s","kind":"file","origin":"/a","outcome":"{first}","reason":"because"}},
                {{"id":"b","source":"s","kind":"file","origin":"/b","outcome":"{second}"}}]}}"#
            );
            let limits = sitrep_shared::bundle::limits::Limits::default();
            Look {
                id: Uuid::nil(),
                facts: serde_json::Value::Null,
                manifest: Some(Manifest::parse(json.as_bytes(), &limits).unwrap()),
                files: Vec::new(),
            }
        };
        let told = visibility(&look("collected", "denied"), &look("timed_out", "absent"));
        let told: Vec<_> = told
            .iter()
            .map(|v| (v.origin.as_str(), v.lost, v.reason.as_str()))
            .collect();
        assert_eq!(told, [("/a", true, "because"), ("/b", false, "")]);
        assert!(visibility(&look("collected", "absent"), &look("absent", "partial")).is_empty());
    }
}
