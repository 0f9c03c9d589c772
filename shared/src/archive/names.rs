//! Names from strangers: what is rejected, what is made inert, and the safe form of the rest.

use crate::bundle::limits::{Limits, Reason, Reject};
use crate::escape;

/// A name that may be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Safe and relative; empty for the archive's own root.
    pub(super) path: String,
    /// Whether it ended as a directory's name does.
    pub(super) slash: bool,
    /// What was odd about it.
    pub(super) odd: Option<Reason>,
}

/// Judges an entry's name.
pub(super) fn judge(raw: &[u8], limits: &Limits) -> Result<Name, Reject> {
    let reject = |reason| Err(Reject::new(reason, format!("name {:?}", shown(raw))));
    if raw.is_empty() || raw.contains(&0) {
        return reject(Reason::BadName);
    }
    if raw.len() > limits.path_bytes {
        return Err(Reject::new(
            Reason::LimitPath,
            format!("a path of {} bytes", raw.len()),
        ));
    }
    if raw[0] == b'/' || raw[0] == b'\\' || drive(raw) {
        return reject(Reason::AbsolutePath);
    }
    // A reader on Windows takes the backslash for a separator.
    if raw
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|part| part == b"..")
    {
        return reject(Reason::PathTraversal);
    }
    let (text, mut odd) = text(raw);
    let mut path = String::with_capacity(text.len());
    let mut depth = 0;
    for (component, kept) in raw.split(|byte| *byte == b'/').zip(text.split('/')) {
        if matches!(component, b"" | b".") {
            continue;
        }
        if component.len() > limits.component_bytes {
            return reject(Reason::LimitPath);
        }
        odd = odd.or_else(|| windows(component));
        depth += 1;
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(kept);
    }
    if depth > limits.depth {
        return reject(Reason::LimitDepth);
    }
    Ok(Name {
        path,
        slash: raw.ends_with(b"/") || raw.ends_with(b"/."),
        odd,
    })
}

/// The start of a name, for messages.
pub(super) fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(&raw[..raw.len().min(300)]).into_owned()
}

/// The name as text: characters that hide or move become visible.
pub(super) fn text(raw: &[u8]) -> (String, Option<Reason>) {
    let is_safe = |text: &str| !text.chars().any(|c| c == '\t' || escape::hostile(c));
    match std::str::from_utf8(raw) {
        Ok(text) if is_safe(text) => (text.to_owned(), None),
        _ => (
            escape::terminal(raw).replace('\t', "\\t"),
            Some(Reason::NameUnsafe),
        ),
    }
}

/// `C:\x`, `c:/x`: absolute where drives have letters.
fn drive(raw: &[u8]) -> bool {
    raw.len() >= 3
        && raw[0].is_ascii_alphabetic()
        && raw[1] == b':'
        && matches!(raw[2], b'\\' | b'/')
}

/// What Windows cannot hold as a name. A colon is not in it: every /sys has them.
fn windows(component: &[u8]) -> Option<Reason> {
    let stem = component
        .split(|byte| *byte == b'.')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let reserved = match stem.as_slice() {
        b"CON" | b"PRN" | b"AUX" | b"NUL" | b"CONIN$" | b"CONOUT$" => true,
        [b'C', b'O', b'M', digit] | [b'L', b'P', b'T', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    let drive = component.len() >= 2 && component[1] == b':' && component[0].is_ascii_alphabetic();
    let ends = matches!(component.last(), Some(b'.' | b' '));
    (reserved || drive || ends || odd_backslash(component)).then_some(Reason::NameWindows)
}

/// A backslash that is no `\xNN` as systemd writes it into unit names.
fn odd_backslash(component: &[u8]) -> bool {
    component.iter().enumerate().any(|(at, byte)| {
        *byte == b'\\'
            && !component
                .get(at + 1..at + 4)
                .is_some_and(|next| next[0] == b'x' && next[1..].iter().all(u8::is_ascii_hexdigit))
    })
}

/// Whether a link's target leads out of the archive, by its text.
pub(super) fn escapes(link: &str, target: &[u8]) -> bool {
    let root_free =
        matches!(target.first(), Some(b'/' | b'\\')) || drive(target) || target.is_empty();
    let mut depth = link.matches('/').count();
    let mut out = root_free;
    for component in target.split(|byte| matches!(byte, b'/' | b'\\')) {
        match component {
            b".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => out = true,
            },
            b"" | b"." => {}
            _ => depth += 1,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, and its safe form with what is odd, or the reject.
    type Case<'a> = (&'a [u8], Result<(&'a str, Option<Reason>), Reason>);

    #[test]
    fn names_are_judged() {
        let long = [b'a'; 256];
        let deep = [&b"d/"[..]; 65].concat();
        let huge = [&b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"[..]; 129].concat();
        let cases: [Case<'_>; 24] = [
            (b"etc/fstab", Ok(("etc/fstab", None))),
            (b"./a//b/./c", Ok(("a/b/c", None))),
            (b"./", Ok(("", None))),
            (b"sys/0000:00:1f.2", Ok(("sys/0000:00:1f.2", None))),
            (b"dev-disk\\x2dlabel", Ok(("dev-disk\\x2dlabel", None))),
            (b"a\\b", Ok(("a\\b", Some(Reason::NameWindows)))),
            (b"a/nul.txt", Ok(("a/nul.txt", Some(Reason::NameWindows)))),
            (b"a/COM1", Ok(("a/COM1", Some(Reason::NameWindows)))),
            (b"a/x.", Ok(("a/x.", Some(Reason::NameWindows)))),
            (b"C:x", Ok(("C:x", Some(Reason::NameWindows)))),
            (b"a\x1b[2J", Ok(("a\\x1b[2J", Some(Reason::NameUnsafe)))),
            (b"a\nb", Ok(("a\\nb", Some(Reason::NameUnsafe)))),
            (b"a\xff", Ok(("a\\xff", Some(Reason::NameUnsafe)))),
            (
                "x\u{202e}fdp".as_bytes(),
                Ok(("x\\u{202e}fdp", Some(Reason::NameUnsafe))),
            ),
            (b"", Err(Reason::BadName)),
            (b"a\0b", Err(Reason::BadName)),
            (b"/etc/passwd", Err(Reason::AbsolutePath)),
            (b"C:\\x", Err(Reason::AbsolutePath)),
            (b"\\\\host\\share", Err(Reason::AbsolutePath)),
            (b"a/../../b", Err(Reason::PathTraversal)),
            (b"a\\..\\b", Err(Reason::PathTraversal)),
            (&long, Err(Reason::LimitPath)),
            (&deep, Err(Reason::LimitDepth)),
            (&huge, Err(Reason::LimitPath)),
        ];
        for (raw, want) in cases {
            let got = judge(raw, &Limits::default());
            let got = got
                .as_ref()
                .map(|name| (name.path.as_str(), name.odd))
                .map_err(|reject| reject.reason);
            assert_eq!(got, want, "{:?}", shown(raw));
        }
    }

    #[test]
    fn targets_are_judged() {
        for (link, target, out) in [
            ("a/b", "../c", false),
            ("a/b", "../../c", true),
            ("a", "/etc/passwd", true),
            ("a", "b/../../c", true),
            ("a", "..\\x", true),
            ("a", "", true),
        ] {
            assert_eq!(escapes(link, target.as_bytes()), out, "{link} {target}");
        }
    }
}
