//! `ip -d address` and `ip -o addr`.

use super::{INET, INET6, Names, link, scope, shown_ip};
use crate::collect::Miss;
use crate::collect::netlink::{self, Message, u32_of};
use std::fmt::Write as _;

/// `RTM_GETADDR`.
const GET: u16 = 22;
/// `ifaddrmsg`.
const FIXED: usize = 8;
const PERMANENT: u32 = 0x80;
const FOREVER: u32 = u32::MAX;
/// Flags in the order in which they are written; the first is a temporary address for IPv6.
const FLAGS: &[(u32, &str)] = &[
    (0x01, "secondary"),
    (0x02, "nodad"),
    (0x04, "optimistic"),
    (0x08, "dadfailed"),
    (0x10, "home"),
    (0x20, "deprecated"),
    (0x40, "tentative"),
    (PERMANENT, "dynamic"),
    (0x100, "mngtmpaddr"),
    (0x200, "noprefixroute"),
    (0x400, "autojoin"),
    (0x800, "stable-privacy"),
];

pub(super) fn detailed(names: &Names) -> Result<String, Miss> {
    let addresses = netlink::dump(GET, &[0; FIXED])?;
    let mut out = String::new();
    for message in netlink::dump(link::GET, &[0; link::FIXED])? {
        let index = message.body().get(4..).and_then(u32_of).unwrap_or(0);
        link::head(&mut out, names, &message, false);
        for address in addresses.iter().filter(|a| index_of(a) == index) {
            out.push_str("    ");
            line(&mut out, address, "\n");
        }
    }
    Ok(out)
}

pub(super) fn one_line(names: &Names) -> Result<String, Miss> {
    let mut addresses = netlink::dump(GET, &[0; FIXED])?;
    addresses.sort_by_key(index_of);
    let mut out = String::new();
    for address in &addresses {
        let index = index_of(address);
        let _ = write!(out, "{index}: {}    ", names.link(index));
        line(&mut out, address, "\\");
    }
    Ok(out)
}

fn index_of(message: &Message) -> u32 {
    message.body().get(4..).and_then(u32_of).unwrap_or(0)
}

fn line(out: &mut String, message: &Message, newline: &str) {
    let [family, length, flags, reach] = message.body()[..4] else {
        return;
    };
    let all = message.attributes(FIXED);
    let word = match family {
        INET => "inet",
        INET6 => "inet6",
        _ => "family",
    };
    let (local, peer) = (all.get(2), all.get(1));
    let Some(local_or_peer) = local.or(peer) else {
        return;
    };
    let _ = write!(out, "{word} {}", shown_ip(local_or_peer));
    if let (Some(local), Some(peer)) = (local, peer)
        && local != peer
    {
        let _ = write!(out, " peer {}", shown_ip(peer));
    }
    let _ = write!(out, "/{length} ");
    if let Some(metric) = all.u32(9) {
        let _ = write!(out, "metric {metric} ");
    }
    if let Some(broadcast) = all.get(4) {
        let _ = write!(out, "brd {} ", shown_ip(broadcast));
    }
    let _ = write!(out, "scope {} ", scope(reach));
    let flags = all.u32(8).unwrap_or(u32::from(flags));
    for (bit, name) in FLAGS {
        let on = (flags & bit != 0) != (*bit == PERMANENT);
        let name = if *bit == 1 && family == INET6 {
            "temporary"
        } else {
            name
        };
        if on {
            let _ = write!(out, "{name} ");
        }
    }
    if let Some(label) = all.text(3) {
        out.push_str(&label);
    }
    lifetime(out, all.get(6), newline);
    out.push('\n');
}

fn lifetime(out: &mut String, info: Option<&[u8]>, newline: &str) {
    let Some(info) = info else { return };
    let preferred = u32_of(info).unwrap_or(FOREVER);
    let valid = info.get(4..).and_then(u32_of).unwrap_or(FOREVER);
    let shown = |seconds: u32| match seconds {
        FOREVER => "forever".to_owned(),
        seconds => format!("{seconds}sec"),
    };
    let (valid, preferred) = (shown(valid), shown(preferred));
    let _ = write!(
        out,
        "{newline}       valid_lft {valid} preferred_lft {preferred}"
    );
}
