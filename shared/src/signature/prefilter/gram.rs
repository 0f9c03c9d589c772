//! Literals by hashed grams: of each literal an eight-byte window is chosen; every fourth byte of the
//! text the five bytes there are hashed into a small Bloom filter. Whatever the alignment, one of the
//! window's four grams falls on a probe.

use super::super::literal::Literal;
use super::super::literal::rarity::Rarity;
use super::{Candidate, GRAM, GRAM_BYTES};

/// Sets bit 5 of every byte, which folds ASCII letters (and merges a few others: harmless).
pub(super) const FOLD: u32 = 0x2020_2020;
/// Multipliers of the hash: odd, with well mixed bits.
pub(super) const MIX_LOW: u32 = 0x9e37_79b1;
pub(super) const MIX_HIGH: u32 = 0x85eb_ca77;
/// Bytes one step of the scan looks at: eight probes, and the bytes the last of them reaches.
pub(super) const STEP: usize = 32;
pub(super) const REACH: usize = STEP + 8;
/// Grams of one window.
const PHASES: usize = 4;
/// Bits of Bloom filter for each gram; more do not lower the rate of false alarms much.
const BITS_PER_GRAM: usize = 64;

/// One gram of the window that some literals have.
struct Slot {
    /// The folded window.
    window: u64,
    /// Where in `wanted` its literals are.
    from: u32,
    to: u32,
    /// Where in the window the gram is.
    phase: u32,
}

/// A literal with the place of its window.
struct Wanted {
    number: u32,
    text: Box<[u8]>,
    any_case: bool,
    window: u32,
}

impl Wanted {
    /// The window, folded.
    fn folded(&self) -> u64 {
        word(&self.text[self.window as usize..]) | FOLD_WORD
    }
}

/// Probes that the Bloom filter let through: where, and the hash.
pub(super) struct Probes {
    held: [(u32, u32); Self::ROOM],
    length: usize,
    /// What was looked at for them: slots, and two for each probe.
    pub(super) looked_at: usize,
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            held: [(0, 0); Self::ROOM],
            length: 0,
            looked_at: 0,
        }
    }
}

impl Probes {
    const ROOM: usize = 256;

    #[inline(always)]
    pub(super) fn push(&mut self, at: u32, hash: u32) {
        self.held[self.length] = (at, hash);
        self.length += 1;
    }

    /// Whether the probes of one more step may not fit.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.length > Self::ROOM - REACH / 4
    }

    fn take(&mut self) -> &[(u32, u32)] {
        let length = std::mem::take(&mut self.length);
        &self.held[..length]
    }
}

pub(super) struct Gram {
    /// A power of two words; each gram sets two bits of one word.
    pub(super) bloom: Box<[u32]>,
    /// Hash bits above this choose the word.
    pub(super) bloom_shift: u32,
    /// Start in `slots` of each bucket, and the end of the last.
    buckets: Box<[u32]>,
    bucket_shift: u32,
    slots: Box<[Slot]>,
    wanted: Vec<Wanted>,
}

/// Hashes five folded bytes: four in `low`, the fifth in the lowest byte of `high`.
#[inline(always)]
pub(super) fn hash(low: u32, high: u32) -> u32 {
    (low | FOLD).wrapping_mul(MIX_LOW) ^ ((high | FOLD) & 0xff).wrapping_mul(MIX_HIGH)
}

/// The hash of the first five bytes.
#[inline(always)]
pub(in crate::signature) fn hash_bytes(bytes: u64) -> u32 {
    hash(bytes as u32, (bytes >> 32) as u32)
}

/// Up to eight bytes as a number, padded with zeros.
pub(in crate::signature) fn word(bytes: &[u8]) -> u64 {
    let mut padded = [0; 8];
    let length = bytes.len().min(8);
    padded[..length].copy_from_slice(&bytes[..length]);
    u64::from_le_bytes(padded)
}

const FOLD_WORD: u64 = 0x2020_2020_2020_2020;

impl Gram {
    pub(super) fn build<'a>(
        literals: impl Iterator<Item = (u32, &'a Literal)>,
        rarity: &Rarity,
    ) -> Self {
        let place = |(number, literal): (u32, &Literal)| Wanted {
            number,
            text: literal.text.clone().into(),
            any_case: literal.any_case,
            window: rarest_window(&literal.text, rarity) as u32,
        };
        let mut wanted: Vec<Wanted> = literals.map(place).collect();
        // Literals with one window are looked at together.
        wanted.sort_by_key(Wanted::folded);
        let mut grams: Vec<(u32, Slot)> = Vec::new();
        let mut from = 0;
        for same in wanted.chunk_by(|a, b| a.folded() == b.folded()) {
            let to = from + same.len() as u32;
            let window = same[0].folded();
            for phase in 0..PHASES as u32 {
                let slot = Slot {
                    window,
                    from,
                    to,
                    phase,
                };
                grams.push((hash_bytes(window >> (8 * phase)), slot));
            }
            from = to;
        }
        grams.sort_by_key(|(hash, _)| *hash);
        let words = (grams.len() * BITS_PER_GRAM / 32)
            .next_power_of_two()
            .clamp(1 << 12, 1 << 16);
        let bloom_shift = 32 - words.trailing_zeros();
        let mut bloom = vec![0_u32; words];
        let bucket_bits = (grams.len() * 2)
            .next_power_of_two()
            .trailing_zeros()
            .max(8);
        let bucket_shift = 32 - bucket_bits;
        let mut buckets = vec![0_u32; (1 << bucket_bits) + 1];
        for (hash, _) in &grams {
            bloom[(hash >> bloom_shift) as usize] |= bits(*hash);
            buckets[(hash >> bucket_shift) as usize + 1] += 1;
        }
        for bucket in 1..buckets.len() {
            buckets[bucket] += buckets[bucket - 1];
        }
        Self {
            bloom: bloom.into(),
            bloom_shift,
            buckets: buckets.into(),
            bucket_shift,
            slots: grams.into_iter().map(|(_, slot)| slot).collect(),
            wanted,
        }
    }

    /// Collects candidates; gives what was looked at for them.
    pub(super) fn scan(&self, text: &[u8], candidates: &mut Vec<Candidate>) -> usize {
        if self.wanted.is_empty() {
            return 0;
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            let (done, probes) = super::avx2::scan(self, text, candidates);
            return probes + self.scan_rest(text, done, candidates);
        }
        self.scan_scalar(text, candidates)
    }

    /// The same without vector instructions.
    pub(super) fn scan_scalar(&self, text: &[u8], candidates: &mut Vec<Candidate>) -> usize {
        let mut at = 0;
        let mut probes = Probes::default();
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<REACH>) {
            for probe in 0..STEP / 4 {
                let hash = hash_bytes(word(&block[probe * 4..probe * 4 + 8]));
                if self.may_have(hash) {
                    probes.push((at + probe * 4) as u32, hash);
                }
            }
            if probes.is_full() {
                self.look_at(text, &mut probes, candidates);
            }
            at += STEP;
        }
        self.look_at(text, &mut probes, candidates);
        probes.looked_at + self.scan_rest(text, at, candidates)
    }

    /// Probes the end of the text, where a whole step does not fit.
    fn scan_rest(&self, text: &[u8], mut at: usize, candidates: &mut Vec<Candidate>) -> usize {
        let mut probes = Probes::default();
        while at + GRAM <= text.len() {
            let hash = hash_bytes(word(&text[at..]));
            if self.may_have(hash) {
                probes.push(at as u32, hash);
            }
            at += 4;
        }
        // What is left is less than one step.
        self.look_at(text, &mut probes, candidates);
        probes.looked_at
    }

    #[inline(always)]
    fn may_have(&self, hash: u32) -> bool {
        let wanted = bits(hash);
        self.bloom[(hash >> self.bloom_shift) as usize] & wanted == wanted
    }

    /// Looks at gathered probes: first up where their windows are, then the windows. Each step's loads do
    /// not wait for one another.
    pub(super) fn look_at(
        &self,
        text: &[u8],
        probes: &mut Probes,
        candidates: &mut Vec<Candidate>,
    ) {
        let mut slots = [(0, 0); Probes::ROOM];
        let mut looked_at = probes.looked_at;
        let held = probes.take();
        for ((_, hash), slots) in held.iter().zip(&mut slots) {
            let bucket = (hash >> self.bucket_shift) as usize;
            *slots = (self.buckets[bucket], self.buckets[bucket + 1]);
            looked_at += 2 + (slots.1 - slots.0) as usize;
        }
        for ((at, _), (from, to)) in held.iter().zip(slots) {
            for slot in &self.slots[from as usize..to as usize] {
                self.look(text, *at as usize, slot, candidates);
            }
        }
        probes.looked_at = looked_at;
    }

    /// Compares a window, and then its literal, with the text round a probe.
    #[inline(always)]
    fn look(&self, text: &[u8], at: usize, slot: &Slot, candidates: &mut Vec<Candidate>) {
        let start = at.wrapping_sub(slot.phase as usize);
        let Some(bytes) = text
            .get(start..)
            .and_then(<[u8]>::first_chunk::<GRAM_BYTES>)
        else {
            return;
        };
        if u64::from_le_bytes(*bytes) | FOLD_WORD == slot.window {
            for wanted in &self.wanted[slot.from as usize..slot.to as usize] {
                compare(wanted, text, start, candidates);
            }
        }
    }
}

/// Compares a literal with the text round its window.
fn compare(wanted: &Wanted, text: &[u8], window: usize, candidates: &mut Vec<Candidate>) {
    let Some(start) = window.checked_sub(wanted.window as usize) else {
        return;
    };
    let Some(bytes) = text.get(start..start + wanted.text.len()) else {
        return;
    };
    let same = if wanted.any_case {
        bytes.eq_ignore_ascii_case(&wanted.text)
    } else {
        bytes == &*wanted.text
    };
    if same {
        candidates.push((start as u32, wanted.number));
    }
}

/// The two bits of a hash in its word.
#[inline(always)]
fn bits(hash: u32) -> u32 {
    1 << (hash & 31) | 1 << ((hash >> 5) & 31)
}

/// Where the window lies whose grams are least common in logs.
fn rarest_window(text: &[u8], rarity: &Rarity) -> usize {
    (0..=text.len() - GRAM_BYTES)
        .min_by_key(|at| rarity.commonness(&text[*at..*at + GRAM_BYTES]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_and_scalar_code_agree() {
        let texts: Vec<String> = (0..500).map(|n| format!("error number {n} of 7")).collect();
        let literal = |t: &String| Literal {
            text: t.as_bytes().to_vec(),
            any_case: t.len().is_multiple_of(2),
        };
        let literals: Vec<Literal> = texts.iter().map(literal).collect();
        let gram = Gram::build(
            literals.iter().enumerate().map(|(n, l)| (n as u32, l)),
            Rarity::built_in(),
        );
        let mut text = String::new();
        for n in 0..4000_u32 {
            let shout = if n % 3 == 0 {
                "ERROR number"
            } else {
                "error number"
            };
            text.push_str(&format!(
                "{}{shout} {} of 7 x\n",
                "~".repeat(n as usize % 11),
                n * 7 % 900
            ));
        }
        for cut in 0..9 {
            let (mut vector, mut scalar) = (Vec::new(), Vec::new());
            gram.scan(&text.as_bytes()[cut..], &mut vector);
            gram.scan_scalar(&text.as_bytes()[cut..], &mut scalar);
            assert_eq!(vector, scalar);
            assert!(vector.len() > 1000);
        }
    }
}
