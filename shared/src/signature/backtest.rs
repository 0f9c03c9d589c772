//! What signatures would have found in bundles that are there already, counted over all of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::finding::Report;
use super::parse::Catalogue;

/// Places kept of one signature.
const MAX_PLACES: usize = 20;

/// Where a signature fired first in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The bundle, as the caller named it.
    pub bundle: String,
    /// File of the first evidence; for a fact the item it was read from.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// The evidence.
    pub text: String,
}

/// What one signature came to over all bundles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// The signature's public id.
    pub id: String,
    /// Bundles looked at.
    pub bundles: u64,
    /// Bundles in which it fired.
    pub fired: u64,
    /// Bundles in which it could not be evaluated.
    pub not_evaluated: u64,
    /// Hits in all bundles.
    pub hits: u64,
    /// Where it fired, a few.
    pub places: Vec<Place>,
    /// Why it could not be evaluated, and how often.
    pub reasons: BTreeMap<String, u64>,
}

/// Counts reports.
#[derive(Debug, Default)]
pub struct Backtest {
    tallies: BTreeMap<String, Tally>,
}

impl Backtest {
    /// Begins for the signatures of a catalogue that are run.
    pub fn new(catalogue: &Catalogue) -> Self {
        let active = catalogue.signatures.iter().filter(|s| s.is_active());
        let tally = |id: &String| Tally {
            id: id.clone(),
            ..Tally::default()
        };
        Self {
            tallies: active.map(|s| (s.id.clone(), tally(&s.id))).collect(),
        }
    }

    /// Takes the report on one bundle.
    pub fn add(&mut self, bundle: &str, report: &Report) {
        for tally in self.tallies.values_mut() {
            tally.bundles += 1;
        }
        for finding in &report.findings {
            let Some(tally) = self.tallies.get_mut(&finding.id) else {
                continue;
            };
            tally.fired += 1;
            tally.hits += finding.hits;
            let first = finding.evidence.first();
            if let Some(evidence) = first.filter(|_| tally.places.len() < MAX_PLACES) {
                tally.places.push(Place {
                    bundle: bundle.to_owned(),
                    file: evidence.file.clone(),
                    line: evidence.line,
                    text: evidence.text.clone(),
                });
            }
        }
        for skipped in &report.not_evaluated {
            if let Some(tally) = self.tallies.get_mut(&skipped.id) {
                tally.not_evaluated += 1;
                *tally.reasons.entry(skipped.reason.clone()).or_default() += 1;
            }
        }
    }

    /// The tallies, those that fired in most bundles first.
    pub fn finish(self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.tallies.into_values().collect();
        tallies.sort_by(|a, b| b.fired.cmp(&a.fired).then_with(|| a.id.cmp(&b.id)));
        tallies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{Engine, RunOptions, SourceMap};

    #[test]
    fn counts_where_signatures_fire_and_where_they_cannot_tell() {
        let rule = |id: &str, rule: &str| {
            (
                format!("{id}.yaml"),
                format!("rules:\n  - cre: {{id: {id}}}\n    rule: {rule}\n"),
            )
        };
        let files = [
            rule("SIG-A", "{set: {event: {source: x}, match: [AAA]}}"),
            rule(
                "SIG-B",
                "{set: {event: {source: x}, window: 5s, match: [AAA, BBB]}}",
            ),
        ];
        let catalogue = Catalogue::load(files).unwrap();
        let engine = Engine::new(&catalogue, &SourceMap::default()).unwrap();
        let options = RunOptions {
            ignore_source: true,
            ..RunOptions::default()
        };
        let mut backtest = Backtest::new(&catalogue);
        for (bundle, log) in [("one", "AAA\nAAA\n"), ("two", "nothing\n")] {
            let mut run = engine.run(options);
            let mut scan = run.file("x.log");
            scan.push(log.as_bytes());
            run.done(scan.finish());
            backtest.add(bundle, &run.finish(None));
        }
        let tallies = backtest.finish();
        let [a, b] = &tallies[..] else {
            panic!("{tallies:?}")
        };
        assert_eq!(
            (a.id.as_str(), a.bundles, a.fired, a.hits),
            ("SIG-A", 2, 1, 2)
        );
        assert_eq!((a.places[0].bundle.as_str(), a.places[0].line), ("one", 1));
        assert_eq!((b.fired, b.not_evaluated), (0, 2));
    }
}
