//! `tc -s qdisc show`.

use super::Names;
use crate::collect::Miss;
use crate::collect::netlink::{self, Message, u32_of, u64_of};
use std::fmt::Write as _;

/// `RTM_GETQDISC`.
const GET: u16 = 38;
/// `tcmsg`.
const FIXED: usize = 20;
const ROOT: u32 = u32::MAX;
const INGRESS: u32 = 0xffff_fff1;

pub(super) fn all(names: &Names) -> Result<String, Miss> {
    let mut out = String::new();
    for message in netlink::dump(GET, &[0; FIXED])? {
        one(&mut out, names, &message);
    }
    Ok(out)
}

fn handle(value: u32) -> String {
    match (value >> 16, value & 0xffff) {
        (major, 0) => format!("{major:x}:"),
        (major, minor) => format!("{major:x}:{minor:x}"),
    }
}

fn one(out: &mut String, names: &Names, message: &Message) {
    let number = |at: usize| message.body().get(at..).and_then(u32_of).unwrap_or(0);
    let (index, own, parent, references) = (number(4), number(8), number(12), number(16));
    let all = message.attributes(FIXED);
    let kind = all.text(1).unwrap_or_default();
    let _ = write!(
        out,
        "qdisc {kind} {:x}: dev {} ",
        own >> 16,
        names.link(index)
    );
    match parent {
        ROOT => out.push_str("root "),
        INGRESS => {
            let _ = write!(out, "parent {} ", handle(parent));
        }
        0 => {}
        other => {
            let _ = write!(out, "parent {} ", handle(other));
        }
    }
    if references != 1 {
        let _ = write!(out, "refcnt {references} ");
    }
    if let (Some(options), true) = (all.get(2), kind == "pfifo_fast" || kind == "prio") {
        let bands = u32_of(options).unwrap_or(0);
        let _ = write!(out, "bands {bands} priomap");
        for band in options.iter().skip(4).take(16) {
            let _ = write!(out, " {band}");
        }
    }
    out.push('\n');
    counters(out, message);
}

fn size(bytes: u32) -> String {
    match bytes {
        b if b >= 1 << 20 && b.is_multiple_of(1 << 20) => format!("{}Mb", b >> 20),
        b if b >= 1 << 10 && b.is_multiple_of(1 << 10) => format!("{}Kb", b >> 10),
        b => format!("{b}b"),
    }
}

fn counters(out: &mut String, message: &Message) {
    let stats = message.attributes(FIXED).nested(7);
    let (Some(basic), Some(queue)) = (stats.get(1), stats.get(3)) else {
        return;
    };
    let bytes = u64_of(basic).unwrap_or(0);
    let packets = basic.get(8..).and_then(u32_of).unwrap_or(0);
    let at = |word: usize| queue.get(word * 4..).and_then(u32_of).unwrap_or(0);
    let (length, backlog, drops, requeues, over) = (at(0), at(1), at(2), at(3), at(4));
    let _ = writeln!(
        out,
        " Sent {bytes} bytes {packets} pkt (dropped {drops}, overlimits {over} requeues {requeues}) "
    );
    let _ = writeln!(
        out,
        " backlog {} {length}p requeues {requeues}",
        size(backlog)
    );
}
