//! Which bundles a signature cannot match, told from a small filter instead of the bundle.
//!
//! A filter holds every sequence of four bytes of a bundle's texts, in lower case, as one bit of a
//! table (a Bloom filter with one hash). A probe holds what a signature's conditions require. A filter
//! may admit a bundle too many, never refuse one too few.

use super::literal::{self, Required};
use super::model::{Matcher, Signature};

/// First bytes of a stored filter: the format and its version.
const MAGIC: &[u8; 4] = b"SGF1";
/// Bits of the table while it is filled: 512 KiB.
const FULL_LOG2: u8 = 22;
/// A finished table has at least this many bits.
const LEAST_LOG2: u8 = 12;
/// A table is halved while the halved one has at most one bit in this many set.
const MAX_FILL: u64 = 4;
/// Spreads a sequence over the table; the golden ratio.
const SPREAD: u32 = 0x9E37_79B1;

/// The sequences of a bundle, being gathered.
#[derive(Debug)]
pub struct FilterBuilder {
    bits: Vec<u64>,
    gram: u32,
    held: u8,
}

impl Default for FilterBuilder {
    fn default() -> Self {
        Self {
            bits: vec![0; (1 << FULL_LOG2) / 64],
            gram: 0,
            held: 0,
        }
    }
}

impl FilterBuilder {
    /// Begins a file: sequences do not reach from one file into the next.
    pub fn begin(&mut self) {
        self.held = 0;
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, data: &[u8]) {
        for byte in data {
            self.gram = (self.gram << 8) | u32::from(byte.to_ascii_lowercase());
            if self.held < 3 {
                self.held += 1;
                continue;
            }
            let place = (self.gram.wrapping_mul(SPREAD) >> (32 - FULL_LOG2)) as usize;
            self.bits[place / 64] |= 1 << (place % 64);
        }
    }

    /// The finished filter, as small as it can be.
    pub fn finish(self) -> Filter {
        let mut log2 = FULL_LOG2;
        let mut bits = self.bits;
        while log2 > LEAST_LOG2 {
            let half = halved(&bits);
            let set: u64 = half.iter().map(|word| u64::from(word.count_ones())).sum();
            if set * MAX_FILL > half.len() as u64 * 64 {
                break;
            }
            bits = half;
            log2 -= 1;
        }
        Filter { bits, log2 }
    }
}

/// Puts neighbouring bits together: a sequence's place in the smaller table is half that in the larger.
fn halved(bits: &[u64]) -> Vec<u64> {
    let squeeze = |word: u64| {
        let mut word = (word | (word >> 1)) & 0x5555_5555_5555_5555;
        for (shift, mask) in [
            (1, 0x3333_3333_3333_3333),
            (2, 0x0F0F_0F0F_0F0F_0F0F),
            (4, 0x00FF_00FF_00FF_00FF),
            (8, 0x0000_FFFF_0000_FFFF),
            (16, 0x0000_0000_FFFF_FFFF),
        ] {
            word = (word | (word >> shift)) & mask;
        }
        word
    };
    bits.chunks_exact(2)
        .map(|pair| squeeze(pair[0]) | (squeeze(pair[1]) << 32))
        .collect()
}

/// The sequences of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    bits: Vec<u64>,
    log2: u8,
}

impl Filter {
    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(5 + self.bits.len() * 8);
        out.extend_from_slice(MAGIC);
        out.push(self.log2);
        for word in &self.bits {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Reads the stored form; `None` when it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&log2, table) = bytes.strip_prefix(MAGIC)?.split_first()?;
        let fits = (LEAST_LOG2..=FULL_LOG2).contains(&log2) && table.len() == (1 << log2) / 8;
        let word = |chunk: &[u8]| {
            chunk
                .iter()
                .rev()
                .fold(0, |sum, b| (sum << 8) | u64::from(*b))
        };
        fits.then(|| Self {
            bits: table.chunks_exact(8).map(word).collect(),
            log2,
        })
    }

    fn holds(&self, gram: u32) -> bool {
        let place = (gram.wrapping_mul(SPREAD) >> (32 - self.log2)) as usize;
        self.bits[place / 64] & (1 << (place % 64)) != 0
    }
}

/// What a bundle must hold for a signature to match.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// All of these; of each any one; of that all sequences.
    needs: Vec<Vec<Vec<u32>>>,
}

impl Probe {
    /// The probe of a signature. One without a rule needs nothing of the texts.
    pub fn of(signature: &Signature) -> Self {
        let positives = signature.rule.iter().flat_map(|rule| &rule.positives);
        let sets = positives.flat_map(|positive| required(&positive.matcher));
        let needs = sets.map(|set| set.iter().map(|l| sequences(&l.text)).collect());
        let needs: Vec<Vec<Vec<u32>>> = needs.collect();
        Self {
            // A literal too short for one sequence may be anywhere.
            needs: needs
                .into_iter()
                .filter(|any: &Vec<Vec<u32>>| any.iter().all(|all| !all.is_empty()))
                .collect(),
        }
    }

    /// Whether a bundle with this filter may match.
    pub fn admits(&self, filter: &Filter) -> bool {
        let all = |grams: &Vec<u32>| grams.iter().all(|gram| filter.holds(*gram));
        self.needs.iter().all(|any| any.iter().any(all))
    }

    /// Whether it can refuse any bundle at all.
    pub fn is_selective(&self) -> bool {
        !self.needs.is_empty()
    }
}

fn required(matcher: &Matcher) -> Vec<Required> {
    match matcher {
        Matcher::Literal(text) => vec![literal::of_literal(text)],
        Matcher::Regex(expression) => literal::of_expression(expression),
        Matcher::Jq(_) => Vec::new(),
    }
}

/// Sequences of a text that stand in a file as they are also where the text is written in JSON.
fn sequences(text: &[u8]) -> Vec<u32> {
    let plain =
        |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&');
    text.windows(4)
        .filter(|window| window.iter().all(plain))
        .map(|window| {
            window
                .iter()
                .fold(0, |gram, b| (gram << 8) | u32::from(b.to_ascii_lowercase()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Catalogue;

    fn filter(texts: &[&str]) -> Filter {
        let mut builder = FilterBuilder::default();
        for text in texts {
            builder.begin();
            // Cut anywhere, the sequences are the same.
            for chunk in text.as_bytes().chunks(3) {
                builder.push(chunk);
            }
        }
        let filter = builder.finish();
        assert_eq!(Filter::from_bytes(&filter.to_bytes()), Some(filter.clone()));
        filter
    }

    fn probe(conditions: &str) -> Probe {
        let window = if conditions.contains("}, {") {
            "window: 5s"
        } else {
            ""
        };
        let yaml = format!(
            "rules:\n  - cre: {{id: CRE-1}}\n    rule:\n      set:\n        event: {{source: cre.log.x}}\n        \
             {window}\n        match: [{conditions}]\n"
        );
        Probe::of(&Catalogue::load([("x.yaml", yaml)]).unwrap().signatures[0])
    }

    #[test]
    fn a_probe_admits_what_may_match_and_refuses_what_cannot() {
        let texts = filter(&["disk sda: I/O ERROR, sector 5\n", "out of memory"]);
        for (conditions, expected) in [
            ("{value: 'I/O error, sector'}", true),
            ("{value: 'link is down'}", false),
            ("{regex: 'i/o (error|timeout)'}", true),
            ("{regex: 'link (is|was) down'}", false),
            ("{value: 'I/O error'}, {value: 'out of memory'}", true),
            ("{value: 'I/O error'}, {value: 'link is down'}", false),
            ("{value: 'sector 5 out of'}", false),
            ("{value: 'abc'}", true),
            ("{jq: '.a == 1'}", true),
        ] {
            assert_eq!(probe(conditions).admits(&texts), expected, "{conditions}");
        }
        assert!(!probe("{jq: '.a == 1'}").is_selective());
    }

    #[test]
    fn what_json_writes_in_another_way_refuses_nothing() {
        let wrapped =
            filter(&[r#"{"log":"say \"no space left\" \u003cnow\u003e\n","stream":"stdout"}"#]);
        assert!(probe(r#"{value: 'say "no space left" <now>'}"#).admits(&wrapped));
        assert!(!probe(r#"{value: 'say "no room here" <now>'}"#).admits(&wrapped));
    }

    #[test]
    fn a_small_bundle_has_a_small_filter_and_a_broken_one_is_none() {
        let small = filter(&["nothing to see"]).to_bytes();
        assert_eq!(small.len(), 5 + (1 << LEAST_LOG2) / 8);
        for broken in [
            &small[1..],
            &small[..small.len() - 1],
            &b"SGF1\x40"[..],
            &[],
        ] {
            assert_eq!(Filter::from_bytes(broken), None);
        }
        let noise: String = (0..200_000u32)
            .map(|n| char::from(b'!' + (n.wrapping_mul(SPREAD) >> 26) as u8))
            .collect();
        let full = filter(&[noise.as_str()]);
        let set: u32 = full.bits.iter().map(|word| word.count_ones()).sum();
        assert!(
            u64::from(set) * MAX_FILL <= full.bits.len() as u64 * 64,
            "{set}"
        );
    }
}
