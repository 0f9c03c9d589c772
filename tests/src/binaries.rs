//! Where the product's own binaries are: built once, by cargo, in the profile
//! of the program that asks.

use crate::process;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder with `sitrep`, `sitrepd` and `sitrepctl`, built if need be.
///
/// `SITREP_BIN_DIR` names a folder of ready binaries instead.
///
/// # Panics
/// When the build fails; without the product there is nothing to test.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("SITREP_BIN_DIR") {
        Some(ready) => PathBuf::from(ready),
        None => build().unwrap_or_else(|error| fail(&error)),
    })
}

#[expect(
    clippy::panic,
    reason = "without the binaries no test can say anything"
)]
fn fail(error: &str) -> ! {
    panic!("cannot build the product: {error}")
}

fn build() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    // target/<profile>/demo, target/<profile>/deps/story-<hash>
    let profile_dir = this
        .ancestors()
        .find(|dir| {
            matches!(
                dir.file_name().and_then(|name| name.to_str()),
                Some("debug" | "release")
            )
        })
        .ok_or_else(|| format!("{} is not below a target folder", this.display()))?;
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let mut command = process::command(&cargo);
    for keep in [
        "HOME",
        "PATH",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "RUSTFLAGS",
        "CARGO_TARGET_DIR",
    ] {
        if let Some(value) = std::env::var_os(keep) {
            command.env(keep, value);
        }
    }
    // The whole workspace, as the tests themselves are built: the same features,
    // so that nothing is compiled twice.
    command.current_dir(crate::workspace_root()).args([
        "build",
        "--quiet",
        "--workspace",
        "--bins",
    ]);
    if profile_dir.ends_with("release") {
        command.arg("--release");
    }
    let status = command
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        Ok(profile_dir.to_path_buf())
    } else {
        Err(format!("cargo build ended with {status}"))
    }
}

/// The agent.
#[must_use]
pub fn sitrep() -> PathBuf {
    folder().join("sitrep")
}

/// The collector service.
#[must_use]
pub fn sitrepd() -> PathBuf {
    folder().join("sitrepd")
}

/// The engineers' command line.
#[must_use]
pub fn sitrepctl() -> PathBuf {
    folder().join("sitrepctl")
}
