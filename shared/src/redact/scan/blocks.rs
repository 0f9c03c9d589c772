//! Values that are not on the key's line: items below a key, block scalars, elements, siblings.

use crate::redact::edit::{Found, Put};
use crate::redact::key::Verdict;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::scan::join::{Joined, quoted};
use crate::redact::scan::kv::Key;
use crate::redact::scan::settle::settle;
use crate::redact::value;
use crate::redact::window::View;

/// Items below a key that go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// `- item` lines deeper than, or as deep as, the key.
    Items {
        indent: usize,
        rule: u16,
        random: bool,
    },
    /// Lines of a block scalar deeper than the key.
    Scalar {
        indent: usize,
        rule: u16,
        begun: bool,
    },
}

/// Goes on with items or lines.
pub(crate) fn resume(_rules: &Rules, view: &View<'_>, at: usize, block: &Block, found: &mut Found) {
    match block {
        Block::Items {
            indent,
            rule,
            random,
        } => items(view, at, *indent, (*rule, *random), found),
        Block::Scalar {
            indent,
            rule,
            begun,
        } => lines(view, at, *indent, *rule, *begun, found),
    }
}

/// The rest of a value that is longer than the window.
pub(crate) fn rest(view: &View<'_>, at: usize, quote: Option<u8>, rule: u16, found: &mut Found) {
    let text = view.slice(at, view.hi);
    let stop = text.iter().position(|b| match quote {
        Some(q) => *b == q || *b == b'\n',
        None => b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b',' | b';' | b'<'),
    });
    let end = stop.map_or(view.hi, |n| at + n);
    if end > at {
        found.push(at, end, rule, Put::Drop);
    }
    if stop.is_none() && !view.ends {
        found.more = Some((end, Continue::Rest { quote, rule }));
    }
}

fn indent_of(view: &View<'_>, at: usize) -> usize {
    let start = view.line_start(at);
    view.skip_blanks(start) - start
}

/// Whether `[`, `{` or `(` opens a list rather than a value of its own.
pub(crate) fn opens(view: &View<'_>, at: usize) -> bool {
    view.at(at) == Some(b'[') && {
        let next = view
            .slice(at + 1, view.hi)
            .iter()
            .find(|b| !b.is_ascii_whitespace());
        matches!(next, Some(b'"' | b'\'' | b']' | b'\\'))
    } || view.at(at) == Some(b'{') && {
        let next = view
            .slice(at + 1, view.hi)
            .iter()
            .find(|b| !matches!(b, b' ' | b'\t'));
        matches!(next, Some(b'"' | b'\'' | b'\n' | b'\r' | b'}' | b'\\'))
            || flow_map(view.slice(at + 1, at + 48))
    } || view.at(at) == Some(b'(') && matches!(view.at(at + 1), Some(b'\n' | b'\r'))
}

/// `path: token, …`: the inside of a map whose keys have no quotes.
fn flow_map(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let word = text
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        .count();
    word > 0 && text[word..].starts_with(b": ")
}

/// A list in brackets; maps are left to their own keys.
pub(crate) fn list(_rules: &Rules, view: &View<'_>, key: &Key, at: usize, found: &mut Found) {
    if view.at(at) != Some(b'[') {
        return;
    }
    let mut i = at + 1;
    while let Some(b) = view.at(i) {
        match b {
            b',' | b' ' | b'\t' | b'\n' | b'\r' => i += 1,
            b'"' | b'\'' | b'\\' => {
                let Some((from, to)) = quoted(view, i) else {
                    return;
                };
                settle(view, key, from, to, true, found);
                i = to;
                while matches!(view.at(i), Some(b'\\')) {
                    i += 1;
                }
                i += 1;
            }
            _ => return,
        }
    }
}

/// Whether `|` or `>` heads a block scalar: nothing but its options follows.
pub(crate) fn scalar_header(view: &View<'_>, at: usize) -> bool {
    let line = view.slice(at + 1, view.line_end(at));
    let text = line
        .iter()
        .position(|b| *b == b'#')
        .map_or(line, |n| &line[..n]);
    text.trim_ascii()
        .iter()
        .all(|b| matches!(b, b'+' | b'-' | b'0'..=b'9'))
        && text.trim_ascii().len() <= 2
}

/// A block scalar whose header is at `at`.
pub(crate) fn scalar(_rules: &Rules, view: &View<'_>, key: &Key, at: usize, found: &mut Found) {
    let indent = indent_of(view, key.start);
    if let Some(next) = view.next_line(view.line_end(at)) {
        lines(view, next, indent, key.rule(), false, found);
    }
}

/// Lines deeper than `indent`, until one is not.
fn lines(view: &View<'_>, at: usize, indent: usize, rule: u16, mut begun: bool, found: &mut Found) {
    let mut line = at;
    loop {
        let end = view.line_end(line);
        let from = view.skip_blanks(line);
        let text = view.slice(from, end);
        if !text.trim_ascii().is_empty() {
            if from - line <= indent {
                return;
            }
            let to = from + text.trim_ascii_end().len();
            if !value::says_nothing(view.slice(from, to)) {
                found.push(from, to, rule, if begun { Put::Drop } else { Put::Mark });
                begun = true;
            }
        }
        match view.next_line(end) {
            Some(next) if next < at + 32 * 1024 => line = next,
            Some(next) => {
                found.more = Some((
                    next,
                    Continue::Block(Block::Scalar {
                        indent,
                        rule,
                        begun,
                    }),
                ));
                return;
            }
            None => return,
        }
    }
}

/// Nothing follows the sign on the line: the value is below.
pub(crate) fn below(
    _rules: &Rules,
    view: &View<'_>,
    key: &Key,
    joined: Joined,
    end: usize,
    found: &mut Found,
) {
    let indent = indent_of(view, key.start);
    let Some(mut next) = view.next_line(end) else {
        return;
    };
    let mut from = view.skip_blanks(next);
    // Empty lines and comments say nothing.
    for _ in 0..8 {
        if !matches!(view.at(from), Some(b'\n' | b'\r' | b'#')) {
            break;
        }
        let Some(line) = view.next_line(view.line_end(from)) else {
            return;
        };
        (next, from) = (line, view.skip_blanks(line));
    }
    if view.at(from) == Some(b'-')
        && matches!(view.at(from + 1), Some(b' '))
        && from - next >= indent
    {
        let random = !matches!(key.verdict, Verdict::Secret(_));
        return items(view, next, indent, (key.rule(), random), found);
    }
    if from - next <= indent || joined.sign != b':' && joined.sign != b'=' {
        return;
    }
    // A single scalar on the next line.
    let line_end = view.line_end(from);
    let text = view.slice(from, line_end);
    let pair = text.windows(2).any(|w| w[0] == b':' && w[1] == b' ')
        || text.ends_with(b":")
        || text.windows(3).any(|w| w == b" = ");
    if pair
        || text.trim_ascii().is_empty()
        || text.contains(&b' ') && !matches!(text[0], b'"' | b'\'')
    {
        return;
    }
    match quoted(view, from) {
        Some((a, b)) => settle(view, key, a, b, true, found),
        None => settle(
            view,
            key,
            from,
            from + text.trim_ascii_end().len(),
            false,
            found,
        ),
    }
}

/// `- item` lines.
fn items(view: &View<'_>, at: usize, indent: usize, kind: (u16, bool), found: &mut Found) {
    let (rule, random) = kind;
    let mut line = at;
    loop {
        let end = view.line_end(line);
        let dash = view.skip_blanks(line);
        let text = view.slice(dash, end);
        if !text.trim_ascii().is_empty() && text[0] != b'#' {
            if dash - line < indent || !text.starts_with(b"- ") {
                return;
            }
            item(view, dash + 2, end, kind, found);
        }
        match view.next_line(end) {
            Some(next) if next < at + 32 * 1024 => line = next,
            Some(next) => {
                let block = Block::Items {
                    indent,
                    rule,
                    random,
                };
                found.more = Some((next, Continue::Block(block)));
                return;
            }
            None => return,
        }
    }
}

fn item(view: &View<'_>, at: usize, end: usize, (rule, random): (u16, bool), found: &mut Found) {
    let from = view.skip_blanks(at);
    let (a, b) = quoted(view, from).unwrap_or_else(|| {
        let text = view.slice(from, end).trim_ascii_end();
        let text = text.strip_suffix(b",").unwrap_or(text);
        (from, from + text.len())
    });
    let v = view.slice(a, b);
    let pair = v.windows(2).any(|w| w[0] == b':' && w[1] == b' ');
    let telling = !random || value::looks_random(v);
    if b > a && !pair && telling && !value::says_nothing(v) && !value::is_plain(v) {
        found.mark(a, b, rule);
    }
}
