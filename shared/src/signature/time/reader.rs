//! Reads one stamp by a format's pattern.
//!
//! Patterns are like strptime's: `%Y %y %m %d %b %a %H %I %M %S %p`, and
//! `%e` day, one or two digits, may be padded with a space; `%1` … `%9` a fraction of at least that
//! many digits; `%?` an optional fraction behind a point or comma; `%z` an offset (`Z`, `+02:00`,
//! `+0200`, `+02`), `%Z` an optional one, which may follow a space or be `UTC` or `GMT`;
//! `%s` an epoch whose unit follows from its length (`%u`: at least microseconds); `%E` epoch seconds with an optional fraction (`%T`: not since boot);
//! `%t` a blank, tab or bar; `%N` skips a number, `%w` skips a word, `%_` skips blanks, `%L` is one capital letter.
//! Any other character stands for itself.

use super::civil::{Latest, SECOND, days, month_days};

/// What a stamp cannot say by itself.
#[derive(Debug, Clone, Copy)]
pub(in crate::signature) struct Clock {
    /// Decides the year of stamps without one.
    latest: Latest,
    /// Seconds east of UTC of stamps without an offset.
    offset_s: i64,
}

impl Clock {
    /// For a bundle of this time, in UTC seconds, and stamps without an offset in this zone.
    pub(in crate::signature) fn new(now_s: i64, offset_s: i64) -> Self {
        Self {
            latest: Latest::of(now_s),
            offset_s,
        }
    }
}

#[derive(Default)]
struct Fields {
    year: Option<i64>,
    month: i64,
    day: i64,
    second_of_day: i64,
    nanos: i64,
    afternoon: Option<bool>,
    hour12: bool,
    offset_s: Option<i64>,
    /// A complete time in nanoseconds.
    epoch: Option<i64>,
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

/// Reads `pattern` at the start of `text`: the time in UTC nanoseconds and the bytes it took.
pub(super) fn read(pattern: &str, text: &[u8], clock: Clock) -> Option<(i64, usize)> {
    let mut cursor = Cursor { text, at: 0 };
    let mut fields = Fields {
        month: 1,
        day: 1,
        ..Fields::default()
    };
    let mut pattern = pattern.bytes();
    while let Some(expected) = pattern.next() {
        if expected == b'%' {
            cursor.field(pattern.next()?, &mut fields)?;
        } else {
            cursor.expect(expected)?;
        }
    }
    Some((fields.time(clock)?, cursor.at))
}

impl Fields {
    fn time(&self, clock: Clock) -> Option<i64> {
        if let Some(epoch) = self.epoch {
            return Some(epoch);
        }
        let mut seconds = self.second_of_day;
        if self.hour12 {
            let twelve = seconds / 3600 == 12;
            seconds += match (self.afternoon?, twelve) {
                (true, false) => 12 * 3600,
                (false, true) => -12 * 3600,
                _ => 0,
            };
        }
        let year = match self.year {
            Some(year) => year,
            None => clock.latest.year(self.month, self.day, seconds),
        };
        if !(1..=12).contains(&self.month)
            || self.day < 1
            || self.day > month_days(year, self.month)
        {
            return None;
        }
        let seconds = days(year, self.month, self.day) * 86_400 + seconds
            - self.offset_s.unwrap_or(clock.offset_s);
        seconds.checked_mul(SECOND)?.checked_add(self.nanos)
    }
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn digits(&mut self, min: usize, max: usize) -> Option<i64> {
        let start = self.at;
        let mut value: i64 = 0;
        while self.at - start < max {
            match self.peek() {
                Some(b @ b'0'..=b'9') => {
                    value = value.checked_mul(10)?.checked_add(i64::from(b - b'0'))?
                }
                _ => break,
            }
            self.at += 1;
        }
        (self.at - start >= min).then_some(value)
    }

    fn bounded(&mut self, count: usize, max: i64) -> Option<i64> {
        self.digits(count, count).filter(|v| *v <= max)
    }

    fn field(&mut self, kind: u8, fields: &mut Fields) -> Option<()> {
        match kind {
            b'Y' => fields.year = Some(self.digits(4, 4)?),
            b'y' => fields.year = Some(2000 + self.digits(2, 2)?),
            b'm' => fields.month = self.bounded(2, 12)?,
            b'd' => fields.day = self.bounded(2, 31)?,
            b'e' => fields.day = self.padded_day()?,
            b'b' => fields.month = self.month()?,
            b'a' => self.weekday()?,
            b'H' => fields.second_of_day += self.bounded(2, 23)? * 3600,
            b'I' => {
                fields.hour12 = true;
                fields.second_of_day += self.digits(1, 2).filter(|h| (1..=12).contains(h))? * 3600;
            }
            b'M' => fields.second_of_day += self.bounded(2, 59)? * 60,
            b'S' => fields.second_of_day += self.bounded(2, 60)?,
            b'p' => fields.afternoon = Some(self.afternoon()?),
            b'1'..=b'9' => fields.nanos = self.fraction(usize::from(kind - b'0'))?,
            b'?' => fields.nanos = self.optional_fraction(),
            b'z' => fields.offset_s = Some(self.offset()?),
            b'Z' => fields.offset_s = self.optional_offset(),
            b's' => fields.epoch = Some(self.epoch(9)?),
            b'u' => fields.epoch = Some(self.epoch(16)?),
            b'E' => fields.epoch = Some(self.epoch_seconds(1)?),
            b'T' => fields.epoch = Some(self.epoch_seconds(9)?),
            b'N' => return self.digits(1, 18).map(|_| ()),
            b't' => {
                return self
                    .peek()
                    .filter(|b| matches!(b, b' ' | b'\t' | b'|'))
                    .map(|_| self.at += 1);
            }
            b'w' => return self.skip(|b| !b.is_ascii_whitespace(), 1),
            b'_' => return self.skip(|b| matches!(b, b' ' | b'\t'), 0),
            b'L' => {
                return self
                    .peek()
                    .filter(u8::is_ascii_uppercase)
                    .map(|_| self.at += 1);
            }
            _ => return None,
        }
        Some(())
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool, min: usize) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
        (self.at - start >= min).then_some(())
    }

    fn padded_day(&mut self) -> Option<i64> {
        if self.peek()? == b' ' {
            self.at += 1;
        }
        self.digits(1, 2).filter(|d| (1..=31).contains(d))
    }

    fn name(&mut self, names: &[u8]) -> Option<i64> {
        let word = self.text.get(self.at..self.at + 3)?;
        let index = names.chunks_exact(3).position(|name| name == word)?;
        self.at += 3;
        Some(index as i64)
    }

    fn month(&mut self) -> Option<i64> {
        self.name(b"JanFebMarAprMayJunJulAugSepOctNovDec")
            .map(|index| index + 1)
    }

    fn weekday(&mut self) -> Option<()> {
        self.name(b"MonTueWedThuFriSatSun").map(|_| ())
    }

    fn afternoon(&mut self) -> Option<bool> {
        let word = self.text.get(self.at..self.at + 2)?.to_ascii_uppercase();
        self.at += 2;
        match word.as_slice() {
            b"AM" => Some(false),
            b"PM" => Some(true),
            _ => None,
        }
    }

    /// At least `min` digits; digits beyond nanoseconds are skipped.
    fn fraction(&mut self, min: usize) -> Option<i64> {
        let start = self.at;
        let value = self.digits(min.min(9), 9)?;
        let read = (self.at - start) as u32;
        self.skip(|b| b.is_ascii_digit(), 0);
        (self.at - start >= min).then(|| value * 10_i64.pow(9 - read))
    }

    fn optional_fraction(&mut self) -> i64 {
        let start = self.at;
        if matches!(self.peek(), Some(b'.' | b',')) {
            self.at += 1;
            if let Some(nanos) = self.fraction(1) {
                return nanos;
            }
        }
        self.at = start;
        0
    }

    fn offset(&mut self) -> Option<i64> {
        let sign = match self.peek()? {
            b'Z' => {
                self.at += 1;
                return Some(0);
            }
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let hours = self.bounded(2, 23)?;
        let before = self.at;
        if self.peek() == Some(b':') {
            self.at += 1;
        }
        let minutes = self.bounded(2, 59).unwrap_or_else(|| {
            self.at = before;
            0
        });
        Some(sign * (hours * 3600 + minutes * 60))
    }

    fn optional_offset(&mut self) -> Option<i64> {
        let start = self.at;
        let spaced = self.peek() == Some(b' ');
        if spaced {
            self.at += 1;
        }
        for name in [b"UTC".as_slice(), b"GMT"] {
            if self.text[self.at..].starts_with(name) {
                self.at += 3;
                return Some(0);
            }
        }
        let offset = self.offset();
        // Behind a space a short number is more likely text: ` -10 retries`.
        let too_short = spaced && self.at - start < 6;
        if offset.is_none() || too_short {
            self.at = start;
            return None;
        }
        offset
    }

    /// A whole number whose length tells the unit: seconds, milli-, micro- or nanoseconds.
    fn epoch(&mut self, min: usize) -> Option<i64> {
        let start = self.at;
        let value = self.digits(min, 19)?;
        match self.at - start {
            ..=10 => value.checked_mul(SECOND),
            11..=13 => value.checked_mul(1_000_000),
            14..=16 => value.checked_mul(1_000),
            _ => Some(value),
        }
    }

    /// Seconds with an optional fraction; a number too long for seconds tells its unit by its length.
    fn epoch_seconds(&mut self, min: usize) -> Option<i64> {
        let start = self.at;
        let seconds = self.digits(min, 19)?;
        if self.at - start > 11 {
            self.at = start;
            return self.epoch(min);
        }
        let nanos = self.optional_fraction();
        seconds.checked_mul(SECOND)?.checked_add(nanos)
    }
}
