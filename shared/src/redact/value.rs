//! Judges values: which say something without being a secret.

use crate::redact::keyed::MARK;
use crate::redact::random::is_drawn;
pub(crate) use crate::redact::random::{is_basic, looks_random};
use std::collections::HashSet;
use std::sync::OnceLock;

/// Words that stand where a value would and say only whether or how it is set.
const SAYS_NOTHING: &str = "\
    null nil none undefined true false yes no on off enabled disabled default empty unset \
    set required optional string str int integer bool boolean object number any char text \
    varchar bytes secret hidden redacted removed masked filtered protected omitted prompt \
    ask n/a na nan changed invalid expired missing failed failure success ok denied \
    incorrect wrong accepted rejected unknown error not is was are for from the to of in \
    and or with has must cannot could should will does did a an by authentication auth file \
    files compat sss systemd env environment sha256 sha512 md5 psk eap wpa-psk plain basic \
    digest bearer negotiate kerberos ldap pam publickey manual auto generated ephemeral \
    rotated revoked shared private public internal external always never if when it this \
    that your my new old password passwd passphrase token key value username user \
    credentials function async await return \
    all any native noarch amd64 i386 i686 arm64 armhf x86_64 aarch64 s390x ppc64el ppc64le";

/// Whether a value is to be left: it is empty, a reference, a placeholder or a marker.
pub(crate) fn says_nothing(v: &[u8]) -> bool {
    let v = v.trim_ascii();
    if v.is_empty() || v.starts_with(MARK.as_bytes()) {
        return true;
    }
    if is_common(v) || v.len() <= 64 && v.split(|b| matches!(b, b' ' | b'\t')).all(is_lookup) {
        return true;
    }
    // `[FILTERED]`, `(hidden)`
    let inside = match v {
        [b'[', inside @ .., b']'] | [b'(', inside @ .., b')'] => inside,
        _ => return is_unset(v),
    };
    is_common(inside) || is_unset(v)
}

/// Whether a value is empty, a reference, a placeholder or a marker, whatever words it has.
pub(crate) fn is_unset(v: &[u8]) -> bool {
    let v = v.trim_ascii();
    v.is_empty() || v.starts_with(MARK.as_bytes()) || reference(v) || masked(v)
}

/// One of the words that say only whether or how a value is set.
fn is_common(v: &[u8]) -> bool {
    static WORDS: OnceLock<HashSet<&[u8]>> = OnceLock::new();
    let mut small = [0; 16];
    let Some(small) = small.get_mut(..v.len()) else {
        return false;
    };
    small.copy_from_slice(v);
    small.make_ascii_lowercase();
    WORDS
        .get_or_init(|| {
            SAYS_NOTHING
                .split_ascii_whitespace()
                .map(str::as_bytes)
                .collect()
        })
        .contains(&*small)
}

/// Words that say nothing elsewhere and are set as passwords all the same.
pub(crate) fn is_weak(v: &[u8]) -> bool {
    const WEAK: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "secret",
        "default",
        "user",
        "username",
        "private",
        "shared",
        "internal",
        "value",
    ];
    // With a capital letter it is a label: `<label for="password">Password</label>`.
    WEAK.iter().any(|w| v == w.as_bytes())
}

/// A URL: what is secret in it is for the scanner of URLs.
pub(crate) fn is_url(v: &[u8]) -> bool {
    memchr::memmem::find(v, b"://").is_some_and(|n| {
        n > 1
            && v[0].is_ascii_alphabetic()
            && v[..n]
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'))
    })
}

/// A source of the name service switch: `passwd: files systemd`.
fn is_lookup(word: &[u8]) -> bool {
    const SOURCES: &str = "files compat sss systemd ldap nis nisplus winbind db dns cache hesiod";
    word.is_empty()
        || SOURCES
            .split_ascii_whitespace()
            .any(|s| word == s.as_bytes())
        || matches!(word, [b'[', .., b']'])
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
        // `$1`: a parameter of a script.
        let position = rest.len() == 1 && (rest[0].is_ascii_digit() || b"@*#?!".contains(&rest[0]));
        return variable && plain || position || ends(b"$(", b")") || ends(b"$((", b"))");
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
    let yours = v.len() > 6
        && v[..4].eq_ignore_ascii_case(b"your")
        && matches!(v[4], b'_' | b'-')
        && v.iter()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-'));
    yours
        || v.len() >= 2 && v.iter().all(mask)
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
        || is_prefixed_path(v)
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

/// A path behind the kind of what lies there: `hash:/etc/postfix/sasl_passwd`.
fn is_prefixed_path(v: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', v) else {
        return false;
    };
    let (kind, path) = (&v[..colon], &v[colon + 1..]);
    (2..=24).contains(&kind.len())
        && kind
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && path.len() > 3
        && path[0] == b'/'
        && path[1].is_ascii_alphabetic()
        && path[1..].contains(&b'/')
        && is_path(path)
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
        && !is_drawn(v)
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
            "[FILTERED]",
            "files systemd",
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
}
