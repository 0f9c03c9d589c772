//! Keys and their values in every syntax: the tolerant scanner that finds the value's bytes after
//! a key that names a secret, without parsing the file.

use crate::redact::context::Context;
use crate::redact::edit::Found;
use crate::redact::filter::Hit;
use crate::redact::key::{MAX_KEY, Verdict};
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::scan::bare::{bare_end, words};
use crate::redact::scan::join::{Joined, quoted, separator, skip_closing};
use crate::redact::scan::settle::{continued, scheme, settle};
use crate::redact::scan::{blocks, maps, paired};
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
    if !may_join(next) {
        return;
    }
    let start = start_of(view, hit.at);
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

/// The quick way out: whether something follows that could join a value.
#[inline]
fn may_join(next: u8) -> bool {
    matches!(
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
            | b'['
            | b'!'
            | b';'
            | 0
            | b'<'
            | b'|'
            | b'\n'
            | b'\r'
    )
}

/// Where the key begins that an anchor stands in.
#[inline]
fn start_of(view: &View<'_>, at: usize) -> usize {
    let back = view
        .slice(at.saturating_sub(MAX_KEY), at)
        .iter()
        .rev()
        .take_while(|b| is_key(**b))
        .count();
    let mut start = at - back;
    // `%3Fpassword`: the escape is not part of the key.
    if view.before(start) == Some(b'%')
        && view
            .slice(start, start + 2)
            .iter()
            .all(u8::is_ascii_hexdigit)
    {
        start = (start + 2).min(at);
    }
    start
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
    if view.at(key.end) == Some(b'&') && paired::escaped(view, key, found) {
        return;
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
    if paired::named(view, key, found) || paired::member(rules, view, key, found) {
        return;
    }
    if view.at(key.end) == Some(b'(') {
        return paired::call(view, key, found);
    }
    words(ctx, view, key, found);
}

/// A value inside the quotes that opened before the key: `"DB_PASSWORD=x"`.
fn inner(view: &View<'_>, key: &Key, at: usize, found: &mut Found) {
    let start = view.skip_blanks(at);
    let start = start + scheme(view.slice(start, start + 16));
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
        Some(b'\n' | b'\r') if maps::below(rules, view, key, start, found) => {}
        Some(b'\n' | b'\r') => blocks::below(rules, view, key, joined, start, found),
        // A value on the next line, as Java properties and make have it.
        Some(b'\\') if matches!(view.at(start + 1), Some(b'\n' | b'\r')) => {
            if let Some(next) = view.next_line(start + 1) {
                let from = view.skip_blanks(next);
                settle(view, key, from, view.line_end(from), false, found);
            }
        }
        Some(b'{') if maps::flow(rules, view, key, start, found) => {}
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
                settle(view, key, from, to, true, found);
                return continued(view, key, to, found);
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
