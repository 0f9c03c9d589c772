//! The `sitrep` program: connects the real terminal, environment and clock to [`sitrep::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(sitrep::run(std::env::args_os(), sitrep::ui::Io::real()))
}
