//! Logs for benchmarks, by the generator of the data of other projects.

use crate::process;
use std::path::{Path, PathBuf};

/// A folder with about so many megabytes of logs. Made once and kept under target/: the same arguments give the same
/// bytes.
///
/// # Errors
/// When the data of other projects is not there, or the generator fails.
pub fn make(megabytes: u64) -> Result<PathBuf, String> {
    let dir = crate::workspace_root().join(format!("target/corpus-{megabytes}"));
    if dir.join("planted.tsv").exists() {
        return Ok(dir);
    }
    let shared = crate::shared_data()?;
    let rules = dir.join("cre");
    std::fs::create_dir_all(&rules).map_err(|error| error.to_string())?;
    let source = shared
        .join("signatures/cre")
        .canonicalize()
        .map_err(|error| error.to_string())?;
    if !rules.join("rules").exists() {
        std::os::unix::fs::symlink(source, rules.join("rules"))
            .map_err(|error| error.to_string())?;
    }
    let mut make = process::command(Path::new("python3"));
    make.arg(shared.join("perf/gen_logs.py")).args([
        "--loghub",
        text(&shared.join("logs/loghub")),
        "--cre",
        text(&rules),
    ]);
    make.args(["--out", text(&dir), "--mb", &megabytes.to_string()]);
    let made = process::output(&mut make)?;
    if made.status.success() {
        Ok(dir)
    } else {
        Err(String::from_utf8_lossy(&made.stderr).into_owned())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
