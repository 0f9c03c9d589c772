//! The redactor of one run, by the settings and by what this host tells.

use crate::cli::App;
use crate::collect::Host;
use crate::error::Failure;
use crate::redaction;
use sitrep_shared::redact::{Learned, Level, Redactor};

/// Builds the redactor. `secrets` are words that must not appear anywhere, such as the upload code.
pub fn build(app: &App, host: &Host, name: &str, secrets: &[String]) -> Result<Redactor, Failure> {
    let level: Level = app
        .config
        .text("redact.mode")
        .unwrap_or("standard")
        .parse()
        .map_err(|why: String| Failure::usage(why))?;
    let mut learned = Learned::from_files(|path| host.text(path).unwrap_or_default());
    learned.add_host(name);
    redaction::build(app, level, learned, secrets.iter().cloned())
}
