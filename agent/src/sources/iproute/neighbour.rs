//! `ip -s -s neigh show`.

use super::{INET, INET6, Names, hardware, shown_ip};
use crate::collect::Miss;
use crate::collect::netlink::{self, Message, u16_of, u32_of};
use std::fmt::Write as _;

/// `RTM_GETNEIGH`.
const GET: u16 = 30;
/// `ndmsg`.
const FIXED: usize = 12;
/// Entries that need no resolving are not listed.
const NOARP: u16 = 0x40;
const STATES: &[(u16, &str)] = &[
    (0x01, "INCOMPLETE"),
    (0x02, "REACHABLE"),
    (0x04, "STALE"),
    (0x08, "DELAY"),
    (0x10, "PROBE"),
    (0x20, "FAILED"),
    (NOARP, "NOARP"),
    (0x80, "PERMANENT"),
];

pub(super) fn all(names: &Names) -> Result<String, Miss> {
    let mut out = String::new();
    for message in netlink::dump(GET, &[0; FIXED])? {
        line(&mut out, names, &message);
    }
    Ok(out)
}

fn line(out: &mut String, names: &Names, message: &Message) {
    let body = message.body();
    let state = body.get(8..).and_then(u16_of).unwrap_or(0);
    let flags = body.get(10).copied().unwrap_or(0);
    let known = matches!(body.first(), Some(&INET | &INET6));
    if !known || state == NOARP || (state == 0 && flags & 8 == 0) {
        return;
    }
    let all = message.attributes(FIXED);
    if let Some(address) = all.get(1) {
        let _ = write!(out, "{} ", shown_ip(address));
    }
    let index = body.get(4..).and_then(u32_of).unwrap_or(0);
    let _ = write!(out, "dev {} ", names.link(index));
    if let Some(address) = all.get(2) {
        let _ = write!(out, "lladdr {} ", hardware(address));
    }
    for (bit, word) in [(0x80, "router"), (8, "proxy"), (0x10, "extern_learn")] {
        if flags & bit != 0 {
            let _ = write!(out, "{word} ");
        }
    }
    if let Some(info) = all.get(3) {
        let at = |word: usize| info.get(word * 4..).and_then(u32_of).unwrap_or(0);
        if at(3) != 0 {
            let _ = write!(out, " ref {}", at(3));
        }
        // Hundredths of a second: confirmed, used, updated.
        let _ = write!(out, " used {}/{}/{}", at(1) / 100, at(0) / 100, at(2) / 100);
    }
    if let Some(probes) = all.u32(4) {
        let _ = write!(out, "probes {probes} ");
    }
    for (bit, name) in STATES {
        if state & bit != 0 {
            let _ = write!(out, "{name} ");
        }
    }
    out.push('\n');
}
