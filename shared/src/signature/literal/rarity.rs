//! How common a piece of text is in logs, counted in a sample of them.
//!
//! What is counted is what the prefilter hashes, so that a rare window is one that the filter rarely
//! stops at.

use std::sync::LazyLock;

use memchr::memmem;

use super::super::prefilter::{GRAM, GRAM_BYTES, hash_bytes, word};

/// Lines as many kinds of software write them, for the time before anything was scanned.
const SAMPLE: &str = include_str!("sample.txt");
/// Buckets of the table, as a power of two.
const BUCKET_BITS: u32 = 18;

static BUILT_IN: LazyLock<Rarity> = LazyLock::new(|| Rarity::of(SAMPLE.as_bytes()));

/// Counts of the grams of a sample.
pub(in crate::signature) struct Rarity {
    counts: Box<[u16]>,
    /// Counts of single bytes and of pairs, in lower case.
    singles: Box<[u32]>,
    pairs: Box<[u16]>,
    /// The sample in lower case, for texts that are shorter than a gram.
    folded: Box<[u8]>,
}

impl Rarity {
    /// Counts the grams of a sample.
    pub(in crate::signature) fn of(sample: &[u8]) -> Self {
        let mut counts = vec![0_u16; 1 << BUCKET_BITS];
        for bytes in sample.windows(GRAM_BYTES) {
            let count = &mut counts[bucket(bytes)];
            *count = count.saturating_add(1);
        }
        let folded = sample.to_ascii_lowercase();
        let mut singles = vec![0_u32; 1 << 8];
        folded.iter().for_each(|b| singles[usize::from(*b)] += 1);
        let mut pairs = vec![0_u16; 1 << 16];
        for bytes in folded.windows(2) {
            let count = &mut pairs[pair(bytes)];
            *count = count.saturating_add(1);
        }
        Self {
            counts: counts.into(),
            singles: singles.into(),
            pairs: pairs.into(),
            folded: folded.into(),
        }
    }

    /// The counts of the built-in sample.
    pub(in crate::signature) fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// How often the grams of a text occur in the sample, added up.
    pub(in crate::signature) fn commonness(&self, text: &[u8]) -> u32 {
        text.windows(GRAM)
            .map(|gram| u32::from(self.counts[bucket(gram)]))
            .sum()
    }

    /// How often a text occurs in the sample, in any case.
    pub(super) fn occurrences(&self, text: &[u8]) -> usize {
        memmem::find_iter(&self.folded, &text.to_ascii_lowercase()).count()
    }

    /// A text does not occur more often than this, as far as is known without looking for it.
    pub(super) fn at_most(&self, text: &[u8]) -> usize {
        if text.len() < GRAM {
            return self.short(text) as usize;
        }
        let grams = text.windows(GRAM);
        let counts = grams.map(|gram| self.counts[bucket(gram)]);
        counts.min().map_or(0, usize::from)
    }

    /// How often the least common pair of a text that is shorter than a gram occurs.
    fn short(&self, text: &[u8]) -> u32 {
        let text = text.to_ascii_lowercase();
        let pairs = text.windows(2).map(|p| u32::from(self.pairs[pair(p)]));
        let single = text.first().map_or(0, |b| self.singles[usize::from(*b)]);
        pairs.min().unwrap_or(single)
    }

    /// Whether so many occurrences are more than a few for each 4 KiB.
    pub(super) fn is_common(&self, occurrences: usize) -> bool {
        occurrences > 3 && occurrences * 4096 > self.folded.len()
    }

    /// The commonness of the least common window of a text.
    pub(super) fn rarest(&self, text: &[u8]) -> u32 {
        if text.len() < GRAM {
            return self.short(text);
        }
        // Sums over the grams of each window, by adding the gram that enters and taking the one that leaves.
        let span = text.len().min(GRAM_BYTES) - GRAM + 1;
        let mut recent = [0_u32; GRAM_BYTES - GRAM + 1];
        let (mut sum, mut least) = (0, u32::MAX);
        for (index, gram) in text.windows(GRAM).enumerate() {
            let count = u32::from(self.counts[bucket(gram)]);
            sum += count;
            sum -= std::mem::replace(&mut recent[index % span], count);
            if index + 1 >= span {
                least = least.min(sum);
            }
        }
        least
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

fn bucket(bytes: &[u8]) -> usize {
    (hash_bytes(word(bytes)) >> (32 - BUCKET_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_frequent_in_the_sample_is_common() {
        let rarity = Rarity::of(b"connection reset\nconnection closed\nconnection lost by peer\n");
        assert!(rarity.rarest(b"connection") >= 3 * 4);
        assert_eq!(rarity.rarest(b"segfault at"), 0);
        assert!(rarity.rarest(b"Con") > rarity.rarest(b"set"));
        // The best window of a longer text counts.
        assert_eq!(rarity.rarest(b"connection unusual"), 0);
    }
}
