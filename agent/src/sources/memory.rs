//! Processors and memory: what there is, how it is used, and whether it errs.

use super::declare;
use crate::collect::{self, Host, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

declare!(
    Memory,
    "memory",
    "Processors and memory",
    "Is there enough memory and processor time, and does the hardware report errors?",
    ["base"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Files whose change over time tells what the host is doing.
const SERIES: &[&str] = &[
    "/proc/stat",
    "/proc/vmstat",
    "/proc/diskstats",
    "/proc/net/dev",
    "/proc/schedstat",
];

fn plan(p: &mut Planner<'_>) {
    p.file("/proc/cpuinfo", M).row(28).must();
    p.native("processor", "lscpu", lscpu).row(28).must();
    p.file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_*", 4 * K)
        .row(28);
    p.files(
        &[
            "/sys/devices/system/cpu/online",
            "/sys/devices/system/cpu/offline",
            "/sys/devices/system/cpu/cpu[0-9]*/online",
            "/sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list",
            "/sys/devices/system/cpu/cpu[0-9]*/topology/core_cpus_list",
        ],
        4 * K,
    )
    .row(28);
    p.files(&["/proc/meminfo", "/proc/vmstat", "/proc/swaps"], M)
        .row(29)
        .must();
    p.files(
        &["/proc/buddyinfo", "/proc/zoneinfo", "/proc/pagetypeinfo"],
        M,
    )
    .row(29);
    p.native("memory", "free", free).row(29).must().link("free");
    p.file("/proc/slabinfo", 512 * K).row(30).root();
    let pages = [
        "/sys/kernel/mm/transparent_hugepage/*",
        "/sys/kernel/mm/hugepages/*/*_hugepages*",
        "/sys/kernel/mm/ksm/run",
        "/sys/kernel/mm/ksm/pages_sharing",
        "/sys/module/zswap/parameters/*",
    ];
    p.files(&pages, 4 * K).row(31);
    for name in ["meminfo", "numastat", "distance", "cpulist"] {
        p.file(&format!("/sys/devices/system/node/node*/{name}"), 64 * K)
            .row(32);
    }
    p.files(
        &[
            "/sys/devices/system/edac/mc/mc*/ce_count",
            "/sys/devices/system/edac/mc/mc*/ue_count",
        ],
        4 * K,
    )
    .row(33);
    let edac = (!p.host.exists("/sys/devices/system/edac/mc/mc0"))
        .then_some("no memory controller reports errors here");
    p.command_if("hardware", "ras-mc-ctl --summary", edac)
        .row(33)
        .limit(64 * K);
    if p.params.opted_in("slow") {
        p.live("memory", "rates over 5 s", series)
            .row(35)
            .limit(2 * M)
            .seconds(15);
    } else {
        let miss = Miss::skipped("takes 5 s; profile full has it");
        p.nothing("memory", "rates over 5 s", miss).row(35);
    }
}

fn number(text: &str, key: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next())
        .and_then(|v| v.parse().ok())
        .unwrap_or(0)
}

fn free(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n.host.text("/proc/meminfo")?;
    let get = |key: &str| number(&text, key);
    let (total, free, available) = (get("MemTotal"), get("MemFree"), get("MemAvailable"));
    let cache = get("Buffers") + get("Cached") + get("SReclaimable");
    let used = total.saturating_sub(available);
    writeln!(
        n.out,
        "               total        used        free      shared  buff/cache   available"
    )?;
    let shared = get("Shmem");
    writeln!(
        n.out,
        "Mem:    {total:>12}{used:>12}{free:>12}{shared:>12}{cache:>12}{available:>12}"
    )?;
    let (swap, swap_free) = (get("SwapTotal"), get("SwapFree"));
    writeln!(
        n.out,
        "Swap:   {swap:>12}{:>12}{swap_free:>12}",
        swap.saturating_sub(swap_free)
    )?;
    Ok(())
}

const CPU: &str = "/sys/devices/system/cpu";
/// Names as lscpu prints them, and those of /proc/cpuinfo.
const CPU_KEYS: [(&str, &str); 8] = [
    ("Vendor ID", "vendor_id"),
    ("CPU family", "cpu family"),
    ("Model", "model"),
    ("Model name", "model name"),
    ("Stepping", "stepping"),
    ("CPU MHz", "cpu MHz"),
    ("BogoMIPS", "bogomips"),
    ("Microcode", "microcode"),
];

fn lscpu(n: &mut Native<'_>) -> Result<(), Miss> {
    let info = n.host.text("/proc/cpuinfo")?;
    let value = |key: &str| {
        let line = info
            .lines()
            .find(|l| l.split(':').next().is_some_and(|k| k.trim() == key));
        line.and_then(|l| l.split_once(':'))
            .map(|(_, v)| v.trim().to_owned())
    };
    let logical = info
        .lines()
        .filter(|l| l.starts_with("processor"))
        .count()
        .max(1);
    let (cores, sockets) = cores_and_sockets(n.host, logical);
    let nodes = numa_nodes(n.host);
    let machine = if n.host.is_live() {
        rustix::system::uname()
            .machine()
            .to_string_lossy()
            .into_owned()
    } else {
        "x86_64".to_owned()
    };
    let mut row = |key: &str, value: &str| writeln!(n.out, "{:<33}{value}", format!("{key}:"));
    row("Architecture", &machine)?;
    row(
        "Byte Order",
        if cfg!(target_endian = "big") {
            "Big Endian"
        } else {
            "Little Endian"
        },
    )?;
    row("CPU(s)", &logical.to_string())?;
    row(
        "On-line CPU(s) list",
        &n.host.value(&format!("{CPU}/online")).unwrap_or_default(),
    )?;
    row("Thread(s) per core", &(logical / cores).max(1).to_string())?;
    row("Core(s) per socket", &(cores / sockets).max(1).to_string())?;
    row("Socket(s)", &sockets.to_string())?;
    row("NUMA node(s)", &nodes.len().max(1).to_string())?;
    for (key, from) in CPU_KEYS {
        if let Some(value) = value(from) {
            row(key, &value)?;
        }
    }
    if info.contains(" hypervisor") {
        row("Virtualization type", "full")?;
    }
    for (node, list) in nodes {
        row(&format!("NUMA {node} CPU(s)"), &list)?;
    }
    if let Some(flags) = value("flags") {
        row("Flags", &flags)?;
    }
    Ok(())
}

/// How many cores and how many sockets the processors stand on; never 0.
fn cores_and_sockets(host: &Host, logical: usize) -> (usize, usize) {
    let mut cores = BTreeSet::new();
    let mut sockets = BTreeSet::new();
    for index in 0..logical.min(4096) {
        let topology = |name: &str| {
            host.value(&format!("{CPU}/cpu{index}/topology/{name}"))
                .unwrap_or_default()
        };
        let socket = topology("physical_package_id");
        cores.insert((socket.clone(), topology("core_id")));
        sockets.insert(socket);
    }
    (cores.len().max(1), sockets.len().max(1))
}

/// The names of the NUMA nodes with the processors of each.
fn numa_nodes(host: &Host) -> Vec<(String, String)> {
    let folder = "/sys/devices/system/node";
    let names = host.names(folder).into_iter();
    names
        .filter(|name| name.starts_with("node"))
        .map(|name| {
            let list = host.value(&format!("{folder}/{name}/cpulist"));
            (name, list.unwrap_or_default())
        })
        .collect()
}

/// Columns of the cpu line of /proc/stat.
const CPU_TIMES: [&str; 8] = [
    "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
];

/// The same counters twice, and the rates of those that are plain `name value` pairs.
fn series(n: &mut Native<'_>) -> Result<(), Miss> {
    let read = |n: &Native<'_>| {
        SERIES
            .iter()
            .map(|p| n.host.text(p).unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let before = read(n);
    for _ in 0..50 {
        if n.cancel.is_cancelled() || !n.out.check() {
            return Err(Miss::skipped("cancelled"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let after = read(n);
    writeln!(
        n.out,
        "# changes per second over 5 s, from /proc/vmstat and the cpu line of /proc/stat"
    )?;
    let cpu = |text: &str| -> Vec<u64> {
        text.lines()
            .next()
            .unwrap_or("")
            .split_whitespace()
            .skip(1)
            .filter_map(|v| v.parse().ok())
            .collect()
    };
    let (from, to) = (cpu(&before[0]), cpu(&after[0]));
    let deltas: Vec<u64> = from
        .iter()
        .zip(&to)
        .map(|(a, b)| b.saturating_sub(*a))
        .collect();
    let total: u64 = deltas.iter().take(8).sum::<u64>().max(1);
    for (name, delta) in CPU_TIMES.iter().zip(&deltas) {
        writeln!(
            n.out,
            "cpu_{name}_pct {:.1}",
            *delta as f64 * 100.0 / total as f64
        )?;
    }
    for (old, new) in before[1].lines().zip(after[1].lines()) {
        let pair = |l: &str| {
            l.split_once(' ')
                .and_then(|(k, v)| Some((k.to_owned(), v.parse::<u64>().ok()?)))
        };
        if let (Some((key, a)), Some((other, b))) = (pair(old), pair(new))
            && key == other
            && b > a
            && !key.starts_with("nr_")
        {
            writeln!(n.out, "{key} {:.1}", (b - a) as f64 / 5.0)?;
        }
    }
    for (path, (a, b)) in SERIES.iter().zip(before.iter().zip(&after)) {
        writeln!(n.out, "\n# {path}, first\n{a}\n# {path}, 5 s later\n{b}")?;
    }
    Ok(())
}
