//! `sitrep signatures`: the known problems that this program looks for.

use super::{App, Command, findings};
use crate::error::{Exit, Failure};
use crate::ui::Line;
use clap::Args;
use serde_json::json;
use sitrep_shared::signature::Catalogue;

/// Arguments of `signatures`.
#[derive(Args, Debug)]
pub struct Signatures {}

impl Command for Signatures {
    const NAME: &'static str = "signatures";
    const ABOUT: &'static str = "List the known problems this program looks for";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let catalogue = Catalogue::embedded().map_err(|errors| {
            let first = errors
                .first()
                .map_or(String::new(), |error| error.to_string());
            Failure::new(Exit::Internal, "cannot read the signatures in this program")
                .because(first)
        })?;
        let active = || catalogue.signatures.iter().filter(|one| one.is_active());
        if app.ui.style.json {
            let rows: Vec<_> = active()
                .map(|one| json!({"id": one.id, "severity": one.severity, "title": one.title, "category": one.category}))
                .collect();
            app.ui
                .json(&json!({"schema": "sitrep.signatures/1", "signatures": rows}));
            return Ok(Exit::Ok);
        }
        for one in active() {
            let severity = one.severity.as_str();
            let line = Line::new()
                .left(10, &one.id)
                .tone(findings::tone(severity), format!("{severity:<10}"))
                .left(14, &one.category)
                .text(&one.title);
            app.ui.data(&line);
        }
        Ok(Exit::Ok)
    }
}
