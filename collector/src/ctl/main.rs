//! `sitrepctl`, the engineers' command line. What needs the service goes over its public API only;
//! the signature commands work without a service.

mod signature;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The engineers' command line of Sitrep.
#[derive(Parser)]
#[command(name = "sitrepctl", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Work on signatures of known errors; needs no service.
    Signature(signature::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut err = io::stderr().lock();
    let code = match arguments.command {
        Command::Signature(arguments) => signature::run(&arguments, &mut out, &mut err),
    };
    match io::Write::flush(&mut out) {
        Ok(()) => code,
        // A reader that has seen enough (`| head`) is not a failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn no_option_of_any_command_is_ambiguous() {
        Arguments::command().debug_assert();
    }
}
