//! Files whose secrets stand by position in the line: shadow, htpasswd, pgpass, chap-secrets.

use crate::redact::context::Lines;
use crate::redact::edit::Found;
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::value;
use crate::redact::window::View;

pub(crate) fn resume(rules: &Rules, view: &View<'_>, at: usize, kind: Lines, found: &mut Found) {
    let end = view.line_end(at);
    let line = view.slice(at, end);
    let field = match kind {
        _ if line.trim_ascii_start().starts_with(b"#") => None,
        Lines::Colon2 => field(line, 1, Some(b':')),
        Lines::Pgpass => field(line, 4, None),
        Lines::Chap => word(line, 2),
        Lines::Second => word(line, 1),
        Lines::Smb => {
            if let Some((a, b)) = field(line, 3, Some(b':')) {
                secret(rules, view, at + a, at + b, found);
            }
            field(line, 2, Some(b':'))
        }
        Lines::Last => {
            let text = line.trim_ascii_end();
            memchr::memrchr2(b':', b' ', text)
                .filter(|n| text[*n] == b':')
                .map(|n| (n + 1, text.len()))
        }
        Lines::ProcNet => None,
        Lines::Whole => Some((0, line.trim_ascii_end().len())),
    };
    if let Some((a, b)) = field {
        secret(rules, view, at + a, at + b, found);
    }
    if let Some(next) = view.next_line(end) {
        found.more = Some((next, Continue::Lines(kind)));
    }
}

/// Marks a field unless it is empty or locked.
fn secret(rules: &Rules, view: &View<'_>, from: usize, to: usize, found: &mut Found) {
    let v = view.slice(from, to);
    let locked = v.iter().all(|b| matches!(b, b'*' | b'!' | b'x' | b'X'));
    if !v.is_empty() && !locked && !value::is_unset(v) {
        found.mark(from, to, rules.ids.hash);
    }
}

/// The field `n` of `:`, from 0, up to `stop` or the line's end; `\:` does not separate.
fn field(line: &[u8], n: usize, stop: Option<u8>) -> Option<(usize, usize)> {
    let mut start = 0;
    for _ in 0..n {
        let mut i = start;
        loop {
            match line.get(i)? {
                b'\\' => i += 2,
                b':' => break,
                _ => i += 1,
            }
        }
        start = i + 1;
    }
    let rest = line.get(start..)?;
    let len = stop
        .and_then(|s| memchr::memchr(s, rest))
        .unwrap_or(rest.len());
    Some((start, start + rest[..len].trim_ascii_end().len()))
}

/// The word `n` of a line, from 0; quotes belong to the word.
fn word(line: &[u8], n: usize) -> Option<(usize, usize)> {
    let mut i = 0;
    for k in 0..=n {
        i += line[i..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        let quoted = line.get(i) == Some(&b'"');
        let len = if quoted {
            memchr::memchr(b'"', line.get(i + 1..)?)? + 2
        } else {
            line[i..]
                .iter()
                .take_while(|b| !b.is_ascii_whitespace())
                .count()
        };
        if k == n {
            return (len > 0).then_some(if quoted {
                (i + 1, i + len - 1)
            } else {
                (i, i + len)
            });
        }
        i += len;
    }
    None
}
