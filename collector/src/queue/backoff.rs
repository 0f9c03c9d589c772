//! How long to wait before the next try.

/// Wait after the first failed try, in milliseconds.
const FIRST_MS: i64 = 1_000;
/// Longest wait, in milliseconds.
const LONGEST_MS: i64 = 5 * 60 * 1_000;

/// Doubles with each try, with the upper half left to chance so that jobs that failed together do not return
/// together. `chance` is any number.
pub fn delay_ms(attempt: i64, chance: u64) -> i64 {
    let doublings = u32::try_from((attempt - 1).clamp(0, 20)).unwrap_or(20);
    let full = FIRST_MS.saturating_mul(1 << doublings).min(LONGEST_MS);
    let half = full / 2;
    half + i64::try_from(chance % (half.unsigned_abs() + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded() {
        for (attempt, low, high) in [
            (1, 500, 1_000),
            (2, 1_000, 2_000),
            (4, 4_000, 8_000),
            (99, 150_000, 300_000),
        ] {
            for chance in [0, 1, 77, u64::MAX] {
                let delay = delay_ms(attempt, chance);
                assert!((low..=high).contains(&delay), "{attempt} {delay}");
            }
        }
    }
}
