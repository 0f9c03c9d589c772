//! Unpacks rotated logs while they are read, and passes on the lines of the time window.
//!
//! gzip is read here; for xz, zstd and bzip2 the host's own program is used, which gets the opened file, not
//! its name.

use super::cache::Passing;
use super::cancel::Cancel;
use super::command;
use super::execute::Done;
use super::logs::{STEP, Window};
use super::logtime::of_line;
use super::miss::Miss;
use super::out::Out;
use super::sink::Truncated;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

/// How a rotated log is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// By this program, which unpacks with `-dc`.
    Program(&'static str),
}

impl Packing {
    /// By the end of a file's name, with the name that it has unpacked.
    pub fn of_name(name: &str) -> (&str, Self) {
        for (suffix, packing) in [
            (".gz", Self::Gzip),
            (".xz", Self::Program("xz")),
            (".zst", Self::Program("zstd")),
            (".bz2", Self::Program("bzip2")),
        ] {
            if let Some(base) = name.strip_suffix(suffix) {
                return (base, packing);
            }
        }
        (name, Self::Plain)
    }
}

/// Unpacks gzip: the newest bytes that fit, or the lines of the window.
pub(super) fn gzip(
    mut file: File,
    size: u64,
    window: Window,
    room: u64,
    out: &mut Out,
) -> Result<Done, Miss> {
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
    let mut reader = flate2::read::MultiGzDecoder::new(Passing::new(file, size));
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

/// Unpacks with a program of the host.
pub(super) fn program(
    program: &str,
    file: File,
    window: Window,
    cancel: &Cancel,
    out: &mut Out,
) -> Result<Done, Miss> {
    let argv = [program, "-dc"].map(str::to_owned);
    let timeout = out.time_left().max(Duration::from_millis(1));
    let mut filter = Filter::new(window, 0);
    let mut taken = 0_u64;
    let ended = command::run_on(file.into(), &argv, timeout, cancel, &mut |bytes| {
        taken += bytes.len() as u64;
        filter.push(bytes, out) && out.check()
    })?;
    let done = Done {
        original_bytes: Some(taken),
        exit_code: ended.code,
        note: (!ended.stopped && ended.code != Some(0)).then(|| {
            let said = ended.stderr.lines().next().unwrap_or("no message");
            Miss::partial(format!("the compressed data is damaged: {said}"))
        }),
        ..Done::default()
    };
    if out.is_empty() && !window.is_open() && done.note.is_none() {
        return Err(Miss::skipped("no line lies in the time window"));
    }
    Ok(done)
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
