//! The lines of all logs of a bundle in a window of time, in the order of their times; and how many there are in each part
//! of it, by level. Files without dates are named, never mixed in.

use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use sitrep_shared::signature::Dates;
use utoipa::ToSchema;
use uuid::Uuid;

use super::index::{BrowseIndex, FileEntry, Span};
use super::read;
use crate::bundles::storage::Store;

/// Parts of a window.
const COLUMNS: i64 = 60;
/// Lines that are told.
const LINES_MAX: usize = 300;
/// Bytes of logs that are read; the longest files are left out first.
const BYTES_MAX: u64 = 512 << 20;
/// Bytes of a line that are told.
const TEXT_MAX: usize = 500;
/// Bytes of a line that are looked at.
const LINE_MAX: u64 = 8 * 1024;

/// What a window shows.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Start, UTC milliseconds.
    pub from_ms: i64,
    /// End, not included.
    pub to_ms: i64,
    /// When the bundle was collected: decides the year of dates without one.
    pub collected_ms: i64,
    /// Only lines that show an error are told; all are counted.
    pub errors: bool,
}

/// A part of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BundleTimelinePart)]
pub struct Part {
    /// Start, UTC milliseconds.
    pub from_ms: i64,
    /// Lines that show an error.
    pub errors: u64,
    /// Lines that show a warning.
    pub warnings: u64,
    /// All others.
    pub others: u64,
}

/// A line of one of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = BundleTimelineEntry)]
pub struct Entry {
    /// Its time, or that of the line that it continues.
    pub at_ms: i64,
    /// Number of its file.
    pub file: u64,
    /// Its number in the file, from 1.
    pub line: u64,
    /// Path of its file.
    pub path: String,
    /// error, warning, info or debug; empty when it shows none.
    pub level: &'static str,
    /// The line, cut at 500 bytes.
    pub text: String,
}

/// The lines of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BundleTimeline)]
pub struct Timeline {
    /// Its parts, one after the other.
    pub parts: Vec<Part>,
    /// Its first lines.
    pub entries: Vec<Entry>,
    /// Files of which there are lines in it.
    pub files: u64,
    /// Logs whose lines have no dates.
    pub undated: Vec<String>,
    /// Logs that were not read because they are too long together.
    pub left_out: Vec<String>,
}

impl Window {
    fn width(&self) -> i64 {
        (self.to_ms.saturating_sub(self.from_ms) / COLUMNS).max(1)
    }

    fn parts(&self) -> Vec<Part> {
        let part = |n: i64| Part {
            from_ms: self.from_ms.saturating_add(n * self.width()),
            ..Part::default()
        };
        (0..COLUMNS).map(part).collect()
    }
}

/// Whether a file is a log, by its path.
fn is_log(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let named = ["log", "journal", "dmesg", "messages", "syslog"];
    path.contains("/log/") || path == "content" || named.iter().any(|word| name.contains(word))
}

/// A log, and what of it may be in the window.
struct Log {
    entry: FileEntry,
    span: Span,
}

/// The logs of a bundle, and those that would be too much together.
fn logs(index: &BrowseIndex, window: Window) -> io::Result<(Vec<Log>, Vec<String>)> {
    let mut logs = Vec::new();
    for entry in index.entries()? {
        if entry.text && entry.size > 0 && is_log(&entry.path) {
            let span = index.within(&entry, (window.from_ms, window.to_ms))?;
            logs.push(Log { entry, span });
        }
    }
    let bytes = |log: &Log| log.span.to.saturating_sub(log.span.from);
    logs.sort_by_key(bytes);
    let mut sum = 0;
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for log in logs {
        sum += bytes(&log);
        if sum <= BYTES_MAX {
            kept.push(log);
        } else {
            left_out.push(log.entry.path);
        }
    }
    // The longest first, so that no core waits for it at the end.
    kept.reverse();
    Ok((kept, left_out))
}

/// Reads the logs of a bundle for a window, on all cores.
pub(super) fn read(
    (store, bundle): (&Store, Uuid),
    index: &BrowseIndex,
    window: Window,
) -> io::Result<Timeline> {
    let (logs, left_out) = logs(index, window)?;
    let told = Mutex::new(Timeline {
        parts: window.parts(),
        left_out,
        ..Timeline::default()
    });
    let (next, fault) = (AtomicUsize::new(0), Mutex::new(None));
    let work = || {
        while let Some(log) = logs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let entry = &log.entry;
            let part = |from: u64, to: u64| {
                let body = store.body(bundle).map_err(io::Error::other)?;
                read::file_range(body, index, entry, from, to.saturating_sub(from))
            };
            match look(part, log, window) {
                Ok(seen) => add(
                    &mut told.lock().unwrap_or_else(PoisonError::into_inner),
                    seen,
                    entry,
                ),
                Err(error) => *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..super::readers(store).min(logs.len()) {
            scope.spawn(work);
        }
    });
    if let Some(error) = fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    told.entries.sort();
    told.entries.truncate(LINES_MAX);
    told.undated.sort();
    told.left_out.sort();
    Ok(told)
}

/// What one file gives; none when it has no dates.
type Seen = Option<(Vec<Part>, Vec<Entry>)>;

fn add(told: &mut Timeline, seen: Seen, entry: &FileEntry) {
    let Some((parts, entries)) = seen else {
        told.undated.push(entry.path.clone());
        return;
    };
    for (sum, part) in told.parts.iter_mut().zip(parts) {
        sum.errors += part.errors;
        sum.warnings += part.warnings;
        sum.others += part.others;
    }
    told.files += u64::from(!entries.is_empty());
    told.entries.extend(entries);
}

/// Looks through a log; `part` gives a reader of some of its bytes.
fn look<R: BufRead>(
    part: impl Fn(u64, u64) -> io::Result<R>,
    log: &Log,
    window: Window,
) -> io::Result<Seen> {
    let mut sample = Vec::new();
    part(0, Dates::SAMPLE_BYTES as u64)?.read_to_end(&mut sample)?;
    let Some(dates) = Dates::of_file(&sample, window.collected_ms) else {
        return Ok(None);
    };
    scan(part(log.span.from, log.span.to)?, dates, log, window).map(Some)
}

fn scan(
    mut reader: impl BufRead,
    dates: Dates,
    Log { entry, span }: &Log,
    window: Window,
) -> io::Result<(Vec<Part>, Vec<Entry>)> {
    let (mut parts, mut entries) = (window.parts(), Vec::<Entry>::new());
    let (mut line, mut number, mut at_ms) = (Vec::new(), span.lines, None);
    loop {
        line.clear();
        if (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok((parts, entries));
        }
        number += 1;
        if line.last() != Some(&b'\n') {
            // The rest of a very long line.
            skip_line(&mut reader)?;
        }
        at_ms = dates.ms(&line).or(at_ms);
        let Some(at_ms) = at_ms.filter(|ms| (window.from_ms..window.to_ms).contains(ms)) else {
            continue;
        };
        let level = read::level(&line).unwrap_or_default();
        let place = usize::try_from((at_ms - window.from_ms) / window.width()).unwrap_or(0);
        let place = place.min(parts.len() - 1);
        match level {
            "error" => parts[place].errors += 1,
            "warning" => parts[place].warnings += 1,
            _ => parts[place].others += 1,
        }
        if entries.len() < LINES_MAX && (level == "error" || !window.errors) {
            let text = &line[..line.len().min(TEXT_MAX)];
            entries.push(Entry {
                at_ms,
                file: entry.fid,
                line: number,
                path: entry.path.clone(),
                level,
                text: String::from_utf8_lossy(text).trim_end().to_owned(),
            });
        }
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Ok(());
        }
        let end = memchr::memchr(b'\n', available);
        let used = end.map_or(available.len(), |at| at + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
