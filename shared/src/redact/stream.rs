//! The streaming engine: a sliding window that runs scanners at anchors and copies the rest.

use crate::redact::ahead::Ahead;
use crate::redact::context::{Context, Lines};
use crate::redact::edit::{Edit, Found, Put};
use crate::redact::encoding::Decoder;
use crate::redact::filter::{Anchor, Hit};
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::report::MAX_PLACES;
use crate::redact::scan::{self, Continue};
use crate::redact::signs::Signs;
use crate::redact::standin::Cache;
use crate::redact::window::{AHEAD, BACK, LineEnd, View};
use crate::redact::{FileReport, Level, Place, RedactError};
use std::cell::Cell;
use std::sync::Arc;

/// Bytes gathered beyond the look-ahead before the window is worked on.
const BATCH: usize = 256 * 1024;
/// Longest text that a customer's pattern may match.
const OWN_LONGEST: usize = 4096;
/// A literal may begin this much before the gram that found it.
const SLACK: usize = 64;

/// One file on its way through the redactor.
///
/// Give it the bytes with [`Stream::push`] and end with [`Stream::finish`]. An error means that
/// the file must be withheld.
pub struct Stream {
    decoder: Option<Decoder>,
    engine: Engine,
    rules: Arc<Rules>,
}

impl Stream {
    pub(crate) fn new(rules: Arc<Rules>, context: Context) -> Self {
        let engine = Engine::new(&rules, context);
        Self {
            decoder: Some(Decoder::new()),
            engine,
            rules,
        }
    }

    /// Takes the next bytes and appends what is settled to `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), RedactError> {
        if self.rules.level == Level::Off {
            out.extend_from_slice(chunk);
            return Ok(());
        }
        let mut decoder = self.decoder.take().ok_or(RedactError::Failed)?;
        decoder.push(chunk, &self.rules, &mut self.engine, out)?;
        self.decoder = Some(decoder);
        Ok(())
    }

    /// Ends the file: appends the rest to `out` and gives the counts.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<FileReport, RedactError> {
        if self.rules.level == Level::Off {
            return Ok(FileReport::default());
        }
        let mut decoder = self.decoder.take().ok_or(RedactError::Failed)?;
        decoder.finish(&self.rules, &mut self.engine, out)?;
        self.rules.map.merge(&mut self.engine.cache);
        Ok(std::mem::take(&mut self.engine.report))
    }
}

/// The window over decoded bytes.
pub(crate) struct Engine {
    context: Context,
    buf: Vec<u8>,
    /// Bytes before this have been written.
    flushed: usize,
    /// Next position to look at.
    scan: usize,
    /// Single bytes before this have been judged.
    quiet: usize,
    /// Bytes before this belong to a decision that has been made.
    settled: usize,
    grams: Ahead,
    bytes: Signs,
    own: Ahead,
    line_end: Cell<LineEnd>,
    more: Option<(usize, Continue)>,
    found: Found,
    /// Edits that are decided and not yet written, in order; anchors before them are still looked at.
    pending: Vec<Edit>,
    /// Line number at `counted`.
    line: u64,
    counted: usize,
    counts: Vec<u64>,
    cache: Cache,
    report: FileReport,
}

impl Engine {
    pub(crate) fn new(rules: &Rules, context: Context) -> Self {
        let counts = vec![0; rules.names.len()];
        let lines = context
            .lines
            .filter(|l| *l != Lines::ProcNet || rules.level == Level::Strict);
        let more = lines.map(|kind| (0, Continue::Lines(kind)));
        Self {
            context,
            buf: Vec::new(),
            flushed: 0,
            scan: 0,
            settled: 0,
            quiet: 0,
            grams: Ahead::default(),
            bytes: Signs::default(),
            own: Ahead::default(),
            line_end: Cell::default(),
            more,
            found: Found::default(),
            pending: Vec::new(),
            line: 1,
            counted: 0,
            counts,
            cache: Cache::default(),
            report: FileReport::default(),
        }
    }

    /// Takes decoded bytes.
    pub(crate) fn feed(&mut self, rules: &Rules, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let room = (BATCH + AHEAD + 2 * BACK)
                .saturating_sub(self.buf.len())
                .max(1);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.buf.extend_from_slice(now);
            bytes = rest;
            if self.buf.len() >= BATCH + AHEAD + 2 * BACK {
                self.run(rules, false, out);
            }
        }
    }

    /// Works on what is left and closes the counts.
    pub(crate) fn end(&mut self, rules: &Rules, out: &mut Vec<u8>) {
        self.run(rules, true, out);
        for (n, count) in self.counts.iter().enumerate().filter(|(_, c)| **c > 0) {
            self.report
                .by_rule
                .insert(rules.names[n].id.clone(), *count);
            self.report.total += *count;
        }
    }

    fn run(&mut self, rules: &Rules, eof: bool, out: &mut Vec<u8>) {
        let limit = if eof {
            self.buf.len()
        } else {
            self.buf.len().saturating_sub(AHEAD)
        };
        loop {
            let stop = self.more.as_ref().map_or(limit, |m| m.0.min(limit));
            if let Some(at) = self.next_anchor(rules, stop, limit) {
                self.flush(rules, at, out);
                if at >= self.scan {
                    self.anchor(rules, at, eof);
                }
                continue;
            }
            self.scan = self.scan.max(stop);
            self.flush(rules, stop, out);
            match self.more.take() {
                Some((at, what)) if at < limit => self.resume(rules, at, &what, eof),
                other => {
                    self.more = other;
                    break;
                }
            }
        }
        if eof {
            self.flush(rules, limit, out);
        }
        let upto = if eof {
            limit
        } else {
            self.flushed.max(limit.saturating_sub(BACK + SLACK))
        };
        self.copy(upto, out);
        self.shift();
    }

    fn next_anchor(&mut self, rules: &Rules, stop: usize, limit: usize) -> Option<usize> {
        let buf = &self.buf;
        let from = self.scan;
        let gram = self
            .grams
            .next(from, limit, |a, b| rules.filter.next_gram(buf, a, b));
        let strict = rules.level == Level::Strict;
        let byte = self.bytes.next(buf, from.max(self.quiet), limit, strict);
        let own = match &rules.own.patterns {
            None => None,
            Some(re) => self.own.next(from, limit, |a, b| {
                let upto = buf.len().min(b + OWN_LONGEST);
                re.find_at(&buf[..upto], a)
                    .map(|m| m.start())
                    .filter(|at| *at < b)
            }),
        };
        let at = [gram, byte, own].into_iter().flatten().min()?;
        (at < stop).then_some(at)
    }

    /// Runs the scanners of everything that stands at `at`.
    fn anchor(&mut self, rules: &Rules, at: usize, eof: bool) {
        self.scan = at + 1;
        self.found.clear();
        if let Some(re) = rules
            .own
            .patterns
            .as_ref()
            .filter(|_| self.own.at == Some(at))
        {
            let upto = self.buf.len().min(at + OWN_LONGEST);
            if let Some(m) = re
                .find_at(&self.buf[..upto], at)
                .filter(|m| m.start() == at)
            {
                self.found.mark(at, m.end(), rules.own.pattern_rule);
            }
        }
        if self.bytes.is_at(at) && at >= self.settled {
            self.ask(
                rules,
                Hit {
                    at,
                    len: 1,
                    tag: Anchor::Byte(self.buf[at]),
                },
                eof,
            );
        }
        if self.grams.at == Some(at) {
            let mut skip = 0;
            while let Some((next, hit)) = rules.filter.confirm(&self.buf, at, skip) {
                skip = next;
                if hit.at >= self.settled {
                    self.ask(rules, hit, eof);
                }
            }
        }
        self.apply();
    }

    fn ask(&mut self, rules: &Rules, hit: Hit, eof: bool) {
        let view = View::new(&self.buf, hit.at, eof, &self.line_end);
        scan::look(rules, &self.context, &view, hit, &mut self.found);
    }

    fn resume(&mut self, rules: &Rules, at: usize, what: &Continue, eof: bool) {
        self.found.clear();
        let view = View::new(&self.buf, at, eof, &self.line_end);
        scan::resume(rules, &self.context, &view, at, what, &mut self.found);
        self.apply();
    }

    /// Takes over what the scanners have found. What was decided first stays.
    fn apply(&mut self) {
        if self.found.is_empty() {
            return;
        }
        for edit in self.found.edits.drain(..) {
            let at = self.pending.partition_point(|p| p.start < edit.start);
            let behind = at > 0 && self.pending[at - 1].end > edit.start;
            let ahead = self.pending.get(at).is_some_and(|p| p.start < edit.end);
            if edit.end > edit.start && !behind && !ahead {
                self.pending.insert(at, edit);
            }
        }
        self.settled = self.settled.max(self.found.settled);
        self.quiet = self.quiet.max(self.found.quiet);
        self.scan = self.scan.max(self.settled);
        if let Some(more) = self.found.more.take() {
            self.more = Some(more);
        }
    }

    /// Writes the edits that begin at `upto` or before.
    fn flush(&mut self, rules: &Rules, upto: usize, out: &mut Vec<u8>) {
        let ready = self.pending.partition_point(|e| e.start <= upto);
        if ready == 0 {
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        for mut edit in pending.drain(..ready) {
            edit.start = edit.start.max(self.flushed);
            if edit.end > edit.start {
                self.write(rules, &edit, out);
            }
            self.settled = self.settled.max(edit.end);
            self.scan = self.scan.max(edit.end);
        }
        self.pending = pending;
    }

    fn write(&mut self, rules: &Rules, edit: &Edit, out: &mut Vec<u8>) {
        self.copy(edit.start, out);
        let value = &self.buf[edit.start..edit.end];
        let name = &rules.names[edit.rule as usize];
        match &edit.put {
            Put::Drop => {}
            Put::Text(text) => {
                out.extend_from_slice(text.as_bytes());
                self.cache.note(&rules.keyed, value, text);
            }
            Put::Again(text) => out.extend_from_slice(text.as_bytes()),
            Put::Mark | Put::QuotedMark => {
                let quote: &[u8] = if edit.put == Put::QuotedMark {
                    b"\""
                } else {
                    b""
                };
                out.extend_from_slice(quote);
                out.extend_from_slice(MARK.as_bytes());
                out.extend_from_slice(name.mark.as_bytes());
                out.push(b'-');
                out.extend_from_slice(rules.keyed.fingerprint(value).as_bytes());
                out.extend_from_slice(quote);
            }
        }
        self.flushed = edit.end;
        if edit.put != Put::Drop {
            self.count(rules, edit);
        }
    }

    fn count(&mut self, rules: &Rules, edit: &Edit) {
        self.counts[edit.rule as usize] += 1;
        if self.report.places.len() < MAX_PLACES {
            self.count_lines(edit.start);
            let rule = rules.names[edit.rule as usize].id.clone();
            self.report.places.push(Place {
                line: self.line,
                rule,
            });
        }
    }

    fn count_lines(&mut self, upto: usize) {
        if upto > self.counted {
            let part = &self.buf[self.counted..upto];
            self.line += memchr::memchr_iter(b'\n', part).count() as u64;
            self.counted = upto;
        }
    }

    fn copy(&mut self, upto: usize, out: &mut Vec<u8>) {
        if upto > self.flushed {
            out.extend_from_slice(&self.buf[self.flushed..upto]);
            self.flushed = upto;
        }
    }

    /// Forgets what no scanner may look at any more.
    fn shift(&mut self) {
        let next = self.more.as_ref().map_or(self.scan, |m| m.0.min(self.scan));
        let by = self.flushed.min(next.saturating_sub(BACK + SLACK));
        if by == 0 {
            return;
        }
        self.count_lines(by);
        self.buf.drain(..by);
        self.flushed -= by;
        self.scan -= by;
        self.settled = self.settled.saturating_sub(by);
        self.quiet = self.quiet.saturating_sub(by);
        self.counted -= by;
        self.grams.shift(by);
        self.bytes.shift(by);
        self.own.shift(by);
        self.line_end.set(self.line_end.get().shift(by));
        if let Some(more) = &mut self.more {
            more.0 -= by;
        }
        for edit in &mut self.pending {
            edit.start -= by;
            edit.end -= by;
        }
    }
}
