//! Values without quotes: where they end, and values that follow a key after blanks only.

use crate::redact::context::Context;
use crate::redact::edit::Found;
use crate::redact::key::Verdict;
use crate::redact::scan::join::{Joined, quoted};
use crate::redact::scan::kv::{Key, MAX_BARE, is_key};
use crate::redact::scan::settle::{scheme, settle};
use crate::redact::value;
use crate::redact::window::View;

/// The end of a bare value.
pub(crate) fn bare_end(
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
    if let Some(end) = reference_end(line) {
        return start + end;
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
        if ctx.prose && line[..end].ends_with(b":") && line.get(end) == Some(&b' ') {
            // `secrets:   name:   file: x`: the next key.
            return start;
        }
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

/// The end of a reference that has blanks or commas in it: `$(cat x)`, `ENC[a,b]`, `{{ x }}`.
fn reference_end(line: &[u8]) -> Option<usize> {
    [
        (&b"$("[..], &b")"[..]),
        (b"${", b"}"),
        (b"{{", b"}}"),
        (b"ENC[", b"]"),
        (b"<%", b"%>"),
    ]
    .into_iter()
    .find(|(open, _)| line.starts_with(open))
    .and_then(|(_, close)| memchr::memmem::find(line, close).map(|n| n + close.len()))
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
pub(crate) fn words(ctx: &Context, view: &View<'_>, key: &Key, found: &mut Found) {
    let Some(b' ' | b'\t' | 0) = view.at(key.end) else {
        return;
    };
    // The head of a section: `[credential "https://h"]`.
    if view.before(key.start) == Some(b'[') {
        return;
    }
    let flag = view.at(key.start) == Some(b'-');
    let mut start = key.end + 1;
    start = view.skip_blanks(start);
    // Not the line: looking for its end behind every key of a long one would cost more than all else.
    let rest = view.slice(start, start + MAX_BARE);
    if let Some((from, to)) = quoted(view, start) {
        let from = from + scheme(view.slice(from, to));
        let text = view.slice(from, to);
        // In prose only what cannot be a word of it.
        let telling = key.pass || from > start + 1;
        let telling = telling
            && text.len() >= 4
            && !text.contains(&b' ')
            && text.iter().any(|b| !b.is_ascii_alphabetic());
        if flag || key.first || ctx.network || telling {
            settle(view, key, from, to, true, found);
        }
        return;
    }
    // `password ---- x`, `token - 'x'`: a table, a list.
    let dashes = rest.iter().take_while(|b| **b == b'-').count();
    if dashes > 0 && matches!(rest.get(dashes), Some(b' ' | b'\t')) {
        return behind_dashes(view, key, start + dashes, found);
    }
    let len = rest
        .iter()
        .position(|b| b.is_ascii_whitespace() || *b == 0)
        .unwrap_or(rest.len());
    let word = &rest[..len];
    let trimmed = word
        .iter()
        .rev()
        .take_while(|b| matches!(b, b';' | b',' | b'"' | b'\''))
        .count();
    let word = &word[..word.len() - trimmed];
    if word.starts_with(b"--") || flag && (word.first() == Some(&b'-') || word.contains(&b'=')) {
        return;
    }
    let behind = view.at(view.skip_blanks(start + len));
    let last = matches!(behind, None | Some(b'\n' | b'\r'));
    let alone = key.first && last && !ctx.prose && word.len() >= 4;
    let random =
        matches!(key.verdict, Verdict::Secret(_)) && value::looks_random(word) && !key_id(word);
    // An argument of a directive: `fastcgi_param DB_PASSWORD x1;`.
    let argument = !ctx.prose && (last || key.pass) && !upstream(view, key) && mixed(word);
    if flag || alone && !upstream(view, key) || random || argument {
        settle(view, key, start, start + word.len(), false, found);
    }
}

/// The fingerprint of a public key, as GnuPG writes it.
fn key_id(word: &[u8]) -> bool {
    matches!(word.len(), 16 | 40)
        && word
            .iter()
            .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b))
}

/// A value behind a key and dashes, which must not be taken for a word of a list.
fn behind_dashes(view: &View<'_>, key: &Key, at: usize, found: &mut Found) {
    let start = view.skip_blanks(at);
    let whole = quoted(view, start);
    let (from, to) = whole.unwrap_or_else(|| {
        let rest = view.slice(start, start + MAX_BARE);
        let len = rest.iter().position(u8::is_ascii_whitespace);
        (start, start + len.unwrap_or(rest.len()))
    });
    let word = view.slice(from, to);
    if value::looks_random(word) || key.pass && mixed(word) {
        settle(view, key, from, to, whole.is_some(), found);
    }
}

/// Whether a directive of a web server names where requests are passed on to.
fn upstream(view: &View<'_>, key: &Key) -> bool {
    const PASSES: [&[u8]; 6] = [
        b"proxy_pass",
        b"fastcgi_pass",
        b"uwsgi_pass",
        b"scgi_pass",
        b"grpc_pass",
        b"memcached_pass",
    ];
    PASSES.contains(&view.slice(key.start, key.end))
}

/// Letters and digits in one word that is no path, version or date.
fn mixed(word: &[u8]) -> bool {
    let letters = word.iter().filter(|b| b.is_ascii_alphabetic()).count();
    word.len() >= 6
        && !key_id(word)
        && letters >= 2
        && word.iter().any(u8::is_ascii_digit)
        && !word
            .iter()
            .any(|b| matches!(b, b'/' | b'(' | b'<' | b'{' | b':' | b'='))
}
