//! Kubernetes secrets: every value below `data` and `stringData`, when `kind` says Secret, before
//! or after, in YAML, JSON, and JSON inside an annotation.

use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::scan::blocks::scalar_header;
use crate::redact::scan::join::{quoted, skip_closing};
use crate::redact::value;
use crate::redact::window::View;

/// How far the entries are read in one go.
const STEP: usize = 32 * 1024;

pub(crate) fn look(rules: &Rules, view: &View<'_>, hit: Hit, found: &mut Found) {
    let end = hit.at
        + view
            .slice(hit.at, hit.at + 12)
            .iter()
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
    let name_at = hit.at
        - view
            .slice(hit.at.saturating_sub(6), hit.at)
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
    if !matches!(
        view.slice(name_at, end),
        b"data" | b"stringData" | b"stringdata"
    ) {
        return;
    }
    let sign = view.skip_blanks(skip_closing(view, end));
    if view.at(sign) != Some(b':') || view.repeated(name_at, b"data") {
        return;
    }
    let next = view.skip_blanks(sign + 1);
    if view.at(next) == Some(b'{') {
        if kind_near(view, name_at) {
            object(rules, view, next + 1, found);
        }
        return;
    }
    let line = view.line_start(name_at);
    let before = view.slice(line, name_at);
    let yaml = before
        .iter()
        .all(|b| matches!(b, b' ' | b'\t' | b'"' | b'\''));
    let empty = view
        .slice(next, view.line_end(next))
        .iter()
        .all(|b| b.is_ascii_whitespace())
        || view.at(next) == Some(b'#');
    let indent = view.skip_blanks(line) - line;
    if yaml
        && empty
        && kind_in_document(view, line, indent)
        && let Some(first) = view.next_line(view.line_end(next))
    {
        entries(rules, view, first, indent, None, found);
    }
}

/// Whether a text is `kind: Secret` in any quoting.
fn says_secret(line: &[u8]) -> bool {
    let Some(rest) = line
        .trim_ascii_start()
        .strip_prefix(b"- ")
        .unwrap_or(line.trim_ascii_start())
        .strip_prefix(b"kind")
    else {
        return false;
    };
    let bare: Vec<u8> = rest
        .iter()
        .copied()
        .filter(|b| !matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'\r' | b','))
        .take(12)
        .collect();
    bare.eq_ignore_ascii_case(b":secret")
}

/// Looks for `kind: Secret` among the lines of the same YAML document with the same indent.
fn kind_in_document(view: &View<'_>, line: usize, indent: usize) -> bool {
    let same = |text: &[u8]| {
        let blanks = text
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let item = text[blanks..].starts_with(b"- ") && blanks + 2 == indent;
        (blanks == indent || item) && says_secret(text)
    };
    let blanks = |l: &[u8]| l.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let dash = |l: &[u8]| l[blanks(l)..].starts_with(b"- ") && blanks(l) + 2 == indent;
    let outside = |l: &[u8]| blanks(l) < indent && !l[blanks(l)..].trim_ascii().is_empty();
    let after = view.slice(line, view.hi).split(|b| *b == b'\n');
    if after
        .enumerate()
        .take_while(|(n, l)| *n == 0 || !l.starts_with(b"---") && !outside(l))
        .any(|(_, l)| same(l))
    {
        return true;
    }
    // The item's own first line, with its dash, is the last one to look at.
    let before = view.slice(view.lo, line).rsplit(|b| *b == b'\n');
    let mut done = false;
    for l in before {
        if done || l.starts_with(b"---") || outside(l) && !dash(l) {
            return false;
        }
        if same(l) {
            return true;
        }
        done = dash(l);
    }
    false
}

/// Looks for `"kind": "Secret"` round a JSON object.
fn kind_near(view: &View<'_>, at: usize) -> bool {
    let text = view.slice(at.saturating_sub(4096), at + 32 * 1024);
    memchr::memmem::find_iter(text, b"kind").any(|n| {
        let rest = &text[n..text.len().min(n + 40)];
        let end = rest
            .iter()
            .position(|b| matches!(b, b',' | b'}' | b'\n'))
            .unwrap_or(rest.len());
        says_secret(&rest[..end])
    })
}

/// The members of a JSON object from behind its brace.
fn object(rules: &Rules, view: &View<'_>, mut i: usize, found: &mut Found) {
    let rule = rules.ids.k8s;
    loop {
        while matches!(view.at(i), Some(b' ' | b'\t' | b'\n' | b'\r' | b',')) {
            i += 1;
        }
        let Some((_, key_end)) = quoted(view, i) else {
            return;
        };
        let sign = view.skip_blanks(skip_closing(view, key_end));
        if view.at(sign) != Some(b':') {
            return;
        }
        let at = view.skip_blanks(sign + 1);
        let Some((from, to)) = quoted(view, at) else {
            return;
        };
        mark(view, from, to, rule, found);
        i = skip_closing(view, to);
        if i == to {
            return;
        }
    }
}

fn mark(view: &View<'_>, from: usize, to: usize, rule: u16, found: &mut Found) {
    if to > from && !value::is_unset(view.slice(from, to)) {
        found.mark(from, to, rule);
    }
}

/// The lines of a YAML map deeper than `indent`; `deeper` is the indent of the entry whose block
/// scalar goes on.
pub(crate) fn entries(
    rules: &Rules,
    view: &View<'_>,
    at: usize,
    indent: usize,
    mut deeper: Option<usize>,
    found: &mut Found,
) {
    let rule = rules.ids.k8s;
    let mut line = at;
    loop {
        let end = view.line_end(line);
        let from = view.skip_blanks(line);
        let text = view.slice(from, end);
        let depth = from - line;
        if !text.trim_ascii().is_empty() {
            if depth <= indent {
                return;
            }
            match deeper {
                Some(entry) if depth > entry && text.starts_with(MARK.as_bytes()) => {}
                Some(entry) if depth > entry => {
                    let put = if found.edits.is_empty() {
                        Put::Mark
                    } else {
                        Put::Drop
                    };
                    found.push(from, from + text.trim_ascii_end().len(), rule, put);
                }
                _ => deeper = entry(rule, view, from, end, depth, found),
            }
        }
        match view.next_line(end) {
            Some(next) if next < at + STEP => line = next,
            Some(next) => {
                found.more = Some((next, Continue::Data { indent, deeper }));
                return;
            }
            None => return,
        }
    }
}

/// One `key: value`; gives the entry's indent if its value is on the lines below.
fn entry(
    rule: u16,
    view: &View<'_>,
    from: usize,
    end: usize,
    depth: usize,
    found: &mut Found,
) -> Option<usize> {
    let text = view.slice(from, end);
    let colon = (0..text.len())
        .find(|i| text[*i] == b':' && text.get(i + 1).is_none_or(u8::is_ascii_whitespace))?;
    let at = view.skip_blanks(from + colon + 1);
    let rest = view.slice(at, end).trim_ascii_end();
    if rest.is_empty() || matches!(rest[0], b'|' | b'>') && scalar_header(view, at) {
        return Some(depth);
    }
    let (a, b) = quoted(view, at).unwrap_or((at, at + rest.len()));
    mark(view, a, b, rule, found);
    None
}
