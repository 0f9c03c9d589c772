//! `ip -s -d link`, and the part of it that `ip -d address` shares.

use super::{INET6, Names, hardware};
use crate::collect::Miss;
use crate::collect::netlink::{self, Attributes, Message, u16_of, u32_of, u64_of};
use std::fmt::Write as _;

/// `RTM_GETLINK`.
pub(super) const GET: u16 = 18;
/// `ifinfomsg`.
pub(super) const FIXED: usize = 16;

const FLAGS: &[(u32, &str)] = &[
    (1 << 3, "LOOPBACK"),
    (1 << 1, "BROADCAST"),
    (1 << 4, "POINTOPOINT"),
    (1 << 12, "MULTICAST"),
    (1 << 7, "NOARP"),
    (1 << 9, "ALLMULTI"),
    (1 << 8, "PROMISC"),
    (1 << 10, "MASTER"),
    (1 << 11, "SLAVE"),
    (1 << 2, "DEBUG"),
    (1 << 15, "DYNAMIC"),
    (1 << 14, "AUTOMEDIA"),
    (1 << 13, "PORTSEL"),
    (1 << 5, "NOTRAILERS"),
    (1, "UP"),
    (1 << 16, "LOWER_UP"),
    (1 << 17, "DORMANT"),
    (1 << 18, "ECHO"),
];
const UP: u32 = 1;
const RUNNING: u32 = 1 << 6;
const POINTOPOINT: u32 = 1 << 4;
const STATES: &[&str] = &[
    "UNKNOWN",
    "NOTPRESENT",
    "DOWN",
    "LOWERLAYERDOWN",
    "TESTING",
    "DORMANT",
    "UP",
];
/// Numbers of the detailed line, in its order.
const DETAILS: &[(u16, &str)] = &[
    (31, "numtxqueues"),
    (32, "numrxqueues"),
    (41, "gso_max_size"),
    (40, "gso_max_segs"),
    (59, "tso_max_size"),
    (60, "tso_max_segs"),
    (58, "gro_max_size"),
];

/// `ip -s -d link`.
pub(super) fn with_counters(names: &Names) -> Result<String, Miss> {
    let mut out = String::new();
    for message in netlink::dump(GET, &[0; FIXED])? {
        head(&mut out, names, &message, true);
        counters(&mut out, message.attributes(FIXED));
    }
    Ok(out)
}

/// The lines about the link itself; `alone` when its addresses do not follow.
pub(super) fn head(out: &mut String, names: &Names, message: &Message, alone: bool) {
    let body = message.body();
    let number = |at: usize| body.get(at..).and_then(u32_of).unwrap_or(0);
    let (index, flags) = (number(4), number(8));
    let all = message.attributes(FIXED);
    let _ = write!(out, "{index}: {}", names.link(index));
    let lower = all.u32(5);
    match (lower, all.u32(37)) {
        (Some(0), _) => out.push_str("@NONE"),
        (Some(lower), Some(_)) => {
            let _ = write!(out, "@if{lower}");
        }
        (Some(lower), None) => {
            let _ = write!(out, "@{}", names.link(lower));
        }
        (None, _) => {}
    }
    let lower_down = lower
        .filter(|_| all.u32(37).is_none())
        .and_then(|l| names.links.get(&l))
        .is_some_and(|l| !l.up);
    let _ = write!(out, ": <{}> ", flag_names(flags, lower_down));
    first_line(out, names, all, alone);
    let _ = write!(
        out,
        "\n    link/{} ",
        type_name(body.get(2..).and_then(u16_of).unwrap_or(0))
    );
    if let Some(address) = all.get(1) {
        out.push_str(&hardware(address));
    }
    if let Some(other) = all.get(2) {
        let word = if flags & POINTOPOINT != 0 {
            "peer"
        } else {
            "brd"
        };
        let _ = write!(out, " {word} {}", hardware(other));
    }
    if let Some(id) = all.u32(37) {
        let _ = write!(out, " link-netnsid {id}");
    }
    details(out, all, alone);
    if let Some(alias) = all.text(20) {
        let _ = write!(out, "\n    alias {alias}");
    }
    for altname in all.nested(52).filter(|(kind, _)| *kind == 53) {
        let name = String::from_utf8_lossy(altname.1);
        let _ = write!(out, "\n    altname {}", name.trim_end_matches('\0'));
    }
    out.push('\n');
}

fn flag_names(flags: u32, lower_down: bool) -> String {
    let mut found = Vec::new();
    if flags & UP != 0 && flags & RUNNING == 0 {
        found.push("NO-CARRIER");
    }
    found.extend(
        FLAGS
            .iter()
            .filter(|(bit, _)| flags & bit != 0)
            .map(|(_, name)| name),
    );
    if lower_down {
        found.push("M-DOWN");
    }
    found.join(",")
}

fn first_line(out: &mut String, names: &Names, all: Attributes<'_>, alone: bool) {
    if let Some(mtu) = all.u32(4) {
        let _ = write!(out, "mtu {mtu} ");
    }
    if let Some(qdisc) = all.text(6) {
        let _ = write!(out, "qdisc {qdisc} ");
    }
    if let Some(master) = all.u32(10) {
        let _ = write!(out, "master {} ", names.link(master));
    }
    if let Some(state) = all.u8(16) {
        let state = STATES.get(usize::from(state)).copied();
        let _ = write!(out, "state {} ", state.unwrap_or("UNKNOWN"));
    }
    if let Some(mode) = all.u8(17).filter(|_| alone) {
        let mode = if mode == 1 { "DORMANT" } else { "DEFAULT" };
        let _ = write!(out, "mode {mode} ");
    }
    match all.u32(27) {
        Some(0) => out.push_str("group default "),
        Some(group) => {
            let _ = write!(out, "group {group} ");
        }
        None => {}
    }
    if let Some(length) = all.u32(13).filter(|l| *l != 0) {
        let _ = write!(out, "qlen {length}");
    }
}

fn type_name(kind: u16) -> String {
    match kind {
        1 => "ether".to_owned(),
        32 => "infiniband".to_owned(),
        512 => "ppp".to_owned(),
        768 => "ipip".to_owned(),
        769 => "tunnel6".to_owned(),
        772 => "loopback".to_owned(),
        776 => "sit".to_owned(),
        778 => "gre".to_owned(),
        823 => "gre6".to_owned(),
        280 => "can".to_owned(),
        65534 => "none".to_owned(),
        other => format!("[{other}]"),
    }
}

fn details(out: &mut String, all: Attributes<'_>, alone: bool) {
    if let Some(value) = all.u32(30) {
        let _ = write!(out, " promiscuity {value} ");
    }
    if let Some(value) = all.u32(61) {
        let _ = write!(out, " allmulti {value} ");
    }
    for (kind, name) in [(50, "minmtu"), (51, "maxmtu")] {
        if let Some(value) = all.u32(kind) {
            let _ = write!(out, "{name} {value} ");
        }
    }
    let info = all.nested(18);
    if let Some(kind) = info.text(1) {
        let _ = write!(out, "\n    {kind} ");
        of_kind(out, &kind, info.nested(2));
    }
    if let Some(kind) = info.text(4) {
        let _ = write!(out, "\n    {kind}_slave ");
        of_port(out, &kind, info.nested(5));
    }
    let ipv6 = all.nested(26).nested(u16::from(INET6));
    if let (Some(mode), true) = (ipv6.u8(8), alone) {
        let name = match mode {
            0 => "eui64",
            1 => "none",
            2 => "stable_secret",
            _ => "random",
        };
        let _ = write!(out, "addrgenmode {name} ");
    }
    for (kind, name) in DETAILS {
        if let Some(value) = all.u32(*kind) {
            let _ = write!(out, "{name} {value} ");
        }
    }
    for (kind, name) in [(57, "parentbus"), (56, "parentdev")] {
        if let Some(value) = all.text(kind) {
            let _ = write!(out, "{name} {value} ");
        }
    }
}

const BOND_MODES: &[&str] = &[
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
];

/// What is worth knowing of the kinds that are met most; of the others, their name.
fn of_kind(out: &mut String, kind: &str, data: Attributes<'_>) {
    let number = |at: u16| data.get(at).map(number);
    match kind {
        "vlan" => {
            let protocol = data
                .get(5)
                .and_then(|v| Some(u16::from_be_bytes(v.get(..2)?.try_into().ok()?)));
            let protocol = if protocol == Some(0x88a8) {
                "802.1ad"
            } else {
                "802.1Q"
            };
            let _ = write!(out, "protocol {protocol} id {} ", number(1).unwrap_or(0));
        }
        "bridge" => {
            for (at, name) in [
                (1, "forward_delay"),
                (2, "hello_time"),
                (3, "max_age"),
                (4, "ageing_time"),
                (5, "stp_state"),
                (6, "priority"),
                (7, "vlan_filtering"),
            ] {
                if let Some(value) = number(at) {
                    let _ = write!(out, "{name} {value} ");
                }
            }
        }
        "bond" => {
            let mode = usize::try_from(number(1).unwrap_or(0)).unwrap_or(0);
            let _ = write!(out, "mode {} ", BOND_MODES.get(mode).unwrap_or(&"?"));
            for (at, name) in [(3, "miimon"), (4, "updelay"), (5, "downdelay")] {
                if let Some(value) = number(at) {
                    let _ = write!(out, "{name} {value} ");
                }
            }
        }
        "vxlan" => {
            let _ = write!(out, "id {} ", number(1).unwrap_or(0));
            if let Some(remote) = data.get(2).or_else(|| data.get(16)) {
                let _ = write!(out, "remote {} ", hardware(remote));
            }
        }
        "macvlan" | "macvtap" => {
            let mode = match number(1).unwrap_or(0) {
                1 => "private",
                2 => "vepa",
                4 => "bridge",
                8 => "passthru",
                _ => "source",
            };
            let _ = write!(out, "mode {mode} ");
        }
        "vrf" => {
            let _ = write!(out, "table {} ", number(1).unwrap_or(0));
        }
        _ => {}
    }
}

fn of_port(out: &mut String, kind: &str, data: Attributes<'_>) {
    if kind == "bridge" {
        let states = [
            "disabled",
            "listening",
            "learning",
            "forwarding",
            "blocking",
        ];
        let state = usize::from(data.u8(1).unwrap_or(0));
        let _ = write!(out, "state {} ", states.get(state).unwrap_or(&"?"));
        for (at, name) in [(2, "priority"), (3, "cost")] {
            if let Some(value) = data.get(at).map(number) {
                let _ = write!(out, "{name} {value} ");
            }
        }
    } else if kind == "bond" {
        let state = if data.u8(1) == Some(0) {
            "ACTIVE"
        } else {
            "BACKUP"
        };
        let _ = write!(out, "state {state} ");
    }
}

/// A number of whatever width.
fn number(value: &[u8]) -> u64 {
    match value.len() {
        1 => u64::from(value[0]),
        2 => u16_of(value).map_or(0, u64::from),
        4 => u32_of(value).map_or(0, u64::from),
        _ => u64_of(value).unwrap_or(0),
    }
}

fn counters(out: &mut String, all: Attributes<'_>) {
    let Some(stats) = all.get(23) else { return };
    let at = |index: usize| stats.get(index * 8..).and_then(u64_of).unwrap_or(0);
    let lines = [
        (
            "RX",
            ["missed", "mcast"],
            [at(2), at(0), at(4), at(6), at(19), at(8)],
        ),
        (
            "TX",
            ["carrier", "collsns"],
            [at(3), at(1), at(5), at(7), at(17), at(9)],
        ),
    ];
    for (way, last, values) in lines {
        let names = ["bytes", "packets", "errors", "dropped", last[0], last[1]];
        // Each column is as wide as its name or its value, whichever is wider; the first has room for RX:.
        let width = |i: usize| {
            let least = if i == 0 { 6 } else { names[i].len() };
            values[i].to_string().len().max(names[i].len()).max(least)
        };
        let _ = write!(out, "    {way}:");
        for (i, name) in names.iter().enumerate() {
            let _ = write!(out, " {name:>width$}", width = width(i));
        }
        out.push_str("           \n       ");
        for (i, value) in values.iter().enumerate() {
            let _ = write!(out, " {value:>width$}", width = width(i));
        }
        out.push_str(" \n");
    }
}
