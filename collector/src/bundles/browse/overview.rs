//! A whole file at a glance: how many errors and warnings stand in each of its parts, and where the first of them is.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::OnceCell;
use utoipa::ToSchema;
use uuid::Uuid;

use super::index::{BrowseIndex, FileEntry};
use super::read;
use super::search::{self, Pace, Search};
use super::seek::Level;
use crate::bundles::storage::Store;

/// Parts of a file; a short one has one for each line.
pub const PARTS: u64 = 128;
/// Files whose parts are remembered.
const KEPT: usize = 256;

/// The parts of a file.
pub type Parts = Arc<[Part]>;

/// The parts of files that were read, by bundle and number: a file is read once, however many look at it meanwhile.
#[derive(Debug, Default)]
pub(super) struct Overviews(Mutex<HashMap<(Uuid, u64), Slot>>);

/// Where the parts of a file are, or will be.
type Slot = Arc<OnceCell<Parts>>;

impl Overviews {
    /// The place of a file's parts, to be filled by whoever comes first.
    pub(super) fn of(&self, bundle: Uuid, fid: u64) -> Slot {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT && !kept.contains_key(&(bundle, fid)) {
            kept.clear();
        }
        Arc::clone(kept.entry((bundle, fid)).or_default())
    }
}

/// A part of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FilePart)]
pub struct Part {
    /// Its first line, from 1.
    pub from: u64,
    /// Lines that show an error.
    pub errors: u64,
    /// The first of them; none when there is none.
    pub error: Option<u64>,
    /// Lines that show a warning.
    pub warnings: u64,
    /// The first of them.
    pub warning: Option<u64>,
}

/// The part that a line is in.
pub fn part_of(line: u64, lines: u64) -> usize {
    let parts = PARTS.min(lines.max(1));
    let part = u128::from(line.saturating_sub(1)) * u128::from(parts) / u128::from(lines.max(1));
    usize::try_from(part.min(u128::from(parts - 1))).unwrap_or(0)
}

/// Reads the whole file, on all cores.
pub(super) fn read(
    of: (&Store, Uuid),
    index: &BrowseIndex,
    entry: &FileEntry,
) -> io::Result<Vec<Part>> {
    let lines = entry.lines.max(1);
    let count = PARTS.min(lines);
    let mut parts: Vec<Part> = (0..count)
        .map(|n| Part {
            // The first line whose part it is.
            from: 1 + (n * lines).div_ceil(count),
            ..Part::default()
        })
        .collect();
    if !entry.text {
        return Ok(parts);
    }
    let levels = [Level::Error, Level::Warning].map(Level::pattern).join("|");
    let search = Search::new(&levels, true, usize::MAX).map_err(io::Error::other)?;
    let mut search = search.of_file(entry.fid);
    search.pace = Pace::Behind;
    let mut count = |line: u64, text: &[u8]| {
        let part = &mut parts[part_of(line, lines)];
        match read::level(text) {
            Some("error") => {
                part.errors += 1;
                part.error.get_or_insert(line);
            }
            Some("warning") => {
                part.warnings += 1;
                part.warning.get_or_insert(line);
            }
            _ => {}
        }
    };
    search::run(of, index, &search, &mut |hit| {
        count(hit.line, hit.text.as_bytes());
        true
    })?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundles::browse::search::tests::stored;

    #[test]
    fn no_more_files_are_remembered_than_allowed() {
        let overviews = Overviews::default();
        let first = overviews.of(Uuid::nil(), 0);
        assert!(Arc::ptr_eq(&first, &overviews.of(Uuid::nil(), 0)));
        for fid in 1..=KEPT as u64 {
            drop(overviews.of(Uuid::nil(), fid));
        }
        assert!(overviews.0.lock().unwrap().len() <= KEPT);
        assert!(!Arc::ptr_eq(&first, &overviews.of(Uuid::nil(), 0)));
    }

    #[test]
    fn errors_and_warnings_are_counted_in_the_part_they_stand_in() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for n in 1..=128_000u32 {
            let level = match n {
                3 | 5 | 128_000 => "ERROR",
                1_001 => "WARN",
                _ => "INFO",
            };
            writeln!(text, "2026-11-21T00:00:00Z {level} no error in line {n}").unwrap();
        }
        let of = stored(&[
            ("other.log", b"ERROR elsewhere\n".to_vec()),
            ("a.log", text.into_bytes()),
            ("short.log", b"ok\nERROR x\n".to_vec()),
        ]);
        let parts = |path: &str| {
            let entry = of.3.find(path).unwrap();
            read((&of.1, of.2), &of.3, &entry).unwrap()
        };
        let long = parts("a.log");
        assert_eq!(
            (long.len(), long[1].from, long[127].from),
            (128, 1_001, 127_001)
        );
        assert_eq!(
            (long[0].errors, long[0].error, long[0].warnings),
            (2, Some(3), 0)
        );
        assert_eq!((long[1].errors, long[1].warning), (0, Some(1_001)));
        assert_eq!((long[127].errors, long[127].error), (1, Some(128_000)));
        let short = parts("short.log");
        let told: Vec<_> = short.iter().map(|part| (part.from, part.errors)).collect();
        assert_eq!(told, [(1, 0), (2, 1)]);
    }

    #[test]
    fn every_part_begins_with_its_own_first_line() {
        for lines in [1u64, 2, 127, 128, 129, 1_000, 4_001_071] {
            let count = PARTS.min(lines);
            for n in 0..count {
                let from = 1 + (n * lines).div_ceil(count);
                assert_eq!(part_of(from, lines) as u64, n, "{lines}");
                if from > 1 {
                    assert_eq!(part_of(from - 1, lines) as u64, n - 1, "{lines}");
                }
            }
        }
    }
}
