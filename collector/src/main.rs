//! `sitrepd`, the collector's service. Everything lives in the library, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sitrep_collector::cli::main()
}
