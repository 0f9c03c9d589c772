//! Private keys: PEM, OpenSSH, PGP and PuTTY blocks, whole or cut, one line or many.
//!
//! Only the runs of key material go; line structure, indentation, log prefixes and quotes stay.

use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::window::View;

/// Greatest distance of an END line that is still taken for the block's own.
const MAX_BLOCK: usize = 48 * 1024;
/// A run of this length is key material wherever it stands in a block.
const LONG: usize = 16;

pub(crate) fn look(rules: &Rules, view: &View<'_>, hit: Hit, found: &mut Found) {
    let label = hit.at + hit.len;
    let Some(dashes) = memchr::memmem::find(view.slice(label, label + 80), b"----") else {
        return;
    };
    let title = view.slice(label, label + dashes);
    if !contains(title, b"PRIVATE") && !contains(title, b"STATIC KEY") {
        return;
    }
    let at = label + dashes;
    let sign = |b: &&u8| **b == b'-';
    let start = at + view.slice(at, at + 8).iter().take_while(sign).count();
    let rest = view.slice(start, start + MAX_BLOCK);
    // Another block ends this one, cut or not.
    let next = memchr::memmem::find(rest, b"-----BEGIN").unwrap_or(rest.len());
    let rest = &rest[..next];
    let end = [&b"-----END"[..], b"-----end", b"---- END"]
        .into_iter()
        .find_map(|e| memchr::memmem::find(rest, e));
    match end {
        Some(end) => body(rules, view, start, start + end, found),
        None => cut(rules, view, start, start + rest.len(), found),
    }
}

/// Goes on in a block whose end is not in sight.
pub(crate) fn resume(rules: &Rules, view: &View<'_>, at: usize, found: &mut Found) {
    cut(rules, view, at, at + MAX_BLOCK / 2, found);
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len())
        .any(|w| w.eq_ignore_ascii_case(what))
}

/// The block has no end in sight: lines go as long as they hold key material.
fn cut(rules: &Rules, view: &View<'_>, start: usize, stop: usize, found: &mut Found) {
    let mut at = start;
    loop {
        let end = view.line_end_within(at, stop.saturating_sub(at));
        let line = view.slice(at, end);
        let material = line
            .split(|b| !is_material(*b))
            .any(|run| run.len() >= LONG);
        let header = line.trim_ascii().is_empty() || memchr::memmem::find(line, b": ").is_some();
        let begun = found.edits.iter().any(|e| e.rule == rules.ids.pem);
        if begun && !material && !header && ends_block(line) {
            // The last line of a key is short.
            return body(rules, view, at, end, found);
        }
        if contains(line, b"-----END") || !material && !header {
            return;
        }
        if material {
            body(rules, view, at, end, found);
        }
        match view.next_line(end) {
            Some(next) if next < stop.min(start + MAX_BLOCK / 2) => at = next,
            Some(next) if next >= stop && stop < start + MAX_BLOCK / 2 => return,
            Some(next) => {
                found.more = Some((next, Continue::Pem));
                return;
            }
            None => return,
        }
    }
}

fn is_material(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

/// Whether a line's last word can be the rest of a key: it ends as base64 does, or stands alone.
fn ends_block(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let run = line.iter().rev().take_while(|b| is_material(**b)).count();
    run >= 2 && (run == line.len() || line.ends_with(b"=") && run >= 4)
}

/// The private lines of a PuTTY key, as many as the head says.
pub(crate) fn putty(rules: &Rules, view: &View<'_>, hit: Hit, found: &mut Found) {
    let mut end = view.line_end(hit.at);
    while let Some(line) = view.next_line(end) {
        end = view.line_end(line);
        let text = view.slice(line, end).trim_ascii();
        if text.is_empty() || !text.iter().all(|b| is_material(*b)) {
            return;
        }
        let first = found.edits.is_empty();
        let put = if first { Put::Mark } else { Put::Drop };
        let from = view.skip_blanks(line);
        found.push(from, from + text.len(), rules.ids.pem, put);
    }
}

/// Replaces the runs of key material in `from..to`: the first by a marker, the others by nothing.
fn body(rules: &Rules, view: &View<'_>, from: usize, to: usize, found: &mut Found) {
    let rule = rules.ids.pem;
    let text = view.slice(from, to);
    if text.windows(MARK.len()).any(|w| w == MARK.as_bytes()) {
        found.settled = found.settled.max(to);
        return;
    }
    let mut i = 0;
    while i < text.len() {
        if text[i] == b'\\' {
            // An escaped line end: the letter belongs to the escape.
            i += text[i..].iter().take_while(|b| **b == b'\\').count();
            i += usize::from(matches!(text.get(i), Some(b'n' | b'r' | b't')));
            continue;
        }
        let run = text[i..].iter().take_while(|b| is_material(**b)).count();
        if run == 0 {
            i += 1;
            continue;
        }
        let begun = found.edits.iter().any(|e| e.rule == rule);
        if run >= LONG || run >= 2 && (alone(text, i, i + run) || begun && last(text, i, i + run)) {
            let put = if found.edits.iter().any(|e| e.rule == rule) {
                Put::Drop
            } else {
                Put::Mark
            };
            found.push(from + i, from + i + run, rule, put);
        }
        i += run;
    }
    found.settled = found.settled.max(to);
}

/// Whether a run is the last of its line, behind a prefix: what is left of the key.
fn last(text: &[u8], from: usize, to: usize) -> bool {
    let before = from.checked_sub(1).map(|i| text[i]);
    let behind = text[to..].trim_ascii_start();
    let ends = text[to..].iter().find(|b| !matches!(b, b' ' | b'\t'));
    matches!(before, Some(b' ' | b'\t' | b'|' | b'>'))
        && (matches!(ends, None | Some(b'\n' | b'\r')) || behind.starts_with(b"-----"))
}

/// Whether a run is all that its line (or its part between escaped line ends) holds.
fn alone(text: &[u8], from: usize, to: usize) -> bool {
    let quiet = |b: u8| {
        matches!(
            b,
            b' ' | b'\t' | b'"' | b'\'' | b'+' | b',' | b'\\' | b'`' | b'\r' | b';' | b')'
        )
    };
    let before = text[..from].iter().rev().find(|b| !quiet(**b));
    let after = text[to..].iter().find(|b| !quiet(**b));
    let escaped_before = before == Some(&b'n') && text[..from].ends_with(b"n");
    let edge = |b: Option<&u8>| matches!(b, None | Some(b'\n' | b'-'));
    (edge(before) || escaped_before) && (edge(after) || text[to..].starts_with(b"\\"))
}
