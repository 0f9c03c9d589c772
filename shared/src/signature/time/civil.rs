//! The calendar: days from a date, and the year that a stamp without one must mean.

/// Nanoseconds in a second.
pub(in crate::signature) const SECOND: i64 = 1_000_000_000;
/// Seconds in a day.
const DAY_S: i64 = 86_400;
/// A stamp without a year may be this far ahead of the bundle before it means the year before.
const AHEAD_S: i64 = 7 * DAY_S;

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a number of days since 1970-01-01: year, month, day.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Length of a month.
pub(super) fn month_days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// The last moment that a date without a year can mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Latest {
    year: i64,
    /// Month, day and second of the day.
    at: (i64, i64, i64),
}

impl Latest {
    /// Seen from `now_s`.
    pub(super) fn of(now_s: i64) -> Self {
        let latest = now_s.saturating_add(AHEAD_S);
        let (year, month, day) = date(latest.div_euclid(DAY_S));
        Self {
            year,
            at: (month, day, latest.rem_euclid(DAY_S)),
        }
    }

    /// The year of a date without one: the latest that is not far ahead.
    pub(super) fn year(&self, month: i64, day: i64, second_of_day: i64) -> i64 {
        let mut year = self.year - i64::from((month, day, second_of_day) > self.at);
        // A leap day looks back up to eight years (1900 had none, 2100 has none).
        for _ in 0..8 {
            if day <= month_days(year, month) {
                break;
            }
            year -= 1;
        }
        year
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days_and_years() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2026, 11, 24), 20_781);
        for (year, month, day) in [
            (1970, 1, 1),
            (1999, 12, 31),
            (2000, 2, 29),
            (2026, 3, 1),
            (2100, 2, 28),
        ] {
            assert_eq!(date(days(year, month, day)), (year, month, day));
        }
        for day in -800_000..800_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn a_date_without_a_year_is_the_latest_that_is_not_far_ahead() {
        let guess_year = |now_s, month, day, second| Latest::of(now_s).year(month, day, second);
        let now = days(2026, 1, 3) * DAY_S;
        assert_eq!(guess_year(now, 12, 31, 0), 2025);
        assert_eq!(guess_year(now, 1, 2, 0), 2026);
        assert_eq!(guess_year(now, 1, 9, 0), 2026);
        assert_eq!(guess_year(now, 1, 12, 0), 2025);
        assert_eq!(guess_year(now, 2, 29, 0), 2024);
        assert_eq!(guess_year(days(2025, 12, 30) * DAY_S, 1, 2, 0), 2026);
    }
}
