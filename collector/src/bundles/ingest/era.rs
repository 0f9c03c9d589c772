//! When a file of another maker was made. The stamps of many logs have no year, and facts such as the days a certificate
//! has left count from that time: a first look at the start of the archive tells it before the whole is read.

use std::fs::File;
use std::io::{BufRead, Read, Seek, SeekFrom};

use sitrep_shared::archive::{self, Entry, Kind, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reason, Reject};
use sitrep_shared::time::UtcMs;

/// Unpacked bytes looked at.
const LOOK_BYTES: u64 = 16 << 20;
/// Entries looked at.
const LOOK_ENTRIES: u64 = 4096;
/// The clock of a customer's host may be ahead of ours by this, in milliseconds.
const AHEAD_MS: i64 = 86_400_000;
/// Longest output of `date` that is read.
const DATE_BYTES: u64 = 256;

/// What the start of an archive says about its time.
#[derive(Debug, Default)]
struct Look {
    bytes: u64,
    entries: u64,
    /// By the output of `date`.
    said_ms: Option<i64>,
    /// By the name of a sos report, which has the day.
    day_ms: Option<i64>,
    /// The newest file.
    newest_ms: Option<i64>,
    latest_ms: i64,
}

impl Look {
    fn take(&mut self, path: &str, mtime_s: Option<i64>) {
        if self.day_ms.is_none() {
            self.day_ms = path.split('/').next().and_then(day);
        }
        let changed = mtime_s.and_then(|s| s.checked_mul(1000));
        // Zero is what tools write that hide the time.
        if let Some(ms) = changed.filter(|ms| *ms > AHEAD_MS && *ms <= self.latest_ms) {
            self.newest_ms = self.newest_ms.max(Some(ms));
        }
    }

    fn verdict(&self) -> Option<i64> {
        let near = |ms: &i64| {
            self.day_ms
                .is_none_or(|day| (ms - day).abs() < 2 * AHEAD_MS)
        };
        self.said_ms
            .or_else(|| self.newest_ms.filter(near))
            .or(self.day_ms)
    }
}

impl Visitor for Look {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        self.entries += 1;
        self.take(entry.path, entry.mtime_s);
        if entry.kind == Kind::File {
            let named = entry
                .path
                .rsplit_once('/')
                .map_or(entry.path, |(_, name)| name);
            let mut left = LOOK_BYTES.saturating_sub(self.bytes);
            if named == "date" && entry.size.is_some_and(|size| size <= DATE_BYTES) {
                let mut text = String::new();
                data.take(DATE_BYTES).read_to_string(&mut text)?;
                self.said_ms = self.said_ms.or_else(|| spoken(&text));
            }
            while left > 0 {
                let chunk = data.fill_buf()?.len();
                if chunk == 0 {
                    break;
                }
                let taken = chunk.min(usize::try_from(left).unwrap_or(chunk));
                data.consume(taken);
                left -= taken as u64;
                self.bytes += taken as u64;
            }
        }
        if self.bytes >= LOOK_BYTES || self.entries >= LOOK_ENTRIES {
            // Not a judgement: it only ends the look.
            return Err(Reject::new(Reason::ReadFailed, "seen enough"));
        }
        Ok(())
    }
}

/// The time of a file's content in UTC milliseconds, as far as it says; never later than a day after it came.
pub(super) fn made_ms(input: &mut File, limits: &Limits, received_ms: i64) -> Option<i64> {
    let mut look = Look {
        latest_ms: received_ms.saturating_add(AHEAD_MS),
        ..Look::default()
    };
    if let Some(mtime_s) = gzip_time(input) {
        look.take("", Some(mtime_s));
    }
    // Whatever is wrong with the archive, the reading proper says it.
    let _ = archive::inspect(input, limits, &mut look);
    look.verdict()
}

/// The time in the header of a gzip file.
fn gzip_time(input: &mut File) -> Option<i64> {
    let mut head = [0; 10];
    input.seek(SeekFrom::Start(0)).ok()?;
    input.read_exact(&mut head).ok()?;
    let time = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    (head[..3] == [0x1f, 0x8b, 8] && time != 0).then(|| time.into())
}

/// `sosreport-host-case-2026-11-21-abcdefg`: noon of that day.
fn day(top: &str) -> Option<i64> {
    let rest = top.strip_prefix("sosreport-")?;
    let digits = |part: &str, count: usize| {
        part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts: Vec<&str> = rest.split('-').collect();
    parts.windows(3).rev().find_map(|window| {
        let [year, month, day] = window else {
            return None;
        };
        if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
            return None;
        }
        let noon = format!("{year}-{month}-{day}T12:00:00Z");
        UtcMs::parse(&noon).ok().map(|time| time.0)
    })
}

/// The output of `date`: `Sat Nov 21 14:02:00 UTC 2026`, `Sat 21 Nov 2026 02:02:00 PM CET`. Zones have no unique names:
/// one that is not UTC is taken for it, which is near enough for a year.
fn spoken(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let (mut year, mut month, mut day, mut clock, mut afternoon) = (None, None, None, None, None);
    for word in text.lines().next()?.split_whitespace() {
        let lower = word.to_ascii_lowercase();
        if let Some(at) = MONTHS.iter().position(|name| lower.starts_with(name)) {
            month = Some(at + 1);
        } else if word.contains(':') {
            clock = Some(word);
        } else if matches!(lower.as_str(), "am" | "pm") {
            afternoon = Some(lower == "pm");
        } else if let Ok(number) = word.parse::<u32>() {
            match number {
                1..=31 => day = Some(number),
                1970..=2999 => year = Some(number),
                _ => {}
            }
        }
    }
    let mut parts = clock?.splitn(3, ':');
    let mut hour: u32 = parts.next()?.parse().ok()?;
    match afternoon {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    let (minute, second) = (parts.next()?, parts.next().unwrap_or("00"));
    let text = format!(
        "{:04}-{:02}-{:02}T{hour:02}:{minute}:{second}Z",
        year?, month?, day?
    );
    UtcMs::parse(&text).ok().map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<i64> {
        Some(UtcMs::parse(text).unwrap().0)
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, expected) in [
            ("Sat Nov 21 14:02:00 UTC 2026\n", at("2026-11-21T14:02:00Z")),
            (
                "Sat 21 Nov 2026 02:02:09 PM CET\n",
                at("2026-11-21T14:02:09Z"),
            ),
            (
                "Sat Nov 21 12:00:00 AM EST 2026",
                at("2026-11-21T00:00:00Z"),
            ),
            ("today", None),
            ("", None),
        ] {
            assert_eq!(spoken(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_said_goes_before_the_name_and_that_before_the_newest_file() {
        let noon = day("sosreport-web-1-00123-2026-11-21-abcdefg");
        assert_eq!(noon, at("2026-11-21T12:00:00Z"));
        assert_eq!(day("logs-2026-11-21"), None);
        let look = |said_ms, day_ms, newest_ms| {
            let look = Look {
                said_ms,
                day_ms,
                newest_ms,
                ..Look::default()
            };
            look.verdict()
        };
        let (old, exact) = (at("2020-01-01T00:00:00Z"), at("2026-11-21T09:30:00Z"));
        assert_eq!(
            look(None, noon, exact),
            exact,
            "a file of that day is more exact"
        );
        assert_eq!(look(None, noon, old), noon, "copied without their times");
        assert_eq!(look(old, noon, exact), old);
        assert_eq!(look(None, None, old), old);
        assert_eq!(look(None, None, None), None);
    }

    #[test]
    fn times_that_hide_or_lie_ahead_do_not_count() {
        let mut look = Look {
            latest_ms: 1_000_000_000_000,
            ..Look::default()
        };
        for seconds in [0, 1, 2_000_000_000] {
            look.take("a", Some(seconds));
        }
        assert_eq!(look.newest_ms, None);
        look.take("a", Some(900_000_000));
        assert_eq!(look.newest_ms, Some(900_000_000_000));
    }
}
