//! Unknown errors: error lines that no signature explains, grouped by what they have in common.
//!
//! In the manner of Drain: lines are masked, then grouped by the number of their words and the first
//! of them, and within such a leaf joined to the first group that is similar enough. Memory and time
//! are bounded whatever the logs hold.

mod draft;
mod errors;
mod mask;

use std::collections::{HashMap, HashSet};

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr, memchr_iter, memrchr};
use serde::{Deserialize, Serialize};

use super::finding::{MAX_TEXT, Report, excerpt};
pub use draft::{DraftError, draft};
use errors::{QUIET, WORDS, is_log};
use mask::{HOLE, mask};

/// Groups kept of a bundle.
const MAX_GROUPS: usize = 2_000;
/// Groups of one leaf that a line is compared with.
const MAX_LEAF: usize = 64;
/// Groups that are reported.
const MAX_REPORTED: usize = 200;
/// A line that is longer is not looked at: it is data.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Bytes of a line that are grouped.
const MAX_MASKED_BYTES: usize = 500;
/// Error lines of one file that are all looked at; of those behind, one in [`SAMPLE`].
const MAX_LINES: u64 = 50_000;
const SAMPLE: u64 = 32;
/// Of ten words, this many must be the same for a line to belong to a group.
const ALIKE_OF_TEN: usize = 7;

/// Error lines that look alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What they have in common; `<*>` stands for what differs.
    pub text: String,
    /// How many there are.
    pub count: u64,
    /// File of the first one.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// The first one, at most 500 bytes.
    pub example: String,
}

impl Template {
    /// What templates of one kind share: the number of words, and the first.
    pub fn shape(text: &str) -> String {
        let mut words = text.split(' ');
        let first = words.next().unwrap_or_default();
        format!("{} {first}", 1 + words.count())
    }

    /// Whether two templates' texts mean the same lines: each word is equal, or open in one of them,
    /// and enough are equal.
    pub fn means_same(one: &str, other: &str) -> bool {
        let (one, other): (Vec<_>, Vec<_>) = (one.split(' ').collect(), other.split(' ').collect());
        let fits = |(a, b): (&&str, &&str)| a == b || *a == HOLE || *b == HOLE;
        one.len() == other.len()
            && one.iter().zip(&other).all(fits)
            && one.iter().zip(&other).filter(|(a, b)| a == b).count() * 10 >= one.len() * 6
    }
}

struct Group {
    words: Vec<String>,
    count: u64,
    file: String,
    line: u64,
    example: String,
}

/// Groups the error lines of a bundle's logs.
pub struct Miner {
    words: Option<AhoCorasick>,
    groups: Vec<Group>,
    leaves: HashMap<(usize, String), Vec<usize>>,
    file: Option<Reading>,
}

/// The file being read.
struct Reading {
    path: String,
    /// The last line, until its end comes.
    held: Vec<u8>,
    /// Lines before `held`.
    lines: u64,
    /// Error lines seen.
    seen: u64,
}

impl Default for Miner {
    fn default() -> Self {
        Self {
            // The words are ours; that they compile is what the tests show.
            // Leftmost, since only that kind of search has vector instructions for so few words.
            words: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .build(WORDS)
                .ok(),
            groups: Vec::new(),
            leaves: HashMap::new(),
            file: None,
        }
    }
}

impl Miner {
    /// Begins a file. One that is no log is passed over.
    pub fn begin(&mut self, path: &str) {
        self.file = is_log(path).then(|| Reading {
            path: path.to_owned(),
            held: Vec::new(),
            lines: 0,
            seen: 0,
        });
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, data: &[u8]) {
        let Some(mut file) = self.file.take() else {
            return;
        };
        if file.lines == 0
            && file.held.is_empty()
            && memchr(0, &data[..data.len().min(8192)]).is_some()
        {
            // Binary.
            return;
        }
        let end = memrchr(b'\n', data).map_or(0, |at| at + 1);
        let mut rest = &data[..end];
        if end > 0 && !file.held.is_empty() {
            let first = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let mut line = std::mem::take(&mut file.held);
            line.extend_from_slice(&rest[..first]);
            self.scan(&mut file, &line);
            rest = &rest[first..];
        }
        self.scan(&mut file, rest);
        let room = (MAX_LINE_BYTES + 1).saturating_sub(file.held.len());
        file.held.extend(data[end..].iter().take(room));
        self.file = Some(file);
    }

    /// Ends the file.
    pub fn end(&mut self) {
        if let Some(mut file) = self.file.take() {
            let last = std::mem::take(&mut file.held);
            self.scan(&mut file, &last);
        }
    }

    /// Looks at complete lines.
    fn scan(&mut self, file: &mut Reading, text: &[u8]) {
        let Some(words) = self.words.clone() else {
            return;
        };
        let (mut at, mut counted) = (0, 0);
        while let Some(found) = words.find(&text[at..]) {
            let hit = at + found.start();
            let start = memrchr(b'\n', &text[..hit]).map_or(0, |n| n + 1);
            let end = memchr(b'\n', &text[hit..]).map_or(text.len(), |n| hit + n);
            file.lines += memchr_iter(b'\n', &text[counted..start]).count() as u64;
            counted = start;
            file.seen += 1;
            let weight = if file.seen <= MAX_LINES { 1 } else { SAMPLE };
            let taken = weight == 1 || file.seen.is_multiple_of(SAMPLE);
            if taken && end - start <= MAX_LINE_BYTES {
                let line = excerpt(&text[start..end], MAX_MASKED_BYTES);
                self.line(file, &line, weight);
            }
            at = end;
        }
        file.lines += memchr_iter(b'\n', &text[counted..]).count() as u64;
    }

    /// Puts an error line into its group.
    fn line(&mut self, file: &Reading, line: &str, weight: u64) {
        if QUIET.iter().any(|word| line.contains(word)) {
            return;
        }
        let masked = mask(line);
        let Some(first) = masked.first() else {
            return;
        };
        let leaf = self
            .leaves
            .entry((masked.len(), first.to_string()))
            .or_default();
        let alike = |group: &Group| same(&group.words, &masked) * 10 >= masked.len() * ALIKE_OF_TEN;
        if let Some(&group) = leaf.iter().find(|&&group| alike(&self.groups[group])) {
            let group = &mut self.groups[group];
            group.count += weight;
            for (word, new) in group.words.iter_mut().zip(&masked) {
                if word != new {
                    HOLE.clone_into(word);
                }
            }
            return;
        }
        if leaf.len() >= MAX_LEAF || self.groups.len() >= MAX_GROUPS {
            return;
        }
        leaf.push(self.groups.len());
        self.groups.push(Group {
            words: masked.into_iter().map(|word| word.into_owned()).collect(),
            count: weight,
            file: file.path.clone(),
            line: file.lines + 1,
            example: excerpt(line.as_bytes(), MAX_TEXT),
        });
    }

    /// The groups that no finding explains, the rarest first.
    pub fn finish(mut self, report: &Report) -> Vec<Template> {
        self.end();
        let evidence = report.findings.iter().flat_map(|finding| &finding.evidence);
        let explained: HashSet<usize> = evidence
            .flat_map(|evidence| evidence.text.lines())
            .filter_map(|line| self.group_of(line))
            .collect();
        let groups = self.groups.into_iter().enumerate();
        let mut templates: Vec<Template> = groups
            .filter(|(index, _)| !explained.contains(index))
            .map(|(_, group)| Template {
                text: group.words.join(" "),
                count: group.count,
                file: group.file,
                line: group.line,
                example: group.example,
            })
            .collect();
        templates.sort_by(|a, b| (a.count, &a.file, a.line).cmp(&(b.count, &b.file, b.line)));
        templates.dedup_by(|a, b| a.text == b.text);
        templates.truncate(MAX_REPORTED);
        templates
    }

    fn group_of(&self, line: &str) -> Option<usize> {
        let masked = mask(line);
        let leaf = self
            .leaves
            .get(&(masked.len(), masked.first()?.to_string()))?;
        let fits = |group: &Group| {
            group
                .words
                .iter()
                .zip(&masked)
                .all(|(word, new)| word == new || word == HOLE)
        };
        leaf.iter()
            .copied()
            .find(|&group| fits(&self.groups[group]))
    }
}

fn same(words: &[String], masked: &[std::borrow::Cow<'_, str>]) -> usize {
    words
        .iter()
        .zip(masked)
        .filter(|(word, new)| word.as_str() == new.as_ref())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{Catalogue, Engine, RunOptions, SourceMap};

    const LOG: &str = "\
        Nov 21 02:00:00 web-1 app[7]: started\n\
        Nov 21 02:00:01 web-1 app[7]: ERROR cannot reach db-1:5432: no route\n\
        Nov 21 02:00:02 web-1 app[7]: ERROR cannot reach db-2:5432: no route\n\
        Nov 21 02:00:03 web-1 app[9]: INFO 0 errors so far\n\
        Nov 21 02:00:04 web-1 app[9]: lease for alice failed, giving up\n\
        Nov 21 02:00:05 web-1 app[9]: lease for bob failed, giving up\n\
        Nov 21 02:00:06 web-1 app[9]: checksum error in block 5";

    fn mine(chunk: usize, report: &Report) -> Vec<Template> {
        let mut miner = Miner::default();
        for path in ["sos/etc/motd", "sos/var/log/app.log"] {
            miner.begin(path);
            LOG.as_bytes()
                .chunks(chunk)
                .for_each(|data| miner.push(data));
            miner.end();
        }
        miner.finish(report)
    }

    fn nothing() -> Report {
        let engine = Engine::new(&Catalogue::default(), &SourceMap::default()).unwrap();
        engine.run(RunOptions::default()).finish(None)
    }

    #[test]
    fn error_lines_are_grouped_however_the_bytes_are_cut() {
        let whole = mine(LOG.len(), &nothing());
        let seen: Vec<_> = whole
            .iter()
            .map(|t| (t.text.as_str(), t.count, t.line))
            .collect();
        assert_eq!(
            seen,
            [
                ("app[<*>]: checksum error in block <*>", 1, 7),
                ("app[<*>]: ERROR cannot reach <*>: no route", 2, 2),
                ("app[<*>]: lease for <*> failed, giving up", 2, 5),
            ]
        );
        assert_eq!(whole[0].file, "sos/var/log/app.log");
        for chunk in [1, 7, 64] {
            assert_eq!(mine(chunk, &nothing()), whole, "{chunk}");
        }
    }

    #[test]
    fn what_a_finding_explains_is_not_unknown() {
        let yaml = "rules:\n  - cre: {id: CRE-1}\n    rule:\n      set:\n        event: {source: sitrep.log.any}\n        \
                    match: [{value: 'lease for'}]\n";
        let catalogue = Catalogue::load([("x.yaml", yaml)]).unwrap();
        let engine = Engine::new(&catalogue, &SourceMap::embedded().unwrap()).unwrap();
        let mut run = engine.run(RunOptions::default());
        let mut file = run.file("sos/var/log/app.log");
        file.push(LOG.as_bytes());
        run.done(file.finish());
        let report = run.finish(None);
        assert_eq!(report.findings.len(), 1);
        let left = mine(64, &report);
        assert!(left.iter().all(|t| !t.text.contains("lease")), "{left:?}");
        assert_eq!(left.len(), 2);
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_counted_twice() {
        let mut miner = Miner::default();
        miner.begin("app.log");
        for n in 0..60_000u32 {
            let word = |n: u32| char::from(b'a' + (n % 26) as u8);
            let line = format!("w{}{}{} error\n", word(n), word(n / 26), word(n / 676));
            miner.push(line.as_bytes());
        }
        miner.push(&vec![b'e'; MAX_LINE_BYTES * 4]);
        assert!(miner.file.as_ref().unwrap().held.len() <= MAX_LINE_BYTES + 1);
        assert!(miner.groups.len() <= MAX_GROUPS);
        assert_eq!(miner.finish(&nothing()).len(), MAX_REPORTED);
    }

    #[test]
    fn templates_of_two_bundles_mean_the_same_lines() {
        for (one, other, expected) in [
            (
                "lease for <*> failed, giving up",
                "lease for alice failed, giving up",
                true,
            ),
            (
                "lease for bob failed, giving up",
                "lease for alice failed, giving up",
                false,
            ),
            ("<*> <*> failed", "lease for failed", false),
            ("a b", "a b c", false),
        ] {
            assert_eq!(
                Template::means_same(one, other),
                expected,
                "{one} / {other}"
            );
        }
        assert_eq!(Template::shape("lease for <*>"), "3 lease");
    }
}
