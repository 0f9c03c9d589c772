//! `sitrep status`: what this host has sent, and what is not finished.

use super::{App, Command, sending};
use crate::bundle::StateDir;
use crate::config::local_minute;
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone, Ui};
use crate::upload::{Record, Records};
use clap::Args;
use serde_json::json;
use sitrep_shared::size::format_bytes;
use sitrep_shared::time::UtcMs;

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct Status {}

impl Command for Status {
    const NAME: &'static str = "status";
    const ABOUT: &'static str = "Show unfinished and past uploads of this host";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let path = StateDir::locate(&app.ui.io, &app.config).map_err(|error| error.failure())?;
        let records = if path.exists() {
            Records::new(path).all()
        } else {
            Vec::new()
        };
        if app.ui.style.json {
            let rows: Vec<_> = records.iter().map(row).collect();
            app.ui
                .json(&json!({"schema": "sitrep.status/1", "uploads": rows}));
            return Ok(Exit::Ok);
        }
        if records.is_empty() {
            let text = app.ui.say("status_none", &[]);
            app.ui.status(&Line::of(text));
        }
        for record in &records {
            let (tone, state) = state(&app.ui, record);
            let file = record.file.display().to_string();
            let line = Line::new()
                .left(18, local_minute(UtcMs(record.created_ms)))
                .left(12, record.ticket.as_deref().unwrap_or("-"))
                .left_toned(tone, 28, state)
                .text(" ")
                .text(&file);
            app.ui.data(&line);
            if !record.complete {
                let hint = format!("sitrep send {file}");
                let label = app.ui.say("status_continue", &[]);
                app.ui
                    .data(&Line::new().text("    ").tone(Tone::Dim, label).text(hint));
            }
        }
        Ok(Exit::Ok)
    }
}

fn state(ui: &Ui, record: &Record) -> (Tone, String) {
    if !record.complete {
        let (done, total) = (format_bytes(record.offset), format_bytes(record.length));
        let values = [("done", &*done), ("total", &total)];
        return (Tone::Warn, ui.say("status_unfinished", &values));
    }
    let sent = ui.say("status_sent", &[]);
    let receipt = record.receipt.as_deref().unwrap_or(&sent);
    if record.withdrawn_ms.is_some() {
        let word = ui.say("status_withdrawn", &[]);
        return (Tone::Dim, format!("{receipt} {word}"));
    }
    match record.verdict.as_deref() {
        Some(verdict) => {
            let word = sending::verdict_text(ui, verdict);
            let bad = matches!(verdict, "rejected" | "quarantined");
            let tone = if bad { Tone::Bad } else { Tone::Good };
            (tone, format!("{receipt} {word}"))
        }
        None => (Tone::Good, receipt.to_owned()),
    }
}

fn row(record: &Record) -> serde_json::Value {
    // The code of an unfinished upload stays in its file.
    json!({"file": record.file, "sha256": record.sha256, "bytes": record.length,
        "offset": record.offset, "complete": record.complete, "ticket": record.ticket,
        "ticket_url": record.ticket_url, "receipt": record.receipt, "verdict": record.verdict,
        "deleted": record.withdrawn_ms.map(|ms| UtcMs(ms).rfc3339()),
        "collector": record.base_url, "created": UtcMs(record.created_ms).rfc3339()})
}
