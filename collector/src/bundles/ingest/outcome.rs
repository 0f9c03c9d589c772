//! From what the child said to rows: the child read untrusted bytes, so its words are taken as data and bounded again.

use serde::Deserialize;
use serde_json::Value;
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::{Manifest, Outcome as ItemOutcome};
use sitrep_shared::signature::Template;

use super::frame::{Answer, Decision, Verdict};
use crate::db::bundles::Outcome;
use crate::db::findings::NewFinding;

/// Findings kept of one bundle.
const FINDINGS_MAX: usize = 1_000;
/// Longest finding kept, as JSON, in bytes.
const FINDING_MAX_BYTES: usize = 256 * 1024;
/// Longest text of a column, in characters.
const TEXT_MAX: usize = 300;

/// What the engine reports; only what becomes columns is named.
#[derive(Debug, Default, Deserialize)]
struct Report {
    #[serde(default)]
    findings: Vec<Value>,
    #[serde(default)]
    not_evaluated: Vec<NotEvaluated>,
    #[serde(default)]
    evaluated: u64,
}

#[derive(Debug, Deserialize, serde::Serialize)]
struct NotEvaluated {
    id: String,
    reason: String,
}

/// Rows of one ingest.
#[derive(Debug)]
pub struct Rows {
    /// The bundle's row.
    pub bundle: Outcome,
    /// Its findings, none unless it is ready.
    pub findings: Vec<NewFinding>,
    /// Templates of what no finding explains.
    pub templates: Vec<Template>,
}

/// Makes the rows of an answer that has a verdict.
pub fn rows(answer: &Answer, verdict: &Verdict, limits: &Limits, now_ms: i64) -> Rows {
    let state = if verdict.verdict == Decision::Reject {
        "rejected"
    } else {
        "ready"
    };
    let mut bundle = Outcome {
        state,
        reason: verdict
            .reason
            .as_deref()
            .filter(|_| verdict.verdict != Decision::Accept)
            .map(clip),
        detail: verdict.detail.as_deref().map(clip),
        unpacked_bytes: i64::try_from(verdict.unpacked_bytes).unwrap_or(i64::MAX),
        files: i64::try_from(verdict.files).unwrap_or(i64::MAX),
        not_evaluated: "[]".to_owned(),
        verdict_ms: now_ms,
        host: verdict.host.as_deref().map(clip),
        collected_ms: verdict.made_ms,
        ..Outcome::default()
    };
    let (mut findings, mut templates) = (Vec::new(), Vec::new());
    if state == "ready" {
        let manifest = answer
            .manifest
            .as_deref()
            .and_then(|json| Manifest::parse(json, limits).ok());
        if let Some(manifest) = manifest {
            describe(&mut bundle, &manifest);
        }
        let report: Report = answer
            .report
            .as_deref()
            .and_then(|json| serde_json::from_slice(json).ok())
            .unwrap_or_default();
        bundle.os = answer.facts.as_deref().map(os).unwrap_or_default();
        bundle.evaluated = i64::try_from(report.evaluated).unwrap_or(0);
        bundle.not_evaluated =
            serde_json::to_string(&report.not_evaluated).unwrap_or_else(|_| "[]".to_owned());
        findings = report
            .findings
            .iter()
            .take(FINDINGS_MAX)
            .filter_map(finding)
            .collect();
        templates = answer
            .templates
            .as_deref()
            .and_then(|json| serde_json::from_slice(json).ok())
            .unwrap_or_default();
    }
    Rows {
        bundle,
        findings,
        templates,
    }
}

/// What the host runs, from its facts: `Debian GNU/Linux 12 (bookworm), 6.1.0-21-amd64`.
fn os(facts: &[u8]) -> String {
    let facts: Value = serde_json::from_slice(facts).unwrap_or_default();
    let name = facts.pointer("/os/pretty").and_then(Value::as_str);
    let kernel = facts.pointer("/kernel/release").and_then(Value::as_str);
    let words: Vec<&str> = name.into_iter().chain(kernel).collect();
    clip(&words.join(", "))
}

fn describe(bundle: &mut Outcome, manifest: &Manifest) {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    bundle.host = Some(clip(&manifest.host));
    bundle.profile = Some(clip(&manifest.profile.name)).filter(|name| !name.is_empty());
    bundle.collected_ms = Some(manifest.started_ms).filter(|ms| *ms > 0);
    let ended = |outcome: ItemOutcome| {
        manifest
            .items
            .iter()
            .filter(|i| i.outcome == outcome)
            .count()
    };
    // What a host does not have is not missing from its bundle.
    bundle.items_asked = count(manifest.items.len() - ended(ItemOutcome::Absent));
    bundle.items_complete = count(ended(ItemOutcome::Collected));
}

/// A finding as the engine wrote it, as a row.
pub(crate) fn finding(value: &Value) -> Option<NewFinding> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(clip);
    let (signature_id, severity) = (text("id")?, text("severity")?);
    let body = value.to_string();
    if body.len() > FINDING_MAX_BYTES {
        return None;
    }
    Some(NewFinding {
        severity_rank: rank(&severity),
        title: text("title").unwrap_or_else(|| signature_id.clone()),
        signature_id,
        severity,
        body,
        shadow: value.get("shadow").and_then(Value::as_bool) == Some(true),
    })
}

/// 0 is the worst; a word we do not know goes last.
fn rank(severity: &str) -> i64 {
    let words = ["critical", "high", "medium", "low", "info"];
    words
        .iter()
        .position(|word| *word == severity)
        .map_or(5, |place| i64::try_from(place).unwrap_or(5))
}

fn clip(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> Verdict {
        Verdict {
            verdict: Decision::Accept,
            reason: None,
            detail: None,
            ..Verdict::reject("", "")
        }
    }

    #[test]
    fn a_rejection_has_a_reason_and_no_findings() {
        let answer = Answer {
            report: Some(br#"{"findings":[{"id":"S","severity":"high"}]}"#.to_vec()),
            ..Answer::default()
        };
        let rows = rows(
            &answer,
            &Verdict::reject("truncated", "ends early"),
            &Limits::default(),
            5,
        );
        assert_eq!(
            (rows.bundle.state, rows.bundle.reason.as_deref()),
            ("rejected", Some("truncated"))
        );
        assert!(rows.findings.is_empty());
    }

    #[test]
    fn what_the_host_runs_is_told_by_its_facts() {
        for (facts, expected) in [
            (
                r#"{"os":{"pretty":"Debian 12"},"kernel":{"release":"6.1"}}"#,
                "Debian 12, 6.1",
            ),
            (r#"{"kernel":{"release":"6.1"}}"#, "6.1"),
            (r#"{"os":7}"#, ""),
            ("nonsense", ""),
        ] {
            assert_eq!(os(facts.as_bytes()), expected);
        }
    }

    #[test]
    fn items_and_findings_are_counted() {
        let manifest =
            br#"{"schema":"sitrep.manifest/1","format":1,"created":"x","host":"h1","started_ms":9,
            "items":[{"id":"a","source":"s","kind":"file","origin":"/a","outcome":"collected"},
                     {"id":"b","source":"s","kind":"file","origin":"/b","outcome":"denied"}]}"#;
        let report =
            br#"{"findings":[{"id":"SIG-2","severity":"critical","title":"T"},{"nonsense":1}],
            "not_evaluated":[{"id":"SIG-9","reason":"no dates"}],"evaluated":61}"#;
        let answer = Answer {
            manifest: Some(manifest.to_vec()),
            report: Some(report.to_vec()),
            ..Answer::default()
        };
        let rows = rows(&answer, &accepted(), &Limits::default(), 5);
        let bundle = rows.bundle;
        assert_eq!(
            (
                bundle.state,
                bundle.items_asked,
                bundle.items_complete,
                bundle.evaluated
            ),
            ("ready", 2, 1, 61)
        );
        assert_eq!(
            (bundle.host.as_deref(), bundle.collected_ms),
            (Some("h1"), Some(9))
        );
        assert!(bundle.not_evaluated.contains("SIG-9"));
        assert_eq!(
            (rows.findings.len(), rows.findings[0].severity_rank),
            (1, 0)
        );
    }
}
