//! Links, addresses, routes, rules, neighbours and queues, read from the kernel's routing socket and written
//! as `ip` and `tc` of iproute2 write them; the same inside each named network namespace.

mod address;
mod link;
mod neighbour;
mod queue;
mod route;
mod rule;

use crate::collect::netlink::{self, u32_of};
use crate::collect::planner::Edit;
use crate::collect::{Host, Miss, Planner, sys};
use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
const FOLDER: &str = "networking";
/// Network namespaces that are looked into.
const MAX_NAMESPACES: usize = 50;
/// Address families of the kernel.
const INET: u8 = 2;
const INET6: u8 = 10;

/// Writes one table as text.
type Render = fn(&Names) -> Result<String, Miss>;

/// What is shown of the host and of each namespace.
const EVERYWHERE: &[(&str, Render)] = &[
    ("ip -d address", address::detailed),
    ("ip -s -d link", link::with_counters),
    ("ip route show table all", route::all),
];

pub(super) fn plan(p: &mut Planner<'_>) {
    shown(p, "ip -d address", address::detailed)
        .row(83)
        .must()
        .limit(512 * K)
        .link("ip_addr");
    shown(p, "ip -s -d link", link::with_counters)
        .row(83)
        .must()
        .limit(512 * K);
    shown(p, "ip -o addr", address::one_line)
        .row(83)
        .limit(512 * K);
    shown(p, "ip route show table all", route::all)
        .row(84)
        .must()
        .limit(M)
        .link("ip_route");
    shown(p, "ip -4 rule list", rule::inet).row(84);
    shown(p, "ip -6 rule list", rule::inet6).row(84);
    shown(p, "ip -s -s neigh show", neighbour::all)
        .row(84)
        .limit(M);
    shown(p, "tc -s qdisc show", queue::all)
        .row(94)
        .limit(512 * K);
    namespaces(p);
}

fn shown<'p>(p: &'p mut Planner<'_>, line: &str, render: Render) -> Edit<'p> {
    p.live(FOLDER, line, move |n| {
        let text = render(&Names::read(n.host)?)?;
        n.out.write_all(text.as_bytes())?;
        Ok(())
    })
}

/// Named namespaces: their list, and the tables of each.
fn namespaces(p: &mut Planner<'_>) {
    let sound = |name: &String| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let mut names = p.host.names("/run/netns");
    names.retain(sound);
    if names.is_empty() {
        let miss = Miss::absent("no named network namespace");
        p.nothing(FOLDER, "ip netns", miss).row(95);
        return;
    }
    let list = names.join("\n");
    p.native(FOLDER, "ip netns", move |n| {
        writeln!(n.out, "{list}")?;
        Ok(())
    })
    .row(95);
    for name in names.into_iter().take(MAX_NAMESPACES) {
        for (line, render) in EVERYWHERE {
            let (inside, render) = (name.clone(), *render);
            p.live(&format!("networking/namespaces/{name}"), line, move |n| {
                let host = n.host.clone();
                let place = format!("/run/netns/{inside}");
                let text = sys::in_network_namespace(&place, move || render(&Names::read(&host)?))?;
                n.out.write_all(text?.as_bytes())?;
                Ok(())
            })
            .row(95)
            .limit(512 * K)
            .root();
        }
    }
}

/// What the numbers in the tables stand for.
struct Names {
    links: HashMap<u32, Link>,
    tables: HashMap<u32, String>,
}

struct Link {
    name: String,
    up: bool,
}

impl Names {
    fn read(host: &Host) -> Result<Self, Miss> {
        let mut links = HashMap::new();
        for message in netlink::dump(link::GET, &[0; link::FIXED])? {
            let body = message.body();
            let index = body.get(4..).and_then(u32_of).unwrap_or(0);
            let flags = body.get(8..).and_then(u32_of).unwrap_or(0);
            let name = message.attributes(link::FIXED).text(3).unwrap_or_default();
            let up = flags & 1 != 0;
            links.insert(index, Link { name, up });
        }
        let mut tables: HashMap<u32, String> = [(253, "default"), (254, "main"), (255, "local")]
            .map(|(id, name)| (id, name.to_owned()))
            .into();
        // The administrator's own names.
        for line in host
            .text("/etc/iproute2/rt_tables")
            .unwrap_or_default()
            .lines()
        {
            let mut words = line.split_whitespace();
            if let (Some(Ok(id)), Some(name)) = (words.next().map(str::parse), words.next()) {
                tables.entry(id).or_insert_with(|| name.to_owned());
            }
        }
        Ok(Self { links, tables })
    }

    fn link(&self, index: u32) -> String {
        self.links
            .get(&index)
            .map_or_else(|| format!("if{index}"), |l| l.name.clone())
    }

    fn table(&self, id: u32) -> String {
        self.tables
            .get(&id)
            .cloned()
            .unwrap_or_else(|| id.to_string())
    }
}

/// An address of either family.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

fn shown_ip(bytes: &[u8]) -> String {
    ip(bytes).map_or_else(|| "?".to_owned(), |address| address.to_string())
}

/// A network as `ip` shows it: without its length where that is the whole address.
fn shown_prefix(family: u8, bytes: &[u8], length: u8) -> String {
    let whole = if family == INET { 32 } else { 128 };
    if length == whole {
        return shown_ip(bytes);
    }
    format!("{}/{length}", shown_ip(bytes))
}

/// An address of a link: hexadecimal bytes, or an address when it is a tunnel's.
fn hardware(bytes: &[u8]) -> String {
    if bytes.len() == 4 || bytes.len() == 16 {
        return shown_ip(bytes);
    }
    let bytes: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    bytes.join(":")
}

fn scope(value: u8) -> String {
    match value {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
