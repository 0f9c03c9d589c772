//! What a bundle must hold for a signature to match, and where it may.

use std::io;

use super::{Filter, GRAM_BYTES, ReadAt, STRIDE, Segment, folded, place};
use crate::signature::literal::{self, Required};
use crate::signature::model::{Matcher, Signature};

/// Shortest text that has five bytes at every alignment.
const LEAST_BYTES: usize = GRAM_BYTES + STRIDE - 1;

/// A text as the index has it: at one of the alignments, all of these.
type Run = Vec<Vec<u64>>;
/// All runs of a literal.
type Text = Vec<Run>;
/// Any of these literals.
type Any = Vec<Text>;

/// What a signature's conditions require of the texts.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// For each condition that must be met: all of these.
    conditions: Vec<Vec<Any>>,
}

/// Where a signature may match in one bundle.
#[derive(Debug, Clone)]
pub struct Admitted {
    segments: Vec<Segment>,
    /// For each condition, for each segment.
    conditions: Vec<Vec<bool>>,
}

impl Probe {
    /// The probe of a signature. One without a rule needs nothing of the texts.
    pub fn of(signature: &Signature) -> Self {
        let positives = signature.rule.iter().flat_map(|rule| &rule.positives);
        let needs = |required: Vec<Required>| -> Vec<Any> {
            let sets = required.iter();
            let sets = sets.map(|set| set.iter().map(|l| runs(&l.text)).collect::<Any>());
            // A literal too short for five bytes at every alignment may be anywhere.
            sets.filter(|any| any.iter().all(|text| !text.is_empty()))
                .collect()
        };
        Self {
            conditions: positives.map(|p| needs(required(&p.matcher))).collect(),
        }
    }

    /// Whether it can refuse any segment at all.
    pub fn is_selective(&self) -> bool {
        self.conditions.iter().any(|needs| !needs.is_empty())
    }

    /// Looks the conditions up in a stored index.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn admitted(&self, filter: &Filter, read: &mut ReadAt<'_>) -> io::Result<Admitted> {
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for needs in &self.conditions {
            let mut admitted = Vec::with_capacity(filter.segments.len());
            for segment in &filter.segments {
                admitted.push(segment.opaque || holds(needs, segment, read)?);
            }
            conditions.push(admitted);
        }
        Ok(Admitted {
            segments: filter.segments.clone(),
            conditions,
        })
    }
}

impl Admitted {
    /// Whether the signature may match in a file that lies here in the unpacked stream: a file is matched by itself, so
    /// every condition must be met somewhere in it.
    pub fn file(&self, from: u64, to: u64) -> bool {
        let inside = |segment: &Segment| segment.from < to && segment.to > from;
        let met = |admitted: &Vec<bool>| {
            let mut segments = self.segments.iter().zip(admitted);
            segments.any(|(segment, admitted)| *admitted && inside(segment))
        };
        self.conditions.iter().all(met)
    }

    /// The parts of the unpacked stream that may meet a condition, in order.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        let met = |place: usize| self.conditions.iter().any(|admitted| admitted[place]);
        let segments = self.segments.iter().enumerate();
        segments
            .filter(move |(place, _)| met(*place))
            .map(|(_, s)| s)
    }
}

fn holds(needs: &[Any], segment: &Segment, read: &mut ReadAt<'_>) -> io::Result<bool> {
    for any in needs {
        let mut found = false;
        for text in any {
            if text_in(text, segment, read)? {
                found = true;
                break;
            }
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text_in(text: &Text, segment: &Segment, read: &mut ReadAt<'_>) -> io::Result<bool> {
    for run in text {
        let mut found = false;
        for grams in run {
            if all_in(grams, segment, read)? {
                found = true;
                break;
            }
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn all_in(grams: &[u64], segment: &Segment, read: &mut ReadAt<'_>) -> io::Result<bool> {
    for gram in grams {
        let place = place(*gram, segment.log2);
        let mut byte = [0];
        read(segment.at.saturating_add(place as u64 / 8), &mut byte)?;
        if byte[0] & (1 << (place % 8)) == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn required(matcher: &Matcher) -> Vec<Required> {
    match matcher {
        Matcher::Literal(text) => vec![literal::of_literal(text.as_bytes())],
        Matcher::Regex(expression) => literal::of_expression(expression),
        Matcher::Jq(_) => Vec::new(),
    }
}

/// The parts of a text that stand in a file as they are also where the text is written in JSON.
fn runs(text: &[u8]) -> Text {
    let plain =
        |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&');
    text.split(|byte| !plain(byte))
        .filter(|run| run.len() >= LEAST_BYTES)
        .map(|run| {
            let aligned = (0..STRIDE).map(|first| {
                let places = (first..).step_by(STRIDE);
                let windows = places.map_while(|at| run.get(at..at + GRAM_BYTES));
                windows.map(gram).collect()
            });
            aligned.collect()
        })
        .collect()
}

fn gram(bytes: &[u8]) -> u64 {
    let folded = bytes.iter().rev().map(|byte| u64::from(folded(*byte)));
    folded.fold(0, |sum, byte| (sum << 8) | byte)
}
