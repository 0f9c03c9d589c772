//! What the targets for archives have in common.

use std::io::{BufRead, Cursor, Read};

use sitrep_shared::archive::{self, Entry, Report, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reject};

/// Unpacked bytes that a target reads, so that a bomb costs no time.
const UNPACKED_BYTES: u64 = 16 << 20;

/// What a visitor saw: names, and the data of files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Safe paths, in order.
    pub paths: Vec<String>,
    /// The data of all files, one after the other.
    pub data: Vec<u8>,
}

impl Visitor for Seen {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        self.paths.push(entry.path.to_owned());
        data.read_to_end(&mut self.data)?;
        Ok(())
    }
}

/// Reads an archive twice, once in pieces of one byte, and checks what holds for any bytes.
///
/// # Panics
/// When it does not hold.
#[must_use]
pub fn inspect(bytes: &[u8]) -> (Report, Seen) {
    let limits = Limits {
        unpacked_bytes: UNPACKED_BYTES,
        unpacked_base_bytes: UNPACKED_BYTES,
        entry_bytes: UNPACKED_BYTES,
        ..Limits::default()
    };
    let mut seen = Seen::default();
    let report = archive::inspect(&mut Cursor::new(bytes), &limits, &mut seen);
    let mut again = Seen::default();
    let second = archive::inspect(&mut Drops(Cursor::new(bytes)), &limits, &mut again);
    // Of two reasons to refuse, that one is named which a decoder meets first.
    assert_eq!(report.verdict, second.verdict, "the sizes of reads matter");
    if report.verdict == Verdict::Reject {
        return (report, seen);
    }
    assert_eq!((&report, &seen), (&second, &again), "the sizes of reads matter");
    assert!(seen.data.len() as u64 <= UNPACKED_BYTES, "more than the limit");
    for path in &seen.paths {
        let inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        assert!(inside && !path.chars().any(char::is_control), "{path:?}");
    }
    let mut once = seen.paths.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.paths.len(), "two entries of one name");
    (report, seen)
}

/// Gives one byte at a time.
struct Drops<R>(R);

impl<R: Read> Read for Drops<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(1);
        self.0.read(&mut out[..most])
    }
}

impl<R: std::io::Seek> std::io::Seek for Drops<R> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// Packs bytes into members of a gzip file, cut at `cut`.
///
/// # Panics
/// Never: memory takes all.
#[must_use]
pub fn gzip(bytes: &[u8], cut: usize) -> Vec<u8> {
    use std::io::Write;
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    let mut packed = Vec::new();
    for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
        let mut out = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        out.write_all(part).expect("memory takes all");
        packed = out.finish().expect("memory takes all");
    }
    packed
}
