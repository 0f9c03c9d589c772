//! An ordinary user: `nobody`, with a home and a copy of the agent that it may run. Needs root, to become it.

use crate::{binaries, process};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The number of `nobody`.
pub const UID: u32 = 65_534;

/// A user and a home.
#[derive(Debug)]
pub struct Ordinary {
    home: PathBuf,
    agent: PathBuf,
}

impl Ordinary {
    /// Makes the home below `dir`, which becomes readable for everybody.
    ///
    /// # Errors
    /// When something cannot be made, or not handed over.
    pub fn below(dir: &Path) -> Result<Self, String> {
        let fault = |error: std::io::Error| format!("in {}: {error}", dir.display());
        let (home, agent) = (dir.join("ordinary"), dir.join("sitrep"));
        std::fs::create_dir(&home).map_err(fault)?;
        std::os::unix::fs::chown(&home, Some(UID), Some(UID)).map_err(fault)?;
        std::fs::copy(binaries::sitrep(), &agent).map_err(fault)?;
        for path in [dir, &agent] {
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(path, open).map_err(fault)?;
        }
        Ok(Self { home, agent })
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The agent with `arguments`, as that user, behind the program `before` (with its arguments).
    #[must_use]
    pub fn agent(&self, before: &[&str], arguments: &[&str]) -> Command {
        let mut command = process::command(Path::new("setpriv"));
        command
            .args([format!("--reuid={UID}"), format!("--regid={UID}")])
            .arg("--clear-groups")
            .args(before)
            .arg(&self.agent)
            .args(arguments)
            .env("HOME", &self.home)
            .env("XDG_STATE_HOME", self.home.join("state"))
            .current_dir(&self.home);
        command
    }
}
