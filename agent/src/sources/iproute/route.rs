//! `ip route show table all`.

use super::{INET, INET6, Names, scope, shown_ip, shown_prefix};
use crate::collect::Miss;
use crate::collect::netlink::{self, Attributes, Message, u16_of, u32_of};
use std::fmt::Write as _;

/// `RTM_GETROUTE`.
const GET: u16 = 26;
/// `rtmsg`.
const FIXED: usize = 12;
const MAIN: u32 = 254;
const BOOT: u8 = 3;
/// Entries of the cache that older kernels list as well.
const CLONED: u32 = 0x200;
const TYPES: &[&str] = &[
    "none",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
];
const FLAGS: &[(u32, &str)] = &[
    (1, "dead"),
    (4, "onlink"),
    (2, "pervasive"),
    (8, "offload"),
    (16, "linkdown"),
    (32, "unresolved"),
    (64, "trap"),
];
const METRICS: &[(u16, &str)] = &[
    (2, "mtu"),
    (3, "window"),
    (4, "rtt"),
    (5, "rttvar"),
    (6, "ssthresh"),
    (7, "cwnd"),
    (8, "advmss"),
    (9, "reordering"),
    (10, "hoplimit"),
    (11, "initcwnd"),
    (12, "features"),
    (13, "rto_min"),
    (14, "initrwnd"),
    (15, "quickack"),
];

pub(super) fn all(names: &Names) -> Result<String, Miss> {
    let mut out = String::new();
    for message in netlink::dump(GET, &[0; FIXED])? {
        line(&mut out, names, &message);
    }
    Ok(out)
}

fn line(out: &mut String, names: &Names, message: &Message) {
    let [
        family,
        length,
        from_length,
        _tos,
        table,
        protocol,
        reach,
        kind,
    ] = message.body()[..8]
    else {
        return;
    };
    let flags = message.body().get(8..).and_then(u32_of).unwrap_or(0);
    if !matches!(family, INET | INET6) || flags & CLONED != 0 {
        return;
    }
    let all = message.attributes(FIXED);
    if kind != 1 {
        let name = TYPES.get(usize::from(kind)).unwrap_or(&"?");
        let _ = write!(out, "{name} ");
    }
    match all.get(1) {
        Some(to) => {
            let _ = write!(out, "{} ", shown_prefix(family, to, length));
        }
        None if length > 0 => {
            let _ = write!(out, "0/{length} ");
        }
        None => out.push_str("default "),
    }
    if let Some(from) = all.get(2) {
        let _ = write!(out, "from {} ", shown_prefix(family, from, from_length));
    }
    if let Some(id) = all.u32(30) {
        let _ = write!(out, "nhid {id} ");
    }
    gateway(out, names, all);
    if let Some(index) = all.u32(4) {
        let _ = write!(out, "dev {} ", names.link(index));
    }
    let table = all.u32(15).unwrap_or(u32::from(table));
    if table != MAIN {
        let _ = write!(out, "table {} ", names.table(table));
    }
    if protocol != BOOT {
        let _ = write!(out, "proto {} ", protocol_name(protocol));
    }
    if reach != 0 {
        let _ = write!(out, "scope {} ", scope(reach));
    }
    if let Some(source) = all.get(7) {
        let _ = write!(out, "src {} ", shown_ip(source));
    }
    if let Some(metric) = all.u32(6) {
        let _ = write!(out, "metric {metric} ");
    }
    flag_words(out, flags);
    metrics(out, all.nested(8));
    expiry(out, all.get(12));
    if let Some(preference) = all.u8(20) {
        let _ = write!(out, "pref {}", preference_name(preference));
    }
    if let Some(hops) = all.get(9) {
        next_hops(out, names, hops);
    }
    out.push('\n');
}

fn preference_name(value: u8) -> &'static str {
    match value {
        0 => "medium",
        1 => "high",
        3 => "low",
        _ => "?",
    }
}

fn gateway(out: &mut String, names: &Names, all: Attributes<'_>) {
    let _ = names;
    if let Some(gateway) = all.get(5) {
        let _ = write!(out, "via {} ", shown_ip(gateway));
    }
    // A gateway of the other family: the family in two bytes, then the address.
    if let Some(via) = all.get(18).filter(|v| v.len() > 2) {
        let word = if u16_of(via) == Some(u16::from(INET6)) {
            "inet6"
        } else {
            "inet"
        };
        let _ = write!(out, "via {word} {} ", shown_ip(&via[2..]));
    }
}

fn flag_words(out: &mut String, flags: u32) {
    for (bit, name) in FLAGS {
        if flags & bit != 0 {
            let _ = write!(out, "{name} ");
        }
    }
}

fn metrics(out: &mut String, values: Attributes<'_>) {
    let lock = values.u32(1).unwrap_or(0);
    for (kind, name) in METRICS {
        let Some(value) = values.u32(*kind) else {
            continue;
        };
        let locked = if lock & 1 << kind != 0 { "lock " } else { "" };
        let _ = write!(out, "{name} {locked}{value} ");
    }
    if let Some(control) = values.text(16) {
        let _ = write!(out, "congctl {control} ");
    }
}

/// `rta_cacheinfo`: the third number is the time left, in hundredths of a second; the fourth an error.
fn expiry(out: &mut String, info: Option<&[u8]>) {
    let Some(info) = info else { return };
    let at = |from: usize| {
        info.get(from..)
            .and_then(u32_of)
            .map_or(0, u32::cast_signed)
    };
    if at(8) != 0 {
        let _ = write!(out, "expires {}sec ", at(8) / 100);
    }
    if at(12) != 0 {
        let _ = write!(out, "error {} ", at(12));
    }
}

/// `rtnexthop` after `rtnexthop`: length, flags, weight less one, interface, attributes.
fn next_hops(out: &mut String, names: &Names, mut rest: &[u8]) {
    while let Some(length) = u16_of(rest).map(usize::from) {
        let Some(hop) = rest.get(..length).filter(|h| h.len() >= 8) else {
            return;
        };
        out.push_str("\n\tnexthop ");
        gateway(out, names, Attributes(&hop[8..]));
        let index = u32_of(&hop[4..]).unwrap_or(0);
        let weight = u16::from(hop[3]) + 1;
        let _ = write!(out, "dev {} weight {weight} ", names.link(index));
        flag_words(out, u32::from(hop[2]));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
}

fn protocol_name(number: u8) -> String {
    let name = match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        18 => "keepalived",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        other => return other.to_string(),
    };
    name.to_owned()
}
