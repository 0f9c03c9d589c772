//! The tar reader on any bytes, and on bytes whose headers have the right sums, so that more than the first check is
//! met: no panic, names that stay inside, one meaning, packed or not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitrep_fuzz::{gzip, inspect};
use sitrep_shared::archive::Verdict;

const BLOCK: usize = 512;

fuzz_target!(|input: (bool, u16, Vec<u8>)| {
    let (mended, cut, mut bytes) = input;
    if mended {
        mend(&mut bytes);
    }
    let (plain, content) = inspect(&bytes);
    if !plain.format.starts_with("tar") {
        return;
    }
    let (packed, unpacked) = inspect(&gzip(&bytes, usize::from(cut)));
    if plain.verdict != Verdict::Reject && packed.verdict != Verdict::Reject {
        assert_eq!((plain.verdict, plain.reason), (packed.verdict, packed.reason));
        assert_eq!(content, unpacked);
    }
});

/// Writes the sum of each header as the sizes lead from one to the next.
fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        if header.iter().all(|b| *b == 0) {
            return;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits = header[124..136].iter().filter(|b| (b'0'..=b'7').contains(b));
        let size = digits.fold(0u64, |n, d| n.saturating_mul(8).saturating_add(u64::from(d - b'0')));
        let blocks = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(BLOCK);
        at = at.saturating_add(BLOCK).saturating_add(blocks.saturating_mul(BLOCK));
    }
}
