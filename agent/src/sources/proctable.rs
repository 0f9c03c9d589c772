//! The process table, read once from /proc and rendered in several shapes.

use crate::collect::{Host, Miss, source::Native};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Clock ticks per second in /proc; fixed by the kernel's interface.
const TICKS: u64 = 100;
/// Most bytes of a command line that are kept.
const MAX_COMMAND: u64 = 2048;
/// Above this number of threads only processes are listed.
const MAX_THREADS: usize = 4096;

/// One process or thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub name: String,
    pub command: String,
    pub state: char,
    pub flags: u64,
    pub session: i64,
    pub tty_nr: i64,
    pub foreground: i64,
    pub group: i64,
    pub priority: i64,
    pub nice: i64,
    pub threads: u64,
    pub ticks: u64,
    pub start_ticks: u64,
    pub vsz_kb: u64,
    pub rss_kb: u64,
    pub swap_kb: u64,
    pub locked_kb: u64,
    pub fd_size: u64,
}

/// All processes, and what is needed to render them.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub processes: Vec<Process>,
    users: HashMap<u32, String>,
    uptime_s: f64,
    boot_s: i64,
    now_s: i64,
    total_kb: u64,
}

/// Reads the table when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Table(OnceLock<Snapshot>);

impl Table {
    /// The table.
    ///
    /// # Errors
    /// Absent when there is no /proc.
    pub(super) fn get(&self, n: &Native<'_>) -> Result<&Snapshot, Miss> {
        let snapshot = self.0.get_or_init(|| snapshot(n));
        if snapshot.processes.is_empty() {
            Err(Miss::absent("no process in /proc"))
        } else {
            Ok(snapshot)
        }
    }
}

fn snapshot(n: &Native<'_>) -> Snapshot {
    let host = n.host;
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key));
        line.and_then(|l| l.split_whitespace().next())
            .and_then(|v| v.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let stat = host.text("/proc/stat").unwrap_or_default();
    let mut processes = Vec::new();
    for pid in host.pids() {
        if n.cancel.is_cancelled() {
            break;
        }
        // Gone since the directory was read, which is no fault.
        processes.extend(process(host, pid));
    }
    Snapshot {
        processes,
        users: users(host),
        uptime_s: host
            .value("/proc/uptime")
            .and_then(|t| t.split(' ').next()?.parse().ok())
            .unwrap_or(0.0),
        boot_s: i64::try_from(value(&stat, "btime ")).unwrap_or(0),
        now_s: n.params.now_ms / 1000,
        total_kb: value(&host.text("/proc/meminfo").unwrap_or_default(), "MemTotal:"),
    }
}

fn users(host: &Host) -> HashMap<u32, String> {
    let text = host.text("/etc/passwd").unwrap_or_default();
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
    });
    // The first name of a number counts, as for ps.
    rows.fold(HashMap::new(), |mut map, (uid, name)| {
        map.entry(uid).or_insert(name);
        map
    })
}

fn process(host: &Host, pid: u32) -> Option<Process> {
    // One folder for all: when the number is used again meanwhile, the reads fail instead of mixing two.
    let folder = host.folder(&format!("/proc/{pid}")).ok()?;
    let stat = folder.read("stat", 4096).ok()?;
    let mut process = parse_stat(&String::from_utf8_lossy(&stat))?;
    let status = folder.read("status", 8192).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    for line in status.lines() {
        let Some((key, rest)) = line.split_once(':') else {
            continue;
        };
        let mut numbers = rest
            .split_whitespace()
            .map(|v| v.parse::<u64>().unwrap_or(0));
        match key {
            "Uid" => {
                process.uid = numbers
                    .nth(1)
                    .and_then(|v| u32::try_from(v).ok())
                    .unwrap_or(0)
            }
            "FDSize" => process.fd_size = numbers.next().unwrap_or(0),
            "VmLck" => process.locked_kb = numbers.next().unwrap_or(0),
            "VmSwap" => process.swap_kb = numbers.next().unwrap_or(0),
            _ => {}
        }
    }
    let line = folder.read("cmdline", MAX_COMMAND).unwrap_or_default();
    process.command = command(&line, &process.name);
    Some(process)
}

/// Arguments separated by blanks; kernel threads by their name in brackets. Control characters would break
/// the table.
fn command(line: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\0');
    if text.is_empty() {
        return format!("[{name}]");
    }
    text.chars()
        .map(|c| {
            if c == '\0' {
                ' '
            } else if c.is_control() {
                '?'
            } else {
                c
            }
        })
        .collect()
}

/// A line of /proc/[pid]/stat; the name in parentheses may hold anything.
fn parse_stat(text: &str) -> Option<Process> {
    let (pid, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let signed = |at: usize| {
        fields
            .get(at)
            .and_then(|v| v.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let number = |at: usize| {
        fields
            .get(at)
            .and_then(|v| v.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        ppid: u32::try_from(signed(1)).unwrap_or(0),
        group: signed(2),
        session: signed(3),
        tty_nr: signed(4),
        foreground: signed(5),
        flags: number(6),
        ticks: number(11) + number(12),
        // ps shows the kernel's number shifted.
        priority: signed(15) + 60,
        nice: signed(16),
        threads: number(17),
        start_ticks: number(19),
        vsz_kb: number(20) / 1024,
        rss_kb: number(21) * 4,
        ..Process::default()
    })
}

/// The threads of a process; the process itself when they cannot be read or are too many.
pub(super) fn threads(n: &Native<'_>, of: &Process) -> Vec<Process> {
    if of.threads <= 1 {
        return vec![of.clone()];
    }
    let mut found: Vec<Process> = Vec::new();
    if let Ok(tasks) = n.host.folder(&format!("/proc/{}/task", of.pid)) {
        let mut names = tasks.names(MAX_THREADS);
        names.sort_unstable_by_key(|tid| tid.parse::<u32>().unwrap_or(0));
        found.extend(names.iter().filter_map(|tid| {
            let stat = tasks.read(&format!("{tid}/stat"), 4096).ok()?;
            parse_stat(&String::from_utf8_lossy(&stat))
        }));
    }
    if found.is_empty() {
        found.push(of.clone());
    }
    for thread in &mut found {
        // They share the memory, and are shown with the start of the process.
        (thread.locked_kb, thread.start_ticks) = (of.locked_kb, of.start_ticks);
    }
    found
}

/// To tenths and cut, not rounded, as ps prints shares.
fn tenths(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part.saturating_mul(1000) / whole) as f64 / 10.0
}

impl Snapshot {
    pub(super) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).map_or_else(
            || uid.to_string(),
            // ps cuts long names so that the columns stay in place.
            |name| {
                if name.len() > 8 {
                    format!("{}+", name.chars().take(7).collect::<String>())
                } else {
                    name.clone()
                }
            },
        )
    }

    pub(super) fn cpu_pct(&self, p: &Process) -> f64 {
        let alive = self.uptime_s - p.start_ticks as f64 / TICKS as f64;
        tenths(p.ticks, alive.max(0.0) as u64 * TICKS).min(999.9)
    }

    pub(super) fn mem_pct(&self, p: &Process) -> f64 {
        tenths(p.rss_kb, self.total_kb)
    }

    pub(super) fn started(&self, p: &Process) -> String {
        let at = self.boot_s + i64::try_from(p.start_ticks / TICKS).unwrap_or(0);
        let (started, now) = (
            super::host::local(at * 1000),
            super::host::local(self.now_s * 1000),
        );
        let format = if started.year() != now.year() {
            "%Y"
        } else if started.date() != now.date() {
            "%b%d"
        } else {
            "%H:%M"
        };
        started.strftime(format).to_string()
    }
}

impl Process {
    pub(super) fn tty(&self) -> String {
        let (major, minor) = (
            self.tty_nr >> 8 & 0xfff,
            (self.tty_nr & 0xff) | (self.tty_nr >> 12 & 0xfff00),
        );
        match major {
            0 => "?".to_owned(),
            4 if minor < 64 => format!("tty{minor}"),
            4 => format!("ttyS{}", minor - 64),
            136..=143 => format!("pts/{}", minor + (major - 136) * 256),
            _ => format!("{major},{minor}"),
        }
    }

    pub(super) fn stat(&self) -> String {
        let mut out = String::from(self.state);
        for (mark, on) in [
            ('<', self.nice < 0),
            ('N', self.nice > 0),
            ('L', self.locked_kb > 0),
            ('s', self.session == i64::from(self.pid)),
            ('l', self.threads > 1),
            ('+', self.foreground > 0 && self.foreground == self.group),
        ] {
            if on {
                out.push(mark);
            }
        }
        out
    }

    pub(super) fn time(&self) -> String {
        let seconds = self.ticks / TICKS;
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }

    pub(super) fn long_time(&self) -> String {
        let seconds = self.ticks / TICKS;
        format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line =
            "42 (a) b (c) S 1 42 42 34816 42 4194304 1 0 0 0 150 50 0 0 20 0 3 0 100 8192000 25 0";
        let p = parse_stat(line).expect("parsed");
        assert_eq!(
            (p.pid, p.name.as_str(), p.ppid, p.threads),
            (42, "a) b (c", 1, 3)
        );
        assert_eq!(
            (p.vsz_kb, p.rss_kb, p.time().as_str(), p.tty().as_str()),
            (8000, 100, "0:02", "pts/0")
        );
        assert_eq!(p.stat(), "Ssl+");
        assert_eq!([tenths(2, 3), tenths(0, 5), tenths(1, 0)], [66.6, 0.0, 0.0]);
        assert_eq!(command(b"", "kthreadd"), "[kthreadd]");
        assert_eq!(command(b"a\0b\x1b[2J\0", "a"), "a b?[2J");
    }
}
