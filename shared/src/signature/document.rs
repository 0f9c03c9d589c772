//! The YAML shapes of a rule file, as written: nothing is checked here but types.
//!
//! Keys that other tools of the format do not know are dropped, as the reference parser does;
//! under our own `sitrep:` key an unknown key is an error, since there it can only be a slip.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::model::{FixSteps, Status};

/// One YAML document of a rule file.
#[derive(Debug, Deserialize)]
pub(super) struct RawDocument {
    pub section: Option<String>,
    pub rules: Option<Vec<Spanned<RawSignature>>>,
    pub terms: Option<BTreeMap<String, Spanned<RawTerm>>>,
}

/// One entry of `rules`.
#[derive(Debug, Deserialize)]
pub(super) struct RawSignature {
    pub metadata: Option<Spanned<RawMetadata>>,
    pub cre: Option<Spanned<RawCre>>,
    pub sitrep: Option<Spanned<RawExtension>>,
    pub rule: Option<Spanned<RawRule>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawMetadata {
    pub id: Option<Spanned<String>>,
    pub version: Option<String>,
    pub kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawCre {
    pub id: Option<Spanned<String>>,
    pub severity: Option<Spanned<i64>>,
    pub title: Option<String>,
    pub category: Option<String>,
    pub author: Option<String>,
    pub description: Option<String>,
    pub cause: Option<String>,
    pub impact: Option<String>,
    pub mitigation: Option<String>,
    pub impact_score: Option<i64>,
    pub mitigation_score: Option<i64>,
    pub tags: Option<Vec<String>>,
    pub references: Option<Vec<String>>,
    pub applications: Option<Vec<RawApplication>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawApplication {
    pub name: Option<String>,
    pub version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExtension {
    pub status: Option<Status>,
    #[serde(default)]
    pub auto_tag: Vec<String>,
    pub requires: Option<Spanned<String>>,
    pub introduced_in: Option<RawVersion>,
    pub fixed_in: Option<RawVersion>,
    pub evidence_fact: Option<String>,
    pub article: Option<String>,
    #[serde(default)]
    pub fix: FixSteps,
    #[serde(default)]
    pub suppress: Vec<RawSuppression>,
    #[serde(default)]
    pub tests: Vec<Spanned<RawTest>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVersion {
    pub package: String,
    pub version: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSuppression {
    pub when: Spanned<String>,
    pub reason: String,
    pub until: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTest {
    pub name: String,
    pub fires: bool,
    #[serde(default)]
    pub evidence: Vec<u64>,
    pub log: Option<String>,
    pub path: Option<String>,
    pub facts: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawRule {
    pub set: Option<Spanned<RawMachine>>,
    pub sequence: Option<Spanned<RawMachine>>,
}

/// `set` and `sequence` share their keys; which of `match` and `order` is right is checked later.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawMachine {
    pub event: Option<Spanned<RawEvent>>,
    pub window: Option<Spanned<String>>,
    #[serde(rename = "match")]
    pub any: Option<Vec<Spanned<RawTerm>>>,
    pub order: Option<Vec<Spanned<RawTerm>>>,
    pub negate: Option<Vec<Spanned<RawTerm>>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawEvent {
    pub source: Option<String>,
    /// This leaf of a nested rule takes the blame.
    pub origin: Option<bool>,
}

/// A value to take out of a matching entry: checked, and used by nothing yet.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RawExtract {
    pub name: Option<String>,
    pub jq: Option<String>,
    pub regex: Option<String>,
}

/// A condition: a plain string, or a map.
#[derive(Debug, Clone, Default)]
pub(super) struct RawTerm {
    pub value: Option<String>,
    pub regex: Option<String>,
    pub jq: Option<String>,
    pub count: Option<i64>,
    pub window: Option<String>,
    pub slide: Option<String>,
    pub anchor: Option<i64>,
    pub absolute: bool,
    pub extract: Vec<RawExtract>,
    /// Something other than a look at one entry.
    pub nested: Option<Nested>,
}

/// A condition that is a machine of its own, a metric query or a program.
#[derive(Debug, Clone)]
pub(super) enum Nested {
    Set(Box<Spanned<RawMachine>>),
    Sequence(Box<Spanned<RawMachine>>),
    Promql,
    Script,
}

impl Nested {
    /// Whether it is a set or a sequence.
    pub(super) fn is_machine(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Sequence(_))
    }
}

#[derive(Deserialize)]
struct RawTermMap {
    value: Option<String>,
    regex: Option<String>,
    jq: Option<String>,
    count: Option<i64>,
    window: Option<String>,
    slide: Option<String>,
    anchor: Option<i64>,
    absolute: Option<bool>,
    extract: Option<Vec<RawExtract>>,
    set: Option<Box<Spanned<RawMachine>>>,
    sequence: Option<Box<Spanned<RawMachine>>>,
    promql: Option<serde::de::IgnoredAny>,
    script: Option<serde::de::IgnoredAny>,
}

impl<'de> Deserialize<'de> for RawTerm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TermVisitor)
    }
}

struct TermVisitor;

impl TermVisitor {
    fn plain(text: String) -> RawTerm {
        RawTerm {
            value: Some(text),
            ..RawTerm::default()
        }
    }
}

impl<'de> Visitor<'de> for TermVisitor {
    type Value = RawTerm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a condition: a text, or a map with value, regex or jq")
    }

    fn visit_str<E>(self, v: &str) -> Result<RawTerm, E> {
        Ok(Self::plain(v.to_owned()))
    }
    fn visit_i64<E>(self, v: i64) -> Result<RawTerm, E> {
        Ok(Self::plain(v.to_string()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<RawTerm, E> {
        Ok(Self::plain(v.to_string()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<RawTerm, E> {
        Ok(Self::plain(v.to_string()))
    }
    fn visit_bool<E>(self, v: bool) -> Result<RawTerm, E> {
        Ok(Self::plain(v.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTerm, A::Error> {
        let raw = RawTermMap::deserialize(MapAccessDeserializer::new(map))?;
        let nested = match (raw.set, raw.sequence, raw.promql, raw.script) {
            (Some(set), ..) => Some(Nested::Set(set)),
            (_, Some(sequence), ..) => Some(Nested::Sequence(sequence)),
            (_, _, Some(_), _) => Some(Nested::Promql),
            (.., Some(_)) => Some(Nested::Script),
            _ => None,
        };
        Ok(RawTerm {
            value: raw.value,
            regex: raw.regex,
            jq: raw.jq,
            count: raw.count,
            window: raw.window,
            slide: raw.slide,
            anchor: raw.anchor,
            absolute: raw.absolute.unwrap_or(false),
            extract: raw.extract.unwrap_or_default(),
            nested,
        })
    }
}
