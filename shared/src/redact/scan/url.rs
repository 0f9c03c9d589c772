//! Credentials in URLs: `scheme://user:secret@host`.

use crate::redact::edit::Found;
use crate::redact::filter::Hit;
use crate::redact::keyed::MARK;
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
    if memchr::memmem::find(info, MARK.as_bytes()).is_some() {
        found.settled = start + at + 1;
        return;
    }
    let Some(colon) = memchr::memchr(b':', info) else {
        // Only a name, unless it is a key, as error trackers and git hosts take it.
        if value::looks_random(info) {
            found.mark(start, start + at, rules.ids.url);
        }
        return;
    };
    let secret = &info[colon + 1..];
    if matches!(secret, b"x-oauth-basic" | b"x-access-token" | b"") && colon >= 8 {
        found.settled = start + at + 1;
        return found.mark(start, start + colon, rules.ids.url);
    }
    if !value::says_nothing(secret) && !secret.iter().all(|b| *b == b'x') {
        found.settled = start + at + 1;
        found.mark(start + colon + 1, start + at, rules.ids.url);
    }
}

/// The `@` before the host: the last one before the path, or a later one when the password
/// itself has a `/`.
fn host_at(text: &[u8]) -> Option<usize> {
    let first = memchr::memchr(b'@', text)?;
    let slash = memchr::memchr3(b'/', b'?', b'#', text).unwrap_or(text.len());
    if first < slash {
        let at = memchr::memrchr(b'@', &text[..slash])?;
        // `user:p@ss/word@db.local:5432`: what follows is a bare word, and a host with its port
        // comes later.
        let bare = !text[at + 1..slash].iter().any(|b| matches!(b, b'.' | b':'));
        return Some(match bare.then(|| later_host(text, slash)).flatten() {
            Some(later) => later,
            None => at,
        });
    }
    // `user:pa/ss@host`: a colon before the slash that no port follows.
    let colon = memchr::memchr(b':', &text[..slash])?;
    let port = text[colon + 1..slash].iter().all(u8::is_ascii_digit);
    if port && slash > colon + 1 {
        return None;
    }
    Some(first)
}

/// A later `@` that a host with dots or a port follows, with `:` between it and the slash.
fn later_host(text: &[u8], slash: usize) -> Option<usize> {
    let at = slash + memchr::memrchr(b'@', &text[slash..])?;
    let host = &text[at + 1..];
    let name = host
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        .count();
    let port = host.get(name) == Some(&b':') && host.get(name + 1).is_some_and(u8::is_ascii_digit);
    (name > 0 && port && text[slash..at].contains(&b':')).then_some(at)
}
