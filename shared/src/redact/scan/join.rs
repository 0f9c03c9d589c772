//! What stands between a key and its value: closing quotes, a sign that assigns, opening quotes.

use crate::redact::window::View;

/// What joins a key and its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    pub at: usize,
    pub sign: u8,
}

/// Skips what closes a quoted or bracketed key: `"`, `\"`, `&quot;`, `']`.
pub(crate) fn skip_closing(view: &View<'_>, mut i: usize) -> usize {
    for _ in 0..8 {
        match view.at(i) {
            Some(b'"' | b'\'' | b'`' | b']') => i += 1,
            // The sign may be escaped: `password\=x` of Java properties.
            Some(b'\\') if matches!(view.at(i + 1), Some(b'"' | b'\'' | b'\\' | b'=' | b':')) => {
                i += 1
            }
            Some(b'&') if view.has(i, b"&quot;") => i += 6,
            Some(b'%') if view.has(i, b"%22") => i += 3,
            Some(b'\\') if view.has(i, b"\\u0022") => i += 6,
            _ => break,
        }
    }
    i
}

/// Skips blanks, a type and a sign that assigns; gives where the value may begin.
pub(crate) fn separator(view: &View<'_>, from: usize) -> Option<Joined> {
    let mut i = view.skip_blanks(subscript(view, from));
    for name in [
        &b"string"[..],
        b"String",
        b"str",
        b"[]byte",
        b"const char*",
        b"text",
    ] {
        if i > from && view.has(i, name) {
            let after = view.skip_blanks(i + name.len());
            if view.at(after) == Some(b'=') {
                i = after;
            }
        }
    }
    let two = view.slice(i, i + 2);
    let quoted = |len: usize| {
        let at = view.skip_blanks(i + len);
        matches!(view.at(at), Some(b'"' | b'\'' | b'`'))
    };
    let (sign, len) = match two {
        // Compared with, or by default, a text: `== "x"`, `|| "x"`, `<- "x"`.
        [b'=' | b'!', b'='] if view.at(i + 2) == Some(b'=') && quoted(3) => (b'=', 3),
        [b'=' | b'!', b'='] | [b'|', b'|'] | [b'?', b'?'] | [b'<', b'-'] if quoted(2) => (b'=', 2),
        // `::=`, `:::=` of make, `:: ` of LDIF; what is left is a path in source code.
        [b':', b':'] if view.has(i, b"::=") => (b'=', 3),
        [b':', b':'] if view.has(i, b":::=") => (b'=', 4),
        [b':', b':'] if view.has(i, b":: ") && i == from => (b'=', 2),
        [b'?', b'?'] | [b'|', b'|'] if view.at(i + 2) == Some(b'=') => (b'=', 3),
        [b'=', b'>'] | [b':', b'='] | [b'?', b'='] | [b'.', b'='] | [b'+', b'='] | [b'-', b'>'] => {
            (b'=', 2)
        }
        [b':', b':'] | [b'=', b'~' | b'='] => return None,
        [b'=', ..] => (b'=', 1),
        [b':', ..] => (b':', 1),
        [b'%', b'3'] if view.has(i, b"%3D") => (b'=', 3),
        [b'%', b'3'] if view.has(i, b"%3A") => (b':', 3),
        _ => return None,
    };
    let mut at = i + len;
    // `password: string = "x"` and `password: str = x`.
    if sign == b':' {
        let word = view.skip_blanks(at);
        let run = view
            .slice(word, word + 24)
            .iter()
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
        let after = view.skip_blanks(word + run);
        let typed = [&b"string"[..], b"String", b"str", b"text", b"any"]
            .contains(&view.slice(word, word + run));
        if typed && view.at(after) == Some(b'=') && view.at(after + 1) != Some(b'=') {
            at = after + 1;
        }
    }
    Some(Joined { at, sign })
}

/// Skips the size of an array: `key[50]`, `key[]`.
fn subscript(view: &View<'_>, from: usize) -> usize {
    if view.at(from) != Some(b'[') {
        return from;
    }
    let digits = view
        .slice(from + 1, from + 8)
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    match view.at(from + 1 + digits) {
        Some(b']') => from + digits + 2,
        _ => from,
    }
}

/// The inside of a quoted value that begins at `i`, whatever the level of escaping.
pub(crate) fn quoted(view: &View<'_>, i: usize) -> Option<(usize, usize)> {
    // Prefixes: b"", r'', f"", L"", @"", !!str "".
    let mut i = i;
    if matches!(
        view.at(i),
        Some(b'b' | b'r' | b'u' | b'f' | b'L' | b'@' | b'B' | b'N')
    ) && matches!(view.at(i + 1), Some(b'"' | b'\''))
    {
        i += 1;
    }
    let slashes = view
        .slice(i, i + 16)
        .iter()
        .take_while(|b| **b == b'\\')
        .count();
    let open = i + slashes;
    if view.has(open, b"&quot;") {
        let from = open + 6;
        let to = memchr::memmem::find(view.slice(from, view.line_end(from)), b"&quot;")
            .map_or(view.line_end(from), |n| from + n);
        return Some((from, to));
    }
    if slashes == 1 && view.has(i, b"\\u0022") {
        let from = i + 6;
        let to = memchr::memmem::find(view.slice(from, view.line_end(from)), b"\\u0022")
            .map_or(view.line_end(from), |n| from + n);
        return Some((from, to));
    }
    let quote = view.at(open).filter(|b| matches!(b, b'"' | b'\'' | b'`'))?;
    let mut from = open + 1;
    let triple = slashes == 0 && view.at(from) == Some(quote) && view.at(from + 1) == Some(quote);
    if triple {
        from += 2;
        let to = memchr::memmem::find(view.slice(from, view.hi), &[quote; 3])
            .map_or(view.hi, |n| from + n);
        return Some((from, to));
    }
    let text = view.slice(from, view.hi);
    let mut doubled = 0;
    for at in memchr::memchr3_iter(quote, b'\n', b'\r', text) {
        if at < doubled {
            continue;
        }
        if text[at] != quote {
            return Some((from, from + at));
        }
        let before = text[..at].iter().rev().take_while(|b| **b == b'\\').count();
        // Doubled quotes and escaped ones belong to the value.
        if before <= slashes && (slashes > 0 || before % 2 == 0) {
            if quote == b'\'' && text.get(at + 1) == Some(&b'\'') && at > 0 {
                doubled = at + 2;
                continue;
            }
            return Some((from, from + at - before.min(slashes)));
        }
    }
    Some((from, view.hi))
}
