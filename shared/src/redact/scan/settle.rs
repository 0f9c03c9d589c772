//! The last judgement about a value: what says nothing stays, the rest is replaced.

use crate::redact::edit::{Found, Put};
use crate::redact::key::Verdict;
use crate::redact::keyed::MARK;
use crate::redact::scan::join::quoted;
use crate::redact::scan::kv::{Key, MAX_BARE};
use crate::redact::standin;
use crate::redact::value;
use crate::redact::window::View;

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
    let (start, end) = inside(view, start + lead, end.max(start + lead));
    let v = view.slice(start, end);
    if harmless(key, v, quoted) {
        return;
    }
    if matches!(key.verdict, Verdict::IfRandom(_) | Verdict::InQuery(_))
        && !value::looks_random(v)
        && !value::is_basic(v)
    {
        return;
    }
    let json = !quoted
        && key.quote == Some(b'"')
        && v.iter()
            .all(|b| b.is_ascii_digit() || *b == b'.' || *b == b'-');
    let put = if json { Put::QuotedMark } else { Put::Mark };
    found.push(start, end, key.rule(), put);
    again(view, v, end, key.rule(), found);
}

/// The part of a value that is the secret: the default of a reference, what follows a scheme.
fn inside(view: &View<'_>, mut start: usize, mut end: usize) -> (usize, usize) {
    let v = view.slice(start, end);
    // `${NAME:-value}`: the value is the default.
    if let Some(rest) = v.strip_prefix(b"${")
        && let (Some(at), Some(close)) = (
            memchr::memmem::find(rest, b":-"),
            memchr::memrchr(b'}', rest),
        )
        && at + 2 <= close
    {
        (start, end) = (start + 2 + at + 2, start + 2 + close);
    }
    // `{{ name | default('value') }}`
    if v.starts_with(b"{{")
        && let Some(at) = memchr::memmem::find(v, b"default")
    {
        let from = view.skip_blanks(start + at + 7);
        let from = from + usize::from(view.at(from) == Some(b'('));
        if let Some((a, b)) = quoted(view, from).filter(|(_, b)| *b <= end) {
            (start, end) = (a, b);
        }
    }
    let v = view.slice(start, end);
    let quote = v.first().copied().filter(|q| matches!(q, b'"' | b'\''));
    if let Some(q) = quote
        && v.len() > 2
        && v.last() == Some(&q)
    {
        (start, end) = (start + 1, end - 1);
    }
    (start + scheme(view.slice(start, end)), end)
}

/// How many bytes of a value are a scheme, which tells how a credential is sent.
pub(crate) fn scheme(v: &[u8]) -> usize {
    let schemes = [
        &b"Basic "[..],
        b"Bearer ",
        b"Token ",
        b"token ",
        b"bearer ",
        b"Negotiate ",
        b"NTLM ",
        b"ApiKey ",
        b"Digest ",
    ];
    let Some(rest) = schemes.iter().find_map(|s| v.strip_prefix(*s)) else {
        return 0;
    };
    v.len() - rest.trim_ascii_start().len()
}

/// Whether a value says nothing: it is empty, a reference, a path, a count, a sentence.
fn harmless(key: &Key, v: &[u8], quoted: bool) -> bool {
    let few = v.len() <= if key.pass { 2 } else { 6 };
    // Counts and rates: `tokens_per_second: 33.5`, `total_tokens=1536`.
    let rate = !key.pass && v.len() <= 12 && memchr::memchr_iter(b'.', v).count() == 1;
    let number = (few || rate) && v.iter().all(|b| b.is_ascii_digit() || rate && *b == b'.');
    // A mark of one letter or two is no secret, and neither is a sentence.
    let short = v.len() <= if key.pass { 1 } else { 3 };
    let prose = !key.pass
        && !quoted
        && v.iter().filter(|b| **b == b' ').count() >= 2
        && v.iter().all(|b| !b.is_ascii_digit());
    // A key in a block of its own is for the scanner of blocks, a URL for that of URLs.
    let block = v.starts_with(b"-----BEGIN");
    let done = memchr::memmem::find(v, MARK.as_bytes()).is_some() || standin::is_one(v);
    if number || short || prose || block || done || value::is_plain(v) || value::is_url(v) {
        return true;
    }
    value::says_nothing(v) && !(key.pass && value::is_weak(v))
}

/// The same secret once more on its line, without its key.
fn again(view: &View<'_>, secret: &[u8], from: usize, rule: u16, found: &mut Found) {
    if secret.len() < 12 || !secret.iter().any(u8::is_ascii_digit) {
        return;
    }
    let line = view.slice(from, view.line_end_within(from, MAX_BARE));
    for at in memchr::memmem::find_iter(line, secret).take(8) {
        found.mark(from + at, from + at + secret.len(), rule);
    }
}

/// Pieces of a value behind its first quotes, which end at `end`: `"ab" + "cd"`, a quoted scalar
/// that goes on on deeper lines.
pub(crate) fn continued(view: &View<'_>, key: &Key, end: usize, found: &mut Found) {
    if found.edits.is_empty() {
        return;
    }
    let mut at = end;
    if matches!(view.at(at), Some(b'\n' | b'\r')) {
        return lines(view, key, at, found);
    }
    for _ in 0..16 {
        let sign = view.skip_blanks(at + 1);
        if !matches!(view.at(sign), Some(b'+' | b'.' | b'&' | b'\\')) {
            return;
        }
        let mut next = sign + 1;
        while view.at(next).is_some_and(|b| b.is_ascii_whitespace()) {
            next += 1;
        }
        if !matches!(view.at(next), Some(b'"' | b'\'')) {
            return;
        }
        let Some((a, b)) = quoted(view, next) else {
            return;
        };
        found.push(a, b, key.rule(), Put::Drop);
        at = b;
    }
}

/// The lines of a quoted scalar after its first one, if its quote closes soon.
fn lines(view: &View<'_>, key: &Key, first: usize, found: &mut Found) {
    let indent = |line: usize| view.skip_blanks(line) - line;
    let depth = indent(view.line_start(key.start));
    let Some(quote) = view
        .slice(view.line_start(key.start), first)
        .iter()
        .rev()
        .find(|b| matches!(b, b'"' | b'\''))
    else {
        return;
    };
    let (mut pieces, mut at) = (Vec::new(), first);
    while let Some(line) = view.next_line(at).filter(|_| pieces.len() < 8) {
        at = view.line_end(line);
        let from = view.skip_blanks(line);
        let text = view.slice(from, at).trim_ascii_end();
        let close = memchr::memchr(*quote, text);
        let pair = text.windows(2).any(|w| w == b": ");
        if indent(line) <= depth || text.is_empty() || pair {
            return;
        }
        pieces.push((from, from + close.unwrap_or(text.len())));
        if let Some(n) = close {
            if n + 1 == text.len() {
                for (a, b) in pieces {
                    found.push(a, b, key.rule(), Put::Drop);
                }
            }
            return;
        }
    }
}
