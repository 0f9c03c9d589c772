//! `sitrep show FILE`: what is in a bundle, for the person who is asked to send it.

use super::opened::{self, Opened};
use super::{App, Command, findings};
use crate::error::{Exit, Failure};
use crate::redaction;
use crate::ui::{Line, Tone, Ui};
use clap::Args;
use serde_json::{Value, json};
use sitrep_shared::bundle::layout;
use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, Outcome};
use sitrep_shared::size::{format_bytes, format_duration_ms};
use std::path::PathBuf;

/// Arguments of `show`.
#[derive(Args, Debug)]
pub struct Show {
    /// Bundle to show
    pub file: PathBuf,
    #[command(flatten)]
    view: View,
}

#[derive(Args, Debug)]
#[group(multiple = false)]
struct View {
    /// Print one file of the bundle
    #[arg(long = "file", value_name = "PATH")]
    path: Option<String>,
    /// List every item that was asked for, and what became of it
    #[arg(long)]
    items: bool,
    /// List the known problems found on the host
    #[arg(long)]
    findings: bool,
    /// Explain one finding: cause, evidence, steps
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// List where values were removed, and by which rule
    #[arg(long)]
    redactions: bool,
    /// List stand-ins and real values, on the host that made it
    #[arg(long)]
    map: bool,
}

impl Command for Show {
    const NAME: &'static str = "show";
    const ABOUT: &'static str = "Show what a bundle contains";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let mut bundle = opened::open(&self.file)?;
        let view = self.view;
        if let Some(path) = view.path {
            return file(app, &mut bundle, &path);
        }
        if view.redactions {
            let report = bundle.meta(layout::REDACTION)?;
            if app.ui.style.json {
                app.ui.json(&report);
            } else {
                redactions(&report)
                    .iter()
                    .for_each(|line| app.ui.data(line));
            }
            return Ok(Exit::Ok);
        }
        if view.map {
            let map = redaction::read(app, bundle.top_dir())?;
            if app.ui.style.json {
                app.ui.json(&map);
            } else {
                for (real, put) in &map {
                    app.ui.data(&Line::of(format!("{put:<40} {real}")));
                }
            }
            return Ok(Exit::Ok);
        }
        if view.findings || view.finding.is_some() {
            let report = bundle.meta(layout::FINDINGS)?;
            return findings::show(app, &report, view.finding.as_deref());
        }
        if app.ui.style.json {
            app.ui.json(bundle.manifest());
            return Ok(Exit::Ok);
        }
        if view.items {
            items(&app.ui, bundle.manifest())
                .iter()
                .for_each(|line| app.ui.data(line));
        } else {
            overview(&mut app.ui, &mut bundle)?;
        }
        Ok(Exit::Ok)
    }
}

fn file(app: &mut App, bundle: &mut Opened, name: &str) -> Result<Exit, Failure> {
    let item = bundle.find(name).cloned();
    let missing = || {
        Failure::usage(format!("no file {name:?} in this bundle"))
            .hint("sitrep show FILE  lists them")
    };
    let item = item.ok_or_else(missing)?;
    let Some(path) = item.path else {
        let reason = item
            .reason
            .unwrap_or_else(|| "nothing was collected".to_owned());
        return Err(Failure::usage(format!(
            "{} is not in this bundle: {reason}",
            item.id
        )));
    };
    if let Some(target) = item.link_target {
        let text = app
            .ui
            .say("is_link", &[("path", &path), ("target", &target)]);
        app.ui.status(&Line::of(text));
        return Ok(Exit::Ok);
    }
    bundle.stream(&path, |chunk| app.ui.bytes(chunk))?;
    Ok(Exit::Ok)
}

fn overview(ui: &mut Ui, bundle: &mut Opened) -> Result<(), Failure> {
    let manifest = bundle.manifest();
    let fact = |key: &str, value: &str| {
        Line::new()
            .left_toned(Tone::Dim, 11, ui.say(key, &[]))
            .text(value)
    };
    let none = ui.say("about_none", &[]);
    let mut lines = vec![
        fact("about_host", &manifest.host),
        fact("about_made", &manifest.created),
        fact("about_ticket", manifest.ticket.as_deref().unwrap_or(&none)),
        fact(
            "about_profile",
            &format!("{} {}", manifest.profile.name, manifest.profile.version),
        ),
        fact("about_redaction", &manifest.redaction_level),
        fact("about_cost", &cost(ui, manifest)),
    ];
    if let Some(note) = &manifest.note {
        lines.push(fact("about_note", note));
    }
    lines.push(fact("about_items", &counts(ui, manifest)));
    lines.push(Line::new());
    lines.extend(
        manifest
            .items
            .iter()
            .filter(|item| item.path.is_some())
            .map(|item| stored(ui, item)),
    );
    for line in &lines {
        ui.data(line);
    }
    let missing: Vec<&Item> = manifest
        .items
        .iter()
        .filter(|item| is_missing(item))
        .collect();
    if !missing.is_empty() {
        ui.data(&Line::new());
        let title = ui.say("missing_title", &[("n", &missing.len().to_string())]);
        ui.data(&Line::new().tone(Tone::Strong, title));
        for item in missing {
            let line = outcome_line(ui, item);
            ui.data(&line);
        }
    }
    Ok(())
}

fn cost(ui: &Ui, manifest: &Manifest) -> String {
    let cost = &manifest.cost;
    let cpu = format_duration_ms(cost.user_ms + cost.sys_ms + cost.children_cpu_ms);
    let rss = format_bytes(cost.peak_rss_bytes);
    let wall = format_duration_ms(manifest.duration_ms);
    ui.say(
        "cost_line",
        &[("wall", &wall), ("cpu", &cpu), ("rss", &rss)],
    )
}

fn counts(ui: &Ui, manifest: &Manifest) -> String {
    let asked = manifest
        .items
        .iter()
        .filter(|item| item.kind != Kind::Meta)
        .count();
    let with = |wanted: &[Outcome]| {
        let items = manifest.items.iter().filter(|item| item.kind != Kind::Meta);
        items.filter(|item| wanted.contains(&item.outcome)).count()
    };
    let stored = with(&[Outcome::Collected, Outcome::Partial]);
    let absent = with(&[Outcome::Absent]);
    let missing = manifest
        .items
        .iter()
        .filter(|item| is_missing(item))
        .count();
    let [asked, stored, absent, missing] = [asked, stored, absent, missing].map(|n| n.to_string());
    ui.say(
        "counts_line",
        &[
            ("asked", &asked),
            ("stored", &stored),
            ("absent", &absent),
            ("missing", &missing),
        ],
    )
}

fn stored(ui: &Ui, item: &Item) -> Line {
    let mut line = Line::new()
        .right(10, format_bytes(item.stored_bytes))
        .text("  ")
        .text(item.path.as_deref().unwrap_or("-"));
    if let Some(target) = &item.link_target {
        line = line.tone(Tone::Dim, format!(" -> {target}"));
    }
    let removed: u64 = item.redactions.values().sum();
    if removed > 0 {
        let text = ui.say("removed", &[("n", &removed.to_string())]);
        line = line.tone(Tone::Dim, format!("  {text}"));
    }
    if let Some(cut) = &item.truncated {
        let text = ui.say("cut_to", &[("size", &format_bytes(cut.limit_bytes))]);
        line = line.tone(Tone::Dim, format!("  {text}"));
    }
    line
}

/// Every item with its outcome.
pub fn items(ui: &Ui, manifest: &Manifest) -> Vec<Line> {
    let items = manifest.items.iter();
    items.map(|item| outcome_line(ui, item)).collect()
}

fn outcome_line(ui: &Ui, item: &Item) -> Line {
    let tone = match item.outcome {
        Outcome::Collected => Tone::Good,
        Outcome::Absent | Outcome::Skipped => Tone::Dim,
        _ => Tone::Warn,
    };
    let mut line = Line::new()
        .text("  ")
        .left_toned(tone, 10, ui.outcome(word(item.outcome)))
        .left(36, &item.id)
        .text(" ")
        .text(item.reason.as_deref().unwrap_or(""));
    if let Some(needs) = &item.needs {
        let text = ui.say("needs", &[("who", needs)]);
        line = line.tone(Tone::Dim, format!("  ({text})"));
    }
    line
}

/// The word of an outcome, as in the manifest.
pub fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Collected => "collected",
        Outcome::Partial => "partial",
        Outcome::Skipped => "skipped",
        Outcome::Absent => "absent",
        Outcome::Denied => "denied",
        Outcome::TimedOut => "timed_out",
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
    }
}

/// What should be there and is not. Absent things and what was left out on purpose are not missing;
/// a part is there.
pub fn is_missing(item: &Item) -> bool {
    matches!(
        item.outcome,
        Outcome::Denied | Outcome::TimedOut | Outcome::Failed | Outcome::Refused
    )
}

/// `meta/redaction.json` as lines: rule, count, file and line numbers, never a value.
pub fn redactions(report: &Value) -> Vec<Line> {
    let total = report["total"].as_u64().unwrap_or(0);
    let level = report["level"].as_str().unwrap_or("?");
    let mut lines = vec![Line::of(format!("{total} values removed, level {level}"))];
    for (rule, count) in report["by_rule"].as_object().into_iter().flatten() {
        lines.push(
            Line::new()
                .right(8, count.to_string())
                .text("  ")
                .text(rule),
        );
    }
    for file in report["files"].as_array().into_iter().flatten() {
        let path = file["path"].as_str().unwrap_or("?");
        lines.push(
            Line::new()
                .tone(Tone::Strong, path)
                .text(format!("  {}", file["total"])),
        );
        for place in file["places"].as_array().into_iter().flatten() {
            let rule = place["rule"].as_str().unwrap_or("?");
            lines.push(Line::of(format!("    line {:<8} {rule}", place["line"])));
        }
    }
    lines
}

/// What is missing, as it appears in JSON results.
pub fn missing_json(manifest: &Manifest) -> Value {
    let missing = manifest.items.iter().filter(|item| is_missing(item));
    let rows: Vec<Value> = missing
        .map(|item| {
            let hint = item.needs.as_deref().map(|needs| format!("run as {needs}"));
            json!({"id": item.id, "reason": word(item.outcome), "detail": item.reason, "hint": hint})
        })
        .collect();
    Value::Array(rows)
}
