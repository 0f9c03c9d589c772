//! What the runner needs from the outside: a place for items and their bytes.
//!
//! The runner calls a sink from one thread only, in this order for each item: [`Sink::item`], any number
//! of [`Sink::data`], [`Sink::end`]. An item leaves a file in the bundle when its outcome is collected or
//! partial, or when at least one `data` call came; otherwise it is only an entry in the manifest.

use super::source::{Kind, Outcome};

/// What is known of an item before its first byte.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemStart {
    /// Stable name within the run, for example `kernel/dmesg`.
    pub id: String,
    /// Id of the source that planned it.
    pub source: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// Path on the host, command line, or what is read natively.
    pub origin: String,
    /// Path in the bundle, for example `sos/proc/meminfo`; none when the item never leaves a file.
    pub path: Option<String>,
    /// Milliseconds since the run began.
    pub start_ms: u64,
}

/// Where and at how many bytes an item was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// `head` when the beginning is missing, `tail` when the end is missing.
    pub end: &'static str,
    /// The limit that was applied.
    pub limit_bytes: u64,
}

/// How an item ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemEnd {
    /// The outcome.
    pub outcome: Outcome,
    /// Why it is not simply collected, for people.
    pub reason: Option<String>,
    /// Size at the origin as far as it is known, else the bytes that were handed over.
    pub original_bytes: u64,
    /// Set when not all bytes were handed over.
    pub truncated: Option<Truncated>,
    /// Exit code of a command.
    pub exit_code: Option<i32>,
    /// Wall time.
    pub duration_ms: u64,
    /// CPU time of the reading thread (a command's own CPU time is in the run's cost).
    pub cpu_ms: u64,
    /// What right would have given (more of) it: `root`.
    pub needs: Option<String>,
    /// What this item would add, said when a right is missing.
    pub why: &'static str,
}

/// What a progress display can show. Times and bytes are totals of the run.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress<'a> {
    /// A source's items begin.
    SourceStarted {
        /// Source id.
        id: &'static str,
        /// Source title.
        title: &'static str,
    },
    /// All items of a source in this tier have ended.
    SourceEnded(&'a super::summary::SourceSummary),
    /// Bytes handed over so far (at most ten times a second).
    Bytes {
        /// Total bytes of this run.
        bytes: u64,
        /// Items ended so far.
        items: u64,
        /// Items planned.
        planned: u64,
    },
}

/// Takes items and their bytes.
pub trait Sink {
    /// A new item begins.
    fn item(&mut self, start: &ItemStart);
    /// The next bytes of the item at hand.
    fn data(&mut self, bytes: &[u8]);
    /// The item at hand has ended.
    fn end(&mut self, end: &ItemEnd);
    /// A relative link in the bundle; `path` and `target` are bundle paths, `relative` the text of the link.
    /// The target has been collected. Counts as an item of kind `link` with outcome collected.
    fn link(&mut self, path: &str, target: &str, relative: &str);
    /// Progress; may be ignored.
    fn event(&mut self, progress: &Progress<'_>) {
        let _ = progress;
    }
    /// Why the run has to give way, when the place that it writes to runs short. Asked about once a second.
    fn shortage(&self) -> Option<String> {
        None
    }
    /// A fault of the sink itself (for example no space left); the run stops when it is set.
    fn fault(&self) -> Option<String> {
        None
    }
}
