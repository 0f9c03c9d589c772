//! Tar headers as a bundle has them. There is one way to write an entry, and the reader accepts
//! no other: it writes the header again from what it read and compares the bytes.

use super::limits::{Limits, Reason, Reject};

/// Bytes of a tar record.
pub(crate) const RECORD: usize = 512;
/// Sizes from here on do not fit 11 octal digits and are written in base 256.
const OCTAL_SIZE_END: u64 = 1 << 33;

/// What an entry is. A bundle holds no directories, devices or hard links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
}

/// What a header says. Names are with the top directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) path: String,
    pub(crate) kind: EntryKind,
    pub(crate) target: String,
    pub(crate) size: u64,
    pub(crate) mtime: u64,
}

impl Head {
    /// Writes the header: a PAX header first when a name is longer than 100 bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for (key, value) in [("path", &self.path), ("linkpath", &self.target)] {
            if value.len() > 100 {
                pax_record(&mut records, key, value);
            }
        }
        let mut out = Vec::with_capacity(RECORD);
        if !records.is_empty() {
            out.extend_from_slice(&record("././@PaxHeader", b'x', "", records.len() as u64, 0));
            out.extend_from_slice(&records);
            out.resize(padded(out.len() as u64) as usize, 0);
        }
        let flag = if self.kind == EntryKind::File {
            b'0'
        } else {
            b'2'
        };
        out.extend_from_slice(&record(
            &self.path,
            flag,
            &self.target,
            self.size,
            self.mtime,
        ));
        out
    }
}

/// Rounds up to whole records.
pub(crate) fn padded(bytes: u64) -> u64 {
    bytes.div_ceil(RECORD as u64).saturating_mul(RECORD as u64)
}

/// Bytes of the header that a path and a link target get.
pub(crate) fn encoded_len(path: &str, target: &str) -> u64 {
    let mut records = Vec::new();
    for (key, value) in [("path", path), ("linkpath", target)] {
        if value.len() > 100 {
            pax_record(&mut records, key, value);
        }
    }
    let extra = if records.is_empty() {
        0
    } else {
        RECORD as u64 + padded(records.len() as u64)
    };
    extra + RECORD as u64
}

fn pax_record(out: &mut Vec<u8>, key: &str, value: &str) {
    // The length counts its own digits.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    out.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

fn record(path: &str, flag: u8, target: &str, size: u64, mtime: u64) -> [u8; RECORD] {
    let mut r = [0; RECORD];
    put(&mut r[0..100], path);
    put(
        &mut r[100..108],
        if flag == b'2' { "0000777" } else { "0000644" },
    );
    put(&mut r[108..116], "0000000");
    put(&mut r[116..124], "0000000");
    if size < OCTAL_SIZE_END {
        put(&mut r[124..136], &format!("{size:011o}"));
    } else {
        r[124] = 0x80;
        r[128..136].copy_from_slice(&size.to_be_bytes());
    }
    put(
        &mut r[136..148],
        &format!("{:011o}", mtime.min(OCTAL_SIZE_END - 1)),
    );
    r[148..156].fill(b' ');
    r[156] = flag;
    put(&mut r[157..257], target);
    r[257..265].copy_from_slice(b"ustar\x0000");
    put(&mut r[265..297], "root");
    put(&mut r[297..329], "root");
    let sum: u32 = r.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut r[148..155], &format!("{sum:06o}"));
    r[154] = 0;
    r
}

/// Copies as much as fits, whole characters only.
fn put(field: &mut [u8], text: &str) {
    let mut end = text.len().min(field.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
}

/// What the first record of an entry asks the reader to do next.
pub(crate) enum Next {
    /// End of the archive.
    End,
    /// A PAX header with so many bytes, then another record.
    Pax(u64),
    /// The entry itself.
    Entry,
}

/// Looks at a record.
pub(crate) fn look(record: &[u8; RECORD], limits: &Limits) -> Result<Next, Reject> {
    if record.iter().all(|byte| *byte == 0) {
        return Ok(Next::End);
    }
    let sum: u32 = record
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                u32::from(b' ')
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    if octal(&record[148..156]) != Some(u64::from(sum)) {
        return Err(Reject::new(
            Reason::BadChecksum,
            "a tar header's checksum is wrong",
        ));
    }
    match record[156] {
        b'0' | b'2' => Ok(Next::Entry),
        b'x' => match size_of(record) {
            Some(size) if size <= limits.header_bytes => Ok(Next::Pax(size)),
            Some(size) => Err(Reject::new(Reason::LimitHeader, format!("{size} bytes"))),
            None => Err(bad("size of a PAX header")),
        },
        other => Err(bad(&format!("entry type {:?}", char::from(other)))),
    }
}

/// Reads an entry's header from its record and the PAX header before it, and checks that it is
/// written as the writer writes it, byte by byte.
pub(crate) fn decode(pax: &[u8], record: &[u8; RECORD], raw: &[u8]) -> Result<Head, Reject> {
    let mut path = text(&record[0..100])?.to_owned();
    let mut target = text(&record[157..257])?.to_owned();
    let mut rest = pax;
    while !rest.is_empty() {
        let (key, value, after) = next_record(rest).ok_or_else(|| bad("PAX record"))?;
        match key {
            "path" => value.clone_into(&mut path),
            "linkpath" => value.clone_into(&mut target),
            _ => return Err(bad("PAX key")),
        }
        rest = after;
    }
    let head = Head {
        path,
        kind: if record[156] == b'2' {
            EntryKind::Link
        } else {
            EntryKind::File
        },
        target,
        size: size_of(record).ok_or_else(|| bad("size"))?,
        mtime: octal(&record[136..148]).ok_or_else(|| bad("time"))?,
    };
    if head.kind == EntryKind::Link && head.size != 0 {
        return Err(bad("a link with data"));
    }
    if head.encode() != raw {
        return Err(bad("a header that format 1 writes otherwise"));
    }
    Ok(head)
}

fn next_record(bytes: &[u8]) -> Option<(&str, &str, &[u8])> {
    let blank = bytes.iter().take(8).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
    let line = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let (key, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
    Some((key, value, &bytes[length..]))
}

fn text(field: &[u8]) -> Result<&str, Reject> {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    std::str::from_utf8(&field[..end])
        .map_err(|_| Reject::new(Reason::BadName, "a name is not UTF-8"))
}

fn size_of(record: &[u8; RECORD]) -> Option<u64> {
    if record[124] != 0x80 {
        return octal(&record[124..136]);
    }
    let mut size = [0; 8];
    size.copy_from_slice(&record[128..136]);
    Some(u64::from_be_bytes(size))
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.split(|byte| *byte == 0 || *byte == b' ').next()?;
    digits.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

fn bad(what: &str) -> Reject {
    Reject::new(Reason::BadHeader, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(path: &str, target: &str, size: u64) -> Head {
        let kind = if target.is_empty() {
            EntryKind::File
        } else {
            EntryKind::Link
        };
        Head {
            path: path.into(),
            kind,
            target: target.into(),
            size,
            mtime: 1_700_000_000,
        }
    }

    fn read(raw: &[u8]) -> Result<Head, Reject> {
        let limits = Limits::default();
        let first: &[u8; RECORD] = raw[..RECORD].try_into().unwrap();
        match look(first, &limits)? {
            Next::Entry => decode(&[], first, raw),
            Next::Pax(size) => {
                let last = raw[raw.len() - RECORD..].try_into().unwrap();
                look(last, &limits)?;
                decode(&raw[RECORD..RECORD + size as usize], last, raw)
            }
            Next::End => Err(bad("end")),
        }
    }

    #[test]
    fn heads_round_trip() {
        let long = format!("top/{}", "ä/".repeat(60));
        for head in [
            head("top/a", "", 0),
            head("top/a", "", (1 << 33) - 1),
            head("top/a", "", 1 << 33),
            head("top/a", "b", 0),
            head(&long, "", 5),
            head(&long, &"t".repeat(300), 0),
            head(&"x".repeat(100), "", 1),
            head(&"x".repeat(101), "", 1),
        ] {
            let raw = head.encode();
            assert_eq!(raw.len() as u64, encoded_len(&head.path, &head.target));
            assert_eq!(read(&raw), Ok(head));
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let original = head(&"p".repeat(120), "", 5);
        let good = original.encode();
        for at in 0..good.len() {
            let mut other = good.clone();
            other[at] ^= 1;
            // The end of a long name has no checksum: that is another name, not another spelling.
            let renamed =
                (621..641).contains(&at) && read(&other).is_ok_and(|head| head != original);
            assert!(renamed || read(&other).is_err(), "byte {at}");
        }
    }
}
