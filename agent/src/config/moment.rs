//! Points in time as people write them.

use super::values::duration_ms;
use sitrep_shared::time::UtcMs;

/// UTC milliseconds of `24h` (that long ago), `2026-11-20T14:05:00Z`, `2026-11-20 14:05` or
/// `2026-11-20` (both in this host's time zone).
pub fn moment_ms(text: &str, now: UtcMs) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(span) = duration_ms(text) {
        // A bare number is a span in settings, but nobody means seconds by `--since 2026`.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(now
                .0
                .saturating_sub(i64::try_from(span).unwrap_or(i64::MAX)));
        }
    }
    if let Ok(at) = UtcMs::parse(text) {
        return Ok(at.0);
    }
    let civil = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| {
            text.parse::<jiff::civil::Date>()
                .map(|date| date.at(0, 0, 0, 0))
        })
        .ok();
    civil
        .and_then(|civil| civil.to_zoned_datetime(jiff::tz::TimeZone::system()).ok())
        .map(|zoned| zoned.timestamp().as_millisecond())
        .ok_or_else(|| {
            format!("{text:?} is not a time such as 24h, 2026-11-20 14:05 or 2026-11-20T14:05:00Z")
        })
}

/// The same for people: date and minute in this host's time zone.
pub fn local_minute(at: UtcMs) -> String {
    let zone = jiff::tz::TimeZone::system();
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| at.rfc3339(),
        |time| {
            zone.to_datetime(time)
                .strftime("%Y-%m-%d %H:%M")
                .to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_instants_and_dates() {
        let now = UtcMs(1_000_000_000);
        assert_eq!(moment_ms("1h", now), Ok(1_000_000_000 - 3_600_000));
        assert_eq!(moment_ms("1970-01-01T00:00:01Z", now), Ok(1_000));
        assert!(moment_ms("2026-11-20 14:05", now).is_ok());
        assert!(moment_ms("2026-11-20", now).is_ok());
        for text in ["yesterday-ish", "2026", "2026-13-40", ""] {
            assert!(moment_ms(text, now).is_err(), "{text}");
        }
    }
}
