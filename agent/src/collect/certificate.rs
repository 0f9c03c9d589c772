//! Reads what matters of X.509 certificates: subject, issuer, validity, names. Only as much of DER as that
//! needs; anything unexpected gives nothing rather than a guess.

use super::logtime;

/// One certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Subject, as `CN=…, O=…`.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Begin of validity, UTC ms.
    pub not_before_ms: i64,
    /// End of validity, UTC ms.
    pub not_after_ms: i64,
    /// DNS names.
    pub names: Vec<String>,
}

/// Every certificate in a PEM text, or the one in a DER file.
pub fn read_all(bytes: &[u8]) -> Vec<Certificate> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    if bytes.first() == Some(&0x30) {
        return parse(bytes).into_iter().collect();
    }
    let text = String::from_utf8_lossy(bytes);
    let blocks = text
        .split(BEGIN)
        .skip(1)
        .filter_map(|rest| rest.split_once(END));
    blocks
        .filter_map(|(body, _)| parse(&base64(body)?))
        .collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text
        .bytes()
        .filter(|b| !b.is_ascii_whitespace() && *b != b'=')
    {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Some(out)
}

/// Splits the first element off: its tag, its content, what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let length = rest
            .get(..count)?
            .iter()
            .fold(0_usize, |n, b| n << 8 | usize::from(*b));
        (length, &rest[count..])
    };
    Some((tag, rest.get(..length)?, &rest[length..]))
}

fn parse(der: &[u8]) -> Option<Certificate> {
    let (0x30, whole, _) = element(der)? else {
        return None;
    };
    let (0x30, body, _) = element(whole)? else {
        return None;
    };
    let mut rest = body;
    // The version is optional and explicit.
    if body.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    let (_, _, rest) = element(rest)?; // serial number
    let (_, _, rest) = element(rest)?; // signature algorithm
    let (_, issuer, rest) = element(rest)?;
    let (_, validity, rest) = element(rest)?;
    let (_, subject, rest) = element(rest)?;
    let (_, _, mut rest) = element(rest)?; // public key
    let (tag, before, after) = element(validity)?;
    let (after_tag, after, _) = element(after)?;
    let mut names = Vec::new();
    while let Some((tag, content, next)) = element(rest) {
        if tag == 0xa3 {
            names = alternative_names(content).unwrap_or_default();
        }
        rest = next;
    }
    Some(Certificate {
        subject: name(subject),
        issuer: name(issuer),
        not_before_ms: time(tag, before)?,
        not_after_ms: time(after_tag, after)?,
        names,
    })
}

/// A distinguished name: a sequence of sets of (type, value).
fn name(mut rest: &[u8]) -> String {
    let mut parts = Vec::new();
    while let Some((_, set, next)) = element(rest) {
        rest = next;
        let Some((_, pair, _)) = element(set) else {
            continue;
        };
        let Some((0x06, id, value)) = element(pair) else {
            continue;
        };
        let Some((_, value, _)) = element(value) else {
            continue;
        };
        let key = match id {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 6] => "C",
            [0x55, 4, 7] => "L",
            [0x55, 4, 8] => "ST",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            _ => continue,
        };
        let value: String = String::from_utf8_lossy(value)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        parts.push(format!("{key}={value}"));
    }
    parts.join(", ")
}

/// `YYMMDDHHMMSSZ` (tag 23) or `YYYYMMDDHHMMSSZ` (tag 24).
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let digits: Vec<i64> = text
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .map(|b| i64::from(b - b'0'))
        .collect();
    let number =
        |at: usize, len: usize| Some(digits.get(at..at + len)?.iter().fold(0, |n, d| n * 10 + d));
    let (year, at) = match tag {
        23 => (
            number(0, 2).map(|y| if y < 50 { y + 2000 } else { y + 1900 })?,
            2,
        ),
        24 => (number(0, 4)?, 4),
        _ => return None,
    };
    let days = logtime::days(year, number(at, 2)?, number(at + 2, 2)?);
    let seconds = number(at + 4, 2)? * 3600 + number(at + 6, 2)? * 60 + number(at + 8, 2)?;
    Some((days * 86_400 + seconds) * 1000)
}

/// DNS names of the extension subjectAltName (2.5.29.17).
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let (_, mut rest, _) = element(extensions)?;
    while let Some((_, extension, next)) = element(rest) {
        rest = next;
        let (0x06, id, mut value) = element(extension)? else {
            continue;
        };
        if id != [0x55, 0x1d, 0x11] {
            continue;
        }
        let (mut tag, mut content, after) = element(value)?;
        if tag == 1 {
            value = after; // the flag "critical"
            (tag, content, _) = element(value)?;
        }
        if tag != 4 {
            return None;
        }
        let (_, mut list, _) = element(content)?;
        let mut names = Vec::new();
        while let Some((tag, name, next)) = element(list) {
            list = next;
            if tag == 0x82 {
                names.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        return Some(names);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_certificates_give_nothing() {
        assert!(read_all(b"").is_empty());
        assert!(read_all(b"\x30\x84\xff\xff\xff\xff").is_empty());
        assert!(
            read_all(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----").is_empty()
        );
        assert_eq!(time(23, b"261124140102Z"), Some(1_795_528_862_000));
        assert_eq!(time(24, b"20261124140102Z"), Some(1_795_528_862_000));
        assert_eq!(base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
    }
}
