//! `sitrepd inspect FILE`: the verdict that the ingest would give, off-line. Uses the same confined child.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::escape;

use super::frame::{Decision, Verdict};
use super::process::{ChildError, Reader, Task};
use crate::bundles::browse::index::BrowseIndex;

/// An inspection that gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file cannot be read.
    #[error("read {path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The reader gave an index that is none.
    #[error("read the index")]
    Index(#[source] io::Error),
    /// The output is gone.
    #[error("write the verdict")]
    Output(#[source] io::Error),
}

/// Reads a file as the ingest would, and writes its files and, last, the verdict: one JSON object a line, or for people.
/// A reader that dies is a verdict too.
///
/// # Errors
/// When the file cannot be read or the output is gone.
pub async fn inspect(
    reader: &Reader,
    path: &Path,
    limits: &Limits,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<Decision, InspectError> {
    let fault = |source| InspectError::File {
        path: path.display().to_string(),
        source,
    };
    let file = std::fs::File::open(path).map_err(fault)?;
    let meta = file.metadata().map_err(fault)?;
    let changed = meta.modified().ok().and_then(|time| {
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok()
    });
    let task = Task {
        bytes: meta.len(),
        received_ms: changed.unwrap_or_default(),
        limits: limits.clone(),
        signatures: None,
    };
    let (index, verdict) = match reader.read(file, &task, io::sink()).await {
        Ok((answer, _)) => {
            let crashed = || Verdict::reject("crashed", "the reader gave no verdict");
            (answer.index, answer.verdict.unwrap_or_else(crashed))
        }
        Err(
            error @ (ChildError::Start { .. } | ChildError::Answer(_) | ChildError::Crashed { .. }),
        ) => (
            None,
            Verdict::reject("crashed", sitrep_shared::error::chain(&error)),
        ),
        Err(error @ ChildError::TimedOut { .. }) => {
            (None, Verdict::reject("limit_cpu", error.to_string()))
        }
    };
    if let Some(index) = index {
        list(&index, as_json, out)?;
    }
    let decision = verdict.verdict;
    let line = if as_json {
        serde_json::to_string(&verdict).unwrap_or_default()
    } else {
        words(&verdict)
    };
    writeln!(out, "{line}").map_err(InspectError::Output)?;
    Ok(decision)
}

fn list(index: &[u8], as_json: bool, out: &mut dyn Write) -> Result<(), InspectError> {
    let memory =
        rustix::fs::memfd_create("index", rustix::fs::MemfdFlags::CLOEXEC).map_err(io::Error::from);
    let mut file = std::fs::File::from(memory.map_err(InspectError::Index)?);
    file.write_all(index).map_err(InspectError::Index)?;
    let entries = BrowseIndex::open(file)
        .and_then(|index| index.entries())
        .map_err(InspectError::Index)?;
    for entry in entries {
        let line = if as_json {
            json!({ "path": entry.path, "bytes": entry.size, "lines": entry.lines, "text": entry.text }).to_string()
        } else {
            format!("{:>12}  {}", entry.size, escape::terminal(&entry.path))
        };
        writeln!(out, "{line}").map_err(InspectError::Output)?;
    }
    Ok(())
}

fn words(verdict: &Verdict) -> String {
    let word = match verdict.verdict {
        Decision::Accept => "accept",
        Decision::Neutralise => "neutralise",
        Decision::Reject => "reject",
    };
    let reason = verdict
        .reason
        .as_deref()
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default();
    let detail = verdict
        .detail
        .as_deref()
        .map(|detail| format!(": {}", escape::terminal(detail)))
        .unwrap_or_default();
    format!("{word}{reason}{detail}")
}
