//! The single bytes that lead to identifiers, and `@` that leads to credentials without a scheme.

use crate::redact::Level;
use crate::redact::context::Context;
use crate::redact::edit::Found;
use crate::redact::filter::Hit;
use crate::redact::keyed::MARK;
use crate::redact::redactor::Rules;
use crate::redact::scan::{addr, host, mac};
use crate::redact::value;
use crate::redact::window::View;

pub(crate) fn look(
    rules: &Rules,
    ctx: &Context,
    view: &View<'_>,
    hit: Hit,
    byte: u8,
    found: &mut Found,
) {
    if byte == b'@' {
        bare(rules, view, hit.at, found);
        if !found.edits.is_empty() {
            return;
        }
    }
    if rules.level != Level::Strict {
        return;
    }
    match byte {
        b'@' => host::mail(rules, view, hit.at, found),
        b':' => addr::coloned(rules, view, hit.at, found),
        b'-' => mac::dashed(rules, view, hit.at, found),
        _ if mac::cisco(rules, view, hit.at, found) => {}
        _ => addr::dotted(rules, ctx, view, hit.at, found),
    }
}

/// `user:secret@host:port` and `user:secret@tcp(host:port)`, without a scheme.
fn bare(rules: &Rules, view: &View<'_>, at: usize, found: &mut Found) {
    let host = view.slice(at + 1, at + 80);
    let named = host
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        .count();
    let port = host.get(named) == Some(&b':')
        && host[named + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
            >= 2
        && named > 0;
    let wrapped = [&b"tcp("[..], b"unix(", b"tcp6("]
        .iter()
        .any(|p| host.starts_with(p));
    if !port && !wrapped {
        return;
    }
    let stop = |b: &u8| {
        b.is_ascii_whitespace()
            || matches!(
                b,
                b'"' | b'\'' | b'`' | b'<' | b'>' | b'=' | b',' | b'[' | b'(' | 0
            )
    };
    let back = view
        .slice(at.saturating_sub(128), at)
        .iter()
        .rev()
        .take_while(|b| !stop(b))
        .count();
    let info = view.slice(at - back, at);
    let done = memchr::memmem::find(info, MARK.as_bytes()).is_some();
    if done || info.windows(3).any(|w| w == b"://") {
        return;
    }
    let Some(colon) = memchr::memchr(b':', info) else {
        return;
    };
    let (user, secret) = (&info[..colon], &info[colon + 1..]);
    // `LeaseRenewer:anna@db1:9000`: a name of a class, a user, a host.
    let class =
        user.iter().any(u8::is_ascii_uppercase) && secret.iter().all(u8::is_ascii_lowercase);
    if class {
        return;
    }
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'%');
    if !user.is_empty()
        && user.iter().all(plain)
        && user != b"mailto"
        && user != b"sip"
        && !secret.is_empty()
        && !value::says_nothing(secret)
    {
        found.mark(at - secret.len(), at, rules.ids.url);
    }
}
