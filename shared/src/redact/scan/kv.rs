//! Keys and their values in every syntax: the tolerant scanner that finds the value's bytes after
//! a key that names a secret, without parsing the file.

use crate::redact::context::Context;
use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::key::{MAX_KEY, Verdict};
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::scan::blocks;
use crate::redact::value;
use crate::redact::window::{View, is_word};

/// Bytes of a value without quotes that are looked at for its end.
const MAX_BARE: usize = 4096;

/// A key and how it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub start: usize,
    pub end: usize,
    /// The quote before it.
    pub quote: Option<u8>,
    pub verdict: Verdict,
    /// It is of the kind of passwords, which may be short numbers.
    pub pass: bool,
    /// It begins its line, after indentation and what may stand before a key.
    pub first: bool,
}

impl Key {
    pub(crate) fn rule(&self) -> u16 {
        match self.verdict {
            Verdict::Secret(r) | Verdict::IfRandom(r) => r,
            Verdict::No => 0,
        }
    }
}

#[inline]
fn is_key(b: u8) -> bool {
    is_word(b) || b == b'-' || b == b'.'
}

pub(crate) fn look(rules: &Rules, ctx: &Context, view: &View<'_>, hit: Hit, found: &mut Found) {
    let after = hit.at + hit.len;
    let end = after
        + view
            .slice(after, after + 64)
            .iter()
            .take_while(|b| is_key(**b))
            .count();
    let Some(next) = view.at(end) else { return };
    // The quick way out: nothing that could join a value follows.
    if !matches!(
        next,
        b'=' | b':'
            | b' '
            | b'\t'
            | b'"'
            | b'\''
            | b'`'
            | b'>'
            | b']'
            | b'\\'
            | b'&'
            | b'%'
            | b'?'
            | b'+'
            | b'('
            | b')'
            | b','
            | 0
            | b'<'
            | b'|'
    ) {
        return;
    }
    let back = view
        .slice(hit.at.saturating_sub(MAX_KEY), hit.at)
        .iter()
        .rev()
        .take_while(|b| is_key(**b))
        .count();
    let mut start = hit.at - back;
    // `%3Fpassword`: the escape is not part of the key.
    if view.before(start) == Some(b'%')
        && view
            .slice(start, start + 2)
            .iter()
            .all(u8::is_ascii_hexdigit)
    {
        start = (start + 2).min(hit.at);
    }
    let key_text = view.slice(start, end);
    let trim = key_text
        .iter()
        .rev()
        .take_while(|b| matches!(b, b'.' | b'-'))
        .count();
    let end = end - trim.min(end - after);
    let text = view.slice(start, end);
    if text.starts_with(MARK.as_bytes()) {
        return;
    }
    let verdict = rules.keys.judge(text);
    if verdict == Verdict::No {
        return;
    }
    let quote = view
        .before(start)
        .filter(|b| matches!(b, b'"' | b'\'' | b'`'));
    let pass = matches!(verdict, Verdict::Secret(r) if r == rules.ids.password);
    let key = Key {
        start,
        pass,
        end,
        quote,
        verdict,
        first: first_on_line(view, start),
    };
    value_of(rules, ctx, view, &key, found);
}

/// Whether only what may precede a key stands before it on the line.
fn first_on_line(view: &View<'_>, at: usize) -> bool {
    let line = view.slice(view.line_start(at), at);
    let mut rest = line
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(line)
        .trim_ascii_start();
    for opener in [
        &b"export "[..],
        b"set ",
        b"env ",
        b"ENV ",
        b"ARG ",
        b"- ",
        b"# ",
        b"#",
        b"// ",
        b"; ",
        b"* ",
        b"| ",
        b"var ",
        b"let ",
        b"const ",
        b"String ",
        b"string ",
    ] {
        rest = rest.strip_prefix(opener).unwrap_or(rest).trim_ascii_start();
    }
    rest.iter().all(|b| {
        matches!(
            b,
            b'"' | b'\''
                | b'`'
                | b'-'
                | b'$'
                | b'<'
                | b'['
                | b'{'
                | b'@'
                | b'/'
                | b':'
                | b'_'
                | b'!'
                | b'%'
        )
    })
}

/// Finds what joins key and value, and hands the value on.
fn value_of(rules: &Rules, ctx: &Context, view: &View<'_>, key: &Key, found: &mut Found) {
    if view.before(key.start) == Some(b'<') && matches!(view.at(key.end), Some(b'>' | b' ' | b'\t'))
    {
        return blocks::element(rules, view, key, found);
    }
    if view.before(key.start) == Some(b'>') && view.has(key.end, b"</") {
        return blocks::element_sibling(view, key, found);
    }
    let closed = skip_closing(view, key.end);
    if let Some(joined) = separator(view, closed) {
        if closed == key.end && key.quote.is_some() {
            // `"password: "`: the quote that follows closes the text round the key.
            return inner(view, key, joined.at, found);
        }
        return at_value(rules, ctx, view, key, joined, found);
    }
    if closed > key.end && key.quote.is_some() {
        return blocks::sibling(rules, view, key, closed, found);
    }
    words(ctx, view, key, found);
}

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
            Some(b'\\') if matches!(view.at(i + 1), Some(b'"' | b'\'' | b'\\')) => i += 1,
            Some(b'&') if view.has(i, b"&quot;") => i += 6,
            Some(b'%') if view.has(i, b"%22") => i += 3,
            _ => break,
        }
    }
    i
}

/// Skips blanks, a type and a sign that assigns; gives where the value may begin.
fn separator(view: &View<'_>, from: usize) -> Option<Joined> {
    let mut i = view.skip_blanks(from);
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
    let (sign, len) = match two {
        [b'=', b'>']
        | [b':', b'=']
        | [b'?', b'=']
        | [b'.', b'=']
        | [b'+', b'=']
        | [b'=', b'=']
        | [b'-', b'>'] => (b'=', 2),
        [b':', b':'] | [b'=', b'~'] => return None,
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

/// A value inside the quotes that opened before the key: `"DB_PASSWORD=x"`.
fn inner(view: &View<'_>, key: &Key, at: usize, found: &mut Found) {
    let start = view.skip_blanks(at);
    let line = view.slice(start, view.line_end_within(start, MAX_BARE));
    let quote = key.quote.unwrap_or(b'"');
    let stop = line
        .iter()
        .position(|b| *b == quote || *b == b'\\' && quote == b'"' || *b == 0)
        .unwrap_or(line.len());
    let text = &line[..stop];
    let many = text
        .windows(2)
        .any(|w| matches!(w[0], b';' | b'&' | b' ') && w[1].is_ascii_alphabetic())
        && text.contains(&b'=');
    let len = if many {
        text.iter()
            .position(|b| matches!(b, b';' | b'&' | b' ' | b','))
            .unwrap_or(stop)
    } else {
        stop
    };
    settle(view, key, start, start + len, false, found);
}

/// A value after a sign.
fn at_value(
    rules: &Rules,
    ctx: &Context,
    view: &View<'_>,
    key: &Key,
    joined: Joined,
    found: &mut Found,
) {
    let start = view.skip_blanks(joined.at);
    let blank = start > joined.at;
    match view.at(start) {
        None => {}
        Some(b'\n' | b'\r') => blocks::below(rules, view, key, joined, start, found),
        Some(b'[' | b'{' | b'(') if blocks::opens(view, start) => {
            blocks::list(rules, view, key, start, found)
        }
        Some(b'|' | b'>') if blocks::scalar_header(view, start) => {
            blocks::scalar(rules, view, key, start, found)
        }
        Some(_) => {
            if let Some((from, to)) = quoted(view, start) {
                if to == view.hi && !view.ends {
                    found.more = Some((
                        to,
                        Continue::Rest {
                            quote: view.before(from),
                            rule: key.rule(),
                        },
                    ));
                }
                return settle(view, key, from, to, true, found);
            }
            let to = bare_end(ctx, view, key, joined, start, blank);
            let long = to >= start + MAX_BARE || to == view.hi && !view.ends;
            if long {
                found.more = Some((
                    to,
                    Continue::Rest {
                        quote: None,
                        rule: key.rule(),
                    },
                ));
            }
            settle(view, key, start, to, false, found);
        }
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
    for at in memchr::memchr3_iter(quote, b'\n', b'\r', text) {
        if text[at] != quote {
            return Some((from, from + at));
        }
        let before = text[..at].iter().rev().take_while(|b| **b == b'\\').count();
        // Doubled quotes and escaped ones belong to the value.
        if before <= slashes && (slashes > 0 || before % 2 == 0) {
            if quote == b'\'' && text.get(at + 1) == Some(&b'\'') && at > 0 {
                continue;
            }
            return Some((from, from + at - before.min(slashes)));
        }
    }
    Some((from, view.hi))
}

/// The end of a bare value.
fn bare_end(
    ctx: &Context,
    view: &View<'_>,
    key: &Key,
    joined: Joined,
    start: usize,
    blank: bool,
) -> usize {
    let line = view.slice(start, view.line_end_within(start, MAX_BARE));
    let nul = memchr::memchr(0, line).unwrap_or(line.len());
    let line = &line[..nul];
    let query = matches!(view.before(key.start), Some(b'?' | b'&' | b';'))
        || view
            .slice(key.start.saturating_sub(5), key.start)
            .ends_with(b"&amp;");
    if query {
        return start
            + line
                .iter()
                .position(|b| {
                    b.is_ascii_whitespace()
                        || matches!(
                            b,
                            b'&' | b'#' | b'"' | b'\'' | b'<' | b'>' | b';' | b'`' | b'\\'
                        )
                })
                .unwrap_or(line.len());
    }
    let whole = key.first && !(ctx.prose && joined.sign == b':' && !blank) && !more_pairs(line);
    if !whole {
        let (mut depth, mut end) = (0i32, line.len());
        for (i, b) in line.iter().enumerate() {
            match b {
                b'{' | b'(' | b'[' => depth += 1,
                b'}' | b')' | b']' if depth > 0 => depth -= 1,
                b' ' | b'\t' | b'"' | b'\'' | b',' | b';' | b'}' | b')' | b']' | b'<' | b'>'
                | b'`' => {
                    end = i;
                    break;
                }
                b'&' | b'|' if joined.sign == b'=' && !blank => {
                    end = i;
                    break;
                }
                b'\\' if matches!(line.get(i + 1), Some(b'n' | b'r' | b'"' | b't' | b'\\')) => {
                    end = i;
                    break;
                }
                _ => {}
            }
        }
        let trailing = line[..end]
            .iter()
            .rev()
            .take_while(|b| matches!(b, b'.' | b':' | b'!' | b'?'))
            .count();
        return start + end - if end == trailing { 0 } else { trailing };
    }
    let comment = line
        .windows(2)
        .position(|w| matches!(w[0], b' ' | b'\t') && w[1] == b'#')
        .or_else(|| memchr::memmem::find(line, b" // "))
        .unwrap_or(line.len());
    let text = line[..comment].trim_ascii_end();
    let text = text.strip_suffix(b"</").unwrap_or(text);
    let escaped = memchr::memmem::find(text, b"\\n").unwrap_or(text.len());
    let text = &text[..escaped];
    let text = text
        .strip_suffix(b",")
        .or_else(|| text.strip_suffix(b";"))
        .unwrap_or(text);
    start + text.len()
}

/// Whether another `name=` follows on the line, so that the value ends at a blank.
fn more_pairs(line: &[u8]) -> bool {
    line.split(|b| matches!(b, b' ' | b'\t' | b';' | b','))
        .skip(1)
        .any(|w| {
            let name = w.iter().take_while(|b| is_key(**b)).count();
            name > 1
                && w[0].is_ascii_alphabetic()
                && w.get(name) == Some(&b'=')
                && w.get(name + 1) != Some(&b'=')
        })
}

/// A value after blanks only: flags, and configuration written as words.
fn words(ctx: &Context, view: &View<'_>, key: &Key, found: &mut Found) {
    let Some(b' ' | b'\t' | 0) = view.at(key.end) else {
        return;
    };
    let flag = view.at(key.start) == Some(b'-');
    let mut start = key.end + 1;
    start = view.skip_blanks(start);
    let line = view.slice(start, view.line_end_within(start, MAX_BARE));
    if let Some((from, to)) = quoted(view, start) {
        if flag || key.first || ctx.network {
            settle(view, key, from, to, true, found);
        }
        return;
    }
    let len = line
        .iter()
        .position(|b| b.is_ascii_whitespace() || *b == 0)
        .unwrap_or(line.len());
    let word = &line[..len];
    let trimmed = word
        .iter()
        .rev()
        .take_while(|b| matches!(b, b';' | b',' | b'"' | b'\''))
        .count();
    let word = &word[..word.len() - trimmed];
    if flag && (word.first() == Some(&b'-') || word.contains(&b'=')) {
        return;
    }
    let last = line[len..].trim_ascii().is_empty();
    let alone = key.first && last;
    if flag || alone && !ctx.prose && word.len() >= 4 {
        settle(view, key, start, start + word.len(), false, found);
    }
}

/// Replaces a value, unless it says nothing.
pub(crate) fn settle(
    view: &View<'_>,
    key: &Key,
    start: usize,
    end: usize,
    quoted: bool,
    found: &mut Found,
) {
    let whole = view.slice(start, end);
    let lead = whole.len() - whole.trim_ascii_start().len();
    let (start, end) = (start + lead, end.max(start + lead));
    let mut v = view.slice(start, end);
    let mut start = start;
    // `${NAME:-value}`: the value is the default.
    if let Some(rest) = v.strip_prefix(b"${")
        && let (Some(at), Some(close)) = (
            memchr::memmem::find(rest, b":-"),
            memchr::memrchr(b'}', rest),
        )
        && at + 2 <= close
    {
        start += 2 + at + 2;
        v = &rest[at + 2..close];
    }
    // A scheme before a credential tells how it is sent.
    for scheme in [
        &b"Basic "[..],
        b"Bearer ",
        b"Token ",
        b"token ",
        b"bearer ",
        b"Negotiate ",
        b"ApiKey ",
        b"Digest ",
    ] {
        if let Some(rest) = v.strip_prefix(scheme) {
            let blanks = rest.len() - rest.trim_ascii_start().len();
            start += scheme.len() + blanks;
            v = &rest[blanks..];
        }
    }
    let end = start + v.len();
    let few = v.len() <= if key.pass { 2 } else { 6 };
    let number = few && v.iter().all(u8::is_ascii_digit);
    // A key in a block of its own is for the scanner of blocks.
    let block = v.starts_with(b"-----BEGIN");
    let done = memchr::memmem::find(v, MARK.as_bytes()).is_some();
    if value::says_nothing(v) || value::is_plain(v) || number || block || done {
        return;
    }
    if matches!(key.verdict, Verdict::IfRandom(_)) && !value::looks_random(v) && !value::is_basic(v)
    {
        return;
    }
    let json = !quoted
        && key.quote == Some(b'"')
        && v.iter()
            .all(|b| b.is_ascii_digit() || *b == b'.' || *b == b'-');
    found.push(
        start,
        end,
        key.rule(),
        if json { Put::QuotedMark } else { Put::Mark },
    );
}
