//! Can this host reach the collector? Each step by itself, so that the one that fails is named.
//!
//! A step is a key and values of the run's texts, so that it can be shown in the person's language.

mod load;
mod road;
mod trust;

use super::client::Collector;
use sitrep_shared::size::format_duration_ms;
use std::time::Duration;

/// A step that takes longer than this has failed.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// Certificates and codes go wrong when clocks differ by more.
const SKEW_WARN_S: i64 = 60;
/// TLS itself begins to fail about here.
const SKEW_FAIL_S: i64 = 3600;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// Does not work.
    Fail,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Key of its name in the texts, `step_…`.
    pub name: &'static str,
    /// How it went.
    pub level: Level,
    /// Key of what was seen.
    pub key: &'static str,
    /// What the text is filled with.
    pub values: Vec<(&'static str, String)>,
    /// Key of what to do.
    pub fix: Option<&'static str>,
}

impl Step {
    /// A step that went as it should.
    pub fn ok(name: &'static str, key: &'static str, values: Vec<(&'static str, String)>) -> Self {
        Self {
            name,
            level: Level::Ok,
            key,
            values,
            fix: None,
        }
    }

    /// A step that works, but should be looked at.
    pub fn warn(mut self, fix: &'static str) -> Self {
        (self.level, self.fix) = (Level::Warn, Some(fix));
        self
    }

    /// A step that does not work.
    pub fn fail(mut self, fix: &'static str) -> Self {
        (self.level, self.fix) = (Level::Fail, Some(fix));
        self
    }
}

/// Takes the steps as they are done.
pub type Tell<'t> = dyn FnMut(Step) + 't;

impl Collector {
    /// All steps in order; later ones are left out when an earlier one makes them pointless. `now_s` is
    /// this host's clock. True when nothing failed.
    pub fn probe(&self, now_s: i64, tell: &mut Tell<'_>) -> bool {
        let mut failed = false;
        let mut watch = |step: Step| {
            failed |= step.level == Level::Fail;
            tell(step);
        };
        if let Some(mtu) = self.road(&mut watch) {
            self.speak(now_s, mtu, &mut watch);
        }
        !failed
    }

    fn speak(&self, now_s: i64, mtu: Option<u32>, tell: &mut Tell<'_>) {
        let Some(date_s) = self.trust(now_s, tell) else {
            return;
        };
        tell(clock(date_s, now_s));
        self.large_packets(mtu, tell);
    }
}

fn ms(began: std::time::Instant) -> String {
    began.elapsed().as_millis().to_string()
}

/// Seconds since 1970 of an HTTP date.
fn date_s(date: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(date)
        .ok()
        .map(|zoned| zoned.timestamp().as_second())
}

/// How far this clock is from the other one, and the keys for behind and ahead.
fn skew(
    now_s: i64,
    theirs_s: i64,
    behind: &'static str,
    ahead: &'static str,
) -> (u64, &'static str) {
    let skew = now_s.saturating_sub(theirs_s);
    let key = if skew < 0 { behind } else { ahead };
    (skew.unsigned_abs(), key)
}

fn span(seconds: u64) -> Vec<(&'static str, String)> {
    vec![("span", format_duration_ms(seconds.saturating_mul(1000)))]
}

fn clock(theirs_s: Option<i64>, now_s: i64) -> Step {
    const NAME: &str = "step_clock";
    let Some(theirs_s) = theirs_s else {
        return Step::ok(NAME, "clock_unknown", Vec::new()).warn("fix_clock");
    };
    let (size, key) = skew(now_s, theirs_s, "clock_behind", "clock_ahead");
    if size <= SKEW_WARN_S.unsigned_abs() {
        let values = vec![("s", SKEW_WARN_S.to_string())];
        return Step::ok(NAME, "clock_good", values);
    }
    let step = Step::ok(NAME, key, span(size));
    if size > SKEW_FAIL_S.unsigned_abs() {
        step.fail("fix_clock")
    } else {
        step.warn("fix_clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared() {
        let at = 1_795_269_720;
        assert_eq!(date_s("Sat, 21 Nov 2026 14:02:00 GMT"), Some(at));
        for (now, level, key) in [
            (at, Level::Ok, "clock_good"),
            (at - 600, Level::Warn, "clock_behind"),
            (at + 11_520, Level::Fail, "clock_ahead"),
        ] {
            let step = clock(Some(at), now);
            assert_eq!((step.level, step.key), (level, key));
        }
        assert_eq!(clock(None, at).level, Level::Warn);
    }
}
