//! Scans one slab: candidates from the prefilter, entries round them, conditions on the entries.

use memchr::{memchr, memchr_iter};

use super::super::entry::{Entry, Slab};
use super::super::finding::{Evidence, MAX_TEXT, excerpt};
use super::super::machine::{Event, Hit, Machine};
use super::super::model::{Matcher, Rule};
use super::super::time::{Envelope, Layout, docker};
use super::{FileScan, MAX_EVIDENCE, RuleHits};

/// A condition that an entry meets, and where in the matched text.
struct Met {
    term: u32,
    at: usize,
}

/// An entry with its place in the file.
struct Placed {
    entry: Entry,
    line: u64,
    offset: u64,
}

/// What an entry is to one rule.
struct Touched {
    rule: u32,
    positive: u64,
    negative: u64,
    at: usize,
}

impl FileScan<'_> {
    /// Scans complete entries and moves on behind them.
    pub(super) fn slab(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if self.any {
            let layout = self.layout.unwrap_or_else(Layout::undated);
            let slab = Slab {
                text,
                layout,
                clock: self.clock,
            };
            let every = self.engine.always.iter().any(|term| self.is_used(*term));
            match layout.envelope {
                Envelope::Docker => self.scan_docker(text, every),
                _ if every => self.scan_every(&slab),
                _ => self.scan_candidates(&slab),
            }
        }
        self.lines += newlines(text) + u64::from(!text.ends_with(b"\n"));
        self.offset += text.len() as u64;
    }

    /// The usual way: only entries in which the prefilter saw something are looked at.
    fn scan_candidates(&mut self, slab: &Slab<'_>) {
        let engine = self.engine;
        let mut current: Option<Entry> = None;
        let mut met: Vec<Met> = Vec::new();
        let mut counted = (0, 0);
        let mut candidates = std::mem::take(&mut self.candidates);
        engine.prefilter.scan(slab.text, &mut candidates);
        for &(at, literal) in &candidates {
            let at = at as usize;
            if current.is_none_or(|e| at >= e.end || at < e.start) {
                if let Some(entry) = current.take() {
                    self.close_counting(slab, entry, &mut met, &mut counted);
                }
                current = Some(slab.entry_at(at));
                self.entries += 1;
            }
            if let Some(entry) = &current {
                for &term in &engine.literal_terms[literal as usize] {
                    self.decide(slab, entry, term, &mut met);
                }
            }
        }
        self.candidates = candidates;
        if let Some(entry) = current {
            self.close_counting(slab, entry, &mut met, &mut counted);
        }
    }

    /// Closes an entry, counting the lines since the last one closed: `counted` is (byte, lines).
    fn close_counting(
        &mut self,
        slab: &Slab<'_>,
        entry: Entry,
        met: &mut Vec<Met>,
        counted: &mut (usize, u64),
    ) {
        if met.is_empty() {
            return;
        }
        counted.1 += newlines(&slab.text[counted.0..entry.start]);
        counted.0 = entry.start;
        let placed = Placed {
            entry,
            line: self.lines + counted.1 + 1,
            offset: self.offset + entry.start as u64,
        };
        self.close(slab, &placed, met);
    }

    /// The slow way, for conditions without a literal: every entry is looked at.
    fn scan_every(&mut self, slab: &Slab<'_>) {
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
        self.scan_each(slab, entries, true);
    }

    /// Looks at entries one by one; with `every`, also at those the prefilter saw nothing in.
    fn scan_each(&mut self, slab: &Slab<'_>, entries: impl Iterator<Item = Placed>, every: bool) {
        let engine = self.engine;
        let mut candidates = std::mem::take(&mut self.candidates);
        engine.prefilter.scan(slab.text, &mut candidates);
        let mut hot = candidates.iter().copied().peekable();
        let mut met: Vec<Met> = Vec::new();
        for placed in entries {
            self.entries += 1;
            while let Some((_, literal)) = hot.next_if(|h| h.0 as usize <= placed.entry.end) {
                for &term in &engine.literal_terms[literal as usize] {
                    self.decide(slab, &placed.entry, term, &mut met);
                }
            }
            for &term in engine.always.iter().filter(|_| every) {
                self.decide(slab, &placed.entry, term, &mut met);
            }
            self.close(slab, &placed, &mut met);
        }
        self.candidates = candidates;
    }

    /// Docker's log is JSON round the text: rules see the text.
    fn scan_docker(&mut self, text: &[u8], every: bool) {
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
        };
        self.scan_each(&slab, entries.into_iter(), every);
    }

    fn is_used(&self, term: u32) -> bool {
        self.engine.uses[term as usize]
            .iter()
            .any(|used| self.active[used.rule as usize])
    }

    /// Decides a condition for an entry, once.
    fn decide(&mut self, slab: &Slab<'_>, entry: &Entry, term: u32, met: &mut Vec<Met>) {
        let decided = &mut self.decided[term as usize];
        if *decided == self.entries {
            return;
        }
        *decided = self.entries;
        if !self.is_used(term) {
            return;
        }
        let text = slab.matched_text(entry);
        if let Some(at) = self.engine.terms[term as usize].find(&text) {
            met.push(Met { term, at });
        }
    }

    /// Hands an entry with what it meets to the rules.
    fn close(&mut self, slab: &Slab<'_>, placed: &Placed, met: &mut Vec<Met>) {
        if met.is_empty() {
            return;
        }
        self.order += 1;
        let mut touched: Vec<Touched> = Vec::new();
        for one in met.drain(..) {
            for used in &self.engine.uses[one.term as usize] {
                if !self.active[used.rule as usize] {
                    continue;
                }
                let bit = 1 << used.bit;
                let (positive, negative) = if used.negative { (0, bit) } else { (bit, 0) };
                match touched.iter_mut().find(|t| t.rule == used.rule) {
                    Some(t) => {
                        t.positive |= positive;
                        t.negative |= negative;
                    }
                    None => touched.push(Touched {
                        rule: used.rule,
                        positive,
                        negative,
                        at: one.at,
                    }),
                }
            }
        }
        for touched in touched {
            self.feed(slab, placed, &touched);
        }
    }

    fn feed(&mut self, slab: &Slab<'_>, placed: &Placed, touched: &Touched) {
        let index = touched.rule as usize;
        let Some(rule) = &self.engine.compiled[index].rule else {
            return;
        };
        let stamp = placed.entry.stamp;
        let time_ms = stamp.map(|s| s.ns.div_euclid(1_000_000));
        let state = self.rules.entry(touched.rule).or_default();
        if rule.needs_time() && stamp.is_none() {
            state.hits.undated += 1;
            return;
        }
        if !rule.needs_time() && state.hits.hits >= MAX_EVIDENCE as u64 {
            // A single condition on a noisy log: counted, no longer shown.
            state.hits.count_only(time_ms);
            return;
        }
        let event = Event {
            ns: stamp.map_or(i64::MIN, |s| s.ns),
            order: self.order,
            positive: touched.positive,
            negative: touched.negative,
            evidence: Evidence {
                file: self.path.to_string(),
                line: placed.line,
                offset: placed.offset,
                text: shown(slab, &placed.entry, touched.at),
                time_ms,
                why: why(rule, touched.positive),
            },
        };
        let mut hits = Vec::new();
        if rule.needs_time() {
            let machine = state
                .machine
                .get_or_insert_with(|| Box::new(Machine::new(rule)));
            machine.push(event, &mut hits);
        } else {
            hits.push(vec![event.into()]);
        }
        state.hits.fire(&mut hits);
    }
}

impl RuleHits {
    /// Counts hits and keeps the evidence of the first ones.
    pub(super) fn fire(&mut self, hits: &mut Vec<Hit>) {
        for hit in hits.drain(..) {
            self.hits += 1;
            let times = || hit.iter().filter_map(|e| e.evidence.time_ms);
            self.first_ms = self.first_ms.into_iter().chain(times()).min();
            self.last_ms = self.last_ms.into_iter().chain(times()).max();
            if self.hits == 1 {
                self.first_lines = hit.iter().map(|e| e.evidence.line).collect();
                self.first = hit
                    .iter()
                    .take(MAX_EVIDENCE)
                    .map(|e| e.evidence.clone())
                    .collect();
            } else if self.first.len() + self.more.len() + hit.len() <= MAX_EVIDENCE {
                self.more.extend(hit.iter().map(|e| e.evidence.clone()));
            }
        }
    }
}

/// Line ends in a text.
fn newlines(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

/// The first line of the entry and, when the match is further down, the line it is on.
fn shown(slab: &Slab<'_>, entry: &Entry, at: usize) -> String {
    let text = &slab.text[entry.start..entry.end];
    let mut lines = text.split(|b| *b == b'\n');
    let first = lines.next().unwrap_or_default();
    // `at` counts in the matched text, which has neither the envelope nor line ends.
    let skip = entry.stamp.map_or(0, |s| s.text);
    let mut before = first.len().saturating_sub(skip);
    if at < before {
        let from = if first.len() > MAX_TEXT {
            (at + skip).saturating_sub(MAX_TEXT / 2)
        } else {
            0
        };
        return excerpt(&first[from..], MAX_TEXT);
    }
    for line in lines {
        before += line.len();
        if at < before {
            let half = MAX_TEXT / 2;
            return format!("{}\n{}", excerpt(first, half), excerpt(line, half - 1));
        }
    }
    excerpt(first, MAX_TEXT)
}

/// Names the conditions that an entry meets.
fn why(rule: &Rule, positive: u64) -> String {
    let named = rule
        .positives
        .iter()
        .enumerate()
        .filter(|(bit, _)| positive & (1 << bit) != 0);
    let texts: Vec<String> = named
        .map(|(_, positive)| match &positive.matcher {
            Matcher::Literal(text) => format!("contains {text:?}"),
            Matcher::Regex(expression) => format!("matches /{expression}/"),
            Matcher::Jq(program) => format!("jq {program}"),
        })
        .collect();
    texts.join("; ")
}
