//! Reads a group of rotated logs, newest file first, keeping the newest lines that fit the group's budget
//! and the time window. Rotated `.gz` files are stored decompressed, so that they can be redacted.

use super::execute::Done;
use super::host::Host;
use super::logtime::{Clock, of_line};
use super::miss::Miss;
use super::out::Out;
use super::sink::Truncated;
use super::source::Params;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

/// Bytes read at a time.
const STEP: usize = 128 << 10;
/// Bytes looked at to find a datable line.
const PROBE: usize = 16 << 10;

/// A member of a group of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogItem {
    /// Members with the same name share one budget.
    pub group: String,
    /// The budget of the group.
    pub group_bytes: u64,
    /// Whether it is to be decompressed.
    pub gzip: bool,
}

/// Bytes used by each group so far.
pub type Groups = HashMap<String, u64>;

/// The time window and how to read times.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Option<i64>,
    until: Option<i64>,
    clock: Clock,
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

    fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    fn holds(&self, ms: i64) -> bool {
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
    out: &mut Out,
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
    let result = if log.gzip {
        unzip(file, window, room, out)
    } else {
        plain(&file, meta.size, window, room, out)
    };
    let _ = rustix::fs::fadvise(host.open(path)?.0, 0, None, rustix::fs::Advice::DontNeed);
    *used += out.len();
    result
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
    while from < to {
        let want = usize::try_from(to - from).unwrap_or(STEP).min(STEP);
        let n = file.read_at(&mut buffer[..want], from)?;
        if n == 0 {
            return Err(Miss::partial("became shorter while it was read"));
        }
        from += n as u64;
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
    Ok(())
}

/// The first datable line that begins at or after `from`: its offset and time.
fn first_time(file: &File, from: u64, size: u64, clock: Clock) -> Result<Option<(u64, i64)>, Miss> {
    let mut buffer = vec![0; PROBE];
    let n = file.read_at(&mut buffer, from)?;
    let mut at = 0;
    if from > 0 && byte_at(file, from - 1)? != b'\n' {
        match memchr::memchr(b'\n', &buffer[..n]) {
            Some(end) => at = end + 1,
            None => return Ok(None),
        }
    }
    while at < n && from + (at as u64) < size {
        let end = memchr::memchr(b'\n', &buffer[at..n]).map_or(n, |e| at + e);
        if let Some(ms) = of_line(&buffer[at..end], clock) {
            return Ok(Some((from + at as u64, ms)));
        }
        at = end + 1;
    }
    Ok(None)
}

/// The offset of the first line for which `past` holds, in a file whose lines are in order of time.
fn bisect(file: &File, size: u64, clock: Clock, past: &dyn Fn(i64) -> bool) -> Result<u64, Miss> {
    let (mut low, mut high) = (0, size);
    while high - low > PROBE as u64 / 2 {
        let middle = low + (high - low) / 2;
        match first_time(file, middle, size, clock)? {
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

fn unzip(mut file: File, window: Window, room: u64, out: &mut Out) -> Result<Done, Miss> {
    let mut done = Done::default();
    let mut skip = 0;
    if let Some(whole) = unzipped_size(&mut file).filter(|w| *w > room && window.is_open()) {
        skip = whole - room;
        done.original_bytes = Some(whole);
        done.truncated = Some(Truncated {
            end: "head",
            limit_bytes: room,
        });
    }
    let mut reader = flate2::read::MultiGzDecoder::new(file);
    let mut filter = Filter::new(window, skip);
    let mut buffer = vec![0; STEP];
    let mut taken = 0_u64;
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) => {
                done.note = Some(Miss::partial(format!(
                    "the compressed data is damaged: {e}"
                )));
                break;
            }
        };
        taken += n as u64;
        if !filter.push(&buffer[..n], out) || !out.check() || out.len() > room {
            break;
        }
    }
    done.original_bytes = Some(done.original_bytes.unwrap_or(taken));
    if out.is_empty() && !window.is_open() && done.note.is_none() {
        return Err(Miss::skipped("no line lies in the time window"));
    }
    Ok(done)
}

/// The size before compression as the file's last four bytes say; right for single files under 4 GiB, and
/// only used to decide where to begin.
fn unzipped_size(file: &mut File) -> Option<u64> {
    let mut tail = [0; 4];
    file.seek(SeekFrom::End(-4)).ok()?;
    let read = file.read_exact(&mut tail);
    file.seek(SeekFrom::Start(0)).ok()?;
    read.ok().map(|()| u64::from(u32::from_le_bytes(tail)))
}

/// Passes the lines of the window on, without holding more of a line than its beginning.
struct Filter {
    window: Window,
    skip: u64,
    head: Vec<u8>,
    keeping: bool,
    in_line: bool,
    cut_line: bool,
}

impl Filter {
    fn new(window: Window, skip: u64) -> Self {
        let keeping = window.is_open();
        Self {
            window,
            skip,
            head: Vec::new(),
            keeping,
            in_line: false,
            cut_line: skip > 0,
        }
    }

    fn push(&mut self, mut bytes: &[u8], out: &mut Out) -> bool {
        let skipped = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        self.skip -= skipped as u64;
        bytes = &bytes[skipped..];
        if self.skip > 0 {
            return true;
        }
        if self.cut_line {
            let Some(at) = memchr::memchr(b'\n', bytes) else {
                return true;
            };
            bytes = &bytes[at + 1..];
            self.cut_line = false;
        }
        if self.window.is_open() {
            return bytes.is_empty() || out.push(bytes);
        }
        while !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            bytes = &bytes[piece.len()..];
            if !self.piece(piece, end.is_some(), out) {
                return false;
            }
        }
        true
    }

    /// A part of a line; `ends` when it is the last one.
    fn piece(&mut self, piece: &[u8], ends: bool, out: &mut Out) -> bool {
        let mut more = true;
        if self.in_line {
            more = !self.keeping || out.push(piece);
        } else {
            self.head.extend_from_slice(piece);
            if ends || self.head.len() >= 256 {
                if let Some(ms) = of_line(&self.head, self.window.clock) {
                    self.keeping = self.window.holds(ms);
                }
                more = !self.keeping || out.push(&self.head);
                self.head.clear();
                self.in_line = true;
            }
        }
        if ends {
            self.in_line = false;
        }
        more
    }
}
