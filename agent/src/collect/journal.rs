//! The newest entries of the journal that fit into an item's limits, in their order.
//!
//! journalctl gives either the oldest first, of which a limit would cut the newest, or all of them upside down; and with
//! a beginning its `--lines` counts from there. So where more is to be expected than fits, it is asked twice: upside
//! down, only to see since when all fits, and then from there on.

use super::cancel::Cancel;
use super::command;
use super::execute::{self, Done};
use super::miss::Miss;
use super::out::Out;
use super::sink::Truncated;
use std::time::Duration;

/// Of an entry so much is kept to find its time in.
const MAX_LINE: usize = 64 << 10;
/// Entries of the same microsecond may come back with the oldest that fits: this part of the room is left for them.
const SPARE: u64 = 50;

/// One question to the journal.
#[derive(Clone, Debug)]
pub struct Query {
    /// journalctl and its arguments; the format is `short-iso-precise` or `json`.
    pub argv: Vec<String>,
    /// Most entries.
    pub entries: Option<u64>,
    /// More is to be expected than the limit allows.
    pub long: bool,
}

impl Query {
    /// How often journalctl runs for it.
    pub fn runs(&self) -> u64 {
        1 + u64::from(self.in_two_steps())
    }

    fn in_two_steps(&self) -> bool {
        let since = || self.argv.iter().any(|word| word.starts_with("--since"));
        self.long || (self.entries.is_some() && since())
    }
}

/// Asks, and keeps the newest entries.
pub(super) fn read(query: &Query, cancel: &Cancel, out: &mut Out) -> Result<Done, Miss> {
    let lines = query.entries.map(|entries| format!("--lines={entries}"));
    let mut argv = query.argv.clone();
    if !query.in_two_steps() {
        argv.extend(lines);
        return execute::command(&argv, cancel, out);
    }
    argv.push("--reverse".to_owned());
    argv.extend(lines);
    let mut fitting = Fitting::new(out.limit() - out.limit() / SPARE);
    // What is seen in half of the time can be read in the other half.
    let half = (out.time_left() / 2).max(Duration::from_millis(1));
    command::run(&argv, half, cancel, &mut |bytes| fitting.take(bytes))?;
    let mut argv = query.argv.clone();
    let cut = fitting.full || query.entries.is_some_and(|most| fitting.begun >= most);
    argv.extend(cut.then(|| fitting.since()).flatten());
    let mut done = execute::command(&argv, cancel, out)?;
    if cut {
        done.truncated = Some(Truncated {
            end: "head",
            limit_bytes: out.limit(),
        });
    }
    Ok(done)
}

/// Goes back through entries as long as they fit. An entry's further lines are indented.
struct Fitting {
    room: u64,
    bytes: u64,
    begun: u64,
    line_start: bool,
    full: bool,
    /// First line of the entry at hand, and of the one before it, which fits.
    line: Vec<u8>,
    fits: Vec<u8>,
}

impl Fitting {
    fn new(room: u64) -> Self {
        Self {
            room,
            bytes: 0,
            begun: 0,
            line_start: true,
            full: false,
            line: Vec::new(),
            fits: Vec::new(),
        }
    }

    /// Whether more is wanted.
    fn take(&mut self, bytes: &[u8]) -> bool {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line_start && !part.starts_with(b" ") {
                self.begun += 1;
                std::mem::swap(&mut self.fits, &mut self.line);
                self.line.clear();
            }
            let left = MAX_LINE - self.line.len();
            self.line.extend_from_slice(&part[..part.len().min(left)]);
            self.line_start = part.ends_with(b"\n");
            self.bytes += part.len() as u64;
            if self.bytes > self.room {
                self.full = true;
                return false;
            }
        }
        true
    }

    /// The oldest entry that fits, as a beginning; the newest one where not even that fits.
    fn since(&self) -> Option<String> {
        let oldest = if self.full && !self.fits.is_empty() {
            &self.fits
        } else {
            &self.line
        };
        let micros = time_of(oldest)?;
        Some(format!(
            "--since=@{}.{:06}",
            micros / 1_000_000,
            micros % 1_000_000
        ))
    }
}

/// Microseconds since the epoch of an entry in one of the two formats.
fn time_of(line: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(line);
    if text.starts_with('{') {
        let (_, after) = text.split_once("\"__REALTIME_TIMESTAMP\"")?;
        let digits = after.trim_start_matches([' ', ':', '"']);
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        return digits[..end].parse().ok();
    }
    let first = text.split(' ').next()?;
    let at = jiff::Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", first).ok()?;
    u64::try_from(at.as_microsecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::{Fitting, Query, time_of};

    #[test]
    fn since_when_everything_fits_whatever_the_pieces() {
        let at = |n: u32| format!("2026-11-24T00:00:0{n}.000001+0000 h");
        let (three, two, one) = (at(3), at(2), at(1));
        let text = format!("{three} x\n{two} y\n           more\n{one} z\n");
        let [second, third] = ["--since=@1795478402.000001", "--since=@1795478403.000001"];
        let first = three.len() as u64 + 3;
        for (room, since) in [
            // Not even the newest: then as much of it as there is room for.
            (first - 1, Some(third)),
            (first, Some(third)),
            (2 * first + 15, Some(third)),
            (2 * first + 16, Some(second)),
            (3 * first + 15, Some(second)),
            (3 * first + 16, None),
        ] {
            for piece in [1, 7, 100] {
                let mut fitting = Fitting::new(room);
                let went_on = text
                    .as_bytes()
                    .chunks(piece)
                    .all(|piece| fitting.take(piece));
                assert_eq!(went_on, since.is_none(), "{room} {piece}");
                if let Some(since) = since {
                    assert_eq!(fitting.since().as_deref(), Some(since), "{room} {piece}");
                }
            }
        }
    }

    #[test]
    fn times_of_both_formats() {
        let json =
            br#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795478400000007","MESSAGE":"x"}"#;
        assert_eq!(time_of(json), Some(1_795_478_400_000_007));
        let iso = b"2026-11-24T01:00:00.000007+0100 host x[1]: y";
        assert_eq!(time_of(iso), Some(1_795_478_400_000_007));
        assert_eq!(time_of(b"-- No entries --"), None);
    }

    #[test]
    fn two_steps_only_where_one_would_not_do() {
        let query = |word: &str, entries, long| Query {
            argv: vec!["journalctl".to_owned(), word.to_owned()],
            entries,
            long,
        };
        assert_eq!(query("--boot", Some(9), false).runs(), 1);
        assert_eq!(query("--since=-7d", None, false).runs(), 1);
        assert_eq!(query("--since=-7d", Some(9), false).runs(), 2);
        assert_eq!(query("--boot", None, true).runs(), 2);
    }
}
