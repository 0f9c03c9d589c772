//! Which form of time stamp a file uses. One per file, decided on its first lines.

use memchr::{memchr, memchr_iter, memmem};
use serde::Deserialize;
use std::borrow::Cow;

use super::formats::{FORMATS, Format, Place};
use super::reader::{Clock, read};

/// Bytes of a file that its form is decided on.
pub(in crate::signature) const SAMPLE_BYTES: usize = 16 * 1024;
/// Lines that may come before the first with a stamp.
const MAX_HEADER_LINES: usize = 50;
/// How far into a line a stamp behind a marker is looked for.
const MAX_MARKER_BYTES: usize = 16 * 1024;

/// The same for a marker of one character.
const MAX_SHORT_MARKER_BYTES: usize = 96;

/// What is wrapped round the text that rules match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::signature) enum Envelope {
    /// Nothing: the whole line is matched, with its stamp.
    Plain,
    /// `2026-01-02T15:04:05Z text`: what follows the blank is matched.
    Rfc3339,
    /// `2026-01-02T15:04:05Z stdout F text`.
    Cri,
    /// `{"log":"text\n","stream":"stdout","time":"…"}`.
    Docker,
}

/// How the lines of a file are dated and wrapped.
#[derive(Debug, Clone, Copy)]
pub(in crate::signature) struct Layout {
    pub envelope: Envelope,
    format: Option<&'static Format>,
}

/// A line's stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::signature) struct Stamp {
    /// UTC nanoseconds.
    pub ns: i64,
    /// Where the text begins that rules match.
    pub text: usize,
    /// Where the stamp ends.
    pub end: usize,
}

/// One line of Docker's JSON log.
#[derive(Deserialize)]
pub(in crate::signature) struct DockerLine<'a> {
    #[serde(borrow)]
    pub log: Cow<'a, str>,
    #[serde(borrow)]
    pub time: Cow<'a, str>,
}

impl Format {
    /// The time of a line in UTC nanoseconds, and where the stamp ends.
    pub(in crate::signature) fn read(&self, line: &[u8], clock: Clock) -> Option<(i64, usize)> {
        let Place::After(marker) = self.place else {
            return read(self.pattern, line, clock);
        };
        let stamp = |start: usize, line: &[u8]| {
            read(self.pattern, &line[start..], clock).map(|(ns, end)| (ns, start + end))
        };
        if let [byte] = marker.as_bytes() {
            // A blank or bracket is everywhere; only near the start does it lead to the line's own stamp.
            let line = &line[..line.len().min(MAX_SHORT_MARKER_BYTES)];
            return memchr_iter(*byte, line).find_map(|at| stamp(at + 1, line));
        }
        let line = &line[..line.len().min(MAX_MARKER_BYTES)];
        memmem::find_iter(line, marker).find_map(|at| stamp(at + marker.len(), line))
    }
}

impl Layout {
    /// Decides on the first bytes of a file; forms named in `preferred` are tried first.
    pub(in crate::signature) fn detect(sample: &[u8], clock: Clock, preferred: &[&str]) -> Self {
        let sample = &sample[..sample.len().min(SAMPLE_BYTES)];
        let dated = |format: &&Format| {
            lines(sample)
                .take(MAX_HEADER_LINES + 1)
                .any(|line| format.read(line, clock).is_some_and(|(ns, _)| ns != 0))
        };
        let plain = |format| Self {
            envelope: Envelope::Plain,
            format,
        };
        let wanted = FORMATS.iter().filter(|f| preferred.contains(&f.name));
        if let Some(format) = wanted.into_iter().find(dated) {
            return plain(Some(format));
        }
        let first = lines(sample).next().unwrap_or_default();
        for envelope in [Envelope::Docker, Envelope::Cri, Envelope::Rfc3339] {
            let layout = Self {
                envelope,
                format: None,
            };
            // A rotated file may begin in the middle of a line.
            let wrapped = envelope != Envelope::Rfc3339;
            let second = lines(sample).nth(1).filter(|_| wrapped);
            if [Some(first), second]
                .into_iter()
                .flatten()
                .any(|line| layout.stamp(line, clock).is_some())
            {
                return layout;
            }
        }
        plain(FORMATS.iter().find(dated))
    }

    /// A file without time stamps.
    pub(in crate::signature) fn undated() -> Self {
        Self {
            envelope: Envelope::Plain,
            format: None,
        }
    }

    /// Whether lines of this file can be dated at all.
    pub(in crate::signature) fn is_dated(&self) -> bool {
        self.envelope != Envelope::Plain || self.format.is_some()
    }

    /// The stamp of a line, or `None` when the line continues the entry before.
    pub(in crate::signature) fn stamp(&self, line: &[u8], clock: Clock) -> Option<Stamp> {
        match self.envelope {
            Envelope::Plain => {
                self.format?
                    .read(line, clock)
                    .map(|(ns, end)| Stamp { ns, text: 0, end })
            }
            Envelope::Rfc3339 => rfc3339(line, clock),
            Envelope::Cri => cri(line, clock),
            Envelope::Docker => {
                let docker = docker(line)?;
                let (ns, _) = read(RFC3339, docker.time.as_bytes(), clock)?;
                Some(Stamp {
                    ns,
                    text: 0,
                    end: 0,
                })
            }
        }
    }
}

const RFC3339: &str = "%Y-%m-%dT%H:%M:%S%?%z";

/// One line of Docker's JSON log, unless it is something else.
pub(in crate::signature) fn docker(line: &[u8]) -> Option<DockerLine<'_>> {
    if !line.starts_with(b"{") || memmem::find(line, b"\"log\"").is_none() {
        return None;
    }
    serde_json::from_slice(line).ok()
}

fn rfc3339(line: &[u8], clock: Clock) -> Option<Stamp> {
    let (ns, end) = read(RFC3339, line, clock)?;
    match line.get(end) {
        None => Some(Stamp { ns, text: end, end }),
        Some(b' ') => Some(Stamp {
            ns,
            text: end + 1,
            end,
        }),
        Some(_) => None,
    }
}

fn cri(line: &[u8], clock: Clock) -> Option<Stamp> {
    let (ns, end) = read(RFC3339, line, clock)?;
    let rest = &line[end..];
    let header = [b" stdout ".as_slice(), b" stderr "]
        .into_iter()
        .find(|s| rest.starts_with(s))?;
    let tag = &rest[header.len()..];
    let length = memchr(b' ', tag)?;
    tag[..length]
        .iter()
        .all(|b| b.is_ascii_uppercase() || *b == b':')
        .then_some(())?;
    Some(Stamp {
        ns,
        text: end + header.len() + length + 1,
        end,
    })
}

/// Lines without their ends; a last line that was cut by the sample's size counts too.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_tell_where_the_text_begins() {
        let clock = Clock::new(0, 0);
        let check = |line: &str, envelope: Envelope, text: Option<usize>| {
            let layout = Layout::detect(line.as_bytes(), clock, &[]);
            assert_eq!(layout.envelope, envelope, "{line}");
            assert_eq!(
                layout.stamp(line.as_bytes(), clock).map(|s| s.text),
                text,
                "{line}"
            );
        };
        check("2026-01-02T15:04:05Z AAA", Envelope::Rfc3339, Some(21));
        check("2026-01-02T15:04:05Z\tAAA", Envelope::Plain, Some(0));
        check(
            "2026-01-02T15:04:05.1Z stdout F AAA",
            Envelope::Cri,
            Some(32),
        );
        check(
            r#"{"log":"AAA\n","stream":"stdout","time":"2026-01-02T15:04:05.1Z"}"#,
            Envelope::Docker,
            Some(0),
        );
        check("2026-01-02 15:04:05 AAA", Envelope::Plain, Some(0));
        check("AAA", Envelope::Plain, None);
    }
}
