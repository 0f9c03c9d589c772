//! How common a piece of text is in logs, estimated from a small built-in sample.

use std::sync::LazyLock;

/// Lines as many kinds of software write them. What is frequent here is a poor thing to look for.
const SAMPLE: &str = include_str!("sample.txt");
/// Bytes of a counted piece.
const PIECE: usize = 4;
/// Buckets of the table.
const BUCKETS: usize = 1 << 14;

static COUNTS: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut counts = vec![0_u16; BUCKETS];
    for piece in SAMPLE.as_bytes().windows(PIECE) {
        let count = &mut counts[bucket(piece)];
        *count = count.saturating_add(1);
    }
    counts
});

fn bucket(piece: &[u8]) -> usize {
    let folded = piece
        .iter()
        .fold(0_u32, |all, b| all << 8 | u32::from(b | 0x20));
    (folded.wrapping_mul(0x9e37_79b1) >> 18) as usize
}

/// How often the pieces of a text occur in the sample, added up.
pub(in crate::signature) fn commonness(text: &[u8]) -> u32 {
    text.windows(PIECE)
        .map(|piece| u32::from(COUNTS[bucket(piece)]))
        .sum()
}

/// The commonness of the least common eight bytes of a text.
pub(super) fn rarest(text: &[u8]) -> u32 {
    text.windows(text.len().clamp(1, 8))
        .map(commonness)
        .min()
        .unwrap_or(0)
}
