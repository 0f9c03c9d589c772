//! Facts about the network.

use super::read::Text;
use super::{Facts, Interface, Listener, Network, Resolver, Sockets};

/// Listeners that are named.
const MAX_LISTENERS: usize = 500;
/// Bytes of a page, in which the kernel counts socket memory.
const PAGE: u64 = 4096;

fn network(facts: &mut Facts) -> &mut Network {
    facts.network.get_or_insert_with(Network::default)
}

fn interface<'a>(network: &'a mut Network, name: &str) -> &'a mut Interface {
    let at = network
        .interfaces
        .iter()
        .position(|i| i.name == name)
        .unwrap_or_else(|| {
            network.interfaces.push(Interface {
                name: name.to_owned(),
                ..Interface::default()
            });
            network.interfaces.len() - 1
        });
    &mut network.interfaces[at]
}

fn after<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words
        .iter()
        .position(|w| *w == key)
        .and_then(|at| words.get(at + 1))
        .copied()
}

/// `ip address`: a numbered line per interface, indented lines below it.
pub(super) fn addresses(t: &Text<'_>, facts: &mut Facts) {
    let network = network(facts);
    t.path.clone_into(&mut network.item);
    let mut current = String::new();
    for line in t.text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            let Some(name) = words.get(1) else { continue };
            name.trim_end_matches(':')
                .split('@')
                .next()
                .unwrap_or("")
                .clone_into(&mut current);
            let found = interface(network, &current);
            found.mtu = after(&words, "mtu").and_then(|v| v.parse().ok());
            after(&words, "state")
                .unwrap_or("")
                .clone_into(&mut found.state);
        } else if let ["inet" | "inet6", address, ..] = words[..]
            && !current.is_empty()
        {
            interface(network, &current)
                .addresses
                .push(address.to_owned());
        }
    }
}

/// /proc/net/dev.
pub(super) fn counters(t: &Text<'_>, facts: &mut Facts) {
    let network = network(facts);
    for line in t.text.lines() {
        let Some((name, rest)) = line.split_once(':') else {
            continue;
        };
        let numbers: Vec<u64> = rest
            .split_whitespace()
            .filter_map(|v| v.parse().ok())
            .collect();
        if numbers.len() < 16 {
            continue;
        }
        let found = interface(network, name.trim());
        (found.rx_bytes, found.tx_bytes) = (numbers[0], numbers[8]);
        (found.rx_errors, found.rx_dropped) = (numbers[2], numbers[3]);
        (found.tx_errors, found.tx_dropped) = (numbers[10], numbers[11]);
    }
}

pub(super) fn routes(t: &Text<'_>, facts: &mut Facts) {
    let network = network(facts);
    let defaults = || t.text.lines().filter(|l| l.starts_with("default "));
    network.routes_default = Some(defaults().next().is_some());
    network.gateways = defaults()
        .filter_map(|l| after(&l.split_whitespace().collect::<Vec<_>>(), "via"))
        .map(str::to_owned)
        .collect();
    network.gateways.dedup();
}

/// `netstat -W -neopa`: TCP by state, and who listens.
pub(super) fn sockets(t: &Text<'_>, facts: &mut Facts) {
    let mut listening = Vec::new();
    let network = network(facts);
    network.tcp.clear();
    for line in t.text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [proto, _, _, local, remote, state, ..] = words[..] else {
            continue;
        };
        // A datagram socket has no state, so that its owner stands one column earlier.
        let (waits, owner) = match &proto[..proto.len().min(3)] {
            "tcp" => {
                *network.tcp.entry(state.to_lowercase()).or_default() += 1;
                (state == "LISTEN", words.get(8))
            }
            "udp" => (remote.ends_with(":*"), words.get(7)),
            _ => continue,
        };
        let Some((address, port)) = local.rsplit_once(':').filter(|_| waits) else {
            continue;
        };
        if listening.len() < MAX_LISTENERS {
            let program = owner.and_then(|o| o.split_once('/')).map_or("", |(_, p)| p);
            listening.push(Listener {
                proto: proto.to_owned(),
                address: address.to_owned(),
                port: port.parse().unwrap_or(0),
                program: program.to_owned(),
            });
        }
    }
    let sockets = facts.sockets.get_or_insert_with(Sockets::default);
    sockets.listening = listening;
    t.path.clone_into(&mut sockets.item);
}

/// /proc/net/sockstat: `TCP: inuse 5 orphan 0 tw 2 alloc 8 mem 1`.
pub(super) fn sockstat(t: &Text<'_>, facts: &mut Facts) {
    let value = |line: &str, key: &str| {
        let line = t.text.lines().find_map(|l| l.strip_prefix(line))?;
        after(&line.split_whitespace().collect::<Vec<_>>(), key)?
            .parse::<u64>()
            .ok()
    };
    let sockets = facts.sockets.get_or_insert_with(Sockets::default);
    sockets.used = value("sockets:", "used");
    sockets.tcp_orphans = value("TCP:", "orphan");
    sockets.tcp_time_wait = value("TCP:", "tw");
    sockets.tcp_memory_bytes = value("TCP:", "mem").map(|pages| pages * PAGE);
    if sockets.item.is_empty() {
        t.path.clone_into(&mut sockets.item);
    }
}

pub(super) fn resolver(t: &Text<'_>, facts: &mut Facts) {
    let mut resolver = Resolver {
        item: t.path.to_owned(),
        ..Resolver::default()
    };
    for line in t.text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => resolver.nameservers.extend(words.next().map(str::to_owned)),
            Some("search" | "domain") => resolver.search = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    facts.resolver = Some(resolver);
}
