//! One tar record as a header: numbers and names in the forms that all readers take alike.

use crate::bundle::limits::{Reason, Reject};

/// Bytes of a record.
pub(in super::super) const RECORD: usize = 512;

/// What a header says by itself.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    pub(super) flag: u8,
    pub(super) mtime_s: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Magic {
    Posix,
    Gnu,
    V7,
}

pub(super) fn is_zero(record: &[u8; RECORD]) -> bool {
    record.iter().all(|byte| *byte == 0)
}

/// Whether a record has a tar checksum, of signed or unsigned bytes.
pub(in super::super) fn looks_like(record: &[u8]) -> bool {
    record.len() == RECORD
        && octal(&record[148..156])
            .is_some_and(|sum| sum == sums(record).0 || sum == sums(record).1)
}

/// The same for readers that take the checksum's field as base 256, or digits with other characters among them.
pub(in super::super) fn resembles(record: &[u8]) -> bool {
    if record.len() != RECORD {
        return false;
    }
    let field = &record[148..156];
    let sum = if field[0] & 0x80 == 0 {
        let digits = field.iter().filter(|byte| (b'0'..=b'7').contains(byte));
        digits.fold(0, |sum, digit| sum * 8 + u64::from(digit - b'0'))
    } else {
        let low = &field[4..];
        low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    sum == sums(record).0 || sum == sums(record).1
}

fn sums(record: &[u8]) -> (u64, u64) {
    let blanked = record.iter().enumerate().map(|(at, byte)| {
        if (148..156).contains(&at) {
            b' '
        } else {
            *byte
        }
    });
    let (mut unsigned, mut signed) = (0u64, 0i64);
    for byte in blanked {
        unsigned += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    // A negative sum cannot stand in the field, and matches nothing as a huge number.
    (unsigned, signed.cast_unsigned())
}

/// Reads a header.
pub(super) fn parse(record: &[u8; RECORD]) -> Result<Header, Reject> {
    let bad = |what: &str| Reject::new(Reason::BadHeader, format!("tar header: {what}"));
    if octal(&record[148..156]) != Some(sums(record).0) {
        return Err(Reject::new(
            Reason::BadChecksum,
            "a tar header's checksum is wrong",
        ));
    }
    let magic = match &record[257..265] {
        magic if magic.starts_with(b"ustar\0") => Magic::Posix,
        b"ustar  \0" => Magic::Gnu,
        magic if magic.iter().all(|byte| *byte == 0) => Magic::V7,
        _ => return Err(bad("magic")),
    };
    // GNU tar writes zeros in digits for the devices of its old form as well.
    let behind = |range: std::ops::Range<usize>| record[range].iter().any(|byte| *byte != 0);
    if magic == Magic::V7 && (behind(257..329) || behind(345..512)) {
        return Err(bad("bytes behind an old header"));
    }
    for (field, what) in [
        (100..108, "mode"),
        (108..116, "user"),
        (116..124, "group"),
        (136..148, "time"),
        (329..337, "device"),
        (337..345, "device"),
    ] {
        if !number_or_blank(&record[field]) {
            return Err(bad(what));
        }
    }
    let flag = record[156];
    let size = size_of(&record[124..136]).ok_or_else(|| bad("size"))?;
    let mut name = text(&record[..100])?;
    let link = text(&record[157..257])?;
    match magic {
        Magic::Posix => {
            let prefix = text(&record[345..500])?;
            if !prefix.is_empty() {
                name = [prefix.as_slice(), b"/", &name].concat();
            }
        }
        // Some readers take what GNU keeps here (times) for the front of the name.
        Magic::Gnu if flag != b'S' && record[345] != 0 => {
            return Err(bad("a name of two meanings"));
        }
        // Some readers go by the map of a sparse file whatever the entry's type.
        Magic::Gnu if flag != b'S' && record[345..].iter().any(|byte| *byte != 0) => {
            return Err(bad("a sparse map of an entry that is not sparse"));
        }
        Magic::Gnu if flag == b'S' && record[369..386].iter().any(|byte| *byte != 0) => {
            return Err(bad("a part of a file of several volumes"));
        }
        Magic::Gnu | Magic::V7 => {}
    }
    Ok(Header {
        name,
        link,
        size,
        flag,
        mtime_s: octal(&record[136..148]).and_then(|time| i64::try_from(time).ok()),
    })
}

/// A name ends at its first NUL, and nothing hides behind that.
fn text(field: &[u8]) -> Result<Vec<u8>, Reject> {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    if field[end..].iter().any(|byte| *byte != 0) {
        return Err(Reject::new(
            Reason::BadName,
            "bytes behind the NUL of a name",
        ));
    }
    Ok(field[..end].to_vec())
}

/// Octal digits, blanks before them, then only NUL and blanks.
pub(super) fn octal(field: &[u8]) -> Option<u64> {
    let start = field.iter().position(|byte| *byte != b' ')?;
    let rest = &field[start..];
    let end = rest
        .iter()
        .position(|byte| !(b'0'..=b'7').contains(byte))
        .unwrap_or(rest.len());
    let blank = rest[end..].iter().all(|byte| matches!(byte, 0 | b' '));
    if end == 0 || !blank {
        return None;
    }
    rest[..end].iter().try_fold(0u64, |value, digit| {
        value.checked_mul(8)?.checked_add(u64::from(digit - b'0'))
    })
}

/// A size: octal, or base 256 without a sign.
pub(super) fn size_of(field: &[u8]) -> Option<u64> {
    if field[0] != 0x80 {
        return octal(field);
    }
    let (high, low) = field[1..].split_at(field.len() - 9);
    let mut value = [0; 8];
    value.copy_from_slice(low);
    let value = u64::from_be_bytes(value);
    (high.iter().all(|byte| *byte == 0) && value < 1 << 63).then_some(value)
}

/// Numbers that change nothing here must still be numbers, or readers stop at different places.
fn number_or_blank(field: &[u8]) -> bool {
    matches!(field[0], 0x80 | 0xff) || octal(field).is_some() || field.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000010", Some(8)),
            (b"\0\0\0\0\0\0\0\0", None),
            (b"0000648\0", None),
            (b"-000001\0", None),
            (b"000 01\0\0", None),
            (b"0x10\0\0\0\0", None),
        ] {
            assert_eq!(octal(field), value, "{field:?}");
        }
        assert_eq!(size_of(b"\x80\0\0\0\0\0\0\0\0\0\x02\0"), Some(512));
        assert_eq!(size_of(b"\x80\0\0\0\x80\0\0\0\0\0\x02\0"), None);
        assert_eq!(size_of(b"\x80\0\0\x01\0\0\0\0\0\0\x02\0"), None);
        assert_eq!(size_of(&[0xff; 12]), None);
    }
}
