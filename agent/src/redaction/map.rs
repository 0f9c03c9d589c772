//! The stand-ins of a bundle with their real values. They stay in the agent's own folder on this host.

use crate::bundle::StateDir;
use crate::cli::App;
use crate::error::Failure;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// The folder below the agent's own.
const FOLDER: &str = "maps";

/// Where the map of the bundle with this top directory is.
fn place(app: &App, top_dir: &str) -> Result<PathBuf, Failure> {
    let state = StateDir::locate(&app.ui.io, &app.config).map_err(|error| error.failure())?;
    Ok(state.join(FOLDER).join(format!("{top_dir}.json")))
}

/// Keeps the map of a bundle, readable for its owner only.
pub fn keep(app: &App, top_dir: &str, map: &BTreeMap<String, String>) -> Result<(), Failure> {
    if map.is_empty() {
        return Ok(());
    }
    let path = place(app, top_dir)?;
    let what = || format!("cannot keep the map of stand-ins in {}", path.display());
    let folder = path.parent().unwrap_or(&path);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::internal(what(), error))?;
    let text = serde_json::to_vec_pretty(map)
        .map_err(|error| Failure::internal(what(), std::io::Error::other(error)))?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc_nofollow())
        .open(&path)
        .and_then(|mut file| file.write_all(&text))
        .map_err(|error| Failure::internal(what(), error))
}

/// A link in place of the map is not followed.
fn libc_nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits() as i32
}

/// The map of a bundle that this host made.
pub fn read(app: &App, top_dir: &str) -> Result<BTreeMap<String, String>, Failure> {
    let path = place(app, top_dir)?;
    let text = std::fs::read(&path).map_err(|error| {
        Failure::usage(format!("no map of stand-ins for {top_dir} on this host"))
            .because(error)
            .hint("it is kept by the host and the user that made the bundle, at the level strict only")
    })?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::internal(
            format!("cannot read {}", path.display()),
            std::io::Error::other(error),
        )
    })
}
