//! Addresses in hexadecimal, as the kernel's tables under `/proc/net` have them.
//!
//! A word of 8 digits is an IPv4 address in the byte order of the machine, one of 32 an IPv6
//! address: whole in `if_inet6` and `ipv6_route`, in words of four bytes in `tcp6` and its like.

use crate::redact::context::Lines;
use crate::redact::edit::{Found, Put};
use crate::redact::redactor::Rules;
use crate::redact::scan::Continue;
use crate::redact::scan::addr::public_knowledge;
use crate::redact::standin;
use crate::redact::window::View;
use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) fn resume(rules: &Rules, view: &View<'_>, at: usize, found: &mut Found) {
    let end = view.line_end(at);
    let line = view.slice(at, end);
    let mut from = 0;
    while from < line.len() && from < 400 {
        let word = line[from..]
            .iter()
            .take_while(|b| !b.is_ascii_whitespace())
            .count();
        let text = &line[from..from + word];
        let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let port = text.get(digits) == Some(&b':');
        if (digits == word || port) && !text[..digits].iter().any(u8::is_ascii_lowercase)
            || digits == 32 && digits == word
        {
            replace(rules, view, at + from, digits, port, found);
        }
        from += word.max(1);
    }
    if let Some(next) = view.next_line(end) {
        found.more = Some((next, Continue::Lines(Lines::ProcNet)));
    }
}

fn replace(
    rules: &Rules,
    view: &View<'_>,
    at: usize,
    digits: usize,
    port: bool,
    found: &mut Found,
) {
    let text = view.slice(at, at + digits);
    let bytes: Vec<u8> = text
        .chunks_exact(2)
        .filter_map(|p| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok())
        .collect();
    if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
        let [a, b, c, d] = four;
        // Columns of counters look alike; a host's address has no zero in front.
        let address = Ipv4Addr::new(d, c, b, a);
        let counter = !port && a == 0 && b == 0;
        if !public_knowledge(address) && !counter {
            let put = standin::ipv4(&rules.keyed, address, '.');
            found.push(at, at + digits, rules.ids.ipv4, Put::Text(put));
        }
    } else if let Ok(mut sixteen) = <[u8; 16]>::try_from(bytes.as_slice()) {
        if port {
            sixteen.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        }
        let address = Ipv6Addr::from(sixteen);
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return;
        }
        let (put, rule) = match address.to_ipv4_mapped() {
            Some(v4) if public_knowledge(v4) => return,
            Some(v4) => (standin::ipv4(&rules.keyed, v4, '.'), rules.ids.ipv4),
            None => (standin::ipv6(&rules.keyed, address), rules.ids.ipv6),
        };
        found.push(at, at + digits, rule, Put::Text(put));
    }
}
