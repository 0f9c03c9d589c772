//! Logs for benchmarks, by the generator of the data of other projects.

use crate::agent::Agent;
use crate::{process, usage};
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::reader::Index;
use std::ops::Range;
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

/// Packs logs, named by a path or a pattern, into a bundle with the real agent.
///
/// # Errors
/// When the agent does not come to its end.
pub fn pack(dir: &Path, logs: &str) -> Result<PathBuf, String> {
    let profile = dir.join("logs.toml");
    let text = format!(
        "name = \"logs\"\nversion = \"1\"\ntitle = \"Only the corpus\"\ntags = []\n\n\
         [limits]\nmax_bytes = 4000000000\nmax_seconds = 600\nlog_group_bytes = 4000000000\n\n\
         [[add]]\nfile = \"{logs}\"\nlimit = 4000000000\nlog = true\n"
    );
    std::fs::write(&profile, text).map_err(|error| error.to_string())?;
    let agent = Agent::new(&dir.join("logs"))?;
    let bundle = dir.join("logs.tar.gz");
    let (profile, output) = (profile.display().to_string(), bundle.display().to_string());
    let arguments = [
        "run",
        "--no-send",
        "--yes",
        "--allow-partial",
        "--max-size",
        "4G",
        "--max-time",
        "600s",
        "--profile",
        &profile,
        "--output",
        &output,
    ];
    usage::of(&mut agent.command(&arguments))?;
    Ok(bundle)
}

/// Where the blocks of a bundle lie in it, but the last, which is empty.
///
/// # Errors
/// When it is no bundle of ours.
pub fn blocks(bundle: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let mut input = std::io::Cursor::new(bundle);
    let index = Index::open(&mut input, &Limits::default()).map_err(|e| format!("{e:?}"))?;
    let mut starts: Vec<u64> = index.manifest.blocks.iter().map(|block| block[0]).collect();
    starts.push(bundle.len() as u64);
    let whole = starts.len().saturating_sub(2);
    let pairs = starts.windows(2).take(whole);
    Ok(pairs
        .map(|pair| pair[0] as usize..pair[1] as usize)
        .collect())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
