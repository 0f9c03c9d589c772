//! Services: systemd's units, control groups, other service managers, timers and cron.

use super::{declare, listing, unitfiles};
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;

declare!(
    Systemd,
    "systemd",
    "Services",
    "Which services failed, restart, or wait, and what runs at which time?",
    ["base", "services"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

fn plan(p: &mut Planner<'_>) {
    let none = (!p.host.has_systemd()).then_some("systemd does not run this host");
    let command = |p: &mut Planner<'_>, row: u16, line: &str, limit: u64, seconds: u64| {
        p.command_if("systemd", line, none)
            .row(row)
            .limit(limit)
            .seconds(seconds);
    };
    for line in [
        "systemctl list-units",
        "systemctl list-units --failed",
        "systemctl list-jobs",
    ] {
        p.command_if("systemd", line, none).row(43).must();
    }
    command(p, 43, "systemctl list-units --all", M, 10);
    p.native("systemd", "systemctl list-unit-files", unitfiles::list)
        .row(44)
        .must()
        .limit(M);
    command(p, 45, "systemctl show service --all", 5 * M, 15);
    // Why a unit failed: its result, exit status and restarts. There is no shell; the star is systemctl's.
    command(p, 45, "systemctl show --state=failed *", 5 * M, 15);
    for unit in p.params.targets("target") {
        command(p, 45, &format!("systemctl show {unit}"), 256 * K, 10);
    }
    command(p, 46, "systemctl status --all", 2 * M, 20);
    let files = [
        "/etc/systemd/system/**",
        "/run/systemd/system/**",
        "/etc/systemd/*.conf",
        "/etc/systemd/*.conf.d/*",
        "/etc/systemd/user/**",
    ];
    p.files(&files, 256 * K).row(47);
    p.command_if("systemd", "systemd-delta", none)
        .row(47)
        .limit(M);
    command(p, 48, "systemd-analyze blame", 256 * K, 10);
    command(p, 48, "systemd-analyze critical-chain", 256 * K, 10);
    command(p, 48, "systemctl list-timers --all", 256 * K, 10);
    plan_services(p);
}

/// Everything that starts or groups processes beside units.
fn plan_services(p: &mut Planner<'_>) {
    p.file("/proc/cgroups", 64 * K).row(49).must();
    p.files(
        &[
            "/sys/fs/cgroup/cpuset/cpuset.cpus",
            "/sys/fs/cgroup/cpuset.cpus.effective",
        ],
        4 * K,
    )
    .row(49);
    p.native("cgroups", "cgroup state", control_groups)
        .row(49)
        .limit(2 * M)
        .seconds(15);
    p.native("services", "ls /etc/init.d", |n| {
        listing::names(n, &["/etc/init.d", "/etc/rc.d/init.d"])
    })
    .row(50);
    p.native("services", "ls -lanR /etc/rc.d", start_links)
        .row(50);
    p.files(
        &["/etc/inittab", "/etc/rc.local", "/etc/rc.d/rc.local"],
        64 * K,
    )
    .row(50);
    let openrc = (!p.host.exists("/run/openrc")).then_some("OpenRC does not run");
    p.command_if("services", "rc-status -a", openrc).row(50);
    p.native("services", "runlevel", runlevel).row(50);
    p.files(
        &[
            "/etc/crontab",
            "/etc/anacrontab",
            "/etc/cron.d/*",
            "/etc/cron.allow",
            "/etc/cron.deny",
        ],
        64 * K,
    )
    .row(51);
    p.native("cron", "ls -lanR /etc/cron", cron_listing).row(51);
    p.files(
        &[
            "/var/spool/cron/crontabs/*",
            "/var/spool/cron/root",
            "/var/spool/cron/*",
        ],
        64 * K,
    )
    .row(51)
    .root();
    p.native("cron", "root_crontab", root_crontab)
        .row(51)
        .root();
    let bus = (!p.host.exists("/run/dbus/system_bus_socket")).then_some("no system bus");
    p.command_if("dbus", "busctl list --no-pager", bus)
        .row(52)
        .limit(256 * K);
    p.native("login", "sessions", sessions).row(53);
    p.file("/etc/systemd/logind.conf", 64 * K).row(53);
}

fn start_links(n: &mut Native<'_>) -> Result<(), Miss> {
    let dirs: Vec<String> = ["/etc", "/etc/rc.d"]
        .iter()
        .flat_map(|d| n.host.names(d).into_iter().map(move |f| (*d, f)))
        .filter(|(_, f)| f.starts_with("rc") && f.ends_with(".d") && f.len() == 5)
        .map(|(d, f)| format!("{d}/{f}"))
        .collect();
    if dirs.is_empty() {
        return Err(Miss::absent("no start links"));
    }
    for dir in dirs {
        writeln!(n.out, "{dir}: {}", n.host.names(&dir).join(" "))?;
    }
    Ok(())
}

fn cron_listing(n: &mut Native<'_>) -> Result<(), Miss> {
    let dirs = [
        "/etc/cron.d",
        "/etc/cron.hourly",
        "/etc/cron.daily",
        "/etc/cron.weekly",
        "/etc/cron.monthly",
    ];
    let known: Vec<&str> = dirs.into_iter().filter(|d| n.host.exists(d)).collect();
    for dir in &known {
        listing::recursive(n, dir, 0)?;
    }
    if known.is_empty() {
        Err(Miss::absent("no cron on this host"))
    } else {
        Ok(())
    }
}

fn root_crontab(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n
        .host
        .text("/var/spool/cron/crontabs/root")
        .or_else(|_| n.host.text("/var/spool/cron/root"))?;
    write!(n.out, "{text}")?;
    Ok(())
}

fn runlevel(n: &mut Native<'_>) -> Result<(), Miss> {
    let target = n.host.read_link("/etc/systemd/system/default.target");
    let target = target.or_else(|| n.host.read_link("/usr/lib/systemd/system/default.target"));
    let target = target.or_else(|| n.host.read_link("/lib/systemd/system/default.target"));
    let target = target.ok_or_else(|| Miss::absent("no default target"))?;
    writeln!(
        n.out,
        "default target: {}",
        target.rsplit('/').next().unwrap_or(&target)
    )?;
    Ok(())
}

fn sessions(n: &mut Native<'_>) -> Result<(), Miss> {
    let names = n.host.names("/run/systemd/sessions");
    if names.is_empty() {
        return Err(Miss::absent("no logind session"));
    }
    for name in names.iter().filter(|s| !s.ends_with(".ref")) {
        let text = n
            .host
            .text(&format!("/run/systemd/sessions/{name}"))
            .unwrap_or_default();
        let keep = [
            "USER=",
            "UID=",
            "STATE=",
            "TYPE=",
            "CLASS=",
            "TTY=",
            "REMOTE_HOST=",
            "SERVICE=",
            "REALTIME=",
        ];
        let fields: Vec<&str> = text
            .lines()
            .filter(|l| keep.iter().any(|k| l.starts_with(k)))
            .collect();
        writeln!(n.out, "session {name} {}", fields.join(" "))?;
    }
    Ok(())
}

/// Files of a control group that tell about limits and trouble.
const GROUP_FILES: &[&str] = &[
    "memory.current",
    "memory.max",
    "memory.high",
    "memory.events",
    "memory.swap.current",
    "memory.swap.max",
    "memory.pressure",
    "cpu.max",
    "cpu.stat",
    "cpu.pressure",
    "io.pressure",
    "pids.current",
    "pids.max",
    "pids.events",
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.failcnt",
    "cpu.cfs_quota_us",
    "cgroup.events",
];

/// One line per group and file, to depth 4; values over several lines are joined.
fn control_groups(n: &mut Native<'_>) -> Result<(), Miss> {
    let mut queue = vec![("/sys/fs/cgroup".to_owned(), 0)];
    while let Some((dir, depth)) = queue.pop() {
        if !n.out.check() {
            break;
        }
        let names = n.host.names(&dir);
        for file in GROUP_FILES.iter().filter(|f| names.iter().any(|n| n == *f)) {
            if let Some(value) = n.host.value(&format!("{dir}/{file}")) {
                writeln!(n.out, "{dir}/{file} {}", value.replace('\n', "; "))?;
            }
        }
        if depth < 4 {
            for name in names.iter().rev() {
                let path = format!("{dir}/{name}");
                if (!name.contains('.')
                    || name.ends_with(".slice")
                    || name.ends_with(".service")
                    || name.ends_with(".scope"))
                    && n.host.stat(&path).is_some_and(|m| m.is_dir())
                {
                    queue.push((path, depth + 1));
                }
            }
        }
    }
    if n.out.is_empty() {
        Err(Miss::absent("no control group with limits"))
    } else {
        Ok(())
    }
}
