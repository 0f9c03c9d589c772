//! `signature explain`: why a signature fires on a log, or why it does not.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use sitrep_shared::escape::terminal;
use sitrep_shared::signature::{RunOptions, explain};

use super::run::time;
use super::{Fault, Outcome, files, logs};

/// Options of `sitrepctl signature explain`.
#[derive(Args)]
pub(super) struct Arguments {
    /// The signature's id.
    id: String,
    /// Rule files, or folders with rule files; without any, the built-in catalogue.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Logs, folders with logs, compressed logs, bundles and other archives; `-` is standard input.
    #[arg(long, num_args = 1.., value_name = "PATH", required = true)]
    logs: Vec<PathBuf>,
    /// Run the rule on every log, whatever data source it names.
    #[arg(long)]
    ignore_source: bool,
    /// A source map of your own, added to the built-in one.
    #[arg(long, value_name = "PATH")]
    sources: Option<PathBuf>,
    /// When the logs were taken: decides the year of stamps without one. Default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let signatures = files::rules(&arguments.rules)?;
    let wanted = |id: &str| id.eq_ignore_ascii_case(&arguments.id);
    let signature = signatures
        .iter()
        .find(|s| wanted(&s.id) || wanted(&s.rule_id))
        .ok_or_else(|| Fault::Unknown(arguments.id.clone()))?;
    let sources = files::sources(arguments.sources.as_deref())?;
    let options = RunOptions {
        bundle_time: time(arguments.at.as_deref())?,
        ignore_source: arguments.ignore_source,
        ..RunOptions::default()
    };
    logs::each(&arguments.logs, &mut |log, data| {
        let explanation = explain(signature, &sources, options, log.path, |scan| {
            logs::feed(log.name, data, scan)
        })??;
        for line in explanation.lines() {
            writeln!(out, "{}", terminal(line))?;
        }
        Ok(())
    })?;
    Ok(Outcome::Done)
}
