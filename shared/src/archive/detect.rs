//! What a file is, by its first bytes, and whether it could be two things at once.

use std::io::{BufRead, Read, Seek, SeekFrom};

use super::decode::{Codec, Decoded};
use super::tar;
use crate::bundle::limits::{Reason, Reject};

/// What the file is on the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Zip,
    Stream(Codec),
}

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Stream(codec) => codec.file_name(),
        }
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inner {
    Tar,
    File,
}

/// First bytes of formats that are not read.
const FOREIGN: [&[u8]; 12] = [
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",
    b"LZIP",
    b"\x1f\x9d",
    b"\x1f\xa0",
    b"\x89LZO",
    b"\x5d\x00\x00",
    b"MSCF",
    b"!<arch>\n",
    b"\xed\xab\xee\xdb",
    b"\x7fELF",
];

/// From so many bytes on, text need not be UTF-8.
const CODED_BYTES: usize = 64;

/// First bytes of encrypted files.
const ENCRYPTED: [&[u8]; 4] = [
    b"age-encryption.org/",
    b"-----BEGIN AGE ENCRYPTED FILE",
    b"-----BEGIN PGP MESSAGE",
    b"Salted__",
];

/// Whether a file begins as a cpio archive does: in digits, as a date may.
fn is_cpio(start: &[u8]) -> bool {
    let magics: [&[u8]; 3] = [b"070701", b"070702", b"070707"];
    let fields = start.get(6..18).unwrap_or_default();
    magics.iter().any(|magic| start.starts_with(magic))
        && !fields.is_empty()
        && fields.iter().all(u8::is_ascii_hexdigit)
}

/// Bytes of a file's start that tell whether it is packed.
pub(super) const PACKED_BYTES: usize = 512;

/// Whether a file inside an archive begins as something packed does; it is kept and not opened.
pub(super) fn is_packed(start: &[u8]) -> bool {
    const MORE: [&[u8]; 3] = [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x9d"];
    magic(start).is_some()
        || MORE.iter().any(|magic| start.starts_with(magic))
        || start.get(257..262).is_some_and(|magic| magic == b"ustar")
}

/// Tells the outer format.
pub(super) fn outer(head: &[u8]) -> Result<Shape, Reject> {
    let shape = magic(head);
    let record = head.get(..tar::RECORD);
    if shape.is_some() && record.is_some_and(tar::resembles) {
        return Err(Reject::new(
            Reason::AmbiguousEntry,
            "the file is a tar archive and something else at once",
        ));
    }
    Ok(shape.unwrap_or(Shape::Stream(Codec::Plain)))
}

fn magic(head: &[u8]) -> Option<Shape> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") || starts(b"PK\x07\x08") || starts(b"PK00PK")
    {
        return Some(Shape::Zip);
    }
    let codec = if starts(b"\x1f\x8b") {
        Codec::Gzip
    } else if starts(b"\xfd7zXZ\x00") {
        Codec::Xz
    } else if starts(b"\x28\xb5\x2f\xfd") || skippable(head) {
        Codec::Zstd
    } else if starts(b"BZh")
        && head
            .get(3)
            .is_some_and(|level| (b'1'..=b'9').contains(level))
    {
        let block = head.get(4..10)?;
        // A text may begin with BZh1; a stream goes on with pi or the square root of pi.
        (block == b"\x31\x41\x59\x26\x53\x59" || block == b"\x17\x72\x45\x38\x50\x90")
            .then_some(Codec::Bzip2)?
    } else {
        return None;
    };
    Some(Shape::Stream(codec))
}

fn skippable(head: &[u8]) -> bool {
    head.len() >= 8 && (0x50..=0x5f).contains(&head[0]) && head[1..4] == [0x2a, 0x4d, 0x18]
}

/// Tells what a decoded stream holds, from its first record or what there is of it. Only for that: it may read on.
pub(super) fn inner<R: BufRead>(stream: &mut Decoded<R>, codec: Codec) -> Result<Inner, Reject> {
    let start = stream.peek(tar::RECORD)?;
    if start.len() == tar::RECORD && start.iter().all(|byte| *byte == 0) {
        return behind_zeros(stream);
    }
    if start.len() == tar::RECORD {
        if tar::looks_like(start) {
            return Ok(Inner::Tar);
        }
        if start[257..262] == *b"ustar" {
            return Err(Reject::new(
                Reason::BadChecksum,
                "the first tar header's checksum is wrong",
            ));
        }
    } else if start.len() > 262 && start[257..262] == *b"ustar" {
        return Err(Reject::new(
            Reason::Truncated,
            "the first tar header is cut off",
        ));
    }
    if ENCRYPTED.iter().any(|magic| start.starts_with(magic)) {
        return Err(Reject::new(
            Reason::Encrypted,
            "an encrypted file whose key is not here",
        ));
    }
    if FOREIGN.iter().any(|magic| start.starts_with(magic)) || is_cpio(start) {
        return Err(Reject::new(
            Reason::UnknownFormat,
            "a format that is not read",
        ));
    }
    // Something packed once more is kept as a file.
    if codec != Codec::Plain && magic(start).is_some() {
        return Ok(Inner::File);
    }
    if !like_text(start) {
        return Err(Reject::new(
            Reason::UnknownFormat,
            "neither an archive nor text",
        ));
    }
    Ok(Inner::File)
}

/// Tells what a stream holds that begins with a record of zeros, from what comes behind them: nothing, as in an empty tar
/// archive, or a text that begins anywhere but where a record would.
fn behind_zeros(stream: &mut impl BufRead) -> Result<Inner, Reject> {
    let mut zeros = 0;
    loop {
        let now = stream.fill_buf()?;
        let run = now.iter().take_while(|byte| **byte == 0).count();
        if now.is_empty() || run < now.len() {
            zeros += run;
            stream.consume(run);
            break;
        }
        zeros = (zeros + run) % tar::RECORD;
        stream.consume(run);
    }
    let within = zeros % tar::RECORD;
    let mut record = vec![0; within];
    stream
        .take((tar::RECORD - within) as u64)
        .read_to_end(&mut record)?;
    let is_log = within > 0 && !tar::resembles(&record) && like_text(&record[within..]);
    Ok(if is_log { Inner::File } else { Inner::Tar })
}

/// Whether bytes could be a log: few control characters, or UTF-16. Zeros at the start do not
/// count: a log that was cut while it was written begins with them.
fn like_text(start: &[u8]) -> bool {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return true;
    }
    let zeros = start.iter().take_while(|byte| **byte == 0).count();
    let rest = &start[zeros..];
    let odd = rest
        .iter()
        .filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127))
        .count();
    // Letters of one or two bytes in another code than UTF-8; hardly anything packed has no control character for so long.
    let coded = odd == 0 && rest.len() >= CODED_BYTES;
    // Escape sequences and stray bytes are normal in logs; a tenth of them is not.
    odd * 10 <= rest.len() && (coded || !invalid_utf8_mostly(rest))
}

fn invalid_utf8_mostly(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    // Latin-1 text has few high bytes, UTF-8 in other scripts has many but valid ones.
    high * 3 > bytes.len() && {
        let bad: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
        bad * 10 > bytes.len()
    }
}

/// Checks that a file is not also a zip: unpackers find a zip by its end, whatever comes first.
pub(super) fn no_zip_behind<R: Read + Seek>(input: &mut R, size: u64) -> Result<(), Reject> {
    let tail_bytes = size.min(22 + 65_535);
    input.seek(SeekFrom::Start(size - tail_bytes))?;
    let mut tail = Vec::new();
    input.take(tail_bytes).read_to_end(&mut tail)?;
    let found = memchr::memmem::find_iter(&tail, b"PK\x05\x06").any(|at| {
        let comment = tail
            .get(at + 20..at + 22)
            .map(|b| usize::from(b[0]) | usize::from(b[1]) << 8);
        comment.is_some_and(|comment| at + 22 + comment == tail.len())
    });
    if found {
        return Err(Reject::new(
            Reason::AmbiguousEntry,
            "the file also ends as a zip archive does",
        ));
    }
    Ok(())
}
