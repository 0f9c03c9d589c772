//! How long to wait before the next try: exponential with full jitter, bounded.

use std::time::Duration;

/// Tries without progress before sending gives up.
pub const MAX_TRIES: u32 = 8;
/// Longest pause of our own choice.
const LONGEST: Duration = Duration::from_secs(300);
/// Longest pause a collector may ask for; more is treated as this.
const LONGEST_ASKED: Duration = Duration::from_secs(900);

/// The pause before try `attempt` (from 1), with `random` choosing within it.
pub fn pause(attempt: u32, random: u32, asked: Option<Duration>) -> Duration {
    let ceiling = Duration::from_secs(1)
        .saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)))
        .min(LONGEST);
    let jittered = ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX));
    match asked {
        // Everyone was asked to come back at the same moment: spread by up to a second more.
        Some(asked) => asked.min(LONGEST_ASKED) + jittered.min(Duration::from_secs(1)),
        None => jittered.max(Duration::from_millis(50)),
    }
}

/// Randomness for the pause; without a source of it the middle serves.
pub fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_minutes_and_are_jittered() {
        assert_eq!(pause(1, u32::MAX, None), Duration::from_secs(1));
        assert_eq!(pause(4, u32::MAX, None), Duration::from_secs(8));
        assert_eq!(pause(40, u32::MAX, None), LONGEST);
        assert_eq!(pause(40, 0, None), Duration::from_millis(50));
    }

    #[test]
    fn what_the_collector_asks_counts() {
        assert_eq!(
            pause(1, 0, Some(Duration::from_secs(30))),
            Duration::from_secs(30)
        );
        assert_eq!(
            pause(9, u32::MAX, Some(Duration::from_secs(9999))),
            Duration::from_secs(901)
        );
    }
}
