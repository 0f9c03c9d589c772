//! The time of a log line, from the line itself, in the formats that hosts write. Only the beginning of a
//! line is looked at; a line without a time belongs to the one before.

/// How far into a line a time may begin.
const REACH: usize = 256;
const DAY_MS: i64 = 86_400_000;
const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// What a line leaves out: the year and the zone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Now, UTC ms; lines without a year are in the last year before this.
    pub now_ms: i64,
    /// Offset of local time from UTC in seconds, for lines without a zone.
    pub utc_offset_s: i32,
}

/// Broken-down local time of a line.
#[derive(Clone, Copy)]
struct Parts {
    year: Option<i64>,
    month: i64,
    day: i64,
    ms_of_day: i64,
    zone_s: Option<i64>,
}

/// UTC milliseconds of a line, or none.
pub fn of_line(line: &[u8], clock: Clock) -> Option<i64> {
    let line = &line[..line.len().min(REACH)];
    let start = line
        .iter()
        .position(|b| !matches!(b, b' ' | b'\t' | b'[' | b'"' | b'\''))?;
    let text = strip_priority(&line[start..]);
    if let Some(ms) = epoch(text) {
        return Some(ms);
    }
    let parts = iso(text)
        .or_else(|| syslog(text))
        .or_else(|| asctime(text))
        .or_else(|| klog(text))
        .or_else(|| day_first(text))
        .or_else(|| in_brackets(line))
        .or_else(|| in_json(line));
    parts.and_then(|p| absolute(p, clock))
}

fn strip_priority(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"<").and_then(|t| {
        t.iter()
            .take(4)
            .position(|b| *b == b'>')
            .map(|at| &t[at + 1..])
    }) {
        Some(rest) => rest.strip_prefix(b"1 ").unwrap_or(rest),
        None => text,
    }
}

fn number(text: &[u8], from: usize, len: usize) -> Option<i64> {
    let digits = text.get(from..from + len)?;
    digits.iter().try_fold(0, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'))
    })
}

fn month(text: &[u8]) -> Option<i64> {
    let name = text.get(..3)?;
    MONTHS
        .chunks(3)
        .position(|m| m.eq_ignore_ascii_case(name))
        .map(|m| m as i64 + 1)
}

/// `HH:MM:SS`, with a fraction when there is one; gives the time and what follows.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    if text.get(2) != Some(&b':') || text.get(5) != Some(&b':') {
        return None;
    }
    let (h, m, s) = (
        number(text, 0, 2)?,
        number(text, 3, 2)?,
        number(text, 6, 2)?,
    );
    if h > 23 || m > 59 || s > 60 {
        return None;
    }
    let mut ms = ((h * 60 + m) * 60 + s) * 1000;
    let mut rest = &text[8..];
    if matches!(rest.first(), Some(b'.' | b',')) {
        let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut scale = 100;
        for at in 0..digits.min(3) {
            ms += i64::from(rest[1 + at] - b'0') * scale;
            scale /= 10;
        }
        rest = &rest[1 + digits..];
    }
    Some((ms, rest))
}

fn zone(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    match text.first()? {
        b'Z' => Some(0),
        sign @ (b'+' | b'-') => {
            let h = number(text, 1, 2)?;
            let m = number(text, 3, 2)
                .or_else(|| number(text, 4, 2))
                .unwrap_or(0);
            Some(if *sign == b'-' { -1 } else { 1 } * (h * 3600 + m * 60))
        }
        _ => text.starts_with(b"UTC").then_some(0),
    }
}

/// `2026-11-24T14:01:02.123+01:00`, `2026-11-24 14:01:02,123`, `2026/11/24 14:01:02`.
fn iso(text: &[u8]) -> Option<Parts> {
    let year = number(text, 0, 4)?;
    if !matches!(text.get(4)?, b'-' | b'/')
        || text.get(4) != text.get(7)
        || !matches!(text.get(10)?, b'T' | b' ' | b't')
    {
        return None;
    }
    let (ms_of_day, rest) = time_of_day(&text[11..])?;
    let (month, day) = (number(text, 5, 2)?, number(text, 8, 2)?);
    Some(Parts {
        year: Some(year),
        month,
        day,
        ms_of_day,
        zone_s: zone(rest),
    })
}

/// `Nov  4 14:01:02 host …`, also with a year behind the time.
fn syslog(text: &[u8]) -> Option<Parts> {
    let month = month(text)?;
    let rest = text.get(4..)?;
    let (day, len) = match rest.first()? {
        b' ' => (number(rest, 1, 1)?, 2),
        _ => number(rest, 0, 2)
            .map(|d| (d, 2))
            .or_else(|| number(rest, 0, 1).map(|d| (d, 1)))?,
    };
    let (ms_of_day, rest) = time_of_day(rest.get(len + 1..)?)?;
    let year = (rest.first() == Some(&b' '))
        .then(|| number(rest, 1, 4))
        .flatten()
        .filter(|y| (1990..2100).contains(y));
    Some(Parts {
        year,
        month,
        day,
        ms_of_day,
        zone_s: None,
    })
}

/// `Tue Nov 24 14:01:02.123 2026`.
fn asctime(text: &[u8]) -> Option<Parts> {
    if !matches!(
        text.get(..3)?,
        b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"
    ) {
        return None;
    }
    syslog(text.get(4..)?.strip_prefix(b" ").unwrap_or(&text[4..]))
}

/// `I1124 14:01:02.123456` (Kubernetes).
fn klog(text: &[u8]) -> Option<Parts> {
    if !matches!(text.first()?, b'I' | b'W' | b'E' | b'F') || text.get(5) != Some(&b' ') {
        return None;
    }
    let (month, day) = (number(text, 1, 2)?, number(text, 3, 2)?);
    let (ms_of_day, _) = time_of_day(text.get(6..)?)?;
    Some(Parts {
        year: None,
        month,
        day,
        ms_of_day,
        zone_s: None,
    })
}

/// `24/Nov/2026:14:01:02 +0100`, `24 Nov 2026 14:01:02.123`, also behind a short word (Redis).
fn day_first(text: &[u8]) -> Option<Parts> {
    let word = text
        .iter()
        .take(16)
        .position(|b| *b == b' ')
        .map_or(0, |at| at + 1);
    [0, word].into_iter().find_map(|from| {
        let text = text.get(from..)?;
        let day = number(text, 0, 2)?;
        if !matches!(text.get(2)?, b'/' | b' ' | b'-') {
            return None;
        }
        let (month, year) = (month(text.get(3..)?)?, number(text, 7, 4)?);
        let (ms_of_day, rest) = time_of_day(text.get(12..)?)?;
        Some(Parts {
            year: Some(year),
            month,
            day,
            ms_of_day,
            zone_s: zone(rest),
        })
    })
}

/// The access log formats: the time is in the first bracket.
fn in_brackets(line: &[u8]) -> Option<Parts> {
    let at = memchr::memchr(b'[', line)?;
    let text = &line[at + 1..];
    day_first(text)
        .or_else(|| iso(text))
        .or_else(|| asctime(text))
}

fn in_json(line: &[u8]) -> Option<Parts> {
    if line.first() != Some(&b'{') {
        return None;
    }
    [
        &b"\"time\":"[..],
        b"\"ts\":",
        b"\"timestamp\":",
        b"\"@timestamp\":",
        b"\"t\":{\"$date\":",
    ]
    .iter()
    .find_map(|key| {
        let at = memchr::memmem::find(line, key)? + key.len();
        let text = &line[at..];
        let from = text.iter().position(|b| !matches!(b, b' ' | b'"'))?;
        iso(&text[from..])
    })
}

/// `1790000000.123`, `audit(1790000000.123:45)`, `type=… msg=audit(…`.
fn epoch(text: &[u8]) -> Option<i64> {
    let text = match memchr::memmem::find(&text[..text.len().min(64)], b"audit(") {
        Some(at) => &text[at + 6..],
        None => text,
    };
    let seconds = number(text, 0, 10)?;
    match text.get(10) {
        Some(b'.') => Some(seconds * 1000 + number(text, 11, 3).unwrap_or(0)),
        Some(b' ' | b':' | b'\t') => Some(seconds * 1000),
        Some(b) if b.is_ascii_digit() => {
            number(text, 0, 13).filter(|_| !text.get(13).is_some_and(u8::is_ascii_digit))
        }
        _ => None,
    }
}

/// Days since 1970 of a date (proleptic Gregorian; Howard Hinnant's method).
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn absolute(parts: Parts, clock: Clock) -> Option<i64> {
    if !(1..=12).contains(&parts.month) || !(1..=31).contains(&parts.day) {
        return None;
    }
    let zone_s = parts.zone_s.unwrap_or(i64::from(clock.utc_offset_s));
    let at = |year| days(year, parts.month, parts.day) * DAY_MS + parts.ms_of_day - zone_s * 1000;
    if let Some(year) = parts.year {
        return Some(at(year));
    }
    let this_year = 1970 + clock.now_ms.div_euclid(DAY_MS) * 400 / 146_097;
    // The latest year in which the line is not in the future (a day of grace for wrong clocks).
    (this_year - 1..=this_year + 1)
        .rev()
        .map(at)
        .find(|ms| *ms <= clock.now_ms + DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_common_formats() {
        let clock = Clock {
            now_ms: days(2026, 11, 24) * DAY_MS + 15 * 3_600_000,
            utc_offset_s: 3600,
        };
        let utc = |h: i64, m: i64, s: i64, ms: i64| {
            days(2026, 11, 24) * DAY_MS + ((h * 60 + m) * 60 + s) * 1000 + ms
        };
        for (line, expected) in [
            (
                "2026-11-24T14:01:02.123456Z host x",
                Some(utc(14, 1, 2, 123)),
            ),
            ("2026-11-24T14:01:02+0100 x", Some(utc(13, 1, 2, 0))),
            ("2026-11-24 14:01:02,5 ERROR x", Some(utc(13, 1, 2, 500))),
            ("2026/11/24 14:01:02 [error] 1#1: x", Some(utc(13, 1, 2, 0))),
            ("Nov 24 14:01:02 host sshd[1]: x", Some(utc(13, 1, 2, 0))),
            (
                "<13>Nov 24 14:01:02 host sshd[1]: x",
                Some(utc(13, 1, 2, 0)),
            ),
            (
                "Nov 25 20:01:02 host x",
                Some(days(2025, 11, 25) * DAY_MS + (19 * 3600 + 62) * 1000),
            ),
            (
                "[Tue Nov 24 14:01:02.000 2026] [core:error] x",
                Some(utc(13, 1, 2, 0)),
            ),
            (
                "10.0.0.1 - - [24/Nov/2026:14:01:02 +0200] \"GET /\"",
                Some(utc(12, 1, 2, 0)),
            ),
            (
                "E1124 14:01:02.250000   1 x.go:1] x",
                Some(utc(13, 1, 2, 250)),
            ),
            ("17:M 24 Nov 2026 14:01:02.001 * x", Some(utc(13, 1, 2, 1))),
            (
                "{\"log\":\"x\",\"time\":\"2026-11-24T14:01:02.5Z\"}",
                Some(utc(14, 1, 2, 500)),
            ),
            (
                "type=AVC msg=audit(1795528862.123:4): x",
                Some(1_795_528_862_123),
            ),
            ("1795528862.123 x", Some(1_795_528_862_123)),
            ("\tat com.example.Main(Main.java:1)", None),
            ("no time here", None),
            ("", None),
        ] {
            assert_eq!(of_line(line.as_bytes(), clock), expected, "{line}");
        }
    }
}
