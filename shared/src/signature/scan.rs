//! Scans one file, in chunks of any size, with memory bounded by one slab.

mod encoding;
mod evidence;
mod slab;

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::{memchr, memrchr};

use super::engine::{Compiled, Engine};
use super::entry::Slab;
use super::finding::Evidence;
use super::machine::{Hit, Machine};
use super::prefilter::Candidate;
use super::run::RunOptions;
use super::source::Cover;
use super::time::{Clock, Layout, SAMPLE_BYTES, Stamp};
use encoding::Utf16;

/// Bytes gathered before a slab is scanned.
const SLAB_BYTES: usize = 256 * 1024;
/// An unfinished entry longer than this is cut, so that memory stays bounded.
const MAX_HELD_BYTES: usize = 4 * 1024 * 1024;
/// The mark that some programs begin UTF-8 files with.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// Entries kept as evidence for one rule in one file.
pub(super) const MAX_EVIDENCE: usize = 20;

/// How often one rule matched in one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleHits {
    /// Number of hits.
    pub hits: u64,
    /// Entries of the first hit, not more than are shown.
    pub first: Vec<Evidence>,
    /// The line of every entry of the first hit.
    pub first_lines: Vec<u64>,
    /// Entries of further hits, a few.
    pub more: Vec<Evidence>,
    /// Time of the first hit in UTC milliseconds.
    pub first_ms: Option<i64>,
    /// Time of the last hit in UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Entries without a time met a condition of a rule that needs time.
    pub undated: u64,
}

impl RuleHits {
    /// Counts a hit that is not kept as evidence.
    fn count_only(&mut self, time_ms: Option<i64>) {
        self.hits += 1;
        self.first_ms = self.first_ms.into_iter().chain(time_ms).min();
        self.last_ms = self.last_ms.into_iter().chain(time_ms).max();
    }
}

/// What the scan of one file came to.
#[derive(Debug, Clone, Default)]
pub struct FileResult {
    /// The path that was given.
    pub path: String,
    /// By index of the signature in the engine.
    pub(super) rules: Vec<(u32, RuleHits)>,
    /// For each of the engine's sources, whether it means this file.
    sources: Vec<bool>,
    /// Whether its lines have times.
    pub dated: bool,
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
}

impl FileResult {
    /// Whether a source of the engine means this file.
    pub(super) fn reads(&self, source: u32) -> bool {
        self.sources.get(source as usize).copied().unwrap_or(false)
    }
}

/// One rule's state during the scan of a file.
#[derive(Default)]
struct RuleState {
    machine: Option<Box<Machine>>,
    hits: RuleHits,
}

/// A scan in progress.
pub struct FileScan<'e> {
    engine: &'e Engine,
    path: Arc<str>,
    clock: Clock,
    /// For each of the engine's sources, what of this file belongs to it.
    sources: Vec<Cover>,
    /// Forms of time stamps that its sources name.
    formats: Vec<&'e str>,
    /// For each rule, whether it reads this file.
    active: Vec<bool>,
    /// Whether any rule reads this file.
    any: bool,
    layout: Option<Layout>,
    utf16: Option<Utf16>,
    held: Vec<u8>,
    /// Bytes of `held` in which no entry begins but the first.
    searched: usize,
    /// The stamp of the entry that `held` begins within, when it had to be cut.
    carried: Option<Stamp>,
    /// What was scanned last does not end with a line end.
    open_line: bool,
    /// Offset and lines before `held`.
    offset: u64,
    lines: u64,
    rules: BTreeMap<u32, RuleState>,
    /// For each term, the entry (by number) it was last decided for.
    decided: Vec<u64>,
    candidates: Vec<Candidate>,
    /// How often the filter looked in the last slab.
    probes: usize,
    entries: u64,
    order: u64,
}

impl<'e> FileScan<'e> {
    pub(super) fn new(engine: &'e Engine, options: &RunOptions, path: &str) -> Self {
        let looked = engine.sources.look(path);
        let covers = |source: &String| {
            if options.ignore_source {
                return Cover::Whole;
            }
            engine.sources.covers(source, &looked, path)
        };
        let sources: Vec<Cover> = engine.source_names.iter().map(covers).collect();
        let runs = |c: &Compiled| c.rule().is_some_and(|r| r.unsupported.is_none());
        let active: Vec<bool> = engine
            .compiled
            .iter()
            .map(|c| runs(c) && sources[c.source as usize] != Cover::No)
            .collect();
        let now_s = options.bundle_time.0.div_euclid(1000);
        let clock = Clock::new(now_s, options.zone_offset_s);
        Self {
            engine,
            path: path.into(),
            clock,
            sources,
            formats: engine.sources.formats(&looked),
            any: active.contains(&true),
            active,
            layout: None,
            utf16: None,
            held: Vec::new(),
            searched: 0,
            carried: None,
            open_line: false,
            offset: 0,
            lines: 0,
            rules: BTreeMap::new(),
            decided: vec![0; engine.terms.len()],
            candidates: Vec::new(),
            probes: 0,
            entries: 0,
            order: 0,
        }
    }

    /// Whether any signature reads this file.
    pub fn is_read(&self) -> bool {
        self.any
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, mut chunk: &[u8]) {
        if !self.any {
            self.offset += chunk.len() as u64;
            return;
        }
        if let Some(utf16) = &mut self.utf16 {
            let text = utf16.decode(chunk);
            return self.take(&text);
        }
        if self.layout.is_none() {
            let wanted = SAMPLE_BYTES
                .saturating_sub(self.held.len())
                .min(chunk.len());
            self.held.extend_from_slice(&chunk[..wanted]);
            chunk = &chunk[wanted..];
            if self.held.len() < SAMPLE_BYTES {
                return;
            }
            self.begin();
        }
        match &mut self.utf16 {
            Some(utf16) => {
                let text = utf16.decode(chunk);
                self.take(&text);
            }
            None => self.take(chunk),
        }
    }

    /// Decides on the first bytes how the file is written.
    fn begin(&mut self) {
        if let Some(mut utf16) = Utf16::detect(&self.held) {
            self.held = utf16.decode(&self.held);
            self.utf16 = Some(utf16);
        }
        if self.held.starts_with(BOM) {
            self.held.drain(..BOM.len());
            self.offset += BOM.len() as u64;
        }
        self.layout = Some(Layout::detect(&self.held, self.clock, &self.formats));
    }

    /// Ends the file.
    pub fn finish(mut self) -> FileResult {
        if self.any && self.layout.is_none() {
            self.begin();
        }
        let rest = std::mem::take(&mut self.held);
        self.slab(&rest);
        self.lines += u64::from(self.open_line);
        let dated = self.layout.is_some_and(|l| l.is_dated());
        let mut rules = Vec::new();
        for (index, mut state) in std::mem::take(&mut self.rules) {
            let mut hits: Vec<Hit> = Vec::new();
            if let Some(mut machine) = state.machine.take() {
                machine.finish(&mut hits);
                if let Some(rule) = self.engine.compiled[index as usize].rule() {
                    state.hits.fire(&self.path, rule, &mut hits);
                }
            }
            if state.hits.hits > 0 || state.hits.undated > 0 {
                rules.push((index, state.hits));
            }
        }
        FileResult {
            path: self.path.to_string(),
            rules,
            sources: self.sources.iter().map(|c| *c != Cover::No).collect(),
            dated,
            lines: self.lines,
            bytes: self.offset,
        }
    }

    /// Scans what ends at an entry boundary and holds the rest.
    fn take(&mut self, mut chunk: &[u8]) {
        // What is held is completed first; the rest of a large chunk is scanned where it lies.
        if !self.held.is_empty() && chunk.len() >= SLAB_BYTES {
            let near = memchr_line_after(chunk, SAMPLE_BYTES);
            self.held.extend_from_slice(&chunk[..near]);
            chunk = &chunk[near..];
            self.release(0);
        }
        while self.held.is_empty() && chunk.len() >= SLAB_BYTES {
            // Slabs that stay in the processor's cache; the last takes what is left.
            let end = if chunk.len() < 2 * SLAB_BYTES {
                chunk.len()
            } else {
                SLAB_BYTES
            };
            let cut = self.boundary(&chunk[..end], 0);
            if cut == 0 {
                break;
            }
            self.slab(&chunk[..cut]);
            self.carried = None;
            chunk = &chunk[cut..];
        }
        self.held.extend_from_slice(chunk);
        if self.held.len() >= SLAB_BYTES {
            self.release(MAX_HELD_BYTES);
        }
    }

    /// Scans the complete entries that are held. An entry longer than `max` is not waited for.
    fn release(&mut self, max: usize) {
        let held = std::mem::take(&mut self.held);
        let mut cut = self.boundary(&held, self.searched);
        self.searched = 0;
        let mut carried = None;
        if cut == 0 && held.len() > max && max > 0 {
            cut = memrchr(b'\n', &held).map_or(held.len(), |n| n + 1);
            carried = self.slab_of(&held[..cut]).entry_at(cut - 1).stamp;
        } else if cut == 0 {
            // The last line may go on, and with it its stamp.
            self.searched = memrchr(b'\n', &held).map_or(0, |n| n + 1);
        }
        self.slab(&held[..cut]);
        if cut > 0 {
            self.carried = carried.map(|stamp| Stamp {
                text: 0,
                end: 0,
                ..stamp
            });
        }
        self.held = held[cut..].to_vec();
    }

    /// A piece of this file that begins where the scan stands.
    fn slab_of<'t>(&self, text: &'t [u8]) -> Slab<'t> {
        Slab {
            text,
            layout: self.layout.unwrap_or_else(Layout::undated),
            clock: self.clock,
            carried: self.carried,
        }
    }

    /// The start of the last entry: what comes before is complete. Where `searched` ends is known to
    /// have no start of an entry before it.
    fn boundary(&self, text: &[u8], searched: usize) -> usize {
        let layout = self.layout.unwrap_or_else(Layout::undated);
        // A last line without its end may go on.
        let Some(mut end) = memrchr(b'\n', text) else {
            return 0;
        };
        if !layout.is_dated() {
            return end + 1;
        }
        loop {
            let start = memrchr(b'\n', &text[..end]).map_or(0, |n| n + 1);
            if start < searched || start == 0 {
                return 0;
            }
            if layout.stamp(&text[start..end], self.clock).is_some() {
                return start;
            }
            end = start - 1;
        }
    }
}

/// A line end at or behind `at`, or the whole chunk.
fn memchr_line_after(chunk: &[u8], at: usize) -> usize {
    let at = at.min(chunk.len());
    memchr(b'\n', &chunk[at..]).map_or(chunk.len(), |n| at + n + 1)
}
