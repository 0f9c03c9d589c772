//! Reads a group of rotated logs, newest file first, keeping the newest lines that fit the group's budget
//! and the time window. Packed files are stored unpacked (see `unpack`), so that they can be redacted.

use super::cache::Passage;
use super::cancel::Cancel;
use super::execute::Done;
use super::host::Host;
use super::logtime::{Clock, of_line};
use super::miss::Miss;
use super::out::Out;
use super::sink::Truncated;
use super::source::Params;
use super::unpack::{self, Packing};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Bytes read at a time.
pub(super) const STEP: usize = 128 << 10;
/// Bytes looked at to find a datable line.
const PROBE: usize = 16 << 10;

/// A member of a group of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogItem {
    /// Members with the same name share one budget.
    pub group: String,
    /// The budget of the group.
    pub group_bytes: u64,
    /// How it is packed.
    pub packing: Packing,
}

impl LogItem {
    /// Whether a program of the host is needed to read it.
    pub fn runs_program(&self) -> bool {
        matches!(self.packing, Packing::Program(_))
    }
}

/// Bytes used by each group so far.
pub type Groups = HashMap<String, u64>;

/// The time window and how to read times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    since: Option<i64>,
    until: Option<i64>,
    pub(super) clock: Clock,
}

impl Window {
    fn of(params: &Params) -> Self {
        let clock = Clock {
            now_ms: params.now_ms,
            utc_offset_s: params.utc_offset_s,
        };
        Self {
            since: params.since_ms,
            until: params.until_ms,
            clock,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    pub(super) fn holds(&self, ms: i64) -> bool {
        self.since.is_none_or(|s| ms >= s) && self.until.is_none_or(|u| ms <= u)
    }
}

/// Reads one member.
pub(crate) fn read(
    host: &Host,
    params: &Params,
    path: &str,
    log: &LogItem,
    groups: &mut Groups,
    (cancel, out): (&Cancel, &mut Out),
) -> Result<Done, Miss> {
    let used = groups.entry(log.group.clone()).or_default();
    let room = log.group_bytes.saturating_sub(*used).min(out.room());
    if room == 0 {
        let limit = log.group_bytes;
        return Err(Miss::skipped(format!(
            "newer files of this log used up its {limit} bytes"
        )));
    }
    let (file, meta) = host.open(path)?;
    let window = Window::of(params);
    let same = file.try_clone();
    let result = match log.packing {
        Packing::Plain => plain(&file, meta.size, window, room, out),
        Packing::Gzip => unpack::gzip(file, meta.size, window, room, out),
        Packing::Program(program) => unpack::program(program, file, window, cancel, out),
    };
    *used += out.len();
    let mut done = result?;
    if out.is_empty() && done.truncated.is_some() {
        return Err(Miss::skipped(format!(
            "the {room} bytes that are left hold no whole line of it"
        )));
    }
    if done.note.is_none() {
        done.note = same.ok().and_then(|file| meta.changed(&file));
    }
    Ok(done)
}

/// A plain file: the window is found by bisection, then the newest bytes that fit are copied.
fn plain(file: &File, size: u64, window: Window, room: u64, out: &mut Out) -> Result<Done, Miss> {
    let mut done = Done {
        original_bytes: Some(size),
        ..Done::default()
    };
    let (mut from, mut to) = (0, size);
    if !window.is_open() && size > 0 {
        if first_time(file, 0, size, window.clock)?.is_none() {
            done.note = Some(Miss::partial(
                "no time could be read from its lines, so the window was not applied",
            ));
        } else {
            if let Some(since) = window.since {
                from = bisect(file, size, window.clock, &|ms| ms >= since)?;
            }
            if let Some(until) = window.until {
                to = bisect(file, size, window.clock, &|ms| ms > until)?.max(from);
            }
            if from >= to {
                return Err(Miss::skipped("no line lies in the time window"));
            }
        }
    }
    let mut skip_line = false;
    if to - from > room {
        from = to - room;
        // The byte before tells whether the cut is at a line's beginning already.
        skip_line = byte_at(file, from - 1)? != b'\n';
        done.truncated = Some(Truncated {
            end: "head",
            limit_bytes: room,
        });
    }
    copy(file, from, to, skip_line, out)?;
    Ok(done)
}

fn byte_at(file: &File, at: u64) -> Result<u8, Miss> {
    let mut byte = [0];
    file.read_at(&mut byte, at)?;
    Ok(byte[0])
}

fn copy(
    file: &File,
    mut from: u64,
    to: u64,
    mut skip_line: bool,
    out: &mut Out,
) -> Result<(), Miss> {
    let mut buffer = vec![0; STEP];
    let mut passage = Passage::begin(file, from, to);
    while from < to {
        let want = usize::try_from(to - from).unwrap_or(STEP).min(STEP);
        let n = file.read_at(&mut buffer[..want], from)?;
        if n == 0 {
            return Err(Miss::partial("became shorter while it was read"));
        }
        from += n as u64;
        passage.passed(file, from);
        let mut bytes = &buffer[..n];
        if skip_line {
            let Some(at) = memchr::memchr(b'\n', bytes) else {
                continue;
            };
            bytes = &bytes[at + 1..];
            skip_line = false;
        }
        if !out.push(bytes) {
            break;
        }
    }
    passage.end(file);
    Ok(())
}

/// The first datable line that begins in `from..to`: its offset and time.
fn first_time(file: &File, from: u64, to: u64, clock: Clock) -> Result<Option<(u64, i64)>, Miss> {
    let mut buffer = vec![0; PROBE];
    let mut line = if from == 0 || byte_at(file, from - 1)? == b'\n' {
        from
    } else {
        next_line(file, from, to)?
    };
    while line < to {
        let n = file.read_at(&mut buffer, line)?;
        let block = &buffer[..n];
        let mut at = 0;
        while at < n && line + (at as u64) < to {
            let end = memchr::memchr(b'\n', &block[at..]).map(|e| at + e);
            // A line that the block cuts is looked at again from its beginning, unless it is longer.
            if end.is_none() && at > 0 {
                break;
            }
            if let Some(ms) = of_line(&block[at..end.unwrap_or(n)], clock) {
                return Ok(Some((line + at as u64, ms)));
            }
            at = end.map_or(n, |e| e + 1);
        }
        match at {
            0 => return Ok(None),
            _ if at == n && block[n - 1] != b'\n' => {
                line = next_line(file, line + n as u64, to)?;
            }
            _ => line += at as u64,
        }
    }
    Ok(None)
}

/// Where the line after the one that holds `from` begins, or `to`.
fn next_line(file: &File, mut from: u64, to: u64) -> Result<u64, Miss> {
    let mut buffer = vec![0; STEP];
    while from < to {
        let n = file.read_at(&mut buffer, from)?;
        if n == 0 {
            break;
        }
        if let Some(at) = memchr::memchr(b'\n', &buffer[..n]) {
            return Ok(from + at as u64 + 1);
        }
        from += n as u64;
    }
    Ok(to)
}

/// The offset of the first line for which `past` holds, in a file whose lines are in order of time.
fn bisect(file: &File, size: u64, clock: Clock, past: &dyn Fn(i64) -> bool) -> Result<u64, Miss> {
    let (mut low, mut high) = (0, size);
    while high - low > PROBE as u64 / 2 {
        let middle = low + (high - low) / 2;
        match first_time(file, middle, high, clock)? {
            Some((_, ms)) if !past(ms) => low = middle,
            _ => high = middle,
        }
    }
    // The last stretch is walked line by line; undated lines belong to the line before.
    let mut at = low;
    while let Some((line, ms)) = first_time(file, at, size, clock)? {
        if past(ms) {
            return Ok(line);
        }
        at = line + 1;
    }
    Ok(size)
}
