//! Text inside text: command lines that audit records write in hexadecimal, and those whose
//! arguments they write one by one. They are redacted as what they are and written as they were.

use crate::redact::context::Context;
use crate::redact::edit::{Found, Put};
use crate::redact::filter::Hit;
use crate::redact::redactor::Rules;
use crate::redact::stream::Engine;
use crate::redact::window::View;

/// Longest text that is opened, in hex digits; the kernel cuts a title at 128 bytes.
const MAX_HEX: usize = 16 * 1024;

/// `proctitle=2F62696E…`: the arguments, each ended by a zero.
pub(crate) fn hex(rules: &Rules, view: &View<'_>, hit: Hit, found: &mut Found) {
    let start = hit.at + hit.len;
    let digits = view
        .slice(start, start + MAX_HEX)
        .iter()
        .take_while(|b| b.is_ascii_hexdigit())
        .count();
    replace(rules, view, start, start + digits, found);
}

/// Opens the digits of `start..end`; if something inside had to go, the text is written in quotes,
/// as audit writes what needs no hexadecimal.
fn replace(rules: &Rules, view: &View<'_>, start: usize, end: usize, found: &mut Found) {
    let text = view.slice(start, end);
    if text.len() < 8 || !text.len().is_multiple_of(2) {
        return;
    }
    let plain = opened(text);
    let clean = redact(rules, &plain);
    if clean != plain {
        found.push(start, end, rules.ids.inside, Put::Again(written(&clean)));
    }
}

/// The text behind hex digits, its zeros as blanks.
fn opened(digits: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or_default() as u8;
    digits
        .chunks_exact(2)
        .map(|p| digit(p[0]) << 4 | digit(p[1]))
        .map(|b| if b == 0 { b' ' } else { b })
        .collect()
}

/// A text in quotes, with nothing in it that ends them or the line.
fn written(text: &[u8]) -> String {
    let inner: String = String::from_utf8_lossy(text)
        .chars()
        .map(|c| match c {
            '"' => '\'',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    format!("\"{inner}\"")
}

/// Runs the engine over a short text of its own.
fn redact(rules: &Rules, text: &[u8]) -> Vec<u8> {
    let mut engine = Engine::new(rules, Context::default());
    let mut out = Vec::with_capacity(text.len() + 64);
    engine.feed(rules, text, &mut out);
    engine.end(rules, &mut out);
    out
}

/// `a0="mysql" a1="-pX"`: each argument is redacted as the command line has it.
pub(crate) fn execve(rules: &Rules, view: &View<'_>, hit: Hit, found: &mut Found) {
    let line = view.slice(hit.at, view.line_end_within(hit.at, MAX_HEX));
    let mut args: Vec<(usize, usize, bool)> = Vec::new();
    let mut at = 0;
    while let Some(n) = memchr::memmem::find(&line[at..], b" a") {
        at += n + 2;
        let number = line[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if number == 0 || line.get(at + number) != Some(&b'=') {
            continue;
        }
        let value = at + number + 1;
        let quoted = line.get(value) == Some(&b'"');
        let from = value + usize::from(quoted);
        let len = line[from..]
            .iter()
            .take_while(|b| {
                if quoted {
                    **b != b'"'
                } else {
                    b.is_ascii_hexdigit()
                }
            })
            .count();
        args.push((from, from + len, quoted));
        at = from + len;
    }
    let mut whole = Vec::new();
    let mut places = Vec::new();
    for (a, b, quoted) in &args {
        let text = &line[*a..*b];
        let start = whole.len();
        if *quoted {
            whole.extend_from_slice(text);
        } else {
            whole.extend(opened(text));
        }
        places.push((start, whole.len()));
        whole.push(0);
    }
    let clean = redact(rules, &whole);
    if clean == whole {
        return;
    }
    let parts: Vec<&[u8]> = clean.split(|b| *b == 0).collect();
    for (n, (a, b, quoted)) in args.iter().enumerate() {
        let (Some(part), Some((x, y))) = (parts.get(n), places.get(n)) else {
            continue;
        };
        if whole.get(*x..*y) == Some(*part) {
            continue;
        }
        let put = if *quoted {
            String::from_utf8_lossy(part).into_owned()
        } else {
            written(part)
        };
        found.push(hit.at + a, hit.at + b, rules.ids.inside, Put::Again(put));
    }
}
