//! The central directory and the records that end a zip.

use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::bundle::limits::{Limits, Reason, Reject};

/// Bytes of the last record without its comment.
const END: usize = 22;
const LOCATOR: usize = 20;
const END64: usize = 56;
const RECORD: usize = 46;
/// Flags that are known: sizes behind the data, UTF-8 names, hints of the compressor.
const KNOWN_FLAGS: u16 = 0x080e;
const ENCRYPTED_FLAGS: u16 = 0x2041;

/// What the directory says of an entry.
#[derive(Debug)]
pub(super) struct Central {
    pub(super) name: Vec<u8>,
    pub(super) host: u8,
    pub(super) attributes: u32,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) compressed: u64,
    pub(super) size: u64,
    pub(super) offset: u64,
    /// The name in UTF-8, when an extra field says it.
    pub(super) unicode_name: Option<Vec<u8>>,
    pub(super) mtime_s: Option<i64>,
}

pub(super) struct Directory {
    /// Entries in the order of their data.
    pub(super) entries: Vec<Central>,
    /// Where the directory begins and the data must end.
    pub(super) start: u64,
}

pub(super) fn bad(what: &str) -> Reject {
    Reject::new(Reason::BadHeader, format!("zip: {what}"))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

struct End {
    entries: u64,
    size: u64,
    start: u64,
    /// Where the directory must end.
    at: u64,
}

/// Finds and reads the directory.
pub(super) fn read<R: Read + Seek>(
    input: &mut R,
    size: u64,
    limits: &Limits,
) -> Result<Directory, Reject> {
    let end = end(input, size)?;
    if end.entries > limits.entries {
        return Err(Reject::new(
            Reason::LimitEntries,
            format!("{} entries", end.entries),
        ));
    }
    if end.start.checked_add(end.size) != Some(end.at) {
        return Err(bad("the directory is not where the end says"));
    }
    if end.size > limits.headers_total_bytes {
        return Err(Reject::new(
            Reason::LimitHeader,
            format!("a directory of {} bytes", end.size),
        ));
    }
    input.seek(SeekFrom::Start(end.start))?;
    let mut reader = BufReader::with_capacity(64 << 10, input.take(end.size));
    let mut entries = Vec::new();
    for _ in 0..end.entries {
        entries.push(record(&mut reader)?);
    }
    if reader.read(&mut [0])? != 0 {
        return Err(bad("more in the directory than it counts"));
    }
    entries.sort_by_key(|entry| entry.offset);
    Ok(Directory {
        entries,
        start: end.start,
    })
}

fn end<R: Read + Seek>(input: &mut R, size: u64) -> Result<End, Reject> {
    let tail_bytes = size.min((END + 65_535 + LOCATOR + END64) as u64);
    let tail_at = size - tail_bytes;
    input.seek(SeekFrom::Start(tail_at))?;
    let mut tail = vec![0; tail_bytes as usize];
    input.read_exact(&mut tail)?;
    // Readers search from the end: the last signature must be the one whose comment ends the file.
    let at = memchr::memmem::rfind(&tail, b"PK\x05\x06")
        .ok_or_else(|| Reject::new(Reason::Truncated, "the zip archive has no end"))?;
    let record = tail
        .get(at..at + END)
        .ok_or_else(|| Reject::new(Reason::Truncated, "the zip's end is cut off"))?;
    let comment = usize::from(u16_at(record, 20));
    if at + END + comment > tail.len() {
        return Err(Reject::new(Reason::Truncated, "the zip's end is cut off"));
    }
    if at + END + comment < tail.len() {
        return Err(Reject::new(
            Reason::TrailingData,
            "bytes after the end of the zip archive",
        ));
    }
    let [disk, start_disk, here, all] = [4, 6, 8, 10].map(|field| u16_at(record, field));
    let (bytes, start) = (u32_at(record, 12), u32_at(record, 16));
    if !matches!(disk, 0 | 0xffff) || !matches!(start_disk, 0 | 0xffff) || here != all {
        return Err(Reject::new(
            Reason::Unsupported,
            "a zip archive in several parts",
        ));
    }
    let at64 = at
        .checked_sub(LOCATOR)
        .filter(|at| tail[*at..].starts_with(b"PK\x06\x07"));
    let Some(locator) = at64 else {
        if all == u16::MAX || bytes == u32::MAX || start == u32::MAX {
            return Err(bad("sizes that need a larger end record"));
        }
        let at = tail_at + at as u64;
        return Ok(End {
            entries: all.into(),
            size: bytes.into(),
            start: start.into(),
            at,
        });
    };
    let end = end64(&tail, tail_at, locator)?;
    let same = |small: u64, max: u64, large: u64| small == max || small == large;
    let agree = same(all.into(), 0xffff, end.entries)
        && same(bytes.into(), 0xffff_ffff, end.size)
        && same(start.into(), 0xffff_ffff, end.start);
    if agree {
        Ok(end)
    } else {
        Err(bad("two end records that differ"))
    }
}

fn end64(tail: &[u8], tail_at: u64, locator: usize) -> Result<End, Reject> {
    let at = locator
        .checked_sub(END64)
        .ok_or_else(|| bad("the large end record"))?;
    let record = &tail[at..];
    let place = tail_at + at as u64;
    let there = record.starts_with(b"PK\x06\x06")
        && u64_at(record, 4) == (END64 - 12) as u64
        && u64_at(&tail[locator..], 8) == place
        && u32_at(&tail[locator..], 4) == 0
        && u32_at(&tail[locator..], 16) <= 1;
    if !there {
        return Err(bad("the large end record"));
    }
    let (here, entries) = (u64_at(record, 24), u64_at(record, 32));
    if here != entries || u64_at(record, 16) != 0 {
        return Err(Reject::new(
            Reason::Unsupported,
            "a zip archive in several parts",
        ));
    }
    Ok(End {
        entries,
        size: u64_at(record, 40),
        start: u64_at(record, 48),
        at: place,
    })
}

fn record<R: Read>(reader: &mut R) -> Result<Central, Reject> {
    let short = |_| bad("the directory ends in the middle");
    let mut fixed = [0; RECORD];
    reader.read_exact(&mut fixed).map_err(short)?;
    if !fixed.starts_with(b"PK\x01\x02") {
        return Err(bad("a directory record"));
    }
    let lengths = [28, 30, 32].map(|field| usize::from(u16_at(&fixed, field)));
    let mut name = vec![0; lengths[0]];
    let mut extra = vec![0; lengths[1]];
    let mut comment = vec![0; lengths[2]];
    for field in [&mut name, &mut extra, &mut comment] {
        reader.read_exact(field).map_err(short)?;
    }
    let mut entry = Central {
        name,
        host: fixed[5],
        attributes: u32_at(&fixed, 38),
        flags: u16_at(&fixed, 8),
        method: u16_at(&fixed, 10),
        crc: u32_at(&fixed, 16),
        compressed: u32_at(&fixed, 20).into(),
        size: u32_at(&fixed, 24).into(),
        offset: u32_at(&fixed, 42).into(),
        unicode_name: None,
        mtime_s: changed(u16_at(&fixed, 14), u16_at(&fixed, 12)),
    };
    if !matches!(u16_at(&fixed, 34), 0 | 0xffff) {
        return Err(Reject::new(
            Reason::Unsupported,
            "a zip archive in several parts",
        ));
    }
    let Extras { wide, unicode_name } = extras(&extra, &entry.name)?;
    entry.unicode_name = unicode_name.map(<[u8]>::to_vec);
    // The Unix time is exact; the one of DOS has no zone.
    let unix =
        fields(&extra).find(|(id, data)| *id == 0x5455 && data.len() >= 5 && data[0] & 1 != 0);
    if let Some((_, data)) = unix {
        entry.mtime_s = Some(u32_at(data, 1).into());
    }
    widen(
        wide,
        [&mut entry.size, &mut entry.compressed, &mut entry.offset],
    )?;
    judge(&entry)?;
    Ok(entry)
}

impl Central {
    /// What it is called.
    pub(super) fn called(&self) -> &[u8] {
        self.unicode_name.as_deref().unwrap_or(&self.name)
    }
}

fn judge(entry: &Central) -> Result<(), Reject> {
    if entry.flags & ENCRYPTED_FLAGS != 0 {
        return Err(Reject::new(Reason::Encrypted, "an encrypted entry"));
    }
    if entry.flags & !KNOWN_FLAGS != 0 {
        return Err(Reject::new(
            Reason::Unsupported,
            format!("zip flags {:#x}", entry.flags),
        ));
    }
    if !matches!(entry.method, 0 | 8) {
        return Err(Reject::new(
            Reason::Unsupported,
            format!("compression method {}", entry.method),
        ));
    }
    if entry.method == 0 && entry.compressed != entry.size {
        return Err(bad("a stored entry of two sizes"));
    }
    if entry.flags & 0x800 != 0 && std::str::from_utf8(&entry.name).is_err() {
        return Err(Reject::new(
            Reason::BadName,
            "a name that is not the UTF-8 it claims to be",
        ));
    }
    if entry.name.is_empty() || entry.name.contains(&0) {
        return Err(Reject::new(
            Reason::BadName,
            "a name that is empty or has a NUL",
        ));
    }
    Ok(())
}

/// Walks over extra fields as far as they are whole.
fn fields(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = extra.split_at_checked(4)?;
        let (data, after) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
        extra = after;
        Some((u16_at(head, 0), data))
    })
}

/// DOS date and time as if they were UTC.
fn changed(date: u16, time: u16) -> Option<i64> {
    let (year, month, day) = (
        i64::from(date >> 9) + 1980,
        i64::from(date >> 5 & 15),
        i64::from(date & 31),
    );
    if !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Days from the civil calendar, with years that begin in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds =
        i64::from(time >> 11) * 3600 + i64::from(time >> 5 & 63) * 60 + i64::from(time & 31) * 2;
    Some(days * 86_400 + seconds)
}

/// What extra fields say.
#[derive(Default)]
pub(super) struct Extras<'e> {
    /// 64-bit values.
    pub(super) wide: Option<&'e [u8]>,
    /// The name in UTF-8.
    pub(super) unicode_name: Option<&'e [u8]>,
}

/// The name that a field says in UTF-8, if it may stand for the one in the code of some machine: what is plain in that one
/// is the same here.
fn unicode_name<'e>(data: &'e [u8], name: &[u8]) -> Option<&'e [u8]> {
    let text = data.get(5..)?;
    if text == name {
        return Some(text);
    }
    let meant = data[0] == 1 && u32_at(data, 1) == libdeflater::crc32(name);
    let (mut ours, mut theirs) = (name.split(|b| *b == b'/'), text.split(|b| *b == b'/'));
    let alike = loop {
        match (ours.next(), theirs.next()) {
            (None, None) => break true,
            (Some(one), Some(other)) if one == other || !one.is_ascii() && !other.is_ascii() => {}
            _ => break false,
        }
    };
    (meant && alike && std::str::from_utf8(text).is_ok()).then_some(text)
}

/// Looks through extra fields, and refuses other names.
pub(super) fn extras<'e>(mut extra: &'e [u8], name: &[u8]) -> Result<Extras<'e>, Reject> {
    let mut found = Extras::default();
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let data = extra
            .get(4..4 + length)
            .ok_or_else(|| bad("an extra field"))?;
        match id {
            0x0001 if found.wide.is_some() => return Err(bad("two fields of large sizes")),
            0x0001 => found.wide = Some(data),
            0x7075 => match unicode_name(data, name) {
                Some(text) if found.unicode_name.is_none() => found.unicode_name = Some(text),
                _ => return Err(two_names()),
            },
            0x0017 | 0x9901 => return Err(Reject::new(Reason::Encrypted, "an encrypted entry")),
            _ => {}
        }
        extra = &extra[4 + length..];
    }
    // Aligning tools leave up to three zeros.
    if extra.iter().any(|byte| *byte != 0) {
        return Err(bad("an extra field"));
    }
    Ok(found)
}

pub(super) fn two_names() -> Reject {
    Reject::new(Reason::AmbiguousEntry, "an entry with two names")
}

/// Replaces values that are too large for 32 bits; all of the field must be used.
pub(super) fn widen<const N: usize>(
    wide: Option<&[u8]>,
    values: [&mut u64; N],
) -> Result<(), Reject> {
    let mut rest = wide.unwrap_or_default();
    for value in values {
        if *value == 0xffff_ffff {
            let (now, after) = rest
                .split_at_checked(8)
                .ok_or_else(|| bad("a large size is missing"))?;
            *value = u64_at(now, 0);
            rest = after;
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(bad("large sizes beside small ones"))
    }
}
