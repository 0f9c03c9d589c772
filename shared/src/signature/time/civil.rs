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

/// The calendar year of a time in UTC seconds.
pub(super) fn year_of(seconds: i64) -> i64 {
    let mut year = 1970 + seconds.div_euclid(DAY_S) / 366;
    while days(year + 1, 1, 1) * DAY_S <= seconds {
        year += 1;
    }
    while days(year, 1, 1) * DAY_S > seconds {
        year -= 1;
    }
    year
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

/// The year that a date without one means, seen from `now_s`: the latest that is not far ahead.
pub(super) fn guess_year(now_s: i64, month: i64, day: i64, second_of_day: i64) -> i64 {
    let mut year = year_of(now_s) + 1;
    // A leap day looks back up to eight years (1900 had none, 2100 has none).
    for _ in 0..10 {
        let exists = day <= month_days(year, month);
        if exists && days(year, month, day) * DAY_S + second_of_day <= now_s + AHEAD_S {
            return year;
        }
        year -= 1;
    }
    year_of(now_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days_and_years() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2026, 11, 24), 20_781);
        assert_eq!(year_of(0), 1970);
        assert_eq!(year_of(days(2026, 12, 31) * DAY_S + 86_399), 2026);
        assert_eq!(year_of(days(2027, 1, 1) * DAY_S), 2027);
    }

    #[test]
    fn a_date_without_a_year_is_the_latest_that_is_not_far_ahead() {
        let now = days(2026, 1, 3) * DAY_S;
        assert_eq!(guess_year(now, 12, 31, 0), 2025);
        assert_eq!(guess_year(now, 1, 2, 0), 2026);
        assert_eq!(guess_year(now, 1, 9, 0), 2026);
        assert_eq!(guess_year(now, 1, 12, 0), 2025);
        assert_eq!(guess_year(now, 2, 29, 0), 2024);
        assert_eq!(guess_year(days(2025, 12, 30) * DAY_S, 1, 2, 0), 2026);
    }
}
