//! `sitrep completions SHELL`: a completion script on stdout.

use super::{App, Command};
use crate::error::{Exit, Failure};
use clap::Args;

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct Completions {
    /// Shell to write for
    pub shell: clap_complete::Shell,
}

impl Command for Completions {
    const NAME: &'static str = "completions";
    const ABOUT: &'static str = "Print a completion script for a shell";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "sitrep", &mut script);
        std::io::Write::write_all(&mut app.ui.io.stdout, &script)
            .map_err(|error| Failure::internal("cannot write the script", error))?;
        Ok(Exit::Ok)
    }
}
