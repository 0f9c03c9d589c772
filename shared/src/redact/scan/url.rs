//! Credentials in URLs: `scheme://user:secret@host`.

use crate::redact::edit::Found;
use crate::redact::filter::Hit;
use crate::redact::redactor::Rules;
use crate::redact::value;
use crate::redact::window::View;

/// Longest user information part.
const MAX_USERINFO: usize = 512;

pub(crate) fn look(rules: &Rules, view: &View<'_>, hit: Hit, found: &mut Found) {
    let start = hit.at + hit.len;
    // The quick way out: most URLs have no `@` before the first blank or quote.
    let text = view.slice(start, start + MAX_USERINFO);
    if memchr::memchr(b'@', text).is_none() {
        return;
    }
    let stop = text
        .iter()
        .position(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | 0))
        .unwrap_or(text.len());
    let text = &text[..stop];
    let Some(at) = host_at(text) else { return };
    let info = &text[..at];
    let Some(colon) = memchr::memchr(b':', info) else {
        // Only a name, unless it is a key, as error trackers and git hosts take it.
        if value::looks_random(info) {
            found.mark(start, start + at, rules.ids.url);
        }
        return;
    };
    let secret = &info[colon + 1..];
    if !value::says_nothing(secret) && !secret.iter().all(|b| *b == b'x') {
        found.mark(start + colon + 1, start + at, rules.ids.url);
    }
}

/// The `@` before the host: the last one before the path, or a later one when the password
/// itself has a `/`.
fn host_at(text: &[u8]) -> Option<usize> {
    let first = memchr::memchr(b'@', text)?;
    let slash = memchr::memchr3(b'/', b'?', b'#', text).unwrap_or(text.len());
    if first < slash {
        return memchr::memrchr(b'@', &text[..slash]);
    }
    // `user:pa/ss@host`: a colon before the slash that no port follows.
    let colon = memchr::memchr(b':', &text[..slash])?;
    let port = text[colon + 1..slash].iter().all(u8::is_ascii_digit);
    if port && slash > colon + 1 {
        return None;
    }
    Some(first)
}
