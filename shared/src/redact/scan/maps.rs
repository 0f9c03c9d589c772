//! Maps below a key that names several secrets: `api_keys:` with a name and a secret on each line,
//! `"secrets": {"db": "x"}`. One level, and lists below its names.

use crate::redact::edit::Found;
use crate::redact::key::Verdict;
use crate::redact::redactor::Rules;
use crate::redact::scan::join::{quoted, skip_closing};
use crate::redact::scan::kv::Key;
use crate::redact::scan::settle::settle;
use crate::redact::window::View;

/// Lines or members that are looked at.
const MOST: usize = 64;

/// Whether a key names several secrets.
fn plural(rules: &Rules, view: &View<'_>, key: &Key) -> bool {
    let name = view.slice(key.start, key.end);
    name.last().is_some_and(|b| b.eq_ignore_ascii_case(&b's'))
        && key.rule() != rules.ids.credential
        && !matches!(key.verdict, Verdict::No)
}

/// The key of one entry for the value's judgement; `None` if the name says that it is no secret.
fn entry(rules: &Rules, view: &View<'_>, key: &Key, from: usize, to: usize) -> Option<Key> {
    rules.keys.may_hold(view.slice(from, to)).then_some(Key {
        quote: None,
        ..*key
    })
}

/// `name: value` lines deeper than the key. Gives whether there are any.
pub(crate) fn below(
    rules: &Rules,
    view: &View<'_>,
    key: &Key,
    end: usize,
    found: &mut Found,
) -> bool {
    if !plural(rules, view, key) {
        return false;
    }
    let line = view.line_start(key.start);
    let indent = view.skip_blanks(line) - line;
    let (mut at, mut depth, mut any) = (end, None, false);
    for _ in 0..MOST {
        let Some(line) = view.next_line(at) else {
            break;
        };
        at = view.line_end(line);
        let from = view.skip_blanks(line);
        let text = view.slice(from, at).trim_ascii_end();
        if text.is_empty() || text[0] == b'#' {
            continue;
        }
        let deep = from - line;
        let item = text.starts_with(b"- ");
        if deep <= indent || deep < *depth.get_or_insert(deep) || item && !any {
            break;
        }
        if item {
            listed(view, key, view.skip_blanks(from + 2), at, found);
        } else if Some(deep) == depth {
            any |= pair(rules, view, key, from, at, found);
        }
    }
    any
}

/// One item of a list below a name.
fn listed(view: &View<'_>, key: &Key, from: usize, end: usize, found: &mut Found) {
    match quoted(view, from) {
        Some((a, b)) => settle(view, key, a, b, true, found),
        None => {
            let text = view.slice(from, end).trim_ascii_end();
            let text = text.strip_suffix(b",").unwrap_or(text);
            if !text.windows(2).any(|w| w == b": ") {
                settle(view, key, from, from + text.len(), false, found);
            }
        }
    }
}

/// One line `name: value`; gives whether it is one.
fn pair(
    rules: &Rules,
    view: &View<'_>,
    key: &Key,
    from: usize,
    end: usize,
    found: &mut Found,
) -> bool {
    let name_end = match quoted(view, from) {
        Some((_, b)) => b + 1,
        None => {
            let text = view.slice(from, end);
            from + memchr::memchr(b':', text).unwrap_or(text.len())
        }
    };
    if view.at(name_end) != Some(b':') {
        return false;
    }
    let start = view.skip_blanks(name_end + 1);
    if let Some(key) = entry(rules, view, key, from, name_end)
        && start < end
        && !matches!(view.at(start), Some(b'{' | b'[' | b'|' | b'>'))
    {
        match quoted(view, start) {
            Some((a, b)) => settle(view, &key, a, b, true, found),
            None => {
                let text = view.slice(start, end);
                let text = &text[..memchr::memmem::find(text, b" #").unwrap_or(text.len())];
                let to = start + text.trim_ascii_end().len();
                settle(view, &key, start, to, false, found);
            }
        }
    }
    true
}

/// `{"db": "x", "list": ["y"]}`; gives whether it is such a map.
pub(crate) fn flow(
    rules: &Rules,
    view: &View<'_>,
    key: &Key,
    open: usize,
    found: &mut Found,
) -> bool {
    if !plural(rules, view, key) {
        return false;
    }
    let mut at = open + 1;
    let mut any = false;
    for _ in 0..MOST {
        while view
            .at(at)
            .is_some_and(|b| b.is_ascii_whitespace() || b == b',')
        {
            at += 1;
        }
        let name = at;
        let Some((a, b)) = quoted(view, at) else {
            break;
        };
        let sign = view.skip_blanks(skip_closing(view, b));
        if view.at(sign) != Some(b':') {
            break;
        }
        any = true;
        let mut start = view.skip_blanks(sign + 1);
        let secret = entry(rules, view, key, a, b);
        let list = view.at(start) == Some(b'[');
        start += usize::from(list);
        loop {
            while view.at(start).is_some_and(|b| b.is_ascii_whitespace()) {
                start += 1;
            }
            let Some((from, to)) = quoted(view, start) else {
                return any;
            };
            if let Some(key) = &secret {
                settle(view, key, from, to, true, found);
            }
            start = view.skip_blanks(skip_closing(view, to));
            if !list || view.at(start) != Some(b',') {
                break;
            }
            start += 1;
        }
        at = start + usize::from(view.at(start) == Some(b']'));
        if at <= name {
            break;
        }
    }
    any
}
