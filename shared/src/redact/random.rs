//! Tells values that look drawn at random from names, versions and paths.

use crate::redact::value::is_path;

/// Whether a value looks drawn at random: long, and letters and digits or both cases mixed in a
/// way that words and names are not.
pub(crate) fn looks_random(v: &[u8]) -> bool {
    let v = v.trim_ascii();
    if v.len() < 16 || v.len() > 4096 {
        return false;
    }
    let allowed = |b: &u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~')
    };
    if !v.iter().all(allowed) || is_path(v) || is_uuid(v) || v.starts_with(b"0x") {
        return false;
    }
    let count = |f: fn(&u8) -> bool| v.iter().filter(|b| f(b)).count();
    let (digits, lower, upper) = (
        count(u8::is_ascii_digit),
        count(u8::is_ascii_lowercase),
        count(u8::is_ascii_uppercase),
    );
    let mut seen = [false; 256];
    for b in v {
        seen[*b as usize] = true;
    }
    let distinct = seen.iter().filter(|s| **s).count();
    let letters = lower + upper;
    if distinct < 8 || letters == 0 {
        return false;
    }
    let kinds = u32::from(digits > 0) + u32::from(lower > 0) + u32::from(upper > 0);
    let changes = changes(v);
    kinds >= 2 && changes * 8 >= v.len() && distinct * 4 >= v.len().min(40)
}

/// Whether a text with slashes is drawn at random from base64 rather than a path.
pub(crate) fn is_drawn(v: &[u8]) -> bool {
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    v.len() >= 24
        && v.iter().all(base64)
        && v.iter().any(u8::is_ascii_digit)
        && v.iter().any(u8::is_ascii_uppercase)
        && changes(v) * 4 >= v.len()
}

/// Changes between digit, lower and upper: names have few, random text has many.
fn changes(v: &[u8]) -> usize {
    let class = |b: u8| {
        if b.is_ascii_digit() {
            0
        } else if b.is_ascii_lowercase() {
            1
        } else if b.is_ascii_uppercase() {
            2
        } else {
            3
        }
    };
    v.windows(2)
        .filter(|w| {
            class(w[0]) != class(w[1])
                && !(class(w[0]) == 2 && class(w[1]) == 1)
                && class(w[0]) != 3
                && class(w[1]) != 3
        })
        .count()
}

/// Base64 of `user:password`, as docker and HTTP keep it.
pub(crate) fn is_basic(v: &[u8]) -> bool {
    let digit = |b: u8| -> Option<u32> {
        match b {
            b'A'..=b'Z' => Some(u32::from(b - b'A')),
            b'a'..=b'z' => Some(u32::from(b - b'a') + 26),
            b'0'..=b'9' => Some(u32::from(b - b'0') + 52),
            b'+' => Some(62),
            b'/' => Some(63),
            _ => None,
        }
    };
    let body = v
        .iter()
        .rposition(|b| *b != b'=')
        .map_or(&v[..0], |n| &v[..=n]);
    if v.len() < 8 || v.len() > 1024 || !v.len().is_multiple_of(4) {
        return false;
    }
    let (mut acc, mut bits, mut colon) = (0u32, 0, false);
    for b in body {
        let Some(d) = digit(*b) else { return false };
        acc = acc << 6 | d;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let byte = (acc >> bits) as u8;
            if !(0x20..0x7f).contains(&byte) {
                return false;
            }
            colon |= byte == b':';
        }
    }
    colon
}

/// `8-4-4-4-12` hex digits.
pub(crate) fn is_uuid(v: &[u8]) -> bool {
    v.len() == 36
        && v.iter().enumerate().all(|(i, b)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                *b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_is_told_from_names() {
        for v in [
            "YXNkZmZmZmZm_HARDcoded",
            "2Tm6cdsRVBTL9hRCmR6MRDTpMLFS4I",
            "3290abeefc68e1bbe852a25252bad88c",
        ] {
            assert!(looks_random(v.as_bytes()), "{v}");
        }
        for v in [
            "SalesResults-1.2",
            "PROJECT_NAME_ALIAS",
            "ff083f76-7804-4ef1-80e4-fe975bb9141b",
            "short1A",
            "/etc/ssl/private/x1",
        ] {
            assert!(!looks_random(v.as_bytes()), "{v}");
        }
    }
}
