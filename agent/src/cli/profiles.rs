//! `sitrep profiles`: what can be collected by name.

use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::profile;
use crate::ui::{Line, Tone};
use clap::Args;
use serde_json::json;
use sitrep_shared::size::format_bytes;

/// Arguments of `profiles`.
#[derive(Args, Debug)]
pub struct Profiles {}

impl Command for Profiles {
    const NAME: &'static str = "profiles";
    const ABOUT: &'static str = "List the profiles";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let profiles = profile::built_in()
            .map_err(|error| Failure::internal("cannot read the profiles", error))?;
        if app.ui.style.json {
            let rows: Vec<_> = profiles
                .iter()
                .map(|profile| {
                    json!({"name": profile.name, "version": profile.version, "title": profile.title,
                        "max_bytes": profile.limits.max_bytes, "max_seconds": profile.limits.max_seconds})
                })
                .collect();
            app.ui
                .json(&json!({"schema": "sitrep.profiles/1", "profiles": rows}));
            return Ok(Exit::Ok);
        }
        for profile in &profiles {
            let limits = format!(
                "≤ {}, {} s",
                format_bytes(profile.limits.max_bytes),
                profile.limits.max_seconds
            );
            let line = Line::new()
                .left(14, &profile.name)
                .left(8, &profile.version)
                .left(18, limits)
                .tone(Tone::Dim, &profile.title);
            app.ui.data(&line);
        }
        Ok(Exit::Ok)
    }
}
