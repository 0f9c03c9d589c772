//! `signature run`: rules over logs, one JSON object for each pair.

use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use serde::Serialize;
use sitrep_shared::signature::{Catalogue, Engine, RunOptions};
use sitrep_shared::time::UtcMs;

use super::{Fault, Outcome, files, logs};

/// Options of `sitrepctl signature run`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Rule files, or folders with rule files; without any, the built-in catalogue.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Logs, folders with logs, compressed logs, bundles and other archives; `-` is standard input.
    #[arg(long, num_args = 1.., value_name = "PATH", required = true)]
    logs: Vec<PathBuf>,
    /// Run every rule on every log, whatever data source it names.
    #[arg(long)]
    ignore_source: bool,
    /// A source map of your own, added to the built-in one.
    #[arg(long, value_name = "PATH")]
    sources: Option<PathBuf>,
    /// When the logs were taken: decides the year of stamps without one. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// One JSON object a line. This is the only form; the flag is for scripts that say so.
    #[arg(long)]
    json: bool,
}

/// One line of the result.
#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    log: &'a str,
    hits: u64,
    first_hit: Vec<u64>,
    evaluated: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let signatures = files::rules(&arguments.rules)?;
    let sources = files::sources(arguments.sources.as_deref())?;
    let engine = Engine::new(&Catalogue { signatures }, &sources)?;
    let options = RunOptions {
        bundle_time: time(arguments.at.as_deref())?,
        ignore_source: arguments.ignore_source,
        ..RunOptions::default()
    };
    logs::each(&arguments.logs, &mut |log, data| {
        let mut scan = engine.run(options).file(log.path);
        logs::feed(log.name, data, &mut scan)?;
        for outcome in engine.outcomes(&scan.finish()) {
            let line = Line {
                rule: outcome.id,
                log: log.name,
                hits: outcome.hits,
                first_hit: outcome.first_hit,
                evaluated: outcome.evaluated,
            };
            serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    Ok(Outcome::Done)
}

/// The time given, or now.
pub(super) fn time(given: Option<&str>) -> Result<UtcMs, Fault> {
    match given {
        Some(text) => UtcMs::parse(text).map_err(|e| Fault::Usage(e.to_string())),
        None => {
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            Ok(UtcMs(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)))
        }
    }
}
