//! `signature test`: runs the tests that signatures bring along.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use sitrep_shared::signature::test_signature;

use super::{Fault, Outcome, files};

/// Options of `sitrepctl signature test`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Rule files, or folders with rule files; without any, the built-in catalogue.
    #[arg(value_name = "PATH")]
    rules: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let signatures = files::rules(&arguments.rules)?;
    let sources = files::sources(None)?;
    let mut tests = 0;
    let mut failed = 0;
    for signature in &signatures {
        tests += signature.extension.as_ref().map_or(0, |e| e.tests.len());
        for failure in test_signature(signature, &sources) {
            failed += 1;
            let test = &failure.test;
            writeln!(
                out,
                "{}:{}: {} \"{test}\": {}",
                failure.file, failure.line, failure.id, failure.message
            )?;
        }
    }
    writeln!(
        out,
        "{} signatures, {tests} tests, {failed} failed",
        signatures.len()
    )?;
    Ok(if failed == 0 {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}
