//! Scans one slab: candidates from the prefilter, entries round them, conditions on the entries.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::super::entry::{Entry, Slab};
use super::super::plan::Plan;
use super::super::time::{Envelope, Layout, docker};
use super::FileScan;
use super::evidence::{Placed, Touched};

/// The entry that is looked at, and what it meets.
pub(super) struct Current<'t> {
    entry: Entry,
    /// What rules match, once it was needed.
    text: Option<Cow<'t, [u8]>>,
    met: Vec<u32>,
}

impl<'t> Current<'t> {
    fn new(entry: Entry) -> Self {
        Self {
            entry,
            text: None,
            met: Vec::new(),
        }
    }

    pub(super) fn text(&mut self, slab: &Slab<'t>) -> &[u8] {
        self.text
            .get_or_insert_with(|| slab.matched_text(&self.entry))
    }
}

impl FileScan<'_> {
    /// Scans complete entries and moves on behind them.
    pub(super) fn slab(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        // Bytes whose lines are counted already, and their lines.
        let mut counted = (0, 0);
        if self.any {
            let plan = self.engine.plan();
            let slab = self.slab_of(text);
            let every = self.engine.always.iter().any(|term| self.is_used(*term));
            match slab.layout.envelope {
                Envelope::Docker => self.scan_docker(&plan, text, every),
                _ if every => self.scan_every(&plan, &slab),
                _ => counted = self.scan_candidates(&plan, &slab),
            }
            self.engine.learn(text, self.probes, self.candidates.len());
        }
        self.lines += counted.1 + newlines(&text[counted.0..]);
        self.open_line = !text.ends_with(b"\n");
        self.offset += text.len() as u64;
    }

    /// The usual way: only entries in which the prefilter saw something are looked at.
    fn scan_candidates(&mut self, plan: &Plan, slab: &Slab<'_>) -> (usize, u64) {
        let mut current: Option<Current<'_>> = None;
        let mut counted = (0, 0);
        let mut candidates = std::mem::take(&mut self.candidates);
        self.probes = plan.prefilter.scan(slab.text, &mut candidates);
        for &(at, literal) in &candidates {
            let at = at as usize;
            if current
                .as_ref()
                .is_none_or(|c| at >= c.entry.end || at < c.entry.start)
            {
                if let Some(last) = current.take() {
                    self.close_counting(slab, last, &mut counted);
                }
                current = Some(Current::new(slab.entry_at(at)));
                self.entries += 1;
            }
            if let Some(current) = &mut current {
                for &term in plan.terms_of(literal) {
                    self.decide(slab, current, term, Some(at));
                }
            }
        }
        self.candidates = candidates;
        if let Some(last) = current {
            self.close_counting(slab, last, &mut counted);
        }
        counted
    }

    /// Closes an entry, counting the lines since the last one closed: `counted` is (byte, lines).
    fn close_counting<'t>(
        &mut self,
        slab: &Slab<'t>,
        current: Current<'t>,
        counted: &mut (usize, u64),
    ) {
        if current.met.is_empty() {
            return;
        }
        let start = current.entry.start;
        counted.1 += newlines(&slab.text[counted.0..start]);
        counted.0 = start;
        let placed = Placed {
            entry: current.entry,
            line: self.lines + counted.1 + 1,
            offset: self.offset + start as u64,
        };
        self.close(slab, &placed, current);
    }

    /// The slow way, for conditions without a literal: every entry is looked at.
    fn scan_every(&mut self, plan: &Plan, slab: &Slab<'_>) {
        let (first_line, first_offset) = (self.lines + 1, self.offset);
        let mut at = 0;
        let mut line = first_line;
        let entries = std::iter::from_fn(|| {
            let entry = slab.entry_from(at)?;
            let placed = Placed {
                entry,
                line,
                offset: first_offset + entry.start as u64,
            };
            line += newlines(&slab.text[entry.start..entry.end]) + 1;
            at = entry.end + 1;
            Some(placed)
        });
        self.scan_each(plan, slab, entries, true);
    }

    /// Looks at entries one by one; with `every`, also at those the prefilter saw nothing in.
    fn scan_each(
        &mut self,
        plan: &Plan,
        slab: &Slab<'_>,
        entries: impl Iterator<Item = Placed>,
        every: bool,
    ) {
        let engine = self.engine;
        let mut candidates = std::mem::take(&mut self.candidates);
        self.probes = plan.prefilter.scan(slab.text, &mut candidates);
        let mut hot = candidates.iter().copied().peekable();
        for placed in entries {
            self.entries += 1;
            let mut current = Current::new(placed.entry);
            while let Some((at, literal)) = hot.next_if(|h| h.0 as usize <= placed.entry.end) {
                for &term in plan.terms_of(literal) {
                    self.decide(slab, &mut current, term, Some(at as usize));
                }
            }
            for &term in engine.always.iter().filter(|_| every) {
                self.decide(slab, &mut current, term, None);
            }
            if !current.met.is_empty() {
                self.close(slab, &placed, current);
            }
        }
        self.candidates = candidates;
    }

    /// Docker's log is JSON round the text: rules see the text.
    fn scan_docker(&mut self, plan: &Plan, text: &[u8], every: bool) {
        let layout = self.layout.unwrap_or_else(Layout::undated);
        let mut unwrapped: Vec<u8> = Vec::with_capacity(text.len());
        let mut entries: Vec<Placed> = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let end = memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n);
            let line = &text[start..end];
            let stamp = layout.stamp(line, self.clock);
            let begin = unwrapped.len();
            match docker(line) {
                // One line stays one line, also where the text has line ends within.
                Some(docker) => {
                    let log = docker.log.trim_end_matches(['\n', '\r']);
                    unwrapped.extend(log.bytes().map(|b| if b == b'\n' { b' ' } else { b }));
                }
                None => unwrapped.extend_from_slice(line),
            }
            let entry = Entry {
                start: begin,
                end: unwrapped.len(),
                stamp,
                folded: false,
            };
            let line = self.lines + entries.len() as u64 + 1;
            entries.push(Placed {
                entry,
                line,
                offset: self.offset + start as u64,
            });
            unwrapped.push(b'\n');
            start = end + 1;
        }
        let slab = Slab {
            text: &unwrapped,
            layout: Layout::undated(),
            clock: self.clock,
            carried: None,
        };
        self.scan_each(plan, &slab, entries.into_iter(), every);
    }

    fn is_used(&self, term: u32) -> bool {
        self.engine.uses[term as usize]
            .iter()
            .any(|used| self.active[used.rule as usize])
    }

    /// Decides a condition for an entry, once; `at` is where its required literal was seen.
    fn decide<'t>(
        &mut self,
        slab: &Slab<'t>,
        current: &mut Current<'t>,
        term: u32,
        at: Option<usize>,
    ) {
        if self.decided[term as usize] == self.entries || !self.is_used(term) {
            return;
        }
        let condition = &self.engine.terms[term as usize];
        let envelope = current.entry.start + current.entry.stamp.map_or(0, |s| s.text);
        let seen = condition.is_its_literal && at.is_some_and(|at| at >= envelope);
        // A literal in the envelope decides nothing: it may occur in the text as well.
        self.decided[term as usize] = self.entries;
        let Entry {
            start, end, folded, ..
        } = current.entry;
        let within = || !folded || condition.is_within(&slab.text[start..end]);
        if seen || (within() && condition.is_met(current.text(slab))) {
            current.met.push(term);
        }
    }

    /// Hands an entry with what it meets to the rules.
    fn close<'t>(&mut self, slab: &Slab<'t>, placed: &Placed, mut current: Current<'t>) {
        self.order += 1;
        let mut touched: Vec<Touched> = Vec::new();
        for term in std::mem::take(&mut current.met) {
            for used in &self.engine.uses[term as usize] {
                if !self.active[used.rule as usize] {
                    continue;
                }
                let bit = 1 << used.bit;
                let (positive, negative) = if used.negative { (0, bit) } else { (bit, 0) };
                match touched.iter_mut().find(|t| t.rule == used.rule) {
                    Some(t) => {
                        if positive > 0
                            && (t.positive == 0
                                || positive < t.positive & t.positive.wrapping_neg())
                        {
                            t.term = term;
                        }
                        t.positive |= positive;
                        t.negative |= negative;
                    }
                    None => touched.push(Touched {
                        rule: used.rule,
                        positive,
                        negative,
                        term,
                    }),
                }
            }
        }
        for touched in touched {
            self.feed(slab, placed, &mut current, &touched);
        }
    }
}

/// Line ends in a text.
fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}
