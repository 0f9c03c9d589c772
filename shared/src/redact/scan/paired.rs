//! Keys and values that are neighbours: XML elements and attributes, `name` and `value` in either
//! order, arguments of a call.

use crate::redact::edit::Found;
use crate::redact::redactor::Rules;
use crate::redact::scan::join::{quoted, skip_closing};
use crate::redact::scan::kv::Key;
use crate::redact::scan::settle::settle;
use crate::redact::window::View;

/// Whether a name at `at` opens an element, with a prefix or without: `<wsse:`.
pub(crate) fn opens(view: &View<'_>, at: usize) -> bool {
    let prefix = view
        .slice(at.saturating_sub(24), at)
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_'))
        .count();
    view.before(at - prefix) == Some(b'<')
        && (prefix == 0 || view.before(at) == Some(b':') && prefix > 1)
}

/// Elements that only wrap a value.
const WRAPS: [&[u8]; 10] = [
    b"<value>",
    b"<param-value>",
    b"<config-value>",
    b"<env-entry-value>",
    b"<propertyvalue>",
    b"<string>",
    b"<val>",
    b"<secret>",
    b"<data>",
    b"<plaintext>",
];

/// `<password attr="x">value</password>`, with items inside too.
pub(crate) fn element(_rules: &Rules, view: &View<'_>, key: &Key, found: &mut Found) {
    let near = view.slice(key.end, key.end + 1024);
    let Some(close) = memchr::memchr(b'>', near) else {
        return;
    };
    let tag = &near[..close];
    if tag.ends_with(b"/") {
        // `<password value="x"/>`
        if let Some(n) = memchr::memmem::find(tag, b"value=")
            && let Some((a, b)) = quoted(view, key.end + n + 6)
        {
            settle(view, key, a, b, true, found);
        }
        return;
    }
    let at = key.end + close + 1;
    let inner = view.slice(at, at + 256);
    let at = at + inner.len() - inner.trim_ascii_start().len();
    let at = WRAPS
        .iter()
        .find(|n| view.has(at, n))
        .map_or(at, |n| at + n.len());
    let text = view.slice(at, view.hi);
    if let Some(cdata) = text.strip_prefix(b"<![CDATA[") {
        let len = memchr::memmem::find(cdata, b"]]>").unwrap_or(cdata.len());
        return settle(view, key, at + 9, at + 9 + len, true, found);
    }
    let len = memchr::memchr(b'<', text).unwrap_or_else(|| view.line_end(at) - at);
    let lead = text[..len].len() - text[..len].trim_ascii_start().len();
    settle(
        view,
        key,
        at + lead,
        at + text[..len].trim_ascii_end().len().max(lead),
        true,
        found,
    );
}

/// `key="password" value="x"`, `"name": "PASSWORD", "value": "x"`, `<key>token</key><string>x`,
/// `get("password", "x")`: the key is itself a value, and its sibling holds the secret.
pub(crate) fn sibling(rules: &Rules, view: &View<'_>, key: &Key, closed: usize, found: &mut Found) {
    let gap = |mut i: usize| {
        while matches!(view.at(i), Some(b' ' | b'\t' | b'\n' | b'\r' | b',')) {
            i += 1;
        }
        i
    };
    let mut next = gap(closed);
    // `<entry key="db.password">x</entry>`
    let tag = view.slice(closed, closed + 256);
    let attribute = view.before(key.start.saturating_sub(1)) == Some(b'=');
    if attribute
        && let Some(close) = memchr::memchr3(b'>', b'<', b'/', tag)
        && tag[close] == b'>'
        && !tag[..close].contains(&b'\n')
        && memchr::memmem::find(&tag[..close], b"value=").is_none()
    {
        return element(rules, view, key, found);
    }
    if before(view, key, found) {
        return;
    }
    if view.at(view.skip_blanks(closed)) == Some(b',') && argument(view, key, next, found) {
        return;
    }
    if view.at(next) == Some(b'{') {
        return variable(view, key, next, found);
    }
    // Up to two members may stand between: `"key": "token", "type": "x", "value": …`.
    for _ in 0..2 {
        match skip_member(view, next) {
            Some(at) => next = gap(at),
            None => break,
        }
    }
    let word = next
        + view
            .slice(next, next + 4)
            .iter()
            .take_while(|b| matches!(b, b'"' | b'\'' | b'\\'))
            .count();
    for name in VALUES {
        if view.has(word, name) {
            let i = skip_closing(view, word + name.len());
            let i = view.skip_blanks(i);
            if !matches!(view.at(i), Some(b'=' | b':')) {
                return;
            }
            let from = view.skip_blanks(i + 1);
            match quoted(view, from) {
                Some((a, b)) => settle(view, key, a, b, true, found),
                None => {
                    let end = from
                        + view
                            .slice(from, view.line_end(from))
                            .iter()
                            .position(|b| {
                                b.is_ascii_whitespace() || matches!(b, b',' | b'}' | b'/' | b'>')
                            })
                            .unwrap_or(view.line_end(from) - from);
                    settle(view, key, from, end, false, found);
                }
            }
            return;
        }
    }
}

/// The argument behind the key: of a call, of a command line in a list, of a pair in brackets.
fn argument(view: &View<'_>, key: &Key, next: usize, found: &mut Found) -> bool {
    let opener = view
        .slice(key.start.saturating_sub(8), key.start - 1)
        .trim_ascii_end()
        .last();
    let call = opener == Some(&b'(');
    let flag = view.at(key.start) == Some(b'-');
    let pair = opener == Some(&b'[');
    let Some((a, b)) = quoted(view, next) else {
        return false;
    };
    let behind = view.at(view.skip_blanks(b + 1));
    let alone = view.slice(b + 1, view.line_end(b)).trim_ascii().is_empty();
    let whole = pair && behind == Some(b']') || key.first && alone;
    let value = flag && view.at(a) != Some(b'-');
    if call || whole || value {
        settle(view, key, a, b, true, found);
        return true;
    }
    false
}

/// `variable "db_password" { default = "x" }`
fn variable(view: &View<'_>, key: &Key, open: usize, found: &mut Found) {
    let body = view.slice(open, open + 512);
    let body = &body[..memchr::memchr(b'}', body).unwrap_or(body.len())];
    let Some(at) = memchr::memmem::find(body, b"default") else {
        return;
    };
    let sign = view.skip_blanks(open + at + 7);
    if view.at(sign) == Some(b'=')
        && let Some((a, b)) = quoted(view, view.skip_blanks(sign + 1))
    {
        settle(view, key, a, b, true, found);
    }
}

/// Behind a member `"name": "text"` that says nothing about the secret.
fn skip_member(view: &View<'_>, at: usize) -> Option<usize> {
    let name = view.at(at).filter(|b| matches!(b, b'"' | b'\''))?;
    let word = view.slice(at + 1, at + 40);
    if VALUES
        .iter()
        .any(|v| word.len() >= v.len() && word[..v.len()].eq_ignore_ascii_case(v))
    {
        return None;
    }
    let end = at + 1 + memchr::memchr(name, word)?;
    let sign = view.skip_blanks(end + 1);
    if view.at(sign) != Some(b':') {
        return None;
    }
    let from = view.skip_blanks(sign + 1);
    let next = match quoted(view, from) {
        Some((_, b)) => b + 1,
        None => {
            let text = view.slice(from, from + 40);
            from + text
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric())
                .count()
        }
    };
    (view.at(view.skip_blanks(next)) == Some(b',')).then_some(next)
}

/// `{name: DB_PASSWORD, value: x}`: the same without quotes.
pub(crate) fn member(rules: &Rules, view: &View<'_>, key: &Key, found: &mut Found) -> bool {
    let head = view
        .slice(key.start.saturating_sub(8), key.start)
        .trim_ascii_end();
    if view.at(key.end) != Some(b',') || !(head.ends_with(b"name:") || head.ends_with(b"key:")) {
        return false;
    }
    sibling(rules, view, key, key.end, found);
    true
}

/// `&lt;password&gt;x&lt;/password&gt;`: an element inside a text of another document.
pub(crate) fn escaped(view: &View<'_>, key: &Key, found: &mut Found) -> bool {
    let head = view.slice(key.start.saturating_sub(4), key.start);
    if head != b"&lt;" || !view.has(key.end, b"&gt;") {
        return false;
    }
    let from = key.end + 4;
    let text = view.slice(from, view.line_end(from));
    let len = memchr::memmem::find(text, b"&lt;").unwrap_or(text.len());
    settle(view, key, from, from + len, true, found);
    true
}

/// `withPassword("x")`, `secret("x")`: what is given to a setter.
pub(crate) fn call(view: &View<'_>, key: &Key, found: &mut Found) {
    const ASKS: [&[u8]; 24] = [
        b"get",
        b"read",
        b"load",
        b"fetch",
        b"find",
        b"look",
        b"has",
        b"is",
        b"check",
        b"delete",
        b"remove",
        b"prompt",
        b"ask",
        b"need",
        b"verify",
        b"reset",
        b"require",
        b"create",
        b"gen",
        b"validate",
        b"input",
        b"decode",
        b"parse",
        b"hash",
    ];
    let name = view.slice(key.start, key.end);
    let name = name.rsplit(|b| *b == b'.').next().unwrap_or(name);
    let asks = ASKS
        .iter()
        .any(|a| name.len() > a.len() && name[..a.len()].eq_ignore_ascii_case(a));
    let Some((a, b)) = quoted(view, view.skip_blanks(key.end + 1)) else {
        return;
    };
    let text = view.slice(a, b);
    let word = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.' | b' ' | b'/');
    if asks || text.len() < 6 || text.iter().all(word) || text.contains(&b' ') {
        return;
    }
    if view.at(view.skip_blanks(b + 1)) == Some(b')') {
        settle(view, key, a, b, true, found);
    }
}

/// `<key>token</key><string>x</string>`: the text of one element names the next one's secret.
pub(crate) fn element_sibling(view: &View<'_>, key: &Key, found: &mut Found) {
    let Some(close) = memchr::memchr(b'>', view.slice(key.end, key.end + 64)) else {
        return;
    };
    let mut at = key.end + close + 1;
    while view.at(at).is_some_and(|b| b.is_ascii_whitespace()) {
        at += 1;
    }
    let named = WRAPS.iter().find(|n| view.has(at, n));
    let Some(open) = named else { return };
    let from = at + open.len();
    if let Some(len) = memchr::memchr(b'<', view.slice(from, view.hi)) {
        settle(view, key, from, from + len, true, found);
    }
}

/// Names of what holds a value whose name is a neighbour's value.
const VALUES: [&[u8]; 9] = [
    b"value",
    b"val",
    b"content",
    b"default",
    b"parametervalue",
    b"stringvalue",
    b"plaintext",
    b"fieldvalue",
    b"secretvalue",
];

/// `- name: DB_PASSWORD` and `value: x` on the next line or on the one before.
pub(crate) fn named(view: &View<'_>, key: &Key, found: &mut Found) -> bool {
    let end = view.line_end(key.end);
    if !view.slice(key.end, end).trim_ascii().is_empty() {
        return false;
    }
    let line = view.line_start(key.start);
    let head = view.slice(line, key.start).trim_ascii();
    let head = head.strip_prefix(b"- ").unwrap_or(head).trim_ascii_start();
    if !matches!(
        head,
        b"name:" | b"key:" | b"Name:" | b"Key:" | b"name =" | b"key ="
    ) {
        return false;
    }
    let at = view.next_line(end).map(|n| view.skip_blanks(n));
    if let Some(at) = at
        && let Some(name) = VALUES.iter().find(|n| view.has(at, n))
    {
        let sign = view.skip_blanks(at + name.len());
        if matches!(view.at(sign), Some(b':' | b'=')) {
            let from = view.skip_blanks(sign + 1);
            let text = view.slice(from, view.line_end(from)).trim_ascii_end();
            match quoted(view, from) {
                Some((a, b)) => settle(view, key, a, b, true, found),
                None => settle(view, key, from, from + text.len(), false, found),
            }
            return true;
        }
    }
    before(view, key, found)
}

/// Where something that can be a value ends, when nothing but `name` or `key` stands between it and the name.
fn ahead_of_name(view: &View<'_>, start: usize) -> Option<usize> {
    let sign = |b: &u8| b.is_ascii_whitespace() || b"\"'\\,:=".contains(b);
    let trim = |text: &[u8]| text.iter().rposition(|b| !sign(b)).map_or(0, |n| n + 1);
    let text = view.slice(start.saturating_sub(256), start);
    let low = start - text.len();
    let text = &text[..trim(text)];
    let word = [&b"name"[..], b"key"].into_iter().find(|word| {
        let at = text.len().checked_sub(word.len());
        at.is_some_and(|at| text[at..].eq_ignore_ascii_case(word))
    })?;
    let text = &text[..text.len() - word.len()];
    let end = trim(text);
    (!matches!(text[..end].last(), Some(b'{' | b'['))).then_some(low + end)
}

/// `value: x` right before the name: `{"value":"x","name":"DB_PASSWORD"}`.
fn before(view: &View<'_>, key: &Key, found: &mut Found) -> bool {
    // Most names have nothing before them: that is cheaper to see than to search for a value.
    let Some(end) = ahead_of_name(view, key.start) else {
        return false;
    };
    let text = view.slice(key.start.saturating_sub(512), key.start);
    let low = key.start - text.len();
    let last = VALUES
        .iter()
        .filter_map(|n| memchr::memmem::rfind(text, n).map(|at| (low + at, n.len())))
        .max();
    let Some((at, len)) = last else { return false };
    let sign = view.skip_blanks(skip_closing(view, at + len));
    if !matches!(view.at(sign), Some(b':' | b'=')) {
        return false;
    }
    let from = view.skip_blanks(sign + 1);
    let whole = quoted(view, from);
    let (a, b) = whole.unwrap_or_else(|| {
        let line = view.slice(from, view.line_end(from));
        let len = line
            .iter()
            .position(|b| matches!(b, b',' | b'}'))
            .unwrap_or(line.len());
        (from, from + line[..len].trim_ascii_end().len())
    });
    if b <= a || b >= key.start || b < end {
        return false;
    }
    settle(view, key, a, b, whole.is_some(), found);
    true
}
