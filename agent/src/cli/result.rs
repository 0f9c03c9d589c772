//! What a run amounts to: the summary for a person, the JSON object for a program, the exit code.

use super::{App, findings, sending};
use crate::bundle::View;
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone, Ui};
use crate::upload::{Record, Sent};
use serde_json::{Value, json};
use sitrep_shared::bundle::manifest::{Item, Kind, Outcome};
use sitrep_shared::size::{format_bytes, format_duration_ms};
use std::collections::BTreeMap;
use std::path::Path;

/// Kinds named in the summary.
const NAMED_KINDS: usize = 6;
/// What the rules of a family remove, for people: the beginning of the rules' names, and the text. The first that fits.
const KINDS: [(&str, &str); 16] = [
    ("ip", "kind_address"),
    ("mac", "kind_mac"),
    ("host", "kind_host"),
    ("user", "kind_user"),
    ("mail", "kind_mail"),
    ("card", "kind_card"),
    ("serial", "kind_serial"),
    ("own", "kind_own"),
    ("keys.password", "kind_password"),
    ("keys.token", "kind_token"),
    ("keys.cookie", "kind_cookie"),
    ("token", "kind_token"),
    ("pem", "kind_private_key"),
    ("hash", "kind_hash"),
    ("url", "kind_url"),
    ("", "kind_secret"),
];

/// Counts and parts of the result.
pub struct RunResult {
    asked: usize,
    ok: usize,
    absent: usize,
    missing: Value,
    worst: usize,
    value: Value,
}

impl RunResult {
    /// Takes stock of a sealed bundle.
    pub fn of(sealed: View<'_>) -> Self {
        let manifest = sealed.manifest;
        let items: Vec<&Item> = manifest
            .items
            .iter()
            .filter(|item| !matches!(item.kind, Kind::Meta | Kind::Link))
            .collect();
        let count = |wanted: &[Outcome]| {
            items
                .iter()
                .filter(|item| wanted.contains(&item.outcome))
                .count()
        };
        let missing = super::missing_json(manifest);
        let found = sealed.findings["findings"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let worst = found
            .iter()
            .map(|finding| findings::rank(finding["severity"].as_str().unwrap_or("")));
        let short: Vec<Value> = found.iter().map(brief).collect();
        let (ok, absent) = (
            count(&[Outcome::Collected, Outcome::Partial]),
            count(&[Outcome::Absent]),
        );
        let value = json!({
            "schema": "sitrep.result/1",
            "ticket": manifest.ticket,
            "bundle": {"bytes": sealed.bytes, "sha256": sealed.sha256},
            "items": {"asked": items.len(), "ok": ok, "absent": absent, "missing": missing},
            "redactions": {"total": sealed.redaction["total"], "by_kind": sealed.redaction["by_rule"]},
            "findings": short,
        });
        Self {
            asked: items.len(),
            ok,
            absent,
            missing,
            worst: worst.min().unwrap_or(usize::MAX),
            value,
        }
    }

    /// The summary above the findings.
    pub fn lines(&self, ui: &Ui, sealed: View<'_>) -> Vec<Line> {
        let manifest = sealed.manifest;
        let raw: u64 = manifest.items.iter().map(|item| item.stored_bytes).sum();
        let values = [
            ("ok", self.ok.to_string()),
            ("asked", (self.asked - self.absent).to_string()),
            ("raw", format_bytes(raw)),
            ("packed", format_bytes(sealed.bytes)),
            ("time", format_duration_ms(manifest.duration_ms)),
        ];
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut text = ui.say("summary", &values);
        if self.absent > 0 {
            text.push_str(", ");
            text.push_str(&ui.say("absent", &[("n", &self.absent.to_string())]));
        }
        let mut lines = vec![Line::new().text("  ").tone(Tone::Strong, text)];
        if ui.style.verbose {
            let cost = &manifest.cost;
            let cpu = format_duration_ms(cost.user_ms + cost.sys_ms + cost.children_cpu_ms);
            let text = ui.say(
                "cost",
                &[("cpu", &cpu), ("rss", &format_bytes(cost.peak_rss_bytes))],
            );
            lines.push(Line::new().text("  ").tone(Tone::Dim, text));
        }
        lines.push(Line::new());
        lines.push(redacted(ui, sealed));
        lines
    }

    /// Adds where the bundle is.
    pub fn bundle(&mut self, path: &Path) {
        self.value["bundle"]["path"] = json!(path);
    }

    /// Adds what the collector said.
    pub fn sent(&mut self, sent: &Sent, record: &Record) {
        self.value["receipt"] = json!(record.receipt);
        if record.file.as_os_str().is_empty() {
            // Nothing on this host remembers it.
            self.value["withdrawal_code"] = json!(record.withdrawal_code);
        }
        self.value["upload"] = sending::as_json(sent);
    }

    /// Quit at the question.
    pub fn declined(self, app: &mut App) -> Exit {
        self.print(app, Exit::Declined)
    }

    /// Sending failed: the result is printed all the same.
    pub fn broken(mut self, app: &mut App, failure: Failure) -> Failure {
        self.value["error"] = json!({"message": failure.message(), "hints": failure.hints});
        self.print(app, failure.exit);
        failure
    }

    /// The ending by flags: a severe finding, then missing items, then what happened.
    pub fn end(
        self,
        app: &mut App,
        exit: Exit,
        fail_on: Option<&str>,
        allow_partial: bool,
    ) -> Exit {
        let missing = self
            .missing
            .as_array()
            .is_some_and(|missing| !missing.is_empty());
        let exit = match (exit, fail_on) {
            (Exit::Ok, Some(limit)) if self.worst <= findings::rank(limit) => Exit::FailOn,
            (Exit::Ok, _) if missing && !allow_partial => Exit::Partial,
            (exit, _) => exit,
        };
        self.print(app, exit)
    }

    fn print(mut self, app: &mut App, exit: Exit) -> Exit {
        if app.ui.style.json {
            self.value["outcome"] = json!(exit.word());
            self.value["exit_code"] = json!(exit.code());
            app.ui.json(&self.value);
        }
        exit
    }
}

fn brief(finding: &Value) -> Value {
    let evidence: Vec<Value> = finding["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|evidence| json!({"file": evidence["file"], "line": evidence["line"]}))
        .collect();
    json!({"id": finding["id"], "severity": finding["severity"], "title": finding["title"],
        "evidence": evidence})
}

fn redacted(ui: &Ui, sealed: View<'_>) -> Line {
    if sealed.manifest.redaction_level == "off" {
        return Line::new().tone(Tone::Bad, ui.say("redacted_off", &[]));
    }
    let total = sealed.redaction["total"].as_u64().unwrap_or(0);
    if total == 0 {
        return Line::of(ui.say("redacted_none", &[]));
    }
    let kinds = kinds(ui, &sealed.redaction["by_rule"]);
    Line::of(ui.say("redacted", &[("n", &total.to_string()), ("kinds", &kinds)]))
}

/// How many of which kind, the most first: `38 IP addresses, 3 passwords`.
fn kinds(ui: &Ui, by_rule: &Value) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (rule, count) in by_rule.as_object().into_iter().flatten() {
        let kind = KINDS.iter().find(|(start, _)| rule.starts_with(start));
        let kind = kind.map_or("kind_secret", |(_, kind)| kind);
        *counts.entry(kind).or_default() += count.as_u64().unwrap_or(0);
    }
    let mut counts: Vec<(u64, &str)> = counts.into_iter().map(|(kind, n)| (n, kind)).collect();
    counts.sort_by_key(|(count, kind)| (std::cmp::Reverse(*count), *kind));
    let rest = counts.len().saturating_sub(NAMED_KINDS);
    let mut texts: Vec<String> = counts
        .iter()
        .take(NAMED_KINDS)
        .map(|(count, kind)| {
            let forms = ui.say(kind, &[]);
            // The first form is for one.
            let (one, many) = forms.split_once('|').unwrap_or((&forms, &forms));
            format!("{count} {}", if *count == 1 { one } else { many })
        })
        .collect();
    if rest > 0 {
        texts.push(ui.say("more", &[("n", &rest.to_string())]));
    }
    texts.join(", ")
}
