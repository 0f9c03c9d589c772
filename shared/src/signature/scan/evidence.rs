//! Hands matching entries to the rules, and keeps what is shown of the first hits.

use super::super::entry::{Entry, Slab};
use super::super::finding::{Evidence, MAX_TEXT, excerpt};
use super::super::machine::{Event, Hit, Machine};
use super::super::model::{Matcher, Rule};
use super::super::source::{Cover, unit};
use super::slab::Current;
use super::{FileScan, MAX_EVIDENCE, RuleHits};

/// An entry with its place in the file.
pub(super) struct Placed {
    pub entry: Entry,
    pub line: u64,
    pub offset: u64,
}

/// What an entry is to one rule.
pub(super) struct Touched {
    pub rule: u32,
    pub positive: u64,
    pub negative: u64,
    /// The first of the rule's conditions that it meets.
    pub term: u32,
}

impl FileScan<'_> {
    /// Gives an entry to a rule.
    pub(super) fn feed<'t>(
        &mut self,
        slab: &Slab<'t>,
        placed: &Placed,
        current: &mut Current<'t>,
        touched: &Touched,
    ) {
        let engine = self.engine;
        let compiled = &engine.compiled[touched.rule as usize];
        let Some(rule) = compiled.rule() else {
            return;
        };
        if let Cover::Units(source) = self.sources[compiled.source as usize]
            && !unit_of(slab, &placed.entry).is_some_and(|u| engine.sources.is_unit(source, u))
        {
            return;
        }
        let stamp = placed.entry.stamp;
        let time_ms = stamp.map(|s| s.ns.div_euclid(1_000_000));
        let state = self.rules.entry(touched.rule).or_default();
        if rule.needs_time() && stamp.is_none() {
            state.hits.undated += 1;
            return;
        }
        let enough = state.hits.hits >= MAX_EVIDENCE as u64;
        if !rule.needs_time() && enough {
            // A single condition on a noisy log: counted, no longer shown.
            state.hits.count_only(time_ms);
            return;
        }
        let excerpt = if enough || touched.positive == 0 {
            String::new()
        } else {
            let term = &engine.terms[touched.term as usize];
            let at = term.find(current.text(slab)).unwrap_or(0);
            shown(slab, &placed.entry, at)
        };
        let event = Event {
            ns: stamp.map_or(i64::MIN, |s| s.ns),
            order: self.order,
            positive: touched.positive,
            negative: touched.negative,
            line: placed.line,
            offset: placed.offset,
            time_ms,
            text: excerpt,
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
        if !hits.is_empty() {
            state.hits.fire(&self.path, rule, &mut hits);
        }
    }
}

impl RuleHits {
    /// Counts hits and keeps the evidence of the first ones.
    pub(super) fn fire(&mut self, path: &str, rule: &Rule, hits: &mut Vec<Hit>) {
        let evidence = |event: &Event| Evidence {
            file: path.to_owned(),
            line: event.line,
            offset: event.offset,
            text: event.text.clone(),
            time_ms: event.time_ms,
            why: why(rule, event.positive),
        };
        for hit in hits.drain(..) {
            self.hits += 1;
            let times = || hit.iter().filter_map(|e| e.time_ms);
            self.first_ms = self.first_ms.into_iter().chain(times()).min();
            self.last_ms = self.last_ms.into_iter().chain(times()).max();
            let shown = hit.iter().map(|event| evidence(event));
            if self.hits == 1 {
                self.first_lines = hit.iter().map(|e| e.line).collect();
                self.first = shown.take(MAX_EVIDENCE).collect();
            } else if self.first.len() + self.more.len() + hit.len() <= MAX_EVIDENCE {
                self.more.extend(shown);
            }
        }
    }
}

/// The program that wrote an entry of a log that many share.
fn unit_of<'t>(slab: &Slab<'t>, entry: &Entry) -> Option<&'t [u8]> {
    let text = &slab.text[entry.start..entry.end];
    let line = text.split(|b| *b == b'\n').next().unwrap_or(text);
    if line.first() == Some(&b'{') {
        return unit(line);
    }
    unit(line.get(entry.stamp?.end..)?)
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
