//! Facts about the system as a whole.

use super::read::Text;
use super::{Clock, Cpu, Facts, Hardware, HostFacts, Kernel, Limits, Memory, Os, Pressure};

/// Kernel variables that are worth a fact.
const SYSCTLS: &[&str] = &[
    "fs.file-max",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "kernel.pid_max",
    "kernel.threads-max",
    "kernel.panic",
    "kernel.dmesg_restrict",
    "kernel.randomize_va_space",
    "net.core.somaxconn",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv6.conf.all.disable_ipv6",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
    "vm.max_map_count",
    "vm.min_free_kbytes",
    "vm.nr_hugepages",
    "vm.overcommit_memory",
    "vm.overcommit_ratio",
    "vm.panic_on_oom",
    "vm.swappiness",
];

fn first_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.split_whitespace().next()?.parse().ok()
}

pub(super) fn os(t: &Text<'_>, facts: &mut Facts) {
    let value = |key: &str| {
        let line = t
            .text
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or("")
            .trim()
            .trim_matches(['"', '\''])
            .to_owned()
    };
    if facts.os.is_some() && value("ID").is_empty() {
        return;
    }
    let (id, version, pretty) = (value("ID"), value("VERSION_ID"), value("PRETTY_NAME"));
    facts.os = Some(Os {
        id,
        version,
        pretty,
        item: t.path.to_owned(),
    });
}

/// Hosts before os-release: `CentOS release 6.10 (Final)`.
pub(super) fn redhat(t: &Text<'_>, facts: &mut Facts) {
    if facts.os.is_some() {
        return;
    }
    let line = t.text.lines().next().unwrap_or("").trim();
    let id = line.split_whitespace().next().unwrap_or("").to_lowercase();
    let version = line
        .split_whitespace()
        .find(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or("");
    let item = t.path.to_owned();
    facts.os = Some(Os {
        id,
        version: version.to_owned(),
        pretty: line.to_owned(),
        item,
    });
}

pub(super) fn uname(t: &Text<'_>, facts: &mut Facts) {
    let mut words = t.text.split_whitespace();
    let (_, name, release) = (words.next(), words.next(), words.next());
    if let (Some(name), Some(release)) = (name, release) {
        let kernel = facts.kernel.get_or_insert_with(Kernel::default);
        (kernel.release, kernel.item) = (release.to_owned(), t.path.to_owned());
        let words: Vec<&str> = t.text.split_whitespace().collect();
        // The machine stands before the name of the system; sometimes twice more.
        if let Some(at) = words.iter().position(|w| *w == "GNU/Linux") {
            words[at - 1].clone_into(&mut kernel.machine);
        }
        let host = facts.host.get_or_insert_with(HostFacts::default);
        if host.name.is_empty() {
            name.clone_into(&mut host.name);
        }
    }
}

pub(super) fn version(t: &Text<'_>, facts: &mut Facts) {
    let kernel = facts.kernel.get_or_insert_with(Kernel::default);
    if kernel.release.is_empty() {
        t.text
            .split_whitespace()
            .nth(2)
            .unwrap_or("")
            .clone_into(&mut kernel.release);
        t.path.clone_into(&mut kernel.item);
    }
}

pub(super) fn cmdline(t: &Text<'_>, facts: &mut Facts) {
    let kernel = facts.kernel.get_or_insert_with(Kernel::default);
    t.text.trim().clone_into(&mut kernel.cmdline);
}

pub(super) fn tainted(t: &Text<'_>, facts: &mut Facts) {
    facts.kernel.get_or_insert_with(Kernel::default).tainted = first_number(t.text);
}

pub(super) fn hostname(t: &Text<'_>, facts: &mut Facts) {
    if let Some(name) = t.text.split_whitespace().next() {
        let host = facts.host.get_or_insert_with(HostFacts::default);
        (host.name, host.item) = (name.to_owned(), t.path.to_owned());
    }
}

pub(super) fn virtualization(t: &Text<'_>, facts: &mut Facts) {
    let kind = t.text.split_whitespace().next().unwrap_or("none");
    facts
        .host
        .get_or_insert_with(HostFacts::default)
        .virtualization = kind.to_owned();
}

pub(super) fn uptime(t: &Text<'_>, facts: &mut Facts) {
    let seconds = first_number::<f64>(t.text);
    facts.host.get_or_insert_with(HostFacts::default).uptime_s = seconds.map(|s| s as u64);
}

pub(super) fn load(t: &Text<'_>, facts: &mut Facts) {
    let mut numbers = t.text.split_whitespace().map(|w| w.parse::<f64>().ok());
    let cpu = facts.cpu.get_or_insert_with(Cpu::default);
    cpu.load1 = numbers.next().flatten();
    cpu.load5 = numbers.next().flatten();
    cpu.load15 = numbers.next().flatten();
}

pub(super) fn cpuinfo(t: &Text<'_>, facts: &mut Facts) {
    let count = t
        .text
        .lines()
        .filter(|l| l.starts_with("processor"))
        .count() as u64;
    let model = t.text.lines().find_map(|l| {
        l.strip_prefix("model name")?
            .split_once(": ")
            .map(|(_, m)| m)
    });
    let cpu = facts.cpu.get_or_insert_with(Cpu::default);
    cpu.count = Some(count);
    model.unwrap_or("").trim().clone_into(&mut cpu.model);
    t.path.clone_into(&mut cpu.item);
}

pub(super) fn meminfo(t: &Text<'_>, facts: &mut Facts) {
    let bytes = |key: &str| {
        let line = t
            .text
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
        first_number::<u64>(line).map(|kb| kb * 1024)
    };
    let (total, free) = (bytes("MemTotal"), bytes("MemFree"));
    // Kernels before 3.14 have no MemAvailable.
    let available = bytes("MemAvailable")
        .or_else(|| Some(free? + bytes("Cached")? + bytes("Buffers").unwrap_or(0)));
    let share = total
        .zip(available)
        .filter(|(t, _)| *t > 0)
        .map(|(t, a)| a as f64 * 100.0 / t as f64);
    facts.memory = Some(Memory {
        total_bytes: total,
        available_bytes: available,
        available_pct: share.map(|s| (s * 10.0).round() / 10.0),
        committed_bytes: bytes("Committed_AS"),
        dirty_bytes: bytes("Dirty"),
        slab_bytes: bytes("Slab"),
        swap_total_bytes: bytes("SwapTotal"),
        swap_used_bytes: bytes("SwapTotal")
            .zip(bytes("SwapFree"))
            .map(|(t, f)| t.saturating_sub(f)),
        item: t.path.to_owned(),
    });
}

pub(super) fn pressure(t: &Text<'_>, facts: &mut Facts) {
    let value = |kind: &str| {
        let line = t.text.lines().find_map(|l| l.strip_prefix(kind))?;
        line.split_whitespace()
            .find_map(|w| w.strip_prefix("avg10=")?.parse().ok())
    };
    let pressure = facts.pressure.get_or_insert_with(Pressure::default);
    t.path.clone_into(&mut pressure.item);
    let (some, full) = (value("some"), value("full"));
    if t.path.ends_with("cpu") {
        pressure.cpu_some_avg10 = some;
    } else if t.path.ends_with("memory") {
        (pressure.memory_some_avg10, pressure.memory_full_avg10) = (some, full);
    } else {
        (pressure.io_some_avg10, pressure.io_full_avg10) = (some, full);
    }
}

pub(super) fn dmi(t: &Text<'_>, facts: &mut Facts) {
    let hardware = facts.hardware.get_or_insert_with(Hardware::default);
    let value = t.text.trim().to_owned();
    if t.path.ends_with("sys_vendor") {
        hardware.vendor = value;
    } else if t.path.ends_with("product_name") {
        hardware.product = value;
    } else {
        hardware.bios = value;
    }
    t.path.clone_into(&mut hardware.item);
}

/// Our own rendering of the kernel's clock discipline: `key: value` lines.
pub(super) fn clock(t: &Text<'_>, facts: &mut Facts) {
    let value = |key: &str| {
        t.text
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))
    };
    facts.clock = Some(Clock {
        synchronized: value("synchronized").map(|v| v == "yes"),
        offset_ms: value("offset_ms").and_then(|v| v.parse().ok()),
        item: t.path.to_owned(),
    });
}

pub(super) fn timedatectl(t: &Text<'_>, facts: &mut Facts) {
    let line = t.text.lines().find(|l| l.contains("synchronized:"));
    if let (Some(line), None) = (line, &facts.clock) {
        let synchronized = Some(line.trim_end().ends_with("yes"));
        facts.clock = Some(Clock {
            synchronized,
            offset_ms: None,
            item: t.path.to_owned(),
        });
    }
}

pub(super) fn limits(t: &Text<'_>, facts: &mut Facts) {
    let limits = facts.limits.get_or_insert_with(Limits::default);
    let first = first_number(t.text);
    if t.path.ends_with("file-nr") {
        limits.file_nr = first;
        limits.file_max = t
            .text
            .split_whitespace()
            .nth(2)
            .and_then(|v| v.parse().ok());
        let share = limits
            .file_nr
            .zip(limits.file_max)
            .filter(|(_, max)| *max > 0);
        limits.file_pct = share.map(|(n, max)| (n as f64 * 1000.0 / max as f64).round() / 10.0);
        t.path.clone_into(&mut limits.item);
    } else if t.path.ends_with("pid_max") {
        limits.pid_max = first;
    } else if t.path.ends_with("threads-max") {
        limits.threads_max = first;
    } else if t.path.ends_with("count") {
        limits.conntrack_count = first;
    } else {
        limits.conntrack_max = first;
    }
}

pub(super) fn sysctl(t: &Text<'_>, facts: &mut Facts) {
    for line in t.text.lines() {
        if let Some((key, value)) = line.split_once(" = ")
            && SYSCTLS.contains(&key)
        {
            facts.sysctl.insert(key.to_owned(), value.trim().to_owned());
        }
    }
    let get = |key: &str| facts.sysctl.get(key).and_then(|v| v.parse().ok());
    let (count, max) = (
        get("net.netfilter.nf_conntrack_count"),
        get("net.netfilter.nf_conntrack_max"),
    );
    if count.is_some() {
        let limits = facts.limits.get_or_insert_with(Limits::default);
        (limits.conntrack_count, limits.conntrack_max) = (count, max);
    }
}
