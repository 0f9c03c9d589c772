//! The dates of a file's lines, for whoever looks for a time and not for a signature.

use super::detect::{Layout, SAMPLE_BYTES};
use super::reader::Clock;

/// Dates the lines of one file.
#[derive(Debug, Clone, Copy)]
pub struct Dates {
    layout: Layout,
    clock: Clock,
}

impl Dates {
    /// Bytes of a file's start that its form is decided on.
    pub const SAMPLE_BYTES: usize = SAMPLE_BYTES;

    /// For a file that begins so and was collected at this time, UTC milliseconds; none when its lines are not dated.
    /// Stamps without an offset are taken for UTC.
    #[must_use]
    pub fn of_file(start: &[u8], collected_ms: i64) -> Option<Self> {
        let clock = Clock::new(collected_ms.div_euclid(1000), 0);
        let layout = Layout::detect(start, clock, &[]);
        layout.is_dated().then_some(Self { layout, clock })
    }

    /// The time of a line in UTC milliseconds; none when it continues the one before.
    #[must_use]
    pub fn ms(&self, line: &[u8]) -> Option<i64> {
        let stamp = self.layout.stamp(line, self.clock)?;
        Some(stamp.ns.div_euclid(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dated_by_the_form_of_their_file() {
        let made = 1_795_000_000_000;
        for (line, expected) in [
            ("2026-11-21T02:00:14.011Z ERROR x", Some(1_795_226_414_011)),
            ("2026-11-21 02:00:14,011 ERROR x", Some(1_795_226_414_011)),
            ("nothing of the kind", None),
        ] {
            let dates = Dates::of_file(line.as_bytes(), made);
            assert_eq!(
                dates.and_then(|dates| dates.ms(line.as_bytes())),
                expected,
                "{line}"
            );
        }
        let dates = Dates::of_file(b"2026-11-21T02:00:14Z a\n  continued\n", made).unwrap();
        assert_eq!(dates.ms(b"  continued"), None);
    }
}
