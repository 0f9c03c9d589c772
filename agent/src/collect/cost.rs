//! What a run costs the host, read from the kernel's own accounts: the proof of being harmless.

use super::host::Host;
use super::summary::Cost;
use std::collections::BTreeSet;

/// Clock ticks per second in /proc; fixed by the kernel's interface.
const TICKS_PER_SECOND: u64 = 100;

/// Readings at the beginning of a run.
pub struct Meter {
    before: Cost,
    modules: BTreeSet<String>,
}

impl Meter {
    /// Takes the first readings.
    pub fn start(host: &Host) -> Self {
        Self {
            before: readings(),
            modules: modules(host),
        }
    }

    /// The difference to now.
    pub fn finish(self, host: &Host) -> Cost {
        let now = readings();
        let added = modules(host).difference(&self.modules).cloned().collect();
        Cost {
            user_ms: now.user_ms.saturating_sub(self.before.user_ms),
            sys_ms: now.sys_ms.saturating_sub(self.before.sys_ms),
            peak_rss_bytes: now.peak_rss_bytes,
            read_bytes: now.read_bytes.saturating_sub(self.before.read_bytes),
            written_bytes: now.written_bytes.saturating_sub(self.before.written_bytes),
            children_cpu_ms: now
                .children_cpu_ms
                .saturating_sub(self.before.children_cpu_ms),
            modules_added: added,
            ..Cost::default()
        }
    }
}

fn modules(host: &Host) -> BTreeSet<String> {
    let text = host.text("/proc/modules").unwrap_or_default();
    text.lines()
        .filter_map(|l| l.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn field(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|l| l.strip_prefix(key));
    line.and_then(|l| l.split_whitespace().next())
        .and_then(|v| v.parse().ok())
        .unwrap_or(0)
}

fn readings() -> Cost {
    // Our own process is always on the running system, also when a dead disk is read.
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let (stat, status, io) = (read("stat"), read("status"), read("io"));
    let fields: Vec<&str> = stat
        .rsplit_once(") ")
        .map_or("", |(_, rest)| rest)
        .split(' ')
        .collect();
    let ms = |at: usize| {
        fields
            .get(at)
            .and_then(|v| v.parse::<u64>().ok())
            .unwrap_or(0)
            * 1000
            / TICKS_PER_SECOND
    };
    Cost {
        user_ms: ms(11),
        sys_ms: ms(12),
        children_cpu_ms: ms(13) + ms(14),
        peak_rss_bytes: field(&status, "VmHWM:") * 1024,
        read_bytes: field(&io, "rchar: "),
        written_bytes: field(&io, "wchar: "),
        ..Cost::default()
    }
}
