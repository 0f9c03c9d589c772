//! A regular expression over the text of a bundle, on all cores: files are cut into stretches of whole lines, workers
//! take them in turn, and hits come out in the order of the bundle as soon as everything before them was read.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use regex::bytes::{Regex, RegexBuilder};
use serde::Serialize;

use super::index::{BrowseIndex, FileEntry};
use super::read;
use crate::bundles::storage::Store;
use uuid::Uuid;

/// Unpacked bytes of a stretch, more or less.
const STRETCH_BYTES: u64 = 8 << 20;
/// Those of the first stretch from a line on, each of the next ones being twice as long: what is sought is often near.
const NEAR_BYTES: u64 = 1 << 20;
/// A line longer than this is searched in pieces.
const LINE_MAX_BYTES: usize = 1 << 20;
/// Bytes of a hit's line that are shown.
const TEXT_MAX_BYTES: usize = 500;
/// Longest pattern, in bytes.
const PATTERN_MAX_BYTES: usize = 1_000;
/// Memory of a compiled pattern, in bytes.
const PATTERN_MEMORY: usize = 4 << 20;

/// A search that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The pattern is none, or too large.
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
}

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Search {
    pattern: Regex,
    /// Only files whose path begins so.
    pub below: String,
    /// Only this file, from the mark at or before this line (from 1) on.
    pub(super) within: Option<(u64, u64)>,
    /// How eagerly the rest is read before what comes first was.
    pub(super) pace: Pace,
    /// Hits at most.
    pub limit: usize,
}

/// How much of a bundle is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// All of it is wanted: long stretches by as many threads as help.
    All,
    /// What is sought is often near: short stretches first, by as many threads as there are cores.
    Near,
    /// Nobody waits for it: long stretches, and one core is left to those who do.
    Behind,
}

impl Pace {
    fn readers(self, store: &Store) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let all = super::readers(store);
        match self {
            Self::All => all,
            Self::Near => cores,
            Self::Behind => (all - all / cores).max(1),
        }
    }
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Number of the file in the bundle.
    pub file: u64,
    /// Its path.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// Where the line begins in the file.
    pub offset: u64,
    /// The line, cut at 500 bytes.
    pub text: String,
}

impl Search {
    /// Compiles a pattern, in linear time by construction.
    ///
    /// # Errors
    /// When it is no expression, or too large.
    pub fn new(pattern: &str, ignore_case: bool, limit: usize) -> Result<Self, SearchError> {
        if pattern.is_empty() || pattern.len() > PATTERN_MAX_BYTES {
            let text = format!("from 1 to {PATTERN_MAX_BYTES} bytes are taken");
            return Err(SearchError::Pattern(text));
        }
        let pattern = RegexBuilder::new(pattern)
            .multi_line(true)
            .case_insensitive(ignore_case)
            .size_limit(PATTERN_MEMORY)
            .dfa_size_limit(PATTERN_MEMORY)
            .build()
            .map_err(|error| SearchError::Pattern(error.to_string()))?;
        Ok(Self {
            pattern,
            below: String::new(),
            within: None,
            pace: Pace::All,
            limit,
        })
    }

    /// Only the file of this number.
    #[must_use]
    pub fn of_file(mut self, fid: u64) -> Self {
        self.within = Some((fid, 1));
        self
    }
}

/// Whole lines of one file.
struct Stretch {
    entry: FileEntry,
    from: u64,
    to: u64,
    /// Lines before it in the file.
    lines: u64,
}

fn stretches(index: &BrowseIndex, search: &Search) -> io::Result<Vec<Stretch>> {
    let mut all = Vec::new();
    let entries = match search.within {
        Some((fid, _)) => vec![index.entry(fid)?],
        None => index.entries()?,
    };
    for entry in entries {
        if !entry.text || !entry.path.starts_with(&search.below) {
            continue;
        }
        let (mut lines, mut from) = match search.within {
            Some((_, line)) => index.mark_before(&entry, line.saturating_sub(1))?,
            None => (0, 0),
        };
        let mut bytes = match search.pace {
            Pace::Near => NEAR_BYTES,
            Pace::All | Pace::Behind => STRETCH_BYTES,
        };
        while from < entry.size {
            let (next_lines, next) = index.mark_before_byte(&entry, from + bytes)?;
            // The end of the file, or lines so long that no mark lies in between.
            let last = from + bytes >= entry.size;
            bytes = (bytes * 2).min(STRETCH_BYTES);
            let to = if last || next <= from {
                entry.size
            } else {
                next
            };
            all.push(Stretch {
                entry: entry.clone(),
                from,
                to,
                lines,
            });
            (from, lines) = (to, next_lines);
        }
    }
    Ok(all)
}

/// The stretches of a file before a line (from 1), the one that holds it first.
fn stretches_back(index: &BrowseIndex, entry: &FileEntry, line: u64) -> io::Result<Vec<Stretch>> {
    let (mut all, mut bytes) = (Vec::new(), NEAR_BYTES);
    let mut to = index.mark_after(entry, line.saturating_sub(1))?;
    while entry.text && to > 0 {
        let (lines, from) = index.mark_before_byte(entry, to.saturating_sub(bytes))?;
        all.push(Stretch {
            entry: entry.clone(),
            from,
            to,
            lines,
        });
        to = if from < to { from } else { 0 };
        bytes = (bytes * 2).min(STRETCH_BYTES);
    }
    Ok(all)
}

/// Hits that wait for those before them.
struct Order<'a> {
    next: usize,
    waiting: BTreeMap<usize, Vec<Hit>>,
    left: usize,
    found: &'a mut (dyn FnMut(Hit) -> bool + Send),
}

impl Order<'_> {
    /// Takes what a stretch gave. False when no more is wanted.
    fn put(&mut self, place: usize, hits: Vec<Hit>) -> bool {
        self.waiting.insert(place, hits);
        while let Some(hits) = self.waiting.remove(&self.next) {
            self.next += 1;
            for hit in hits {
                if self.left == 0 {
                    return false;
                }
                self.left -= 1;
                if !(self.found)(hit) {
                    // Other workers may still come with theirs.
                    self.left = 0;
                    return false;
                }
            }
        }
        self.left > 0
    }
}

/// Searches a bundle. `found` is told every hit in order, and ends the search by false.
///
/// # Errors
/// When the bundle cannot be read.
pub(super) fn run(
    (store, bundle): (&Store, Uuid),
    index: &BrowseIndex,
    search: &Search,
    found: &mut (dyn FnMut(Hit) -> bool + Send),
) -> io::Result<()> {
    let stretches = stretches(index, search)?;
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let fault = Mutex::new(None);
    let order = Mutex::new(Order {
        next: 0,
        waiting: BTreeMap::new(),
        left: search.limit,
        found,
    });
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(stretch) = stretches.get(place) else {
                return;
            };
            let hits = store
                .body(bundle)
                .map_err(io::Error::other)
                .and_then(|body| {
                    let bytes = stretch.to - stretch.from;
                    let reader =
                        read::file_range(body, index, &stretch.entry, stretch.from, bytes)?;
                    scan(reader, stretch, search, &stop)
                });
            let go_on = match hits {
                Ok(hits) => order
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .put(place, hits),
                Err(error) => {
                    *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    false
                }
            };
            if !go_on {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..search.pace.readers(store).min(stretches.len()) {
            scope.spawn(work);
        }
    });
    let fault = fault.into_inner().unwrap_or_else(PoisonError::into_inner);
    fault.map_or(Ok(()), Err)
}

/// The last line before another one (from 1) of a file that matches, and that is as wanted. Stretch by stretch towards
/// the start of the file.
pub(super) fn last_before(
    (store, bundle): (&Store, Uuid),
    index: &BrowseIndex,
    (entry, line): (&FileEntry, u64),
    search: &Search,
    is: &(dyn Fn(&[u8]) -> bool + Sync),
) -> io::Result<Option<u64>> {
    let mut search = search.clone().of_file(entry.fid);
    search.limit = usize::MAX;
    let never = AtomicBool::new(false);
    for stretch in stretches_back(index, entry, line)? {
        let body = store.body(bundle).map_err(io::Error::other)?;
        let bytes = stretch.to - stretch.from;
        let reader = read::file_range(body, index, entry, stretch.from, bytes)?;
        let hits = scan(reader, &stretch, &search, &never)?;
        let wanted = hits
            .iter()
            .rev()
            .find(|hit| hit.line < line && is(hit.text.as_bytes()));
        if let Some(hit) = wanted {
            return Ok(Some(hit.line));
        }
    }
    Ok(None)
}

/// Searches one stretch: the whole lines of each block where they lie, and those that go over from one to the next.
fn scan(
    mut reader: impl BufRead,
    stretch: &Stretch,
    search: &Search,
    stop: &AtomicBool,
) -> io::Result<Vec<Hit>> {
    let (mut hits, mut begun) = (Vec::new(), Vec::new());
    let mut at = (stretch.lines + 1, stretch.from);
    let mut look = |piece: &[u8]| {
        at.0 = match_piece(piece, at, stretch, search, &mut hits);
        at.1 += piece.len() as u64;
        hits.len() < search.limit
    };
    while !stop.load(Ordering::Relaxed) {
        let block = reader.fill_buf()?;
        let (taken, go_on) = match block {
            [] => {
                look(&begun);
                break;
            }
            _ if begun.is_empty() => {
                let whole = memchr::memrchr(b'\n', block).map_or(0, |at| at + 1);
                begun.extend_from_slice(&block[whole..]);
                (block.len(), look(&block[..whole]))
            }
            _ => {
                let end = memchr::memchr(b'\n', block).map(|at| at + 1);
                begun.extend_from_slice(&block[..end.unwrap_or(block.len())]);
                let go_on = if end.is_some() || begun.len() >= LINE_MAX_BYTES {
                    let go_on = look(&begun);
                    begun.clear();
                    go_on
                } else {
                    true
                };
                (end.unwrap_or(block.len()), go_on)
            }
        };
        if !go_on {
            break;
        }
        reader.consume(taken);
    }
    Ok(hits)
}

/// Adds the hits of a piece; gives the number of the line behind it.
fn match_piece(
    piece: &[u8],
    (mut line, offset): (u64, u64),
    stretch: &Stretch,
    search: &Search,
    hits: &mut Vec<Hit>,
) -> u64 {
    let lines_in = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
    let (mut counted, mut at) = (0, 0);
    while at < piece.len() && hits.len() < search.limit {
        let Some(found) = search.pattern.find_at(piece, at) else {
            break;
        };
        // An expression that takes in a line's end, or matches nothing at the very end, belongs to where it begins.
        if found.start() >= piece.len() {
            break;
        }
        let start = memchr::memrchr(b'\n', &piece[..found.start()]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &piece[found.start()..])
            .map_or(piece.len(), |length| found.start() + length);
        line += lines_in(&piece[counted..start]);
        counted = start;
        let text = &piece[start..end.min(start + TEXT_MAX_BYTES)];
        hits.push(Hit {
            file: stretch.entry.fid,
            path: stretch.entry.path.clone(),
            line,
            offset: offset + start as u64,
            text: String::from_utf8_lossy(text)
                .trim_end_matches('\r')
                .to_owned(),
        });
        at = end + 1;
    }
    line + lines_in(&piece[counted..])
}

#[cfg(test)]
pub(super) mod tests;
