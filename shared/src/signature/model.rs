//! What a signature is, once it has been read and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How bad it is when the signature fires, from the format's 0 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// 0: the service is down or data is lost.
    Critical,
    /// 1: an important part does not work.
    High,
    /// 2: something works badly.
    Medium,
    /// 3: a nuisance, or a sign of trouble to come.
    Low,
    /// 4: worth knowing.
    Info,
}

impl Severity {
    /// The severity for the format's number, 0 to 4.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Critical),
            1 => Some(Self::High),
            2 => Some(Self::Medium),
            3 => Some(Self::Low),
            4 => Some(Self::Info),
            _ => None,
        }
    }

    /// The lower-case word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

/// Where a signature stands between idea and retirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being written; not run.
    Draft,
    /// Run and counted, but not shown to customers and not tagging.
    Shadow,
    /// In force.
    #[default]
    Live,
    /// Kept for its history; not run.
    Retired,
}

/// Steps for two audiences, in two languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixSteps {
    /// For the person at the machine, who may not administer it.
    #[serde(default)]
    pub plain: Steps,
    /// For an engineer.
    #[serde(default)]
    pub expert: Steps,
}

/// The same steps in English and Chinese.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// English.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub en: Vec<String>,
    /// Simplified Chinese.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zh: Vec<String>,
}

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageVersion {
    /// The package's name as the package manager knows it.
    pub package: String,
    /// Its version, in that manager's order.
    pub version: String,
}

/// A standing exception: where `when` holds, the finding is not reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// CEL over facts.
    pub when: String,
    /// Why, for the reader of the report.
    pub reason: String,
    /// UTC milliseconds after which the exception no longer holds.
    pub until_ms: Option<i64>,
}

/// One test that a signature brings along.
#[derive(Debug, Clone, PartialEq)]
pub struct SignatureTest {
    /// What the case shows.
    pub name: String,
    /// Whether the signature must fire.
    pub fires: bool,
    /// The lines, from 1, that must be its first evidence; empty when they do not matter.
    pub evidence: Vec<u64>,
    /// The log to scan.
    pub log: Option<String>,
    /// The path the log is found at; without one, a path that the signature's source accepts.
    pub path: Option<String>,
    /// The facts to decide `requires` with.
    pub facts: Option<serde_json::Value>,
    /// The line of the file the case begins at.
    pub line: u64,
}

/// What only Sitrep knows about a signature: the `sitrep` key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extension {
    /// Where it stands.
    pub status: Status,
    /// Tags that its finding puts on the ticket.
    pub auto_tag: Vec<String>,
    /// CEL over facts that must hold.
    pub requires: Option<String>,
    /// The first version with the fault.
    pub introduced_in: Option<PackageVersion>,
    /// The first version without it.
    pub fixed_in: Option<PackageVersion>,
    /// Dotted path of the fact that is shown as evidence.
    pub evidence_fact: Option<String>,
    /// Key of the knowledge base article.
    pub article: Option<String>,
    /// What to do.
    pub fix: FixSteps,
    /// Standing exceptions.
    pub suppress: Vec<Suppression>,
    /// Its tests.
    pub tests: Vec<SignatureTest>,
}

/// Which way the conditions of a rule come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// In any order.
    Set,
    /// One after the other.
    Sequence,
}

/// What one condition looks for in an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Matcher {
    /// The text occurs.
    Literal(String),
    /// The expression (RE2 syntax) matches somewhere.
    Regex(String),
    /// The jq program gives something other than null and false for the entry read as JSON.
    Jq(String),
}

/// A condition that must be met, `count` times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positive {
    /// What to look for.
    pub matcher: Matcher,
    /// How many entries must match, at least 1.
    pub count: u32,
}

/// A condition that must not be met near the positive ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negative {
    /// What to look for.
    pub matcher: Matcher,
    /// Width of the window in nanoseconds, beside the hit's own range.
    pub window_ns: i64,
    /// Shift of the window's start in nanoseconds; negative looks back.
    pub slide_ns: i64,
    /// Which positive entry, from 0, the window starts at.
    pub anchor: usize,
    /// The window is `window_ns` wide, without the hit's own range.
    pub absolute: bool,
}

/// The matching part of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Set or sequence.
    pub shape: Shape,
    /// The data source it reads.
    pub source: String,
    /// Inclusive; 0 for a single condition.
    pub window_ns: i64,
    /// What must be there.
    pub positives: Vec<Positive>,
    /// What must not be there.
    pub negatives: Vec<Negative>,
    /// Why this rule cannot be evaluated here although it is well formed.
    pub unsupported: Option<String>,
}

impl Rule {
    /// Entries that a hit is made of.
    pub fn width(&self) -> usize {
        self.positives.iter().map(|p| p.count as usize).sum()
    }

    /// Whether the time of entries decides: more than one entry, or a negative.
    pub fn needs_time(&self) -> bool {
        self.width() > 1 || !self.negatives.is_empty()
    }
}

/// A known error: how to recognise it, and what people should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// The public id, for example `SIG-0001` or `CRE-2025-0042`.
    pub id: String,
    /// The immutable rule id.
    pub rule_id: String,
    /// `prequel`, `sitrep` or what the author wrote.
    pub kind: String,
    /// The rule's version, when it has one.
    pub version: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// The area it belongs to.
    pub category: String,
    /// Who wrote it.
    pub author: String,
    /// Markdown.
    pub description: String,
    /// Markdown.
    pub cause: String,
    /// Markdown.
    pub impact: String,
    /// Markdown.
    pub mitigation: String,
    /// 1 to 10.
    pub impact_score: Option<i64>,
    /// 1 to 10: how hard it is to fix.
    pub mitigation_score: Option<i64>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// URLs.
    pub references: Vec<String>,
    /// Application names and versions, free text.
    pub applications: BTreeMap<String, String>,
    /// Our own part; `None` for a community rule.
    pub extension: Option<Extension>,
    /// How it matches text; `None` when it only looks at facts.
    pub rule: Option<Rule>,
    /// The file it came from.
    pub file: String,
    /// The line of that file it begins at.
    pub line: u64,
}

impl Signature {
    /// Whether it is run at all.
    pub fn is_active(&self) -> bool {
        !matches!(self.status(), Status::Draft | Status::Retired)
    }

    /// Its status; community rules are live.
    pub fn status(&self) -> Status {
        self.extension.as_ref().map_or(Status::Live, |e| e.status)
    }
}
