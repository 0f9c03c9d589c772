//! Crashes of programs, and the history of load.

use super::{declare, listing};
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;

declare!(
    Crashes,
    "crashes",
    "Crashes and history",
    "Which programs crashed, and how was the load before?",
    ["usual", "crashes"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Lines of a crash report that hold memory or the environment.
const WITHHELD: &[&str] = &[
    "CoreDump",
    "ProcEnviron",
    "ProcMaps",
    "Environment",
    "UserGroups",
];

fn plan(p: &mut Planner<'_>) {
    p.file("/proc/sys/kernel/core_pattern", 4 * K).row(127);
    let none = p
        .host
        .names("/var/lib/systemd/coredump")
        .is_empty()
        .then_some("no core dump is stored");
    p.command_if("coredump", "coredumpctl list --no-pager", none)
        .row(127)
        .limit(256 * K);
    p.command_if("coredump", "coredumpctl info --no-pager -n 5", none)
        .row(127)
        .limit(M)
        .seconds(20)
        .root();
    p.native("crash", "ls -lan /var/crash", |n| {
        listing::recursive(n, "/var/crash", 0)
    })
    .row(128);
    p.native("crash", "ls -lanR /var/spool/abrt", |n| {
        listing::recursive(n, "/var/spool/abrt", 1)
    })
    .row(128);
    p.native("crash", "apport reports", apport)
        .row(128)
        .limit(5 * M)
        .root();
    p.file("/var/spool/abrt/*/reason", 64 * K).row(128).root();
    p.file("/var/spool/abrt/*/backtrace", 256 * K)
        .row(128)
        .root();
    p.native("sar", "ls -lan /var/log/sysstat", |n| {
        let dir = if n.host.exists("/var/log/sysstat") {
            "/var/log/sysstat"
        } else {
            "/var/log/sa"
        };
        listing::recursive(n, dir, 0)
    })
    .row(129);
    let history = ["/var/log/sysstat", "/var/log/sa"]
        .iter()
        .any(|d| !p.host.names(d).is_empty());
    let none = (!history).then_some("sysstat keeps no history here");
    p.command_if("sar", "sar -A", none)
        .row(129)
        .limit(10 * M)
        .seconds(20);
}

/// The newest five reports, without memory and environment.
fn apport(n: &mut Native<'_>) -> Result<(), Miss> {
    let mut reports: Vec<(i64, String)> = n
        .host
        .glob("/var/crash/*.crash")
        .into_iter()
        .filter_map(|path| n.host.stat(&path).map(|m| (m.mtime, path)))
        .collect();
    reports.sort_unstable_by(|a, b| b.cmp(a));
    if reports.is_empty() {
        return Err(Miss::absent("no report in /var/crash"));
    }
    for (_, path) in reports.into_iter().take(5) {
        let text = n.host.read(&path, 4 * M)?;
        writeln!(n.out, "== {path}")?;
        let mut withheld = false;
        for line in String::from_utf8_lossy(&text).lines() {
            if !line.starts_with(' ') {
                withheld = WITHHELD.iter().any(|w| line.starts_with(w));
            }
            if !withheld {
                writeln!(n.out, "{line}")?;
            }
        }
    }
    Ok(())
}
