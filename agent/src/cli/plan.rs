//! `sitrep plan [CODE]`: everything `run` would read and execute. Collects nothing.

use super::choice::Choice;
use super::code::CodeArgs;
use super::{App, Command};
use crate::bundle::{Prepared, Request, prepare};
use crate::collect::PlannedItem;
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone, Ui};
use clap::Args;
use serde_json::json;
use sitrep_shared::bundle::manifest::Kind;
use sitrep_shared::size::{format_bytes, format_duration_ms};

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub struct Plan {
    #[command(flatten)]
    code: CodeArgs,
    #[command(flatten)]
    choice: Choice,
}

impl Command for Plan {
    const NAME: &'static str = "plan";
    const ABOUT: &'static str = "Show what would be collected, and why; collect nothing";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        self.code.apply(app)?;
        self.choice.apply(app)?;
        let destination = self.code.destination(app)?;
        let target = destination
            .map(|destination| super::run::contact(app, destination))
            .transpose()?;
        let info = target
            .as_ref()
            .map(|(collector, info)| (collector.destination().host(), info));
        let request = Request::of(app, &self.choice, info)?;
        let prepared = prepare(app, &request)?;
        if app.ui.style.json {
            as_json(app, &prepared);
        } else {
            for line in lines(&app.ui, &prepared) {
                app.ui.data(&line);
            }
        }
        Ok(Exit::Ok)
    }
}

fn kind(item: &PlannedItem) -> &'static str {
    match item.kind {
        Kind::File => "file",
        Kind::Command => "command",
        Kind::Native => "native",
        Kind::Link => "link",
        Kind::Meta => "meta",
    }
}

fn as_json(app: &mut App, prepared: &Prepared) {
    let items: Vec<_> = prepared
        .plan
        .items()
        .map(|item| {
            json!({"id": item.id, "source": item.source, "kind": kind(item), "origin": item.origin,
                "path": item.path, "why": item.why, "limit_bytes": item.limit_bytes,
                "timeout_ms": item.timeout_ms, "estimate_bytes": item.estimate_bytes, "needs": item.needs,
                "row": item.number})
        })
        .collect();
    let estimate = prepared.plan.estimate(&prepared.host);
    app.ui.json(
        &json!({"schema": "sitrep.plan/1", "profile": prepared.plan.profile,
        "version": prepared.plan.version, "max_bytes": prepared.plan.params.max_bytes,
        "max_time_ms": prepared.plan.params.max_time_ms, "commands": estimate.commands,
        "estimate_bytes": estimate.bytes, "items": items}),
    );
}

/// The plan as a person reads it.
pub fn lines(ui: &Ui, prepared: &Prepared) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut source = "";
    for item in prepared.plan.items() {
        if item.source != source {
            source = item.source;
            lines.push(Line::new().tone(Tone::Strong, ui.source(source)));
        }
        let size = match item.estimate_bytes {
            0 => format!("≤ {}", format_bytes(item.limit_bytes)),
            bytes => format_bytes(bytes),
        };
        let needs = item.needs.map_or(String::new(), |needs| {
            format!("  {}", ui.say("needs", &[("who", needs)]))
        });
        let line = Line::new()
            .text("  ")
            .left(8, kind(item))
            .left(44, &item.origin)
            .right(12, size)
            .tone(Tone::Warn, needs)
            .tone(Tone::Dim, format!("  {}", item.why));
        lines.push(line);
    }
    let estimate = prepared.plan.estimate(&prepared.host);
    let params = &prepared.plan.params;
    let values = [
        ("items", estimate.items.to_string()),
        ("commands", estimate.commands.to_string()),
        ("about", format_bytes(estimate.bytes)),
        ("size", format_bytes(params.max_bytes)),
        ("time", format_duration_ms(params.max_time_ms)),
        ("root", estimate.needs_root.to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let text = ui.say("plan_line", &values);
    lines.push(Line::new().tone(Tone::Strong, text));
    lines
}
