//! Facts about the network.

use super::read::Text;
use super::{Facts, Interface, Network, Resolver};

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
        (found.rx_errors, found.rx_dropped, found.tx_errors) =
            (numbers[2], numbers[3], numbers[10]);
    }
}

pub(super) fn routes(t: &Text<'_>, facts: &mut Facts) {
    network(facts).routes_default = Some(t.text.lines().any(|l| l.starts_with("default ")));
}

pub(super) fn sockets(t: &Text<'_>, facts: &mut Facts) {
    let network = network(facts);
    network.tcp.clear();
    for line in t.text.lines().filter(|l| l.starts_with("tcp")) {
        if let Some(state) = line.split_whitespace().nth(5) {
            *network.tcp.entry(state.to_lowercase()).or_default() += 1;
        }
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
