//! Which machine this is, what it runs on, and what time it thinks it is.

use super::declare;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native, sys};
use std::io::Write as _;

declare!(
    Host,
    "host",
    "Host",
    "Which machine is it, what does it run on, since when, and is its clock right?",
    ["base"]
);

const K: u64 = 1 << 10;

fn plan(p: &mut Planner<'_>) {
    p.native("host", "hostname", hostname)
        .row(1)
        .must()
        .link("hostname");
    p.live("host", "hostname -f", fqdn).row(1).must();
    p.file("/etc/hostname", 4 * K).row(1).must();
    p.files(
        &[
            "/etc/os-release",
            "/usr/lib/os-release",
            "/etc/*-release",
            "/etc/debian_version",
        ],
        64 * K,
    )
    .row(3)
    .must();
    p.files(
        &["/etc/machine-info", "/etc/issue", "/etc/lsb-release"],
        64 * K,
    )
    .row(3);
    p.files(
        &["/etc/machine-id", "/proc/sys/kernel/random/boot_id"],
        4 * K,
    )
    .row(4)
    .must();
    p.files(&["/proc/uptime", "/proc/loadavg"], 4 * K)
        .row(5)
        .must();
    p.native("host", "uptime", uptime)
        .row(5)
        .must()
        .link("uptime");
    p.live("date", "date", date).row(6).must().link("date");
    p.live("date", "clock", clock).row(6).must();
    p.file("/etc/adjtime", 4 * K).row(6);
    p.native("date", "localtime", localtime).row(6);
    plan_ntp(p);
    plan_machine(p);
}

/// What kind of machine it is and how it is set up.
fn plan_machine(p: &mut Planner<'_>) {
    p.native("host", "virtualization", virtualization)
        .row(8)
        .must();
    p.files(
        &[
            "/sys/class/dmi/id/sys_vendor",
            "/sys/class/dmi/id/product_name",
            "/sys/class/dmi/id/product_version",
            "/sys/class/dmi/id/bios_version",
            "/sys/class/dmi/id/bios_date",
            "/sys/class/dmi/id/bios_vendor",
            "/sys/class/dmi/id/chassis_type",
            "/sys/hypervisor/type",
            "/proc/1/cgroup",
            "/run/systemd/container",
            "/run/.containerenv",
        ],
        64 * K,
    )
    .row(8);
    let cloud = [
        "/run/cloud-init/result.json",
        "/run/cloud-init/status.json",
        "/etc/cloud/cloud.cfg",
    ];
    p.files(&cloud, 512 * K).row(9);
    p.native("i18n", "locale", locale).row(10);
    p.files(
        &[
            "/etc/locale.conf",
            "/etc/default/locale",
            "/etc/environment",
            "/etc/profile",
        ],
        64 * K,
    )
    .row(10);
    p.files(
        &["/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf"],
        256 * K,
    )
    .row(11);
}

fn plan_ntp(p: &mut Planner<'_>) {
    p.files(
        &[
            "/etc/chrony.conf",
            "/etc/chrony/**",
            "/etc/ntp.conf",
            "/etc/systemd/timesyncd.conf",
        ],
        64 * K,
    )
    .row(7);
    let chrony = (!p.host.exists("/run/chrony") && !p.host.exists("/var/run/chrony"))
        .then_some("chronyd does not run");
    for line in [
        "chronyc -n tracking",
        "chronyc -n sources",
        "chronyc -n sourcestats",
    ] {
        p.command_if("chrony", line, chrony).row(7).limit(64 * K);
    }
    let ntp = (!p.host.exists("/run/ntpd.pid") && !p.host.exists("/var/run/ntpd.pid"))
        .then_some("ntpd does not run");
    p.command_if("ntp", "ntpq -pn", ntp).row(7).limit(64 * K);
    let systemd = (!p.host.has_systemd()).then_some("systemd does not run");
    p.command_if("systemd", "timedatectl", systemd)
        .row(7)
        .limit(64 * K);
    p.command_if("systemd", "timedatectl timesync-status", systemd)
        .row(7)
        .limit(64 * K);
}

fn hostname(n: &mut Native<'_>) -> Result<(), Miss> {
    let name = n
        .host
        .value("/proc/sys/kernel/hostname")
        .or_else(|| n.host.value("/etc/hostname"))
        .ok_or_else(|| Miss::absent("no host name"))?;
    writeln!(n.out, "{name}")?;
    Ok(())
}

/// From /etc/hosts only: asking a resolver may take long, and its answer belongs to the network's items.
fn fqdn(n: &mut Native<'_>) -> Result<(), Miss> {
    let name = n
        .host
        .value("/proc/sys/kernel/hostname")
        .ok_or_else(|| Miss::absent("no host name"))?;
    let hosts = n.host.text("/etc/hosts").unwrap_or_default();
    let line = hosts.lines().find(|l| {
        let mut names = l.split('#').next().unwrap_or("").split_whitespace().skip(1);
        names.any(|w| {
            w == name
                || w.strip_prefix(name.as_str())
                    .is_some_and(|r| r.starts_with('.'))
        })
    });
    let full = line.and_then(|l| l.split_whitespace().skip(1).find(|w| w.contains('.')));
    writeln!(n.out, "{}", full.unwrap_or(&name))?;
    Ok(())
}

fn clock(n: &mut Native<'_>) -> Result<(), Miss> {
    let state = sys::clock_state()?;
    writeln!(
        n.out,
        "synchronized: {}",
        if state.synchronized { "yes" } else { "no" }
    )?;
    writeln!(n.out, "offset_ms: {:.3}", state.offset_ms)?;
    writeln!(n.out, "max_error_ms: {:.3}", state.max_error_ms)?;
    writeln!(n.out, "status: {:#06x}", state.status)?;
    Ok(())
}

/// Local time of the host as broken-down time.
pub(super) fn local(ms: i64) -> jiff::civil::DateTime {
    jiff::tz::TimeZone::system()
        .to_datetime(jiff::Timestamp::from_millisecond(ms).unwrap_or_default())
}

fn date(n: &mut Native<'_>) -> Result<(), Miss> {
    let now = local(n.params.now_ms);
    let system = jiff::tz::TimeZone::system();
    let info = system
        .to_offset_info(jiff::Timestamp::from_millisecond(n.params.now_ms).unwrap_or_default());
    writeln!(
        n.out,
        "{} {} {}",
        now.strftime("%a %b %e %H:%M:%S"),
        info.abbreviation(),
        now.year()
    )?;
    Ok(())
}

fn localtime(n: &mut Native<'_>) -> Result<(), Miss> {
    let link = n
        .host
        .read_link("/etc/localtime")
        .ok_or_else(|| Miss::absent("/etc/localtime is no link"))?;
    writeln!(n.out, "/etc/localtime -> {link}")?;
    Ok(())
}

fn uptime(n: &mut Native<'_>) -> Result<(), Miss> {
    let seconds = n.host.text("/proc/uptime")?;
    let seconds = seconds
        .split('.')
        .next()
        .and_then(|s| s.parse::<u64>().ok())
        .unwrap_or(0);
    let load = n.host.text("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let days = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        d => format!("{d} days, "),
    };
    let clock = if hours > 0 {
        format!("{hours:2}:{minutes:02}")
    } else {
        format!("{minutes} min")
    };
    let now = local(n.params.now_ms).strftime("%H:%M:%S").to_string();
    let users = n
        .host
        .names("/run/systemd/sessions")
        .iter()
        .filter(|s| !s.ends_with(".ref"))
        .count();
    let users = format!("{users} user{}", if users > 1 { "s" } else { "" });
    writeln!(
        n.out,
        " {now} up {days}{clock},  {users},  load average: {}",
        load.join(", ")
    )?;
    Ok(())
}

/// The first word is a kind as `systemd-detect-virt` names them; the lines below say why.
/// Parts of the names that machines give themselves, and what they are.
const BY_MACHINE: [(&str, &str); 12] = [
    ("vmware", "vmware"),
    ("virtualbox", "oracle"),
    ("innotek", "oracle"),
    ("kvm", "kvm"),
    ("qemu", "qemu"),
    ("xen", "xen"),
    ("microsoft corporation virtual", "microsoft"),
    ("amazon ec2", "amazon"),
    ("google", "google"),
    ("openstack", "kvm"),
    ("parallels", "parallels"),
    ("bhyve", "bhyve"),
];

fn virtualization(n: &mut Native<'_>) -> Result<(), Miss> {
    let host = n.host;
    let environment = host.value("/run/systemd/container");
    let vendor = host
        .value("/sys/class/dmi/id/sys_vendor")
        .unwrap_or_default();
    let product = host
        .value("/sys/class/dmi/id/product_name")
        .unwrap_or_default();
    let hypervisor = host
        .text("/proc/cpuinfo")
        .is_ok_and(|t| t.contains(" hypervisor"));
    let cgroup = host.value("/proc/1/cgroup").unwrap_or_default();
    let engine = [
        "docker",
        "kubepods",
        "containerd",
        "libpod",
        "lxc",
        "machine.slice",
    ]
    .iter()
    .find(|e| cgroup.contains(**e));
    let machine = format!("{vendor} {product}").to_lowercase();
    let found = BY_MACHINE
        .iter()
        .find(|(part, _)| machine.contains(part))
        .map(|(_, kind)| *kind);
    let kind = if let Some(container) = &environment {
        container.as_str()
    } else if host.exists("/.dockerenv") {
        "docker"
    } else if host.exists("/run/.containerenv") {
        "podman"
    } else if let Some(engine) = engine {
        engine
    } else if let Some(kind) = found {
        kind
    } else if host.exists("/sys/hypervisor/type") {
        "xen"
    } else if hypervisor {
        "vm-other"
    } else {
        "none"
    };
    writeln!(
        n.out,
        "{kind}\nvendor: {vendor}\nproduct: {product}\nhypervisor flag: {hypervisor}"
    )?;
    Ok(())
}

fn locale(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = ["/etc/locale.conf", "/etc/default/locale"]
        .iter()
        .find_map(|p| n.host.text(p).ok());
    let text = text.unwrap_or_default();
    let value = |key: &str| {
        let line = text
            .lines()
            .find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('='));
        line.map(|v| v.trim_matches('"').to_owned())
    };
    let lang = value("LANG").unwrap_or_default();
    writeln!(n.out, "LANG={lang}")?;
    let parts = [
        "CTYPE",
        "NUMERIC",
        "TIME",
        "COLLATE",
        "MONETARY",
        "MESSAGES",
        "PAPER",
        "NAME",
        "ADDRESS",
        "TELEPHONE",
    ];
    for part in parts.iter().chain(&["MEASUREMENT", "IDENTIFICATION"]) {
        let key = format!("LC_{part}");
        let fallback = if lang.is_empty() {
            "POSIX".to_owned()
        } else {
            lang.clone()
        };
        writeln!(n.out, "{key}=\"{}\"", value(&key).unwrap_or(fallback))?;
    }
    writeln!(n.out, "LC_ALL={}", value("LC_ALL").unwrap_or_default())?;
    Ok(())
}
