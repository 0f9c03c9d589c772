//! Addresses: IPv4, IPv6, hardware addresses in their spellings.

use crate::redact::context::Context;
use crate::redact::edit::{Found, Put};
use crate::redact::redactor::Rules;
use crate::redact::scan::mac::hardware;
use crate::redact::standin;
use crate::redact::window::View;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A dot between digits: the first one of four numbers.
pub(crate) fn dotted(rules: &Rules, ctx: &Context, view: &View<'_>, dot: usize, found: &mut Found) {
    let back = view
        .slice(dot.saturating_sub(4), dot)
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_digit())
        .count();
    let start = dot - back;
    let text = view.slice(start, start + 16);
    let len = text
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b'.')
        .count();
    let run = view.slice(start, start + len);
    let run = run.strip_suffix(b".").unwrap_or(run);
    let mut end = start + run.len();
    found.quiet = found.quiet.max(end);
    let before = view.before(start);
    if back == 0 || back > 3 || before == Some(b'.') || ctx.version || glued(view, start, end) {
        return;
    }
    if view.has(end, REVERSED) {
        return reversed(rules, view, start, end, found);
    }
    let Some(address) = ipv4_of(run) else { return };
    if public_knowledge(address) || says_version(view, start) {
        return;
    }
    // What was seen a short while ago has its stand-in and is in the map.
    if let Some(known) = found.addresses.get(address) {
        let put = padded(view, start, &mut end, known.to_owned());
        return found.push(start, end, rules.ids.ipv4, Put::Again(put));
    }
    let put = standin::ipv4(&rules.keyed, address, '.');
    found.addresses.put(address, &put);
    replace(view, start, end, put, rules.ids.ipv4, found);
}

/// What follows the numbers of a name that asks for an address's host.
pub(crate) const REVERSED: &[u8] = b".in-addr.arpa";

/// `3.2.1.10` or, for a network, `2.1.10` before `.in-addr.arpa`: the stand-in of the address, reversed
/// as well, so that both can be joined.
pub(crate) fn reversed(
    rules: &Rules,
    view: &View<'_>,
    start: usize,
    end: usize,
    found: &mut Found,
) {
    let mut octets = [0u8; 4];
    let mut known = 0;
    for part in view.slice(start, end).rsplit(|b| *b == b'.') {
        let number = std::str::from_utf8(part).ok().and_then(|s| s.parse().ok());
        match (octets.get_mut(known), number) {
            (Some(octet), Some(number)) => *octet = number,
            // A stand-in already, or no address.
            _ => return,
        }
        known += 1;
    }
    let address = Ipv4Addr::from(octets);
    if public_knowledge(address) {
        return;
    }
    let put = standin::ipv4(&rules.keyed, address, '.');
    let parts: Vec<&str> = put.split('.').take(known).collect();
    let put = parts.into_iter().rev().collect::<Vec<_>>().join(".");
    found.push(start, end, rules.ids.reverse, Put::Text(put));
}

/// The same for IPv6, whose digits stand alone, the last one first.
pub(crate) const REVERSED6: &[u8] = b".ip6.arpa";

/// The 32 digits of an address before `.ip6.arpa`: its stand-in in their place. False for a network, which is
/// treated as the name that it is.
pub(crate) fn reversed6(
    rules: &Rules,
    view: &View<'_>,
    start: usize,
    end: usize,
    found: &mut Found,
) -> bool {
    let text = view.slice(start, end);
    // What `standin::ipv6` ends with, met again.
    let stand_in = view.before(start) == Some(b':')
        && text.len() == 13
        && text.starts_with(b"h")
        && text[1..].iter().all(u8::is_ascii_hexdigit);
    if stand_in {
        return true;
    }
    let mut bits = 0u128;
    for (n, digit) in text.split(|b| *b == b'.').enumerate() {
        let [digit] = digit else { return false };
        let (Some(value), true) = (char::from(*digit).to_digit(16), n < 32) else {
            return false;
        };
        bits |= u128::from(value) << (4 * n);
    }
    if text.len() != 63 {
        return false;
    }
    let address = Ipv6Addr::from(bits);
    if !(address.is_loopback() || address.is_unspecified() || address.is_multicast()) {
        let put = standin::ipv6(&rules.keyed, address);
        found.push(start, end, rules.ids.reverse, Put::Text(put));
    }
    true
}

/// Four numbers up to 255 without needless zeros.
fn ipv4_of(run: &[u8]) -> Option<Ipv4Addr> {
    std::str::from_utf8(run).ok()?.parse().ok()
}

/// `10-0-129-220`, as host names carry it.
pub(crate) fn dashed_ip(rules: &Rules, view: &View<'_>, start: usize, found: &mut Found) {
    let text = view.slice(start, start + 16);
    let len = text
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b'-')
        .count();
    let parts: Vec<&[u8]> = text[..len].split(|b| *b == b'-').take(4).collect();
    if parts.len() < 4 {
        return;
    }
    let mut octets = [0u8; 4];
    for (o, p) in octets.iter_mut().zip(&parts) {
        let Some(n) = std::str::from_utf8(p).ok().and_then(|s| s.parse().ok()) else {
            return;
        };
        *o = n;
    }
    let end = start + parts.iter().map(|p| p.len()).sum::<usize>() + 3;
    let put = standin::ipv4(&rules.keyed, Ipv4Addr::from(octets), '-');
    found.push(start, end, rules.ids.ipv4, Put::Text(put));
}

/// Whether letters or further numbers hang on it: a version, an OID, a package.
fn glued(view: &View<'_>, start: usize, end: usize) -> bool {
    let word = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    match view.before(start) {
        Some(b) if word(b) || b.is_ascii_digit() => return true,
        Some(b'-')
            if start > 1
                && view
                    .before(start - 1)
                    .is_some_and(|b| b.is_ascii_alphabetic()) =>
        {
            return true;
        }
        _ => {}
    }
    match view.at(end) {
        Some(b) if word(b) || matches!(b, b'+' | b'~') => true,
        // Of a longer number, or of an IPv6 address's digits one by one.
        Some(b'.') => view.at(end + 1).is_some_and(|b| {
            b.is_ascii_digit() || b.is_ascii_hexdigit() && view.at(end + 2) == Some(b'.')
        }),
        Some(b'-') => {
            let next = view.slice(end + 1, end + 5);
            let digits = next.iter().take_while(|b| b.is_ascii_digit()).count();
            next.first().is_some_and(u8::is_ascii_alphanumeric) && next.get(digits) != Some(&b'.')
        }
        _ => false,
    }
}

/// Addresses that tell nothing about anybody: loopback, masks, broadcast, multicast, metadata, the
/// well-known public resolvers.
pub(crate) fn public_knowledge(a: Ipv4Addr) -> bool {
    let o = a.octets();
    let mask = u32::from(a).leading_ones() + u32::from(a).trailing_zeros() == 32 && o[0] >= 128;
    matches!(
        o,
        [0 | 127 | 224..=255, ..]
            | [169, 254, 169, 254]
            | [8, 8, 8, 8]
            | [8, 8, 4, 4]
            | [1, 1, 1, 1]
            | [1, 0, 0, 1]
            | [9, 9, 9, 9]
    ) || mask
}

/// Whether `version` or the like stands right before it.
fn says_version(view: &View<'_>, start: usize) -> bool {
    let head = view
        .slice(start.saturating_sub(12), start)
        .to_ascii_lowercase();
    let head = head.trim_ascii_end();
    let head = head
        .strip_suffix(b":")
        .or_else(|| head.strip_suffix(b"="))
        .unwrap_or(head);
    let head = head.strip_suffix(b"\"").unwrap_or(head).trim_ascii_end();
    [&b"version"[..], b"ver", b"release", b"oid"]
        .into_iter()
        .filter_map(|w| head.strip_suffix(w))
        .any(|rest| !rest.last().is_some_and(u8::is_ascii_alphabetic))
}

/// A colon between hex digits: the first one of an IPv6 or hardware address.
pub(crate) fn coloned(rules: &Rules, view: &View<'_>, colon: usize, found: &mut Found) {
    let hex = |b: &&u8| b.is_ascii_hexdigit();
    let back = view
        .slice(colon.saturating_sub(48), colon)
        .iter()
        .rev()
        .take_while(|b| hex(b) || **b == b':')
        .count();
    let start = colon - back;
    let text = view.slice(start, start + 64);
    let len = text
        .iter()
        .take_while(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        .count();
    let mut run = &text[..len];
    found.quiet = found
        .quiet
        .max(start + run.iter().rposition(|b| *b == b':').map_or(0, |n| n + 1));
    while run.ends_with(b".") || run.ends_with(b":") && !run.ends_with(b"::") {
        run = &run[..run.len() - 1];
    }
    let end = start + run.len();
    let word =
        |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':');
    let tail = view
        .at(end)
        .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let first = run.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    if first > 4
        || word(view.before(start))
        || tail
        || run.contains(&b'.')
        || view.before(start) == Some(b'-') && back == 0
    {
        return;
    }
    let groups = run.iter().filter(|b| **b == b':').count() + 1;
    let pairs = run.split(|b| *b == b':').all(|g| g.len() == 2);
    if pairs && (groups == 6 || groups == 8) {
        let serial = view
            .slice(start.saturating_sub(16), start)
            .to_ascii_lowercase();
        if memchr::memmem::find(&serial, b"serial").is_none() {
            hardware(rules, view, start, end, b':', found);
        }
        return;
    }
    if pairs
        && groups == 14
        && view
            .slice(start.saturating_sub(4), start)
            .eq_ignore_ascii_case(b"MAC=")
    {
        // Netfilter: destination, source, type.
        hardware(rules, view, start, start + 17, b':', found);
        return hardware(rules, view, start + 18, start + 35, b':', found);
    }
    if groups < 3 || !run.iter().any(u8::is_ascii_digit) && groups < 5 {
        return;
    }
    let Some(address) = std::str::from_utf8(run)
        .ok()
        .and_then(|s| s.parse::<Ipv6Addr>().ok())
    else {
        return;
    };
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return;
    }
    // `::ffff:0a01:0203` is an IPv4 address, and gets the stand-in of that.
    if let Some(v4) = address.to_ipv4_mapped() {
        if !public_knowledge(v4) {
            let put = standin::ipv4(&rules.keyed, v4, '.');
            replace(view, start + 7, end, put, rules.ids.ipv4, found);
        }
        return;
    }
    let put = standin::ipv6(&rules.keyed, address);
    replace(view, start, end, put, rules.ids.ipv6, found);
}

/// Replaces, and takes the growth out of the blanks that follow, so that columns stay.
pub(crate) fn replace(
    view: &View<'_>,
    start: usize,
    mut end: usize,
    put: String,
    rule: u16,
    found: &mut Found,
) {
    let put = padded(view, start, &mut end, put);
    found.push(start, end, rule, Put::Text(put));
}

/// Moves `end` over blanks for what the text grows, or adds blanks for what it shrinks.
fn padded(view: &View<'_>, start: usize, end: &mut usize, mut put: String) -> String {
    let length = *end - start;
    let blanks = view
        .slice(*end, *end + 64)
        .iter()
        .take_while(|b| **b == b' ')
        .count();
    if blanks >= 2 {
        *end += put.len().saturating_sub(length).min(blanks - 1);
        put.extend(std::iter::repeat_n(' ', length.saturating_sub(put.len())));
    }
    put
}
