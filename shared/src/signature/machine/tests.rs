//! The semantics of sets, sequences and negatives, case by case.

use super::*;
use crate::signature::model::{Matcher, Negative, Positive};

const SECOND: i64 = 1_000_000_000;

/// Conditions are single letters; an entry is the letters it meets and its time in seconds.
struct Case {
    shape: Shape,
    window: i64,
    positives: &'static str,
    negatives: Vec<Negative>,
}

impl Case {
    fn new(shape: Shape, window: i64, positives: &'static str) -> Self {
        Self {
            shape,
            window,
            positives,
            negatives: Vec::new(),
        }
    }

    fn negate(mut self, window: i64, slide: i64, anchor: usize, absolute: bool) -> Self {
        self.negatives.push(Negative {
            matcher: Matcher::Literal("N".to_owned()),
            window_ns: window * SECOND,
            slide_ns: slide * SECOND,
            anchor,
            absolute,
        });
        self
    }

    fn rule(&self) -> Rule {
        let mut positives: Vec<Positive> = Vec::new();
        for letter in self.positives.chars().map(String::from) {
            let matcher = Matcher::Literal(letter);
            let same = match self.shape {
                Shape::Set => positives.iter_mut().find(|p| p.matcher == matcher),
                Shape::Sequence => positives.last_mut().filter(|p| p.matcher == matcher),
            };
            match same {
                Some(same) => same.count += 1,
                None => positives.push(Positive { matcher, count: 1 }),
            }
        }
        Rule {
            shape: self.shape,
            source: String::new(),
            window_ns: self.window * SECOND,
            positives,
            negatives: self.negatives.clone(),
            unsupported: None,
        }
    }

    /// Hits as lists of line numbers, for entries like `A1 B2 AB3 N3`.
    fn hits(&self, entries: &str) -> Vec<Vec<u64>> {
        let rule = self.rule();
        let mut machine = Machine::new(&rule);
        let mut hits = Vec::new();
        for (line, entry) in entries.split_whitespace().enumerate() {
            let at = entry.find(|c: char| c.is_ascii_digit()).unwrap();
            let (letters, seconds) = entry.split_at(at);
            let met = |matcher: &Matcher| matches!(matcher, Matcher::Literal(l) if letters.contains(l.as_str()));
            let mask = |list: Vec<bool>| {
                list.iter()
                    .enumerate()
                    .map(|(i, m)| u64::from(*m) << i)
                    .sum()
            };
            let event = Event {
                ns: seconds.parse::<i64>().unwrap() * SECOND,
                order: line as u64,
                positive: mask(rule.positives.iter().map(|p| met(&p.matcher)).collect()),
                negative: mask(rule.negatives.iter().map(|n| met(&n.matcher)).collect()),
                line: line as u64 + 1,
                ..Event::default()
            };
            machine.push(event, &mut hits);
        }
        machine.finish(&mut hits);
        let lines = |hit: &Hit| hit.iter().map(|e| e.line).collect();
        hits.iter().map(lines).collect()
    }

    fn check(&self, entries: &str, expected: &[&[u64]]) {
        assert_eq!(
            self.hits(entries),
            expected,
            "{:?} {} on {entries}",
            self.shape,
            self.positives
        );
    }
}

#[test]
fn a_set_takes_any_order_within_the_window() {
    let set = Case::new(Shape::Set, 10, "AB");
    set.check("A1 B2", &[&[1, 2]]);
    set.check("B1 A2", &[&[2, 1]]);
    set.check("A1 B11", &[&[1, 2]]);
    set.check("A1 B12", &[]);
    set.check("A1 A5 B12", &[&[2, 3]]);
    set.check("AB1", &[&[1]]);
    set.check("A1 B2 A3 B4", &[&[1, 2], &[3, 4]]);
    set.check("A1 A2 B3", &[&[1, 3]]);
}

#[test]
fn a_count_consumes_its_entries() {
    let set = Case::new(Shape::Set, 10, "AA");
    set.check("A1 A2 A3 A4 A5", &[&[1, 2], &[3, 4]]);
    set.check("A1 A12 A13", &[&[2, 3]]);
}

#[test]
fn late_entries_are_sorted_in() {
    Case::new(Shape::Sequence, 10, "AB").check("B5 A3", &[&[2, 1]]);
    Case::new(Shape::Set, 2, "AB").check("A1 X9 B2", &[&[1, 3]]);
}

#[test]
fn a_sequence_takes_its_steps_in_order_by_different_entries() {
    let sequence = Case::new(Shape::Sequence, 10, "AB");
    sequence.check("A1 B2", &[&[1, 2]]);
    sequence.check("B1 A2", &[]);
    sequence.check("AB1", &[]);
    sequence.check("AB1 B2", &[&[1, 2]]);
    sequence.check("A1 B1", &[&[1, 2]]);
    sequence.check("B1 A1", &[]);
    sequence.check("A1 B12", &[]);
    sequence.check("A1 A5 B12", &[&[2, 3]]);
    sequence.check("A1 B2 B3", &[&[1, 2]]);
    Case::new(Shape::Sequence, 10, "AAB").check("A1 B2 A3 B4", &[&[1, 3, 4]]);
    Case::new(Shape::Sequence, 10, "ABA").check("A1 B2 A3", &[&[1, 2, 3]]);
}

#[test]
fn a_sequence_stays_in_order_after_its_first_hit() {
    Case::new(Shape::Sequence, 100, "ABCD").check("A1 B2 C3 A4 C5 B6 D7 D8", &[&[1, 2, 3, 7]]);
}

#[test]
fn negatives_near_a_single_condition() {
    let bare = Case::new(Shape::Set, 0, "A").negate(0, 0, 0, false);
    bare.check("A1 N1", &[]);
    bare.check("N1 A1", &[&[2]]);
    bare.check("A1 N2", &[&[1]]);
    bare.check("AN1", &[]);
    bare.check("A1 N2 A2", &[&[1], &[3]]);
    let after = Case::new(Shape::Set, 0, "A").negate(5, 0, 0, false);
    after.check("A1 N6", &[]);
    after.check("A1 N7", &[&[1]]);
    let before = Case::new(Shape::Set, 0, "A").negate(10, -10, 0, false);
    before.check("N1 A9", &[]);
    before.check("N1 A19", &[&[2]]);
}

#[test]
fn negatives_near_a_sequence() {
    let bare = Case::new(Shape::Sequence, 10, "AB").negate(0, 0, 0, false);
    bare.check("N1 A2 B3", &[&[2, 3]]);
    bare.check("A1 N2 B3", &[]);
    bare.check("A1 B3 N3", &[]);
    bare.check("A1 B3 N4", &[&[1, 2]]);
    bare.check("A1 N2 A3 B4", &[&[3, 4]]);
}

#[test]
fn windows_are_anchored_shifted_and_absolute() {
    // The hit's entries are at 8, 9 and 12; the negative at 0, as in look-back rules.
    let look_back = |slide, anchor, window| {
        Case::new(Shape::Set, 5, "ABC").negate(window, slide, anchor, false)
    };
    look_back(-8, 0, 0).check("N0 A8 B9 C12", &[]);
    look_back(-8, 1, 1).check("N0 A8 B9 C12", &[&[2, 3, 4]]);
    let absolute = |window| Case::new(Shape::Set, 5, "ABC").negate(window, 0, 0, true);
    absolute(20).check("A8 B9 C12 N28", &[]);
    absolute(19).check("A8 B9 C12 N28", &[&[1, 2, 3]]);
}
