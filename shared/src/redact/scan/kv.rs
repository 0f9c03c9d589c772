//! Keys and their values in every syntax: the tolerant scanner that finds the value's bytes after
//! a key that names a secret, without parsing the file.

use crate::redact::context::Context;
use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::key::{MAX_KEY, Verdict};
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::scan::bare::{bare_end, words};
use crate::redact::scan::join::{Joined, quoted, separator, skip_closing};
use crate::redact::scan::{blocks, paired};
use crate::redact::value;
use crate::redact::window::{View, is_word};

/// Bytes of a value without quotes that are looked at for its end.
pub(crate) const MAX_BARE: usize = 4096;

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
            Verdict::Secret(r) | Verdict::IfRandom(r) | Verdict::InQuery(r) => r,
            Verdict::No => 0,
        }
    }
}

#[inline]
pub(crate) fn is_key(b: u8) -> bool {
    is_word(b) || b == b'-' || b == b'.'
}

pub(crate) fn look(rules: &Rules, ctx: &Context, view: &View<'_>, hit: Hit, found: &mut Found) {
    // An anchor may carry the sign: `sig=`.
    let sign = matches!(view.at(hit.at + hit.len - 1), Some(b'=' | b':'));
    let after = hit.at + hit.len - usize::from(sign);
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
            | b'\n'
            | b'\r'
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
    let mut verdict = rules.keys.judge(text);
    if text.eq_ignore_ascii_case(b"key") && view.before(start) == Some(b' ') {
        // `public key: x`, `private key: x`: the word before belongs to the key.
        let word = word_before(view, start - 1);
        if word < start - 1 {
            verdict = rules.keys.judge(view.slice(word, end));
        }
    }
    let parameter = || {
        matches!(view.before(start), Some(b'?' | b'&'))
            || view.slice(start.saturating_sub(3), start).starts_with(b"%")
    };
    match verdict {
        Verdict::No => return,
        Verdict::InQuery(_) if !parameter() => return,
        _ => {}
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

/// Start of the word that ends at `end`.
fn word_before(view: &View<'_>, end: usize) -> usize {
    let back = view
        .slice(end.saturating_sub(24), end)
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-')
        .count();
    end - back
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
        b"setenv ",
        b"SetEnv ",
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
        b"Xauth ",
        b"IPSec ",
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
    if matches!(view.at(key.end), Some(b'>' | b' ' | b'\t')) && paired::opens(view, key.start) {
        return paired::element(rules, view, key, found);
    }
    if view.before(key.start) == Some(b'>') && view.has(key.end, b"</") {
        return paired::element_sibling(view, key, found);
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
        return paired::sibling(rules, view, key, closed, found);
    }
    if paired::named(view, key, found) {
        return;
    }
    words(ctx, view, key, found);
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
    // Counts and rates: `tokens_per_second: 33.5`, `total_tokens=1536`.
    let rate = !key.pass && v.len() <= 12 && memchr::memchr_iter(b'.', v).count() == 1;
    let number = (few || rate) && v.iter().all(|b| b.is_ascii_digit() || rate && *b == b'.');
    // A mark of one letter or two is no secret, and neither is a sentence.
    let short = !key.pass && v.len() <= 3;
    let prose = !key.pass
        && !quoted
        && v.iter().filter(|b| **b == b' ').count() >= 2
        && v.iter().all(|b| !b.is_ascii_digit());
    // A key in a block of its own is for the scanner of blocks.
    let block = v.starts_with(b"-----BEGIN");
    let done = memchr::memmem::find(v, MARK.as_bytes()).is_some();
    if value::says_nothing(v) || value::is_plain(v) || number || short || prose || block || done {
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
