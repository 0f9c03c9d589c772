//! The times of the marks of one file, taken while it streams by: that of the first dated line at or behind each mark.

use sitrep_shared::signature::Dates;

/// The time of marks before which no line is dated.
pub const NONE: i64 = i64::MIN;
/// Bytes behind a mark that are looked at.
const HEAD_BYTES: usize = 512;

/// What marks a file has, and what is known of their times.
#[derive(Debug)]
pub(super) struct Stamps {
    collected_ms: i64,
    form: Form,
    /// The start of the lines behind the last mark, while it is gathered.
    head: Option<Vec<u8>>,
    /// Heads of marks that came before the form was decided.
    early: Vec<Vec<u8>>,
    times: Vec<i64>,
}

#[derive(Debug)]
enum Form {
    /// The start of the file, until there is enough of it.
    Open(Vec<u8>),
    Decided(Option<Dates>),
}

impl Stamps {
    pub(super) fn new(collected_ms: i64) -> Self {
        Self {
            collected_ms,
            form: Form::Open(Vec::new()),
            head: None,
            early: Vec::new(),
            times: Vec::new(),
        }
    }

    /// Takes bytes that follow those before, without a mark in between.
    pub(super) fn feed(&mut self, data: &[u8]) {
        if let Form::Open(sample) = &mut self.form {
            let room = Dates::SAMPLE_BYTES - sample.len();
            sample.extend_from_slice(&data[..data.len().min(room)]);
        }
        if let Some(head) = &mut self.head {
            let room = HEAD_BYTES - head.len();
            head.extend_from_slice(&data[..data.len().min(room)]);
            if head.len() == HEAD_BYTES {
                self.end_head();
            }
        }
    }

    /// A mark stands where the bytes so far end.
    pub(super) fn mark(&mut self) {
        self.end_head();
        self.head = Some(Vec::with_capacity(HEAD_BYTES));
    }

    /// Drops every second mark, as the marks themselves are.
    pub(super) fn thin(&mut self) {
        self.settle();
        let mut place = 0u64;
        self.times.retain(|_| {
            place += 1;
            place.is_multiple_of(2)
        });
    }

    /// The times of all marks.
    pub(super) fn finish(mut self) -> Vec<i64> {
        self.settle();
        self.times
    }

    fn settle(&mut self) {
        self.end_head();
        if !self.early.is_empty() {
            self.decide();
        }
    }

    /// What form the dates have, if any, and with it the times of the marks so far. Costs more than all the rest, so that
    /// it is left until there is a mark.
    fn decide(&mut self) {
        if let Form::Open(sample) = &self.form {
            self.form = Form::Decided(Dates::of_file(sample, self.collected_ms));
            for head in std::mem::take(&mut self.early) {
                self.push(&head);
            }
        }
    }

    fn end_head(&mut self) {
        let Some(head) = self.head.take() else {
            return;
        };
        match &self.form {
            Form::Open(sample) => {
                let enough = sample.len() == Dates::SAMPLE_BYTES;
                self.early.push(head);
                if enough {
                    self.decide();
                }
            }
            Form::Decided(_) => self.push(&head),
        }
    }

    /// A mark whose lines have no date continues what stands before it.
    fn push(&mut self, head: &[u8]) {
        let Form::Decided(dates) = self.form else {
            return;
        };
        let dated = dates.and_then(|dates| {
            let mut lines = head.split(|byte| *byte == b'\n');
            lines.find_map(|line| dates.ms(line))
        });
        let before = self.times.last().copied().unwrap_or(NONE);
        self.times.push(dated.unwrap_or(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLLECTED_MS: i64 = 1_795_500_000_000;
    /// 2026-11-21T00:00:00Z
    const DAY_MS: i64 = 1_795_219_200_000;

    fn line(second: i64) -> String {
        format!("2026-11-21T00:{:02}:{:02}Z a\n", second / 60, second % 60)
    }

    fn fed(stamps: &mut Stamps, text: &str, piece: usize) {
        text.as_bytes()
            .chunks(piece)
            .for_each(|part| stamps.feed(part));
    }

    #[test]
    fn marks_have_the_time_of_their_first_dated_line_however_the_bytes_come() {
        for piece in [1, 7, 100, 100_000] {
            let mut stamps = Stamps::new(COLLECTED_MS);
            fed(&mut stamps, &line(1), piece);
            stamps.mark();
            fed(
                &mut stamps,
                &format!("  continued\n{}{}", line(2), line(3)),
                piece,
            );
            stamps.mark();
            let rest: String = (4..2_000).map(line).collect();
            fed(&mut stamps, &rest, piece);
            stamps.mark();
            fed(&mut stamps, "  continued\n", piece);
            stamps.mark();
            let expected = [2, 4, 4, 4].map(|second| DAY_MS + second * 1000);
            assert_eq!(stamps.finish(), expected, "{piece}");
        }
    }

    #[test]
    fn a_file_without_dates_has_marks_without_times() {
        let mut stamps = Stamps::new(COLLECTED_MS);
        stamps.mark();
        fed(&mut stamps, "nothing\nof the kind\n", 5);
        stamps.mark();
        assert_eq!(stamps.finish(), [NONE, NONE]);
    }

    #[test]
    fn every_second_one_goes() {
        let mut stamps = Stamps::new(COLLECTED_MS);
        for second in 1..=4 {
            stamps.mark();
            fed(&mut stamps, &line(second), 9);
        }
        stamps.thin();
        assert_eq!(stamps.finish(), [2, 4].map(|s| DAY_MS + s * 1000));
    }
}
