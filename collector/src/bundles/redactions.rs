//! What redaction removed from a bundle, by rule, file and line: as the sender's own report has it, or,
//! where there is none, by the marks and stand-ins that stand in the text. Never a value.

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::browse::search::{Hit, Search};
use super::browse::{Browse, BrowseError, Which};

/// The sender's report in a bundle.
const DOCUMENT: &str = "meta/redaction.json";
/// Bytes of it that are read; a thousand places of each of ten thousand files are less.
const DOCUMENT_BYTES: u64 = 64 << 20;
/// Lines with marks that are listed.
const MARKS_MAX: usize = 20_000;
/// Marks of removed secrets, and stand-ins for names.
const MARKS: &str = r"REMOVED-[a-z]{1,7}-[0-9a-f]{12}|\b(?:hst|dom|usr|id|card)-[0-9a-f]{8,10}\b";

/// A text with the fingerprints of removed secrets taken out. They are keyed anew in each bundle, so that they say nothing
/// about another one's.
pub(super) fn without_fingerprints(text: &str) -> std::borrow::Cow<'_, str> {
    static MARK: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(r"(REMOVED-[a-z]{1,7})-[0-9a-f]{12}").expect("an expression of this file")
    });
    MARK.replace_all(text, "$1")
}

/// Where the report comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The report that the agent put into the bundle.
    Sender,
    /// The marks found in the text: lines, not values, are counted.
    Marks,
}

/// What was removed from a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// Where it comes from.
    pub origin: Origin,
    /// The level that the sender used; empty when it is not known.
    pub level: String,
    /// Values removed.
    pub total: u64,
    /// Values removed, by rule.
    pub by_rule: BTreeMap<String, u64>,
    /// By file, in the order of the report.
    pub files: Vec<File>,
    /// Files that could not be redacted and were left out.
    pub withheld: Vec<Withheld>,
    /// False when more lines have marks than are listed.
    pub complete: bool,
}

/// What was removed from one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct File {
    /// Path in the bundle.
    pub path: String,
    /// Values removed.
    #[serde(default)]
    pub total: u64,
    /// Values removed, by rule.
    #[serde(default)]
    pub by_rule: BTreeMap<String, u64>,
    /// The first places, in order.
    #[serde(default)]
    pub places: Vec<Place>,
}

/// Where something was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Rule, or the label of the mark.
    pub rule: String,
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Withheld {
    /// Path it would have had.
    pub path: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// The sender's report as it is stored.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    level: String,
    #[serde(default)]
    total: u64,
    #[serde(default)]
    by_rule: BTreeMap<String, u64>,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    withheld: Vec<Withheld>,
}

impl From<Document> for Report {
    fn from(document: Document) -> Self {
        Self {
            origin: Origin::Sender,
            level: document.level,
            total: document.total,
            by_rule: document.by_rule,
            files: document.files,
            withheld: document.withheld,
            complete: true,
        }
    }
}

/// The report of a bundle.
///
/// # Errors
/// `Absent` when the bundle has no files to look into; a report that is no JSON counts as none.
pub async fn report(browse: &Browse, bundle: Uuid) -> Result<Report, BrowseError> {
    match sent(browse, bundle).await? {
        Some(document) => Ok(document.into()),
        None => marks(browse, bundle).await,
    }
}

/// The sender's report, if there is one that can be read.
async fn sent(browse: &Browse, bundle: Uuid) -> Result<Option<Document>, BrowseError> {
    let which = Which::Path(DOCUMENT.to_owned());
    let entry = match browse.file(bundle, which).await {
        Ok(entry) if entry.size <= DOCUMENT_BYTES => entry,
        Ok(_) => return Ok(None),
        Err(BrowseError::Absent) => return Ok(None),
        Err(error) => return Err(error),
    };
    let reader = browse.open(bundle, entry.fid, 0, entry.size).await?;
    let bytes = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        reader
            .take(DOCUMENT_BYTES)
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    });
    let bytes = bytes.await?.map_err(BrowseError::Read)?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// What the marks in the text tell.
async fn marks(browse: &Browse, bundle: Uuid) -> Result<Report, BrowseError> {
    let search = Search::new(MARKS, false, MARKS_MAX)
        .map_err(|error| BrowseError::Read(std::io::Error::other(error)))?;
    let (tell, mut hear) = mpsc::channel(256);
    let gather = async {
        let mut hits = Vec::new();
        while let Some(hit) = hear.recv().await {
            hits.push(hit);
        }
        hits
    };
    let (done, hits) = tokio::join!(browse.search(bundle, search, tell), gather);
    done?;
    Ok(of_marks(&hits))
}

/// Counts lines with marks, by label and file.
fn of_marks(hits: &[Hit]) -> Report {
    let mut report = Report {
        origin: Origin::Marks,
        level: String::new(),
        total: 0,
        by_rule: BTreeMap::new(),
        files: Vec::new(),
        withheld: Vec::new(),
        complete: hits.len() < MARKS_MAX,
    };
    let mut files: BTreeMap<&str, File> = BTreeMap::new();
    for hit in hits {
        let file = files.entry(&hit.path).or_insert_with(|| File {
            path: hit.path.clone(),
            total: 0,
            by_rule: BTreeMap::new(),
            places: Vec::new(),
        });
        let rule = label(&hit.text).to_owned();
        file.total += 1;
        report.total += 1;
        *file.by_rule.entry(rule.clone()).or_default() += 1;
        *report.by_rule.entry(rule.clone()).or_default() += 1;
        file.places.push(Place {
            line: hit.line,
            rule,
        });
    }
    report.files = files.into_values().collect();
    report
}

/// The label of the first mark in a line; a stand-in's own prefix otherwise.
fn label(line: &str) -> &str {
    if let Some((_, rest)) = line.split_once("REMOVED-") {
        return rest.split('-').next().unwrap_or_default();
    }
    ["hst", "dom", "usr", "card", "id"]
        .into_iter()
        .find(|prefix| line.contains(&format!("{prefix}-")))
        .unwrap_or("mark")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(path: &str, line: u64, text: &str) -> Hit {
        Hit {
            file: 1,
            path: path.to_owned(),
            line,
            offset: 0,
            text: text.to_owned(),
        }
    }

    #[test]
    fn marks_are_counted_by_label_and_file() {
        let report = of_marks(&[
            hit("sos/a", 2, "password = REMOVED-pass-0123456789ab"),
            hit("sos/a", 9, "from hst-01234567.dom-89abcdef.invalid"),
            hit("sos/b", 1, "x REMOVED-pass-0123456789ab"),
        ]);
        assert_eq!((report.total, report.complete), (3, true));
        assert_eq!(report.by_rule["pass"], 2);
        assert_eq!(report.by_rule["hst"], 1);
        assert_eq!(report.files[0].path, "sos/a");
        assert_eq!(report.files[0].places[1].line, 9);
    }

    #[test]
    fn the_senders_report_is_taken_as_it_is() {
        let text = r#"{"schema":"sitrep.redaction/1","level":"strict","total":3,"by_rule":{"url":3},
            "files":[{"path":"sos/a","total":3,"by_rule":{"url":3},"places":[{"line":4,"rule":"url"}]}],
            "withheld":[{"path":"sos/b","reason":"xz data cannot be searched for secrets"}]}"#;
        let report: Report = serde_json::from_str::<Document>(text).unwrap().into();
        assert_eq!((report.total, report.level.as_str()), (3, "strict"));
        assert_eq!(report.files[0].places[0].line, 4);
        assert_eq!(report.withheld.len(), 1);
    }

    #[test]
    fn the_expression_finds_marks_and_nothing_else() {
        let search = regex::Regex::new(MARKS).unwrap();
        for (line, found) in [
            ("password = REMOVED-pass-0123456789ab", true),
            ("usr-0123456789 logged in", true),
            ("hst-01234567.invalid", true),
            ("REMOVED-pass", false),
            ("valid-0123456789 usr-0123", false),
        ] {
            assert_eq!(search.is_match(line), found, "{line}");
        }
        assert!(Search::new(MARKS, false, 1).is_ok());
    }
}
