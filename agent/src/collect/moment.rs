//! What the counters and lists of a host said at one moment, and what is different at another.

use super::host::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

/// Most lines of one list in the difference; a fork bomb is a number, not a book.
const MAX_LINES: usize = 500;

/// A reading of a host. Cheap: some files of the kernel, and the first line of each process.
#[derive(Clone, Debug)]
pub struct Moment {
    at: Instant,
    /// Numbers that grow, by a name such as `Tcp RetransSegs`.
    counters: BTreeMap<String, u64>,
    /// Numbers that go up and down.
    levels: BTreeMap<String, u64>,
    /// Lists, by what they are of.
    lists: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Moment {
    /// Reads the host now. What cannot be read is left out of the comparison.
    pub fn take(host: &Host) -> Self {
        let text = |path: &str| host.text(path).unwrap_or_default();
        let mut counters = BTreeMap::new();
        named(&mut counters, "vm", &text("/proc/vmstat"));
        paired(&mut counters, &text("/proc/net/snmp"));
        paired(&mut counters, &text("/proc/net/netstat"));
        interfaces(&mut counters, &text("/proc/net/dev"));
        disks(&mut counters, &text("/proc/diskstats"));
        processor(&mut counters, &text("/proc/stat"));
        // Of /proc/vmstat these are levels.
        let (levels, counters) = counters
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(name, _)| name.starts_with("vm nr_"));
        let mut levels = levels;
        named(&mut levels, "memory", &text("/proc/meminfo"));
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let first = |text: &str| {
            let names = text.lines().filter_map(|line| line.split(' ').next());
            names.map(str::to_owned).collect()
        };
        let lists = BTreeMap::from([
            ("processes", processes(host)),
            ("mounts", lines(&text("/proc/self/mounts"))),
            ("kernel modules", first(&text("/proc/modules"))),
        ]);
        Self {
            at: Instant::now(),
            counters,
            levels,
            lists,
        }
    }

    /// What changed from `before` to this one, for people and programs: sections of lines.
    pub fn since(&self, before: &Self) -> String {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        let mut out =
            format!("# what changed in {seconds:.1} s; what is not here did not change\n");
        out.push_str("\n[counters]  name, more by, per second\n");
        for (name, after) in &self.counters {
            let more = after.saturating_sub(*before.counters.get(name).unwrap_or(after));
            if more > 0 {
                #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
                let rate = more as f64 / seconds.max(0.001);
                let _ = writeln!(out, "{name:<44} {more:>16} {rate:>14.1}");
            }
        }
        out.push_str("\n[levels]  name, before, after\n");
        for (name, after) in &self.levels {
            let Some(before) = before.levels.get(name).filter(|before| *before != after) else {
                continue;
            };
            let _ = writeln!(out, "{name:<44} {before:>16} {after:>16}");
        }
        let none = BTreeSet::new();
        for (what, after) in &self.lists {
            let before = before.lists.get(what).unwrap_or(&none);
            section(
                &mut out,
                &format!("{what} that are new"),
                after.difference(before),
            );
            section(
                &mut out,
                &format!("{what} that are gone"),
                before.difference(after),
            );
        }
        out
    }
}

fn section<'a>(out: &mut String, title: &str, lines: impl Iterator<Item = &'a String>) {
    let lines: Vec<&String> = lines.collect();
    let _ = writeln!(out, "\n[{title}]  {}", lines.len());
    for line in lines.iter().take(MAX_LINES) {
        let _ = writeln!(out, "{line}");
    }
    if lines.len() > MAX_LINES {
        let _ = writeln!(out, "# and {} more", lines.len() - MAX_LINES);
    }
}

/// Lines of a name and a number, with or without a colon and a unit.
fn named(into: &mut BTreeMap<String, u64>, of: &str, text: &str) {
    into.extend(text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?.trim_end_matches(':');
        Some((format!("{of} {name}"), words.next()?.parse().ok()?))
    }));
}

/// Pairs of lines, `Tcp: ActiveOpens …` and `Tcp: 17 …`. Values below zero are limits, not counters.
fn paired(into: &mut BTreeMap<String, u64>, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks_exact(2) {
        let names = pair[0].split_whitespace();
        let values = pair[1].split_whitespace();
        let of = pair[0].split(':').next().unwrap_or_default();
        let rows = names.zip(values).skip(1);
        into.extend(
            rows.filter_map(|(name, value)| Some((format!("{of} {name}"), value.parse().ok()?))),
        );
    }
}

fn interfaces(into: &mut BTreeMap<String, u64>, text: &str) {
    const COLUMNS: [(usize, &str); 8] = [
        (0, "received bytes"),
        (1, "received packets"),
        (2, "receive errors"),
        (3, "receive drops"),
        (8, "sent bytes"),
        (9, "sent packets"),
        (10, "send errors"),
        (11, "send drops"),
    ];
    for (name, values) in text.lines().filter_map(|line| line.split_once(':')) {
        columns(into, &format!("net {}", name.trim()), values, &COLUMNS);
    }
}

fn disks(into: &mut BTreeMap<String, u64>, text: &str) {
    const COLUMNS: [(usize, &str); 6] = [
        (3, "reads"),
        (5, "sectors read"),
        (7, "writes"),
        (9, "sectors written"),
        (12, "busy ms"),
        (13, "waited ms"),
    ];
    for line in text.lines() {
        if let Some(name) = line.split_whitespace().nth(2) {
            columns(into, &format!("disk {name}"), line, &COLUMNS);
        }
    }
}

fn processor(into: &mut BTreeMap<String, u64>, text: &str) {
    const COLUMNS: [(usize, &str); 8] = [
        (1, "user"),
        (2, "nice"),
        (3, "system"),
        (4, "idle"),
        (5, "iowait"),
        (6, "irq"),
        (7, "softirq"),
        (8, "steal"),
    ];
    for line in text.lines() {
        if line.starts_with("cpu ") {
            columns(into, "cpu ticks", line, &COLUMNS);
        } else if ["ctxt ", "processes "]
            .iter()
            .any(|name| line.starts_with(name))
        {
            named(into, "stat", line);
        }
    }
}

fn columns(into: &mut BTreeMap<String, u64>, of: &str, line: &str, wanted: &[(usize, &str)]) {
    let words: Vec<&str> = line.split_whitespace().collect();
    into.extend(wanted.iter().filter_map(|(at, name)| {
        let value = words.get(*at)?.parse().ok()?;
        Some((format!("{of} {name}"), value))
    }));
}

/// `PID (name)` of each process, with its start, since numbers are used again.
fn processes(host: &Host) -> BTreeSet<String> {
    let one = |pid: u32| {
        let stat = host.text(&format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may hold any.
        let (head, tail) = stat.rsplit_once(')')?;
        let started = tail.split_whitespace().nth(19)?;
        Some(format!("{head}) started at tick {started}"))
    };
    host.pids().into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("not the root")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn only_what_changed_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        write(root, "/proc/vmstat", "nr_free_pages 100\npgfault 5\n");
        write(root, "/proc/meminfo", "MemTotal: 9 kB\nMemFree: 7 kB\n");
        let snmp = "Tcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 3\n";
        write(root, "/proc/net/snmp", snmp);
        let stat = |pid: u32, start: u32| {
            let middle = "S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0";
            format!("{pid} (a) b) {middle} {start} 0 0\n")
        };
        write(root, "/proc/7/stat", &stat(7, 70));
        write(root, "/proc/8/stat", &stat(8, 80));
        let host = Host::at(root).expect("a host");
        let before = Moment::take(&host);

        write(root, "/proc/vmstat", "nr_free_pages 90\npgfault 25\n");
        write(root, "/proc/meminfo", "MemTotal: 9 kB\nMemFree: 4 kB\n");
        write(root, "/proc/net/snmp", &snmp.replace(" 3\n", " 10\n"));
        std::fs::remove_dir_all(root.join("proc/7")).expect("removed");
        // The number is used again.
        write(root, "/proc/8/stat", &stat(8, 99));
        let said = Moment::take(&host).since(&before);
        let lines: Vec<Vec<&str>> = said
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        let has = |words: &[&str]| lines.iter().any(|line| line.starts_with(words));
        assert!(has(&["vm", "pgfault", "20"]), "{said}");
        assert!(has(&["Tcp", "RetransSegs", "7"]), "{said}");
        assert!(has(&["vm", "nr_free_pages", "100", "90"]), "{said}");
        assert!(has(&["memory", "MemFree", "7", "4"]), "{said}");
        assert!(!said.contains("MemTotal"), "{said}");
        assert!(!said.contains("RtoMin"), "{said}");
        assert!(has(&["[processes", "that", "are", "new]", "1"]), "{said}");
        assert!(has(&["[processes", "that", "are", "gone]", "2"]), "{said}");
        assert!(
            has(&["7", "(a)", "b)", "started", "at", "tick", "70"]),
            "{said}"
        );
        assert!(has(&["[mounts", "that", "are", "new]", "0"]), "{said}");
    }
}
