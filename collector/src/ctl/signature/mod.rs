//! `sitrepctl signature`: lint, test, run, explain, backtest, replay and import signatures by hand.
//!
//! Exit codes: 0 done, with or without hits; 1 a test failed; 2 a rule was refused or a file cannot
//! be read.

mod backtest;
mod explain;
mod files;
mod import;
mod lint;
mod logs;
mod replay;
mod run;
mod schema;
mod server;
mod test;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use sitrep_shared::error::chain;
use sitrep_shared::signature::{EngineError, LoadError, SourceError};
use thiserror::Error;

/// Options of `sitrepctl signature`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what is wrong with rule files, and what could be better.
    Lint(lint::Arguments),
    /// Run the tests that signatures bring along.
    Test(test::Arguments),
    /// Run rules over logs: one JSON object for each rule and log.
    Run(run::Arguments),
    /// Say why a signature fires on a log, or why it does not.
    Explain(explain::Arguments),
    /// Try a signature file on the bundles that a collector stores, over its API.
    Backtest(backtest::Arguments),
    /// Say what rules would find in bundles that are there as files.
    Replay(replay::Arguments),
    /// Make a pack of a folder or archive of rules: with its licence, version and what the checks say.
    Import(import::Arguments),
    /// Print the JSON Schema of signature files.
    Schema,
}

/// Why a command could not do its work.
#[derive(Debug, Error)]
enum Fault {
    #[error("cannot read {path}")]
    Read {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{} refused", if .0.len() == 1 { "a rule was" } else { "rules were" })]
    Refused(Vec<LoadError>),
    #[error("no signature {0}")]
    Unknown(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{0}")]
    Usage(String),
    #[error("cannot write the result")]
    Write(#[from] io::Error),
}

/// What the command came to.
enum Outcome {
    Done,
    /// A test failed.
    Failed,
}

/// Runs a command.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let result = match &arguments.command {
        Command::Lint(arguments) => lint::run(arguments, out),
        Command::Test(arguments) => test::run(arguments, out),
        Command::Run(arguments) => run::run(arguments, out),
        Command::Explain(arguments) => explain::run(arguments, out),
        Command::Backtest(arguments) => backtest::run(arguments, out),
        Command::Replay(arguments) => replay::run(arguments, out),
        Command::Import(arguments) => import::run(arguments, out),
        Command::Schema => schema::run(out),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Err(Fault::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(fault) => {
            // When the error stream is gone too, the exit code still says it.
            let _ = report(&fault, err);
            ExitCode::from(2)
        }
    }
}

fn report(fault: &Fault, err: &mut dyn Write) -> io::Result<()> {
    let Fault::Refused(errors) = fault else {
        return writeln!(err, "error: {}", chain(fault));
    };
    for error in errors {
        writeln!(err, "error: {error}")?;
        if !error.hint.is_empty() {
            writeln!(err, "  hint: {}", error.hint)?;
        }
    }
    Ok(())
}
