//! Points in time as UTC milliseconds. Nothing here reads a clock: callers give the time.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z; serialises as the number.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UtcMs(pub i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time such as 2026-11-21T14:02:00Z")]
pub struct NotATime(pub String);

impl UtcMs {
    /// `2026-11-21T14:02:00Z`, with milliseconds when there are any.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.timestamp().to_string()
    }

    /// `20261121T140200Z`, as used in file names.
    #[must_use]
    pub fn compact(self) -> String {
        let text = self.rfc3339();
        // The fraction, when there is one, stands between the seconds and the Z.
        let whole = text.split(['.', 'Z']).next().unwrap_or_default();
        let digits: String = whole.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        format!("{digits}Z")
    }

    /// Whole seconds since 1970; what a tar header holds. Times before 1970 give 0.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// Reads an RFC 3339 time with any offset.
    ///
    /// # Errors
    /// The text is not such a time.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        text.trim()
            .parse::<Timestamp>()
            .map(|at| Self(at.as_millisecond()))
            .map_err(|_| NotATime(text.to_owned()))
    }

    // A number outside jiff's years comes only from untrusted input; it shows as the nearest end.
    fn timestamp(self) -> Timestamp {
        let (min, max) = (
            Timestamp::MIN.as_millisecond(),
            Timestamp::MAX.as_millisecond(),
        );
        Timestamp::from_millisecond(self.0.clamp(min, max)).unwrap_or_default()
    }
}

impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads() {
        let at = UtcMs(1_795_269_720_000);
        assert_eq!(at.rfc3339(), "2026-11-21T14:02:00Z");
        assert_eq!(at.compact(), "20261121T140200Z");
        assert_eq!(UtcMs::parse("2026-11-21T16:02:00+02:00"), Ok(at));
        assert!(UtcMs::parse("yesterday").is_err());
    }

    #[test]
    fn extreme_numbers_do_not_panic() {
        for ms in [i64::MIN, -1, 0, i64::MAX] {
            assert!(!UtcMs(ms).rfc3339().is_empty());
            assert!(!UtcMs(ms).compact().is_empty());
        }
    }
}
