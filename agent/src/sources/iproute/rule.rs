//! `ip -4 rule list` and `ip -6 rule list`.

use super::{INET, INET6, Names, shown_prefix};
use crate::collect::Miss;
use crate::collect::netlink::{self, Message, u16_of, u32_of};
use std::fmt::Write as _;

/// `RTM_GETRULE`.
const GET: u16 = 34;
/// `fib_rule_hdr`.
const FIXED: usize = 12;
const INVERT: u32 = 2;
const IIF_DETACHED: u32 = 8;
const OIF_DETACHED: u32 = 16;

pub(super) fn inet(names: &Names) -> Result<String, Miss> {
    list(names, INET)
}

pub(super) fn inet6(names: &Names) -> Result<String, Miss> {
    list(names, INET6)
}

fn list(names: &Names, family: u8) -> Result<String, Miss> {
    let mut request = [0; FIXED];
    request[0] = family;
    let mut out = String::new();
    for message in netlink::dump(GET, &request)? {
        if message.body().first() == Some(&family) {
            line(&mut out, names, &message);
        }
    }
    Ok(out)
}

fn line(out: &mut String, names: &Names, message: &Message) {
    let [family, to_length, from_length, tos, table, _, _, action] = message.body()[..8] else {
        return;
    };
    let flags = message.body().get(8..).and_then(u32_of).unwrap_or(0);
    let all = message.attributes(FIXED);
    let _ = write!(out, "{}:\t", all.u32(6).unwrap_or(0));
    if flags & INVERT != 0 {
        out.push_str("not ");
    }
    match all.get(2) {
        Some(from) => {
            let _ = write!(out, "from {} ", shown_prefix(family, from, from_length));
        }
        None => out.push_str("from all "),
    }
    if let Some(to) = all.get(1) {
        let _ = write!(out, "to {} ", shown_prefix(family, to, to_length));
    }
    if tos != 0 {
        let _ = write!(out, "tos {tos:#x} ");
    }
    if let Some(mark) = all.u32(10) {
        let mask = all.u32(16).unwrap_or(u32::MAX);
        let _ = match mask {
            u32::MAX => write!(out, "fwmark {mark:#x} "),
            mask => write!(out, "fwmark {mark:#x}/{mask:#x} "),
        };
    }
    for (kind, word, detached) in [(3, "iif", IIF_DETACHED), (17, "oif", OIF_DETACHED)] {
        if let Some(name) = all.text(kind) {
            let _ = write!(out, "{word} {name} ");
            if flags & detached != 0 {
                out.push_str("[detached] ");
            }
        }
    }
    if all.u8(19) == Some(1) {
        out.push_str("lookup [l3mdev-table] ");
    }
    selectors(out, message);
    let table = all.u32(15).unwrap_or(u32::from(table));
    if table != 0 {
        let _ = write!(out, "lookup {} ", names.table(table));
        if let Some(length) = all.u32(14).filter(|l| *l != u32::MAX) {
            let _ = write!(out, "suppress_prefixlength {length} ");
        }
    }
    act(out, action, all.u32(4));
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

fn act(out: &mut String, action: u8, target: Option<u32>) {
    match action {
        1 => {}
        2 => {
            let _ = write!(out, "goto {} ", target.unwrap_or(0));
        }
        3 => out.push_str("nop "),
        6 => out.push_str("blackhole "),
        7 => out.push_str("unreachable "),
        8 => out.push_str("prohibit "),
        other => {
            let _ = write!(out, "action {other} ");
        }
    }
}

/// Users, protocol and ports.
fn selectors(out: &mut String, message: &Message) {
    let all = message.attributes(FIXED);
    let pair = |kind: u16| {
        let value = all.get(kind)?;
        Some((u16_of(value)?, u16_of(value.get(2..)?)?))
    };
    if let Some(range) = all.get(20)
        && let (Some(from), Some(to)) = (u32_of(range), range.get(4..).and_then(u32_of))
    {
        let _ = write!(out, "uidrange {from}-{to} ");
    }
    if let Some(protocol) = all.u8(22) {
        let name = match protocol {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "ipv6-icmp".to_owned(),
            132 => "sctp".to_owned(),
            other => other.to_string(),
        };
        let _ = write!(out, "ipproto {name} ");
    }
    for (kind, word) in [(23, "sport"), (24, "dport")] {
        match pair(kind) {
            Some((from, to)) if from == to => {
                let _ = write!(out, "{word} {from} ");
            }
            Some((from, to)) => {
                let _ = write!(out, "{word} {from}-{to} ");
            }
            None => {}
        }
    }
}
