//! `signature lint`: faults, and what could be better.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use sitrep_shared::signature::lint;

use super::{Fault, Outcome, files};

/// Options of `sitrepctl signature lint`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Rule files, or folders with rule files; without any, the built-in catalogue.
    #[arg(value_name = "PATH")]
    rules: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let (signatures, errors) = files::rules_and_errors(&arguments.rules)?;
    let mut advice = 0;
    for signature in &signatures {
        for remark in lint(signature) {
            advice += 1;
            writeln!(
                out,
                "{}:{}: advice: {}: {remark}",
                signature.file, signature.line, signature.id
            )?;
        }
    }
    writeln!(
        out,
        "{} signatures, {} refused, {advice} pieces of advice",
        signatures.len(),
        errors.len()
    )?;
    if errors.is_empty() {
        Ok(Outcome::Done)
    } else {
        Err(Fault::Refused(errors))
    }
}
