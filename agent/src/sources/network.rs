//! The network: interfaces, addresses, routes, sockets, firewall, resolver.

use super::{declare, iproute, probes, sockets};
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;

declare!(
    Network,
    "network",
    "Network",
    "Is the host reachable, who talks to whom, and what is dropped?",
    ["base", "network"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Interfaces of which details are asked.
const MAX_NICS: usize = 16;
const FOLDER: &str = "networking";

fn plan(p: &mut Planner<'_>) {
    iproute::plan(p);
    p.native(FOLDER, "netstat -W -neopa", sockets::netstat)
        .row(85)
        .must()
        .limit(2 * M)
        .seconds(20)
        .link("netstat");
    let modules = p.host.text("/proc/modules").unwrap_or_default();
    let loaded = |name: &str| modules.lines().any(|l| l.split(' ').next() == Some(name));
    let diag = (!loaded("tcp_diag") || !loaded("udp_diag") || !loaded("unix_diag"))
        .then_some("would load kernel modules (*_diag); see netstat");
    p.command_if(FOLDER, "ss -peaonmi", diag)
        .row(85)
        .limit(10 * M);
    plan_counters(p);
    plan_devices(p);
    plan_firewall(p, &loaded);
    plan_configuration(p);
    probes::plan(p);
}

fn plan_counters(p: &mut Planner<'_>) {
    let names = [
        "dev",
        "snmp",
        "snmp6",
        "netstat",
        "sockstat",
        "sockstat6",
        "softnet_stat",
        "protocols",
    ];
    for name in names {
        p.file(&format!("/proc/net/{name}"), M).row(86).must();
    }
    for name in [
        "dev_mcast",
        "igmp",
        "arp",
        "route",
        "ipv6_route",
        "if_inet6",
        "xfrm_stat",
        "fib_triestat",
        "wireless",
    ] {
        p.file(&format!("/proc/net/{name}"), M).row(86);
    }
    p.native(FOLDER, "netstat -s", sockets::statistics)
        .row(86)
        .must();
    p.native(FOLDER, "netstat -agn", sockets::groups).row(86);
    p.native(FOLDER, "route -n", sockets::route_table).row(84);
    let conntrack = [
        "/proc/sys/net/netfilter/nf_conntrack_count",
        "/proc/sys/net/netfilter/nf_conntrack_max",
    ];
    p.files(&conntrack, 4 * K).row(93).must();
    p.file("/proc/net/stat/nf_conntrack", 64 * K).row(93);
    p.file("/proc/net/netfilter/nfnetlink_queue", 64 * K)
        .row(93);
}

fn plan_devices(p: &mut Planner<'_>) {
    let nics: Vec<String> = p
        .host
        .names("/sys/class/net")
        .into_iter()
        .filter(|n| n != "bonding_masters")
        .collect();
    for nic in nics.iter().take(64) {
        for name in [
            "speed",
            "duplex",
            "mtu",
            "operstate",
            "carrier_changes",
            "statistics/*",
        ] {
            p.file(&format!("/sys/class/net/{nic}/{name}"), 4 * K)
                .row(87);
        }
    }
    let asked = |n: &&String| !n.starts_with("veth") && !n.starts_with("cali");
    for nic in nics.iter().filter(asked).take(MAX_NICS) {
        p.command(FOLDER, &format!("ethtool {nic}")).row(87);
        for option in ["-i", "-g", "-k", "-c", "-a", "-l", "-S", "-T"] {
            p.command(FOLDER, &format!("ethtool {option} {nic}"))
                .row(87)
                .limit(256 * K);
        }
    }
    if nics.is_empty() {
        p.nothing(
            FOLDER,
            "ethtool",
            Miss::absent("no interface in /sys/class/net"),
        )
        .row(87);
    }
    p.files(&["/proc/net/bonding/*", "/proc/net/vlan/*"], 512 * K)
        .row(88);
    let bridge = nics
        .iter()
        .any(|n| p.host.exists(&format!("/sys/class/net/{n}/bridge")));
    let none = (!bridge).then_some("no bridge on this host");
    for line in [
        "bridge -d vlan show",
        "bridge -d fdb show",
        "bridge -d link show",
    ] {
        p.command_if(FOLDER, line, none).row(88).limit(512 * K);
    }
    p.native(FOLDER, "gateway state", gateway).row(98);
    let wireguard = (!p.host.exists("/sys/module/wireguard")).then_some("WireGuard is not loaded");
    p.command_if(FOLDER, "wg show all endpoints", wireguard)
        .row(99)
        .root();
    p.command_if(FOLDER, "wg show all latest-handshakes", wireguard)
        .row(99)
        .root();
}

fn plan_firewall(p: &mut Planner<'_>, loaded: &dyn Fn(&str) -> bool) {
    // Listing rules loads the modules that it needs; so only where they are already.
    let nft = (!loaded("nf_tables") && !p.host.exists("/proc/net/netfilter/nf_tables"))
        .then_some("nf_tables is not loaded, and listing would load it");
    p.command_if("firewall_tables", "nft list ruleset", nft)
        .row(92)
        .limit(2 * M)
        .root();
    for (line, names) in [
        ("iptables-save -c", "/proc/net/ip_tables_names"),
        ("ip6tables-save -c", "/proc/net/ip6_tables_names"),
    ] {
        let none = (!p.host.exists(names))
            .then_some("its tables are not loaded, and listing would load them");
        p.command_if("firewall_tables", line, none)
            .row(92)
            .limit(2 * M)
            .root();
    }
    let ipset = (!loaded("ip_set")).then_some("ip_set is not loaded");
    p.command_if("firewall_tables", "ipset list -t", ipset)
        .row(92)
        .root();
    let firewalld = (!p.host.exists("/run/firewalld")).then_some("firewalld does not run");
    p.command_if("firewalld", "firewall-cmd --list-all-zones", firewalld)
        .row(92)
        .root();
    p.files(
        &[
            "/etc/firewalld/**",
            "/etc/ufw/*",
            "/etc/nftables.conf",
            "/etc/sysconfig/nftables.conf",
        ],
        256 * K,
    )
    .row(92);
    p.files(
        &[
            "/etc/sysconfig/iptables",
            "/etc/sysconfig/ip6tables",
            "/etc/iptables/*",
        ],
        256 * K,
    )
    .row(92);
}

fn plan_configuration(p: &mut Planner<'_>) {
    p.files(
        &["/etc/resolv.conf", "/run/systemd/resolve/*.conf"],
        256 * K,
    )
    .row(89)
    .must();
    let resolved =
        (!p.host.exists("/run/systemd/resolve")).then_some("systemd-resolved does not run");
    p.command_if("systemd", "resolvectl status", resolved)
        .row(89);
    let files = [
        "/etc/netplan/*",
        "/etc/network/interfaces",
        "/etc/network/interfaces.d/*",
        "/etc/sysconfig/network",
        "/etc/sysconfig/network-scripts/ifcfg-*",
        "/etc/sysconfig/network-scripts/route*",
        "/etc/NetworkManager/*.conf",
        "/etc/NetworkManager/conf.d/*",
        "/etc/NetworkManager/system-connections/*",
        "/etc/systemd/network/*",
        "/etc/systemd/resolved.conf",
        "/etc/dhcp/dhclient.conf",
        "/etc/networks",
        "/etc/gai.conf",
    ];
    p.files(&files, 512 * K).row(90);
    let manager = (!p.host.exists("/run/NetworkManager")).then_some("NetworkManager does not run");
    for line in [
        "nmcli general status",
        "nmcli device show",
        "nmcli connection show --active",
    ] {
        p.command_if("networkmanager", line, manager)
            .row(91)
            .limit(512 * K);
    }
    let networkd =
        (!p.host.exists("/run/systemd/netif/state")).then_some("systemd-networkd does not run");
    p.command_if("systemd", "networkctl status -a", networkd)
        .row(91)
        .limit(512 * K);
    p.native(FOLDER, "proxy settings", proxy).row(96);
    p.files(
        &[
            "/etc/apt/apt.conf.d/*proxy*",
            "/etc/systemd/system/*/http-proxy.conf",
        ],
        64 * K,
    )
    .row(96);
}

/// State of the default gateways in the neighbour table, and addresses that failed their duplicate check.
fn gateway(n: &mut Native<'_>) -> Result<(), Miss> {
    let routes = n.host.text("/proc/net/route")?;
    let neighbours = n.host.text("/proc/net/arp").unwrap_or_default();
    for line in routes.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [nic, "00000000", gateway, ..] = words[..] else {
            continue;
        };
        let Ok(bits) = u32::from_str_radix(gateway, 16) else {
            continue;
        };
        let address = std::net::Ipv4Addr::from(bits.swap_bytes()).to_string();
        let known = neighbours
            .lines()
            .find(|l| l.split_whitespace().next() == Some(&address));
        let state = match known.and_then(|l| l.split_whitespace().nth(2)) {
            Some("0x0") => "does not answer ARP",
            Some(_) => "answers ARP",
            None => "is not in the ARP table",
        };
        let mtu = n
            .host
            .value(&format!("/sys/class/net/{nic}/mtu"))
            .unwrap_or_default();
        writeln!(
            n.out,
            "default gateway {address} on {nic} (MTU {mtu}) {state}"
        )?;
    }
    for line in n
        .host
        .text("/proc/net/if_inet6")
        .unwrap_or_default()
        .lines()
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, _, _, _, flags, nic] = words[..] else {
            continue;
        };
        let flags = u8::from_str_radix(flags, 16).unwrap_or(0);
        // IFA_F_DADFAILED and IFA_F_TENTATIVE.
        if flags & 0x48 != 0 {
            let state = if flags & 0x08 != 0 {
                "is a duplicate"
            } else {
                "is tentative"
            };
            writeln!(n.out, "address {address} on {nic} {state}")?;
        }
    }
    if n.out.is_empty() {
        writeln!(n.out, "no default gateway")?;
    }
    Ok(())
}

/// Lines that set a proxy, wherever they usually are; the redactor takes user and password out.
fn proxy(n: &mut Native<'_>) -> Result<(), Miss> {
    let files = [
        "/etc/environment",
        "/etc/profile",
        "/etc/wgetrc",
        "/etc/yum.conf",
        "/etc/dnf/dnf.conf",
        "/etc/apt/apt.conf",
        "/etc/systemd/system.conf",
        "/etc/default/docker",
        "/etc/sysconfig/docker",
    ];
    for file in files {
        let Ok(text) = n.host.text(file) else {
            continue;
        };
        for line in text
            .lines()
            .filter(|l| !l.trim_start().starts_with('#') && l.to_lowercase().contains("proxy"))
        {
            writeln!(n.out, "{file}: {}", line.trim())?;
        }
    }
    if n.out.is_empty() {
        writeln!(n.out, "none")?;
    }
    Ok(())
}
