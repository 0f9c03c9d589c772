//! Sockets and protocol counters from /proc/net, in the shape of `netstat`.

use super::openfiles;
use crate::collect::{Miss, source::Native};
use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const STATES: &[&str] = &[
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "SYN_RECV",
];
/// Most sockets per table that are shown.
const MAX_ROWS: usize = 20_000;

/// `0100007F:0016` or 32 digits; each 32-bit group is in the host's byte order.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        u32::from_str_radix(host.get(at..at + 8)?, 16)
            .ok()
            .map(u32::to_ne_bytes)
    };
    let ip = if host.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?))
    } else {
        let mut bytes = [0; 16];
        for group in 0..4 {
            bytes[group * 4..group * 4 + 4].copy_from_slice(&word(group * 8)?);
        }
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    Some((ip, port))
}

fn shown(address: (IpAddr, u16)) -> String {
    match address.1 {
        0 => format!("{}:*", address.0),
        port => format!("{}:{port}", address.0),
    }
}

/// Bytes in the queues, `hex:hex`.
fn queues(text: &str) -> (u64, u64) {
    let mut parts = text
        .split(':')
        .map(|h| u64::from_str_radix(h, 16).unwrap_or(0));
    let send = parts.next().unwrap_or(0);
    (parts.next().unwrap_or(0), send)
}

fn timer(text: &str, retransmits: &str, timeouts: &str) -> String {
    let (kind, when) = text.split_once(':').unwrap_or(("00", "0"));
    let name = match kind {
        "00" => "off",
        "01" => "on",
        "02" => "keepalive",
        "03" => "timewait",
        _ => "probe",
    };
    let ticks = u64::from_str_radix(when, 16).unwrap_or(0);
    let retransmits = u64::from_str_radix(retransmits, 16).unwrap_or(0);
    let probes: u64 = timeouts.parse().unwrap_or(0);
    format!(
        "{name} ({}.{:02}/{retransmits}/{probes})",
        ticks / 100,
        ticks % 100
    )
}

/// `netstat -W -neopa`.
///
/// # Errors
/// Absent without /proc/net; the output's limits.
pub(super) fn netstat(n: &mut Native<'_>) -> Result<(), Miss> {
    if !n.host.exists("/proc/net/tcp") {
        return Err(Miss::absent("no /proc/net/tcp"));
    }
    let owners = openfiles::socket_owners(n);
    writeln!(
        n.out,
        "Active Internet connections (servers and established)"
    )?;
    writeln!(
        n.out,
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      \
         PID/Program name     Timer"
    )?;
    for proto in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
        let Ok(text) = n.host.read(&format!("/proc/net/{proto}"), 8 << 20) else {
            continue;
        };
        let text = String::from_utf8_lossy(&text);
        let listening = |l: &&str| l.split_whitespace().nth(3) == Some("0A");
        // Listeners first: they matter most when the table is cut.
        let rows = text.lines().skip(1);
        let ordered = rows
            .clone()
            .filter(listening)
            .chain(rows.filter(|l| !listening(l)));
        for line in ordered.take(MAX_ROWS) {
            internet_row(n, proto, line, &owners)?;
        }
    }
    unix(n, &owners)
}

fn internet_row(
    n: &mut Native<'_>,
    proto: &str,
    line: &str,
    owners: &HashMap<u64, (u32, String)>,
) -> Result<(), Miss> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [
        _,
        local,
        remote,
        state,
        queue,
        when,
        retransmits,
        uid,
        timeouts,
        inode,
        ..,
    ] = words[..]
    else {
        return Ok(());
    };
    let (Some(local), Some(remote)) = (address(local), address(remote)) else {
        return Ok(());
    };
    let (receive, send) = queues(queue);
    let state = usize::from_str_radix(state, 16).unwrap_or(0);
    let state = match proto.as_bytes()[0] {
        b't' => STATES.get(state).copied().unwrap_or("UNKNOWN"),
        _ if state == 1 => "ESTABLISHED",
        b'r' => "7",
        _ => "",
    };
    let owner = inode.parse().ok().and_then(|i| owners.get(&i));
    let owner = owner.map_or_else(|| "-".to_owned(), |(pid, name)| format!("{pid}/{name}"));
    let (local, remote) = (shown(local), shown(remote));
    let timer = timer(when, retransmits, timeouts);
    writeln!(
        n.out,
        "{proto:<5} {receive:>6} {send:>6} {local:<23} {remote:<23} {state:<11} {uid:<10} {inode:<10} {owner:<20} {timer}"
    )?;
    Ok(())
}

fn unix(n: &mut Native<'_>, owners: &HashMap<u64, (u32, String)>) -> Result<(), Miss> {
    writeln!(
        n.out,
        "Active UNIX domain sockets (servers and established)"
    )?;
    writeln!(
        n.out,
        "Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path"
    )?;
    let text = n.host.read("/proc/net/unix", 8 << 20).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    for line in text.lines().skip(1).take(MAX_ROWS) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, references, _, flags, kind, state, inode, rest @ ..] = &words[..] else {
            continue;
        };
        let references = u64::from_str_radix(references, 16).unwrap_or(0);
        let accepting = *flags == "00010000";
        let kind = match *kind {
            "0001" => "STREAM",
            "0002" => "DGRAM",
            "0005" => "SEQPACKET",
            _ => "UNKNOWN",
        };
        let state = match (*state, accepting) {
            (_, true) => "LISTENING",
            ("03", _) => "CONNECTED",
            ("02", _) => "CONNECTING",
            _ => "",
        };
        let flags = if accepting { "[ ACC ]" } else { "[ ]" };
        let owner = inode.parse().ok().and_then(|i| owners.get(&i));
        let owner = owner.map_or_else(|| "-".to_owned(), |(pid, name)| format!("{pid}/{name}"));
        let path = rest.join(" ");
        writeln!(
            n.out,
            "unix  {references:<6} {flags:<11} {kind:<10} {state:<13} {inode:<8} {owner:<20} {path}"
        )?;
    }
    Ok(())
}

/// The counters of snmp, netstat and snmp6 by protocol, in the shape of `netstat -s`: a heading per
/// protocol, an indented line per counter. The counters keep the kernel's names.
///
/// # Errors
/// Absent without /proc/net/snmp.
pub(super) fn statistics(n: &mut Native<'_>) -> Result<(), Miss> {
    let snmp = n.host.text("/proc/net/snmp")?;
    let extended = n.host.text("/proc/net/netstat").unwrap_or_default();
    for text in [snmp, extended] {
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.chunks(2) {
            let [names, values] = pair else { continue };
            let (Some((proto, names)), Some((_, values))) =
                (names.split_once(':'), values.split_once(':'))
            else {
                continue;
            };
            writeln!(n.out, "{proto}:")?;
            for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
                writeln!(n.out, "    {name}: {value}")?;
            }
        }
    }
    Ok(())
}

/// Multicast groups, `netstat -agn`.
///
/// # Errors
/// Absent without /proc/net/igmp.
pub(super) fn groups(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n.host.text("/proc/net/igmp")?;
    writeln!(n.out, "IPv6/IPv4 Group Memberships")?;
    writeln!(n.out, "Interface       RefCnt Group")?;
    writeln!(n.out, "--------------- ------ ---------------------")?;
    let mut nic = "";
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            nic = words.get(1).copied().unwrap_or("");
        } else if let [group, users, ..] = words[..]
            && let Ok(bits) = u32::from_str_radix(group, 16)
        {
            let group = Ipv4Addr::from(bits.to_ne_bytes());
            writeln!(n.out, "{nic:<15} {users:<6} {group}")?;
        }
    }
    for line in n.host.text("/proc/net/igmp6").unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, nic, group, users, ..] = words[..]
            && let Ok(bits) = u128::from_str_radix(group, 16)
        {
            writeln!(n.out, "{nic:<15} {users:<6} {}", Ipv6Addr::from(bits))?;
        }
    }
    Ok(())
}

/// The main IPv4 table, `route -n`.
///
/// # Errors
/// Absent without /proc/net/route.
pub(super) fn route_table(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n.host.text("/proc/net/route")?;
    writeln!(n.out, "Kernel IP routing table")?;
    writeln!(
        n.out,
        "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface"
    )?;
    let ip = |hex: &str| {
        u32::from_str_radix(hex, 16).map(|b| Ipv4Addr::from(b.to_ne_bytes()).to_string())
    };
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [nic, to, gateway, flags, references, used, metric, mask, ..] = words[..] else {
            continue;
        };
        let (Ok(to), Ok(gateway), Ok(mask)) = (ip(to), ip(gateway), ip(mask)) else {
            continue;
        };
        let bits = u32::from_str_radix(flags, 16).unwrap_or(0);
        let flags: String = [(1, 'U'), (2, 'G'), (4, 'H'), (0x200, '!')]
            .iter()
            .filter(|(bit, _)| bits & bit != 0)
            .map(|(_, mark)| *mark)
            .collect();
        writeln!(
            n.out,
            "{to:<15} {gateway:<15} {mask:<15} {flags:<5} {metric:<6} {references:<3} {used:>6} {nic}"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_of_proc_net() {
        for (text, expected) in [
            ("0100007F:0016", "127.0.0.1:22"),
            ("00000000:0000", "0.0.0.0:*"),
            ("00000000000000000000000001000000:1F90", "::1:8080"),
        ] {
            assert_eq!(address(text).map(shown).as_deref(), Some(expected));
        }
        assert_eq!(
            timer("02:000005DC", "00000000", "0"),
            "keepalive (15.00/0/0)"
        );
        assert_eq!(address("nonsense"), None);
    }
}
