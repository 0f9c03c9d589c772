//! Judges values: which say something without being a secret, and which look random.

use crate::redact::keyed::MARK;

/// Words that stand where a value would and say only whether or how it is set.
const SAYS_NOTHING: &[&str] = &[
    "null",
    "nil",
    "none",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "enabled",
    "disabled",
    "default",
    "empty",
    "unset",
    "set",
    "required",
    "optional",
    "string",
    "str",
    "int",
    "integer",
    "bool",
    "boolean",
    "object",
    "number",
    "any",
    "char",
    "text",
    "varchar",
    "bytes",
    "secret",
    "hidden",
    "redacted",
    "removed",
    "masked",
    "filtered",
    "protected",
    "omitted",
    "prompt",
    "ask",
    "n/a",
    "na",
    "nan",
    "changed",
    "invalid",
    "expired",
    "missing",
    "failed",
    "failure",
    "success",
    "ok",
    "denied",
    "incorrect",
    "wrong",
    "accepted",
    "rejected",
    "unknown",
    "error",
    "not",
    "is",
    "was",
    "are",
    "for",
    "from",
    "the",
    "to",
    "of",
    "in",
    "and",
    "or",
    "with",
    "has",
    "must",
    "cannot",
    "could",
    "should",
    "will",
    "does",
    "did",
    "a",
    "an",
    "by",
    "authentication",
    "auth",
    "file",
    "env",
    "environment",
    "sha256",
    "sha512",
    "md5",
    "psk",
    "eap",
    "wpa-psk",
    "plain",
    "basic",
    "digest",
    "bearer",
    "negotiate",
    "kerberos",
    "ldap",
    "pam",
    "publickey",
    "manual",
    "auto",
    "generated",
    "ephemeral",
    "rotated",
    "revoked",
    "shared",
    "private",
    "public",
    "internal",
    "external",
    "always",
    "never",
    "if",
    "when",
    "it",
    "this",
    "that",
    "your",
    "my",
    "new",
    "old",
    "password",
    "passwd",
    "passphrase",
    "token",
    "key",
    "value",
    "username",
    "user",
    "credentials",
    "function",
    "async",
    "await",
    "return",
];

/// Whether a value is to be left: it is empty, a reference, a placeholder or a marker.
pub(crate) fn says_nothing(v: &[u8]) -> bool {
    let v = v.trim_ascii();
    if v.is_empty() || v.starts_with(MARK.as_bytes()) {
        return true;
    }
    let lower_word = v.len() <= 16
        && v.iter()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'-'));
    if lower_word
        && SAYS_NOTHING
            .iter()
            .any(|s| v.eq_ignore_ascii_case(s.as_bytes()))
    {
        return true;
    }
    reference(v) || masked(v)
}

/// A reference to a value that is kept elsewhere.
fn reference(v: &[u8]) -> bool {
    let ends = |a: &[u8], b: &[u8]| v.starts_with(a) && v.ends_with(b);
    let name = |s: &[u8]| {
        !s.is_empty()
            && s.iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b':'))
    };
    if ends(b"${", b"}") {
        // `${NAME:-value}` has a value after all; the caller looks inside.
        return memchr::memmem::find(v, b":-").is_none();
    }
    if let Some(rest) = v.strip_prefix(b"$") {
        // A shell variable; a crypt hash or a password with `$` inside is not.
        let plain = rest.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let variable = rest
            .first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        return variable && plain || ends(b"$(", b")") || ends(b"$((", b"))");
    }
    ends(b"{{", b"}}")
        || ends(b"<%", b"%>")
        || ends(b"<", b">") && !v.starts_with(b"</")
        || ends(b"%(", b")s")
        || ends(b"%env(", b")%")
        || ends(b"%", b"%") && v.len() > 2 && name(&v[1..v.len() - 1])
        || ends(b"ENC[", b"]")
        || ends(b"[[", b"]]")
        || ends(b"@@", b"@@")
        || ends(b"#{", b"}")
        || ends(b"(", b")")
            && v.len() > 2
            && v[1..v.len() - 1]
                .iter()
                .all(|b| b.is_ascii_alphabetic() || *b == b' ')
        || v.starts_with(b"!Ref")
        || v.starts_with(b"!Sub")
        || v.starts_with(b"!vault")
        || v.starts_with(b"vault:")
        || v.starts_with(b"op://")
        || v.starts_with(b"arn:")
        || v.starts_with(b"file:")
        || v.starts_with(b"env:")
}

/// Asterisks, dots, crosses: somebody has removed it before.
fn masked(v: &[u8]) -> bool {
    let mask = |b: &u8| matches!(b, b'*' | b'.' | b'#' | b'-' | b'_' | b'?' | b'=');
    v.len() >= 2 && v.iter().all(mask)
        || v.len() >= 3 && (v.iter().all(|b| *b == b'x') || v.iter().all(|b| *b == b'X'))
        || v.len() >= 8 && v.windows(4).any(|w| w == b"****" || w == b"####")
}

/// Whether a value is a small number, a path, a call or a list of identifiers: what a key that
/// only contains a key word may well hold.
pub(crate) fn is_plain(v: &[u8]) -> bool {
    let v = v.trim_ascii();
    let digits = v.iter().filter(|b| b.is_ascii_digit()).count();
    digits == v.len() && v.len() <= 2
        || is_path(v)
        || is_call(v)
        || v.iter().all(|b| {
            matches!(
                b,
                b'(' | b')'
                    | b'['
                    | b']'
                    | b'{'
                    | b'}'
                    | b','
                    | b';'
                    | b' '
                    | b'|'
                    | b'+'
                    | b'&'
                    | b'<'
                    | b'>'
                    | b'\\'
            )
        })
}

/// A file path: absolute, relative with a dot, a drive, or with an extension of key files.
pub(crate) fn is_path(v: &[u8]) -> bool {
    let inside = || {
        v.iter()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-~+@%:$\\{}".contains(b))
    };
    (v.starts_with(b"/")
        && v.len() > 1
        && v[1].is_ascii_alphabetic()
        && memchr::memchr(b'=', v).is_none()
        || v.starts_with(b"./")
        || v.starts_with(b"../")
        || v.starts_with(b"~/")
        || v.starts_with(b"file:")
        || v.len() > 3 && v[1] == b':' && v[2] == b'\\')
        && inside()
        || [
            &b".pem"[..],
            b".key",
            b".crt",
            b".cer",
            b".jks",
            b".p12",
            b".pfx",
            b".keytab",
            b".conf",
            b".yaml",
            b".yml",
            b".json",
            b".txt",
        ]
        .iter()
        .any(|e| v.len() > e.len() && v.ends_with(e))
}

/// Source code: a call, a member, a constructor.
pub(crate) fn is_call(v: &[u8]) -> bool {
    let head = v
        .iter()
        .take_while(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'$' | b'>' | b'-')
        })
        .count();
    let first = v
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    first
        && head > 1
        && v.get(head) == Some(&b'(')
        && (v.ends_with(b")")
            || v.ends_with(b");")
            || v.ends_with(b"),")
            || v.ends_with(b"({")
            || v.ends_with(b"("))
        || v.starts_with(b"new ")
        || [
            &b"process.env"[..],
            b"os.environ",
            b"os.getenv",
            b"self.",
            b"this.",
            b"config.",
            b"System.getenv",
            b"ENV[",
            b"env.",
            b"var.",
            b"local.",
            b"data.",
            b"module.",
        ]
        .iter()
        .any(|p| v.starts_with(p))
}

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
    // Changes between digit, lower and upper: names have few, random text has many.
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
    let changes = v
        .windows(2)
        .filter(|w| {
            class(w[0]) != class(w[1])
                && !(class(w[0]) == 2 && class(w[1]) == 1)
                && class(w[0]) != 3
                && class(w[1]) != 3
        })
        .count();
    kinds >= 2 && changes * 8 >= v.len() && distinct * 4 >= v.len().min(40)
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
    fn placeholders_and_references_say_nothing() {
        for v in [
            "",
            "null",
            "${VAR}",
            "$VAR",
            "$(cat x)",
            "{{ .Values.x }}",
            "<YOUR_KEY>",
            "%env(X)%",
            "ENC[abc]",
            "****",
            "xxxx",
            "REMOVED-pass-00",
            "no",
            "Failed",
        ] {
            assert!(says_nothing(v.as_bytes()), "{v}");
        }
        for v in [
            "hunter2",
            "${X:-s3cr3t}",
            "$1$abc$def",
            "p$word",
            "123456",
            "no1",
        ] {
            assert!(!says_nothing(v.as_bytes()), "{v}");
        }
    }

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
