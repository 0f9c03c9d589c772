//! `sitrep version`: which program this is.

use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::ui::Line;
use clap::Args;
use serde_json::json;

/// Arguments of `version`.
#[derive(Args, Debug)]
pub struct Version {}

impl Command for Version {
    const NAME: &'static str = "version";
    const ABOUT: &'static str = "Print the version and what this build knows";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let version = env!("CARGO_PKG_VERSION");
        if app.ui.style.json {
            app.ui.json(
                &json!({"schema": "sitrep.version/1", "version": version, "format": 1,
                "os": std::env::consts::OS, "arch": std::env::consts::ARCH}),
            );
        } else {
            let line = format!(
                "sitrep {version} ({}-{}), bundle format 1",
                std::env::consts::ARCH,
                std::env::consts::OS
            );
            app.ui.data(&Line::of(line));
        }
        Ok(Exit::Ok)
    }
}
