//! `sitrep man DIR`: one manual page per command.

use super::{App, Command};
use crate::error::{Exit, Failure};
use crate::ui::Line;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct Man {
    /// Directory to write the pages to
    pub dir: PathBuf,
}

impl Command for Man {
    const NAME: &'static str = "man";
    const ABOUT: &'static str = "Write the manual pages to a directory";

    fn run(self, app: &mut App) -> Result<Exit, Failure> {
        let what = || format!("cannot write manual pages to {}", self.dir.display());
        std::fs::create_dir_all(&self.dir).map_err(|error| Failure::internal(what(), error))?;
        clap_mangen::generate_to(super::command(), &self.dir)
            .map_err(|error| Failure::internal(what(), error))?;
        app.ui.status(&Line::of(format!(
            "Manual pages are in {}",
            self.dir.display()
        )));
        Ok(Exit::Ok)
    }
}
