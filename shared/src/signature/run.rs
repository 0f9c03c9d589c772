//! One run over the files of a bundle or host: merges the scans of files into a report.

use std::collections::BTreeMap;

use serde_json::Value;

use super::condition::Truth;
use super::engine::{Compiled, Engine};
use super::finding::{Evidence, Finding, NotEvaluated, Report, SCHEMA};
use super::model::{Matcher, Positive, Rule, Shape, Signature, Status};
use super::scan::{FileResult, FileScan, MAX_EVIDENCE, RuleHits};
use super::state;
use crate::time::UtcMs;

/// How a run is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// When the bundle was made: decides the year of stamps without one.
    pub bundle_time: UtcMs,
    /// Every rule reads every file.
    pub ignore_source: bool,
    /// Seconds east of UTC of stamps without an offset.
    pub zone_offset_s: i64,
}

/// What is known about one signature so far.
#[derive(Default)]
struct Merged {
    hits: RuleHits,
    /// Files of its source that could be evaluated.
    evaluated: u64,
    /// The first by name of those that could not.
    undated: Option<String>,
}

/// A run in progress. File scans are independent of it and of each other.
pub struct Run<'e> {
    engine: &'e Engine,
    options: RunOptions,
    merged: BTreeMap<u32, Merged>,
}

impl<'e> Run<'e> {
    pub(super) fn new(engine: &'e Engine, options: RunOptions) -> Self {
        Self {
            engine,
            options,
            merged: BTreeMap::new(),
        }
    }

    /// Starts the scan of a file, named by its path in the bundle or on the host.
    pub fn file(&self, path: &str) -> FileScan<'e> {
        FileScan::new(self.engine, &self.options, path)
    }

    /// Takes the result of a file's scan; the order of files does not change the report's content.
    pub fn done(&mut self, file: FileResult) {
        for (index, compiled) in self.engine.compiled.iter().enumerate() {
            let Some(rule) = compiled.rule() else {
                continue;
            };
            let covered = file.reads(compiled.source);
            if !covered || file.bytes == 0 {
                continue;
            }
            let merged = self.merged.entry(index as u32).or_default();
            if rule.needs_time() && !file.dated {
                match &mut merged.undated {
                    Some(first) if *first <= file.path => {}
                    first => *first = Some(file.path.clone()),
                }
            } else {
                merged.evaluated += 1;
            }
        }
        for (index, hits) in file.rules {
            self.merged.entry(index).or_default().hits.merge(hits);
        }
    }

    /// Decides every signature, with the facts when there are any.
    pub fn finish(mut self, facts: Option<&Value>) -> Report {
        let mut report = Report {
            schema: SCHEMA.to_owned(),
            findings: Vec::new(),
            not_evaluated: Vec::new(),
            evaluated: 0,
        };
        for (index, compiled) in self.engine.compiled.iter().enumerate() {
            let merged = self.merged.remove(&(index as u32)).unwrap_or_default();
            match self.decide(compiled, merged, facts) {
                Ok(finding) => {
                    report.evaluated += 1;
                    report.findings.extend(finding);
                }
                Err(reason) => {
                    report.not_evaluated.push(NotEvaluated {
                        id: compiled.signature.id.clone(),
                        reason,
                    });
                }
            }
        }
        report
            .findings
            .sort_by(|a, b| (a.severity, &a.id).cmp(&(b.severity, &b.id)));
        report.not_evaluated.sort_by(|a, b| a.id.cmp(&b.id));
        report
    }

    /// A finding, none, or the reason why it cannot be said.
    fn decide(
        &self,
        compiled: &Compiled,
        merged: Merged,
        facts: Option<&Value>,
    ) -> Result<Option<Finding>, String> {
        let matched = match compiled.rule() {
            Some(rule) => {
                if let Some(reason) = &rule.unsupported {
                    return Err(reason.clone());
                }
                let hit = merged.hits.hits > 0;
                if !hit && merged.evaluated == 0 {
                    return Err(match merged.undated {
                        Some(path) => format!("{path} has no time stamps, and the rule needs them"),
                        None => format!("no file of its source {}", rule.source),
                    });
                }
                if !hit && merged.hits.undated > 0 {
                    return Err("its lines have no time stamps, and the rule needs them".to_owned());
                }
                hit
            }
            None => true,
        };
        if !matched {
            return Ok(None);
        }
        match state::holds(compiled, facts) {
            Truth::Yes => {}
            Truth::No => return Ok(None),
            Truth::Unknown(reason) => return Err(reason),
        }
        if let Some(reason) = state::suppressed(compiled, facts, self.options.bundle_time.0) {
            return Err(format!("suppressed: {reason}"));
        }
        let entries = merged.hits.first.iter().chain(&merged.hits.more);
        let mut evidence: Vec<Evidence> = entries.take(MAX_EVIDENCE).cloned().collect();
        if let Some(facts) = facts {
            evidence.extend(state::evidence(compiled, facts));
        }
        Ok(Some(finding(compiled, &merged.hits, evidence)))
    }
}

/// What one rule comes to on one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<'e> {
    /// The signature's public id.
    pub id: &'e str,
    /// Number of hits.
    pub hits: u64,
    /// The lines of the first hit, ascending; for a folded entry its first line.
    pub first_hit: Vec<u64>,
    /// Whether the rule could be decided on this file.
    pub evaluated: bool,
    /// Why not.
    pub reason: Option<String>,
}

impl Engine {
    /// What each signature with a rule comes to on one file, without facts.
    pub fn outcomes(&self, file: &FileResult) -> Vec<Outcome<'_>> {
        let rules = self
            .compiled
            .iter()
            .enumerate()
            .filter_map(|(i, c)| c.rule().map(|r| (i, c, r)));
        rules
            .map(|(index, compiled, rule)| {
                let hits = file
                    .rules
                    .iter()
                    .find(|(i, _)| *i as usize == index)
                    .map(|(_, hits)| hits);
                let count = hits.map_or(0, |h| h.hits);
                let mut first_hit = hits.map(|h| h.first_lines.clone()).unwrap_or_default();
                first_hit.sort_unstable();
                let covered = file.reads(compiled.source);
                let reason = match rule {
                    Rule {
                        unsupported: Some(reason),
                        ..
                    } => Some(reason.clone()),
                    _ if !covered => Some(format!("not a file of its source {}", rule.source)),
                    _ if rule.needs_time() && !file.dated && count == 0 && file.lines > 0 => {
                        Some("no time stamps".to_owned())
                    }
                    _ => None,
                };
                let id = compiled.signature.id.as_str();
                Outcome {
                    id,
                    hits: count,
                    first_hit,
                    evaluated: reason.is_none(),
                    reason,
                }
            })
            .collect()
    }
}

/// A signature that is one condition of another.
pub(super) fn condition_only(signature: &Signature, rule: &Rule, matcher: &Matcher) -> Signature {
    Signature {
        extension: None,
        rule: Some(Rule {
            shape: Shape::Set,
            source: rule.source.clone(),
            window_ns: 0,
            positives: vec![Positive {
                matcher: matcher.clone(),
                count: 1,
            }],
            negatives: Vec::new(),
            unsupported: None,
        }),
        ..signature.clone()
    }
}

impl RuleHits {
    fn merge(&mut self, other: Self) {
        self.hits += other.hits;
        self.undated += other.undated;
        self.first_ms = self.first_ms.into_iter().chain(other.first_ms).min();
        self.last_ms = self.last_ms.into_iter().chain(other.last_ms).max();
        self.first.extend(other.first);
        self.more.extend(other.more);
        // Files come in any order; the evidence that is kept must not depend on it.
        for list in [&mut self.first, &mut self.more] {
            list.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
            list.dedup();
            list.truncate(MAX_EVIDENCE);
        }
    }
}

fn finding(compiled: &Compiled, hits: &RuleHits, evidence: Vec<Evidence>) -> Finding {
    let signature = &compiled.signature;
    let extension = signature.extension.as_ref();
    Finding {
        id: signature.id.clone(),
        severity: signature.severity,
        title: signature.title.clone(),
        category: signature.category.clone(),
        tags: signature.tags.clone(),
        auto_tag: extension.map(|e| e.auto_tag.clone()).unwrap_or_default(),
        cause: signature.cause.clone(),
        impact: signature.impact.clone(),
        mitigation: signature.mitigation.clone(),
        fix: extension.map(|e| e.fix.clone()).unwrap_or_default(),
        references: signature.references.clone(),
        shadow: signature.status() == Status::Shadow,
        evidence,
        hits: hits.hits.max(1),
        first_ms: hits.first_ms,
        last_ms: hits.last_ms,
    }
}
