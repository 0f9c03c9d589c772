//! Reads rule files into signatures, and refuses what cannot mean anything, with file, line and hint.

use std::collections::{BTreeMap, HashSet};

use serde_saphyr::{Options, Spanned};
use thiserror::Error;

use super::check;
use super::document::{
    RawApplication, RawCre, RawDocument, RawExtension, RawSignature, RawSuppression, RawTerm,
    RawTest,
};
use super::model::{Extension, PackageVersion, Severity, Signature, SignatureTest, Suppression};
use super::rule;

/// A rule file, or a rule in it, that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error, serde::Serialize)]
#[error("{file}:{line}: {message}")]
pub struct LoadError {
    /// The file as it was named by the caller.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty when the message says it all.
    pub hint: String,
}

/// What is wrong at a line; the file is added by the caller.
pub(super) struct Fault {
    pub line: u64,
    pub message: String,
    pub hint: String,
}

impl Fault {
    pub(super) fn new(line: u64, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn in_file(self, file: &str) -> LoadError {
        LoadError {
            file: file.to_owned(),
            line: self.line,
            message: self.message,
            hint: self.hint,
        }
    }
}

/// Named terms of a document.
pub(super) type Terms = BTreeMap<String, Spanned<RawTerm>>;

/// The line a value was written at.
pub(super) fn line_of<T>(value: &Spanned<T>) -> u64 {
    value.referenced.line()
}

/// Signatures read from rule files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// In the order they were read.
    pub signatures: Vec<Signature>,
}

impl Catalogue {
    /// Reads rule files given as (name, YAML text), and reports every fault of every file.
    pub fn load<N, T>(files: impl IntoIterator<Item = (N, T)>) -> Result<Self, Vec<LoadError>>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        Self::collect(files.into_iter().map(|(name, text)| {
            let documents = read(name.as_ref(), text.as_ref());
            (name, documents)
        }))
    }

    /// Checks the documents of each file; of a file that could not be read there is the reason.
    pub(super) fn collect<N: AsRef<str>>(
        files: impl Iterator<Item = (N, Result<Vec<RawDocument>, LoadError>)>,
    ) -> Result<Self, Vec<LoadError>> {
        let mut signatures: Vec<Signature> = Vec::new();
        let mut errors = Vec::new();
        let mut seen = HashSet::new();
        for (name, documents) in files {
            let documents = match documents {
                Ok(documents) => documents,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let mut checked = check_file(name.as_ref(), documents, &mut errors);
            checked.retain(|signature| {
                let fresh = seen.insert(signature.rule_id.clone());
                if !fresh {
                    errors.push(duplicate(signature));
                }
                fresh
            });
            signatures.append(&mut checked);
        }
        if errors.is_empty() {
            Ok(Self { signatures })
        } else {
            Err(errors)
        }
    }

    /// The signature with this public id or rule id.
    pub fn find(&self, id: &str) -> Option<&Signature> {
        self.signatures
            .iter()
            .find(|s| s.id == id || s.rule_id == id)
    }
}

fn duplicate(signature: &Signature) -> LoadError {
    LoadError {
        file: signature.file.clone(),
        line: signature.line,
        message: format!("rule id {} is used twice", signature.rule_id),
        hint: "give each rule its own metadata.id".to_owned(),
    }
}

/// The documents of a YAML file.
fn read(name: &str, text: &str) -> Result<Vec<RawDocument>, LoadError> {
    serde_saphyr::from_multiple_with_options(text, Options::default()).map_err(|error| {
        let line = error.location().map_or(1, |l| l.line());
        let message = yaml_message(&error.without_snippet().to_string());
        let hint = yaml_hint(text, &message);
        Fault::new(line, message, hint).in_file(name)
    })
}

fn check_file(
    name: &str,
    documents: Vec<RawDocument>,
    errors: &mut Vec<LoadError>,
) -> Vec<Signature> {
    let mut signatures = Vec::new();
    let mut any_rules = false;
    for document in documents {
        if document.section.as_deref().is_some_and(|s| s != "rules") {
            any_rules = true;
            continue;
        }
        let Some(rules) = document.rules else {
            continue;
        };
        any_rules = true;
        let terms = document.terms.unwrap_or_default();
        for rule in rules {
            match signature(rule, &terms, name) {
                Ok(signature) => signatures.push(signature),
                Err(fault) => errors.push(fault.in_file(name)),
            }
        }
    }
    if !any_rules {
        errors.push(
            Fault::new(
                1,
                "no rules in this file",
                "a rule file has a list under `rules:`",
            )
            .in_file(name),
        );
    }
    signatures
}

/// The reader's message without its own place and without advice to programmers.
fn yaml_message(message: &str) -> String {
    let line = message.lines().next().unwrap_or(message);
    let line = line.split(" at line ").next().unwrap_or(line);
    let line = line.split(", set ").next().unwrap_or(line);
    line.trim().to_owned()
}

fn yaml_hint(text: &str, message: &str) -> &'static str {
    if message.starts_with("duplicate") {
        "a key may be written once in a map"
    } else if message.starts_with("invalid i64") || message.starts_with("invalid u64") {
        "a whole number is expected here"
    } else if text.contains('\t') {
        "YAML is indented with spaces; check for tabs"
    } else {
        "check the indentation and the quotes at this line"
    }
}

fn signature(raw: Spanned<RawSignature>, terms: &Terms, file: &str) -> Result<Signature, Fault> {
    let line = line_of(&raw);
    let raw = raw.value;
    let Some(cre) = raw.cre else {
        return Err(Fault::new(
            line,
            "rule without `cre`",
            "add `cre:` with id, severity and title",
        ));
    };
    let cre_line = line_of(&cre);
    let cre = cre.value;
    let id = check::cre_id(cre.id.as_ref(), cre_line)?;
    let metadata = raw.metadata.map(|m| m.value);
    let rule_id = check::rule_id(metadata.as_ref().and_then(|m| m.id.as_ref()), &id)?;
    let extension = raw.sitrep.map(|e| extension(e.value)).transpose()?;
    let rule = match raw.rule {
        Some(rule) => Some(rule::rule(rule, terms)?),
        None if extension.as_ref().is_some_and(|e| e.requires.is_some()) => None,
        None => {
            return Err(Fault::new(
                line,
                "rule without `rule`",
                "add `rule:` with a set or a sequence, or `sitrep.requires` with a condition on facts",
            ));
        }
    };
    let severity = match cre.severity.as_ref() {
        None => Severity::Medium,
        Some(number) => Severity::from_number(number.value).ok_or_else(|| {
            Fault::new(
                line_of(number),
                format!("severity {} does not exist", number.value),
                "0 critical … 4 info",
            )
        })?,
    };
    let signature = Signature {
        id,
        rule_id,
        kind: metadata
            .as_ref()
            .and_then(|m| m.kind.clone())
            .unwrap_or_default(),
        version: metadata.and_then(|m| m.version),
        severity,
        extension,
        rule,
        file: file.to_owned(),
        line,
        ..described(cre)
    };
    check::extension(&signature)?;
    Ok(signature)
}

/// The human part; the fields that identify and match are filled in by the caller.
fn described(cre: RawCre) -> Signature {
    let text = |t: Option<String>| t.map(|t| t.trim().to_owned()).unwrap_or_default();
    Signature {
        id: String::new(),
        rule_id: String::new(),
        kind: String::new(),
        version: None,
        severity: Severity::Medium,
        title: text(cre.title),
        category: text(cre.category),
        author: text(cre.author),
        description: text(cre.description),
        cause: text(cre.cause),
        impact: text(cre.impact),
        mitigation: text(cre.mitigation),
        impact_score: cre.impact_score,
        mitigation_score: cre.mitigation_score,
        tags: cre.tags.unwrap_or_default(),
        references: cre.references.unwrap_or_default(),
        applications: cre
            .applications
            .unwrap_or_default()
            .into_iter()
            .filter_map(application)
            .collect(),
        extension: None,
        rule: None,
        file: String::new(),
        line: 0,
    }
}

fn application(raw: RawApplication) -> Option<(String, String)> {
    Some((raw.name?, raw.version.unwrap_or_default()))
}

fn extension(raw: RawExtension) -> Result<Extension, Fault> {
    let version = |v: super::document::RawVersion| PackageVersion {
        package: v.package,
        version: v.version,
    };
    if let Some(requires) = &raw.requires {
        check::condition(requires)?;
    }
    Ok(Extension {
        status: raw.status.unwrap_or_default(),
        auto_tag: raw.auto_tag,
        requires: raw.requires.map(|r| r.value),
        introduced_in: raw.introduced_in.map(version),
        fixed_in: raw.fixed_in.map(version),
        evidence_fact: raw.evidence_fact,
        article: raw.article,
        fix: raw.fix,
        suppress: raw
            .suppress
            .into_iter()
            .map(suppression)
            .collect::<Result<_, _>>()?,
        tests: raw.tests.into_iter().map(test).collect(),
    })
}

fn suppression(raw: RawSuppression) -> Result<Suppression, Fault> {
    check::condition(&raw.when)?;
    let until_ms = raw.until.map(|until| check::until(&until)).transpose()?;
    Ok(Suppression {
        when: raw.when.value,
        reason: raw.reason,
        until_ms,
    })
}

fn test(raw: Spanned<RawTest>) -> SignatureTest {
    let line = line_of(&raw);
    let raw = raw.value;
    SignatureTest {
        name: raw.name,
        fires: raw.fires,
        evidence: raw.evidence,
        log: raw.log,
        path: raw.path,
        facts: raw.facts,
        line,
    }
}
