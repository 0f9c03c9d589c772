//! Finding a place in one file: the next or previous line of a level or that matches a pattern, and the line of a time.
//! From the line that is looked at outwards, so that what is near is found at once whatever the size of the file.

use std::io::{self, Read};

use sitrep_shared::signature::Dates;
use uuid::Uuid;

use super::index::{BrowseIndex, FileEntry};
use super::read::{self, Line};
use super::search::{self, Pace, Search};
use crate::bundles::storage::Store;

/// Lines read at each step of the search for a time; one of them has a date, as a rule.
const STEP_LINES: u64 = 40;
/// The search for a time ends in a stretch of so many lines, which is read line by line: more than lie between two marks,
/// as a rule, since a request to an object store costs more than they do.
const LAST_LINES: u64 = 2_048;

/// A level of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Errors, and what is worse.
    Error,
    /// Warnings.
    Warning,
}

impl Level {
    /// As lines carry it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    /// Matches every line of the level, and some others.
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Error => {
                r"(?-u:\b)(?:error|err|fatal|critical|crit|alert|emerg|panic|severe)(?-u:\b)"
            }
            Self::Warning => r"(?-u:\b)(?:warning|warn)(?-u:\b)",
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone)]
pub enum Sought {
    /// A line of a level.
    Level(Level),
    /// A line that matches.
    Pattern(Search),
    /// The first line at a time or later, UTC milliseconds.
    Time(i64),
    /// The first line of a time of day or later, in milliseconds, on the day of the line that is looked at.
    TimeOfDay(i64),
}

/// Where it is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// The line that is looked at, from 1; it is not found itself.
    pub line: u64,
    /// Whether towards the start of the file.
    pub back: bool,
    /// When the bundle was collected: decides the year of dates without one.
    pub collected_ms: i64,
}

/// One file of a bundle.
pub(super) struct Place<'a> {
    pub(super) store: &'a Store,
    pub(super) bundle: Uuid,
    pub(super) index: &'a BrowseIndex,
    pub(super) entry: &'a FileEntry,
}

impl Place<'_> {
    /// The number of the line that is sought; none when there is none.
    pub(super) fn seek(&self, sought: &Sought, from: Start) -> io::Result<Option<u64>> {
        match sought {
            Sought::Level(level) => {
                let search = Search::new(level.pattern(), true, usize::MAX);
                let search = search.map_err(io::Error::other)?;
                self.matching(&search, from, &|text| {
                    read::level(text) == Some(level.word())
                })
            }
            Sought::Pattern(search) => self.matching(search, from, &|_| true),
            Sought::Time(ms) => self.at_time(from, *ms),
            Sought::TimeOfDay(ms) => self.at_time_of_day(from, *ms),
        }
    }

    fn matching(
        &self,
        search: &Search,
        from: Start,
        is: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> io::Result<Option<u64>> {
        let of = (self.store, self.bundle);
        if from.back {
            return search::last_before(of, self.index, (self.entry, from.line), search, is);
        }
        let mut search = search.clone();
        search.limit = usize::MAX;
        search.within = Some((self.entry.fid, from.line));
        search.pace = Pace::Near;
        let mut found = None;
        search::run(of, self.index, &search, &mut |hit| {
            if hit.line > from.line && is(hit.text.as_bytes()) {
                found = Some(hit.line);
            }
            found.is_none()
        })?;
        Ok(found)
    }

    fn lines(&self, from: u64, count: u64) -> io::Result<Vec<Line>> {
        let body = self.store.body(self.bundle).map_err(io::Error::other)?;
        Ok(read::page(body, self.index, self.entry, from, count)?.lines)
    }

    fn dates(&self, from: Start) -> io::Result<Option<Dates>> {
        let body = self.store.body(self.bundle).map_err(io::Error::other)?;
        let mut start = Vec::new();
        let length = Dates::SAMPLE_BYTES as u64;
        read::file_range(body, self.index, self.entry, 0, length)?.read_to_end(&mut start)?;
        Ok(Dates::of_file(&start, from.collected_ms))
    }

    /// Halves the file, or what the times of its marks leave of it, until few lines are left. Lines out of order make it
    /// less exact, never endless.
    fn at_time(&self, from: Start, ms: i64) -> io::Result<Option<u64>> {
        let Some(dates) = self.dates(from)? else {
            return Ok(None);
        };
        let first_dated =
            |lines: &[Line]| lines.iter().find_map(|line| dates.ms(line.s.as_bytes()));
        let (mut low, mut high) = match self.index.lines_around(self.entry, ms)? {
            Some((before, behind)) => (before + 1, behind + 1),
            None => (1, self.entry.lines + 1),
        };
        while high - low > LAST_LINES {
            let middle = low + (high - low) / 2;
            match first_dated(&self.lines(middle, STEP_LINES)?) {
                Some(at) if at < ms => low = middle,
                // What has no date near belongs to what stands before it.
                _ => high = middle,
            }
        }
        // The stretch begins before the time, so the line is in it or is the first behind it.
        let body = self.store.body(self.bundle).map_err(io::Error::other)?;
        let stretch = low..high + STEP_LINES;
        read::find(body, self.index, self.entry, stretch, |text| {
            dates.ms(text).is_some_and(|at| at >= ms)
        })
    }

    fn at_time_of_day(&self, from: Start, of_day_ms: i64) -> io::Result<Option<u64>> {
        const DAY_MS: i64 = 86_400_000;
        let Some(dates) = self.dates(from)? else {
            return Ok(None);
        };
        // The day of the line that is looked at, or of the nearest before it that has a date.
        let near = self.lines(from.line.saturating_sub(STEP_LINES).max(1), STEP_LINES + 1)?;
        let mut dated = near
            .iter()
            .rev()
            .filter_map(|line| dates.ms(line.s.as_bytes()));
        let Some(at) = dated.next() else {
            return Ok(None);
        };
        self.at_time(from, at.div_euclid(DAY_MS) * DAY_MS + of_day_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundles::browse::search::tests::stored;

    /// 300,000 lines, a second each, with an error at every 50,000th and warnings at two places.
    fn log() -> Vec<u8> {
        use std::io::Write as _;
        let mut text = Vec::new();
        for n in 1..=300_000u32 {
            let level = match n {
                n if n % 50_000 == 0 => "ERROR",
                7 | 299_999 => "WARN",
                _ => "INFO",
            };
            let (day, rest) = (21 + n / 86_400, n % 86_400);
            let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
            writeln!(
                text,
                "2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z {level} no error in line {n}"
            )
            .unwrap();
        }
        text
    }

    #[test]
    fn near_and_far_places_are_found_both_ways() {
        let of = stored(&[
            ("other.log", b"ERROR elsewhere\n".to_vec()),
            ("a.log", log()),
        ]);
        let old = of.3.of_first_version();
        let entry = of.3.find("a.log").unwrap();
        assert_eq!(old.find("a.log").unwrap(), entry);
        let place = Place {
            store: &of.1,
            bundle: of.2,
            index: &of.3,
            entry: &entry,
        };
        let from = |line, back| Start {
            line,
            back,
            collected_ms: 1_795_500_000_000,
        };
        let pattern = |text: &str| Sought::Pattern(Search::new(text, false, 1).unwrap());
        let time = 1_795_219_200_000; // 2026-11-21T00:00:00Z
        for (sought, from, expected) in [
            (Sought::Level(Level::Error), from(1, false), Some(50_000)),
            (
                Sought::Level(Level::Error),
                from(50_000, false),
                Some(100_000),
            ),
            (
                Sought::Level(Level::Error),
                from(49_999, false),
                Some(50_000),
            ),
            (Sought::Level(Level::Error), from(300_000, false), None),
            (
                Sought::Level(Level::Error),
                from(300_000, true),
                Some(250_000),
            ),
            (Sought::Level(Level::Error), from(50_000, true), None),
            (Sought::Level(Level::Warning), from(8, false), Some(299_999)),
            (Sought::Level(Level::Warning), from(299_999, true), Some(7)),
            (pattern("line 123$"), from(1, false), Some(123)),
            (pattern("line 123$"), from(300_000, true), Some(123)),
            (pattern("elsewhere"), from(1, false), None),
            (pattern("elsewhere"), from(300_000, true), None),
            (Sought::Time(time + 1_000), from(1, false), Some(1)),
            (Sought::Time(0), from(9, false), Some(1)),
            (
                Sought::Time(time + 123_456_000),
                from(1, false),
                Some(123_456),
            ),
            (
                Sought::Time(time + 123_456_001),
                from(1, false),
                Some(123_457),
            ),
            (Sought::Time(time + 300_001_000), from(1, false), None),
            (
                Sought::TimeOfDay(3_600_000),
                from(100_000, false),
                Some(86_400 + 3_600),
            ),
        ] {
            for index in [&of.3, &old] {
                let found = Place { index, ..place }.seek(&sought, from).unwrap();
                assert_eq!(found, expected, "{sought:?} {from:?}");
            }
        }
        let around = |ms| of.3.lines_around(&entry, ms).unwrap();
        assert_eq!(around(time + 123_456_000), Some((122_880, 123_904)));
        assert_eq!(around(time), Some((0, 1_024)));
        assert_eq!(around(time + 300_001_000), Some((299_008, 300_000)));
        assert_eq!(old.lines_around(&entry, time).unwrap(), None);
    }

    #[test]
    fn a_file_without_dates_has_no_place_for_a_time() {
        let of = stored(&[("a", b"one\ntwo\n".to_vec()), ("empty", Vec::new())]);
        for path in ["a", "empty"] {
            let entry = of.3.find(path).unwrap();
            let place = Place {
                store: &of.1,
                bundle: of.2,
                index: &of.3,
                entry: &entry,
            };
            let from = Start {
                line: 1,
                back: false,
                collected_ms: 0,
            };
            for sought in [
                Sought::Time(5),
                Sought::TimeOfDay(5),
                Sought::Level(Level::Error),
            ] {
                assert_eq!(place.seek(&sought, from).unwrap(), None);
            }
        }
    }
}
