//! The gzip reader on any bytes, and on a file of which some bytes were changed: it is refused, or gives what was
//! packed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitrep_fuzz::{gzip, inspect};
use sitrep_shared::archive::Verdict;

fuzz_target!(|input: (u16, Vec<(u16, u8)>, Vec<u8>)| {
    let (cut, changes, text) = input;
    let mut raw = vec![0x1f, 0x8b];
    raw.extend_from_slice(&text);
    let _ = inspect(&raw);

    let mut packed = gzip(&text, usize::from(cut));
    let (right, content) = inspect(&packed);
    if right.verdict == Verdict::Reject || packed.is_empty() {
        return;
    }
    for (at, byte) in changes.into_iter().take(4) {
        let place = usize::from(at) % packed.len();
        packed[place] = byte;
    }
    let (report, changed) = inspect(&packed);
    if report.verdict != Verdict::Reject && report.format == right.format {
        assert_eq!(changed.data, content.data, "other bytes were believed");
    }
});
