//! The customer's side: the real agent in a home of its own.

use crate::binaries;
use crate::process::{self, Running};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A customer's home, with nothing in it but what the agent puts there.
pub struct Agent {
    home: PathBuf,
}

/// How one run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, if it ended by itself.
    pub code: Option<i32>,
    /// What it printed for programs.
    pub stdout: String,
    /// What it said to the person.
    pub stderr: String,
}

impl Ended {
    /// The one JSON object on standard output.
    ///
    /// # Errors
    /// When there is none.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        serde_json::from_str(&self.stdout).map_err(|error| {
            format!(
                "no JSON on standard output: {error}\n{}\n{}",
                self.stdout, self.stderr
            )
        })
    }
}

impl Agent {
    /// Makes the home.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(home: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(home)
            .map_err(|error| format!("cannot make {}: {error}", home.display()))?;
        Ok(Self {
            home: home.to_path_buf(),
        })
    }

    /// The home folder, where kept bundles appear.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `sitrep` with `arguments`, not started yet.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = process::command(&binaries::sitrep());
        command
            .args(arguments)
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("XDG_STATE_HOME", self.home.join("state"))
            .env("XDG_CONFIG_HOME", self.home.join("config"));
        command
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the agent cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Ended, String> {
        let output = process::output(&mut self.command(arguments))?;
        Ok(Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs to the end, its progress shown on this program's standard error.
    ///
    /// # Errors
    /// When the agent cannot be started.
    pub fn run_showing_progress(&self, arguments: &[&str]) -> Result<Ended, String> {
        let output = process::output(self.command(arguments).stderr(Stdio::inherit()))?;
        Ok(Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::new(),
        })
    }

    /// Starts in the background.
    ///
    /// # Errors
    /// When the agent cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Result<Running, String> {
        Running::start(
            self.command(arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        )
    }
}
