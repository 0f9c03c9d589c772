//! `sitrep status`: what this host has sent, and what is not finished.

use super::{App, Command};
use crate::bundle::StateDir;
use crate::config::local_minute;
use crate::error::{Exit, Failure};
use crate::ui::{Line, Tone};
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
            app.ui.status(&Line::of("Nothing has been sent from here."));
        }
        for record in &records {
            let (tone, state) = state(record);
            let file = record.file.display().to_string();
            let line = Line::new()
                .left(18, local_minute(UtcMs(record.created_ms)))
                .left(12, record.ticket.as_deref().unwrap_or("-"))
                .tone(tone, format!("{state:<28}"))
                .text(" ")
                .text(&file);
            app.ui.data(&line);
            if !record.complete {
                let hint = format!("sitrep send {file}");
                app.ui.data(
                    &Line::new()
                        .text("    ")
                        .tone(Tone::Dim, "continue: ")
                        .text(hint),
                );
            }
        }
        Ok(Exit::Ok)
    }
}

fn state(record: &Record) -> (Tone, String) {
    if !record.complete {
        let done = format_bytes(record.offset);
        return (
            Tone::Warn,
            format!("unfinished, {done} of {}", format_bytes(record.length)),
        );
    }
    let receipt = record.receipt.as_deref().unwrap_or("sent");
    match record.verdict.as_deref() {
        Some(verdict) => (Tone::Good, format!("{receipt} {verdict}")),
        None => (Tone::Good, receipt.to_owned()),
    }
}

fn row(record: &Record) -> serde_json::Value {
    // The code of an unfinished upload stays in its file.
    json!({"file": record.file, "sha256": record.sha256, "bytes": record.length,
        "offset": record.offset, "complete": record.complete, "ticket": record.ticket,
        "ticket_url": record.ticket_url, "receipt": record.receipt, "verdict": record.verdict,
        "collector": record.base_url, "created": UtcMs(record.created_ms).rfc3339()})
}
