//! The kernel: version, log, modules, variables, crash state, boot.

use super::{declare, kernellog, listing};
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::io::Write as _;

declare!(
    Kernel,
    "kernel",
    "Kernel",
    "What did the kernel say, how is it configured, and did it crash?",
    ["base"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;

fn plan(p: &mut Planner<'_>) {
    p.native("kernel", "uname -a", uname)
        .row(2)
        .must()
        .link("uname");
    p.files(
        &["/proc/cmdline", "/proc/version", "/proc/sys/kernel/tainted"],
        64 * K,
    )
    .row(12)
    .must();
    p.native("kernel", "tainted", tainted).row(12).must();
    p.live("kernel", "dmesg", kernellog::dmesg)
        .row(13)
        .must()
        .limit(2 * M)
        .root()
        .link("dmesg");
    p.native("kernel", "lsmod", lsmod)
        .row(14)
        .must()
        .link("lsmod");
    p.native("kernel", "module parameters", module_parameters)
        .row(14)
        .limit(2 * M);
    p.files(
        &[
            "/sys/module/dm_mod/parameters/use_blk_mq",
            "/sys/module/scsi_mod/parameters/use_blk_mq",
            "/sys/module/kernel/parameters/crash_kexec_post_notifiers",
        ],
        K,
    )
    .row(14);
    p.file("/proc/modules", M).row(14);
    p.native("kernel", "sysctl -a", sysctl).row(15).must();
    for (row, folder, names) in SYSCTL_FILES {
        for name in names.split_whitespace() {
            p.file(&format!("/proc/sys/{folder}/{name}"), 4 * K)
                .row(*row);
        }
    }
    plan_settings(p);
}

/// Settings that readers of sos reports look for as files of their own; all are in `sysctl -a` as well. Row, folder, names.
const SYSCTL_FILES: &[(u16, &str, &str)] = &[
    (
        15,
        "kernel",
        "hostname hung_task_panic hung_task_timeout_secs hung_task_warnings msgmax msgmnb msgmni nmi_watchdog \
         osrelease panic panic_on_io_nmi panic_on_oops panic_on_stackoverflow panic_on_unrecovered_nmi \
         panic_on_warn random/entropy_avail sched_latency_ns sched_min_granularity_ns sched_rt_runtime_us sem \
         shmall shmmax shmmni softlockup_panic softlockup_thresh sysrq unknown_nmi_panic",
    ),
    (15, "fs", "dentry-state"),
    (
        15,
        "net/core",
        "busy_poll busy_read netdev_budget netdev_max_backlog rmem_default rmem_max wmem_default wmem_max",
    ),
    (
        15,
        "net/ipv4",
        "icmp_echo_ignore_all ip_forward ip_local_port_range ip_local_reserved_ports ipfrag_high_thresh \
         ipfrag_low_thresh tcp_fastopen tcp_max_orphans tcp_mem tcp_rmem tcp_sack tcp_timestamps \
         tcp_window_scaling tcp_wmem udp_mem udp_rmem_min udp_wmem_min",
    ),
    (15, "net/ipv6", "ip6frag_high_thresh ip6frag_low_thresh"),
    (
        34,
        "vm",
        "dirty_background_bytes dirty_background_ratio dirty_bytes dirty_expire_centisecs dirty_ratio \
         dirty_writeback_centisecs force_cgroup_v2_swappiness max_map_count min_free_kbytes nr_hugepages \
         nr_overcommit_hugepages oom_kill_allocating_task overcommit_memory overcommit_ratio panic_on_oom \
         swappiness vfs_cache_pressure zone_reclaim_mode",
    ),
];

/// What the kernel is told at boot.
fn plan_settings(p: &mut Planner<'_>) {
    let sysctls = [
        "/etc/sysctl.conf",
        "/etc/sysctl.d/*",
        "/usr/lib/sysctl.d/*",
        "/run/sysctl.d/*",
    ];
    p.files(&sysctls, 256 * K).row(16);
    p.files(
        &["/etc/modprobe.d/*", "/etc/modules-load.d/*", "/etc/modules"],
        256 * K,
    )
    .row(17);
    plan_counters(p);
}

/// What the kernel counts and how it protects itself.
fn plan_counters(p: &mut Planner<'_>) {
    for name in [
        "interrupts",
        "softirqs",
        "stat",
        "locks",
        "misc",
        "devices",
        "filesystems",
        "iomem",
        "ioports",
        "dma",
        "fb",
        "crypto",
        "consoles",
        "key-users",
    ] {
        p.file(&format!("/proc/{name}"), M).row(18);
    }
    p.files(
        &[
            "/proc/pressure/cpu",
            "/proc/pressure/memory",
            "/proc/pressure/io",
            "/proc/pressure/irq",
        ],
        4 * K,
    )
    .row(19)
    .must();
    p.files(
        &[
            "/sys/devices/system/cpu/vulnerabilities/*",
            "/sys/devices/system/cpu/smt/*",
        ],
        64 * K,
    )
    .row(20);
    p.files(
        &[
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            "/sys/devices/system/clocksource/clocksource0/available_clocksource",
        ],
        4 * K,
    )
    .row(21);
    p.files(&["/sys/kernel/oops_count", "/sys/kernel/warn_count"], 4 * K)
        .row(22);
    p.files(&["/sys/fs/pstore/*", "/var/lib/systemd/pstore/**"], 5 * M)
        .row(22)
        .root();
    plan_crash_and_boot(p);
}

fn plan_crash_and_boot(p: &mut Planner<'_>) {
    let kdump = [
        "/etc/kdump.conf",
        "/etc/default/kdump-tools",
        "/sys/kernel/kexec_crash_loaded",
    ];
    p.files(&kdump, 64 * K).row(23);
    p.files(
        &[
            "/sys/kernel/kexec_crash_size",
            "/var/crash/*/vmcore-dmesg.txt",
            "/var/crash/*/dmesg.*",
        ],
        5 * M,
    )
    .row(23);
    p.native("kdump", "ls -alhR /var/crash", |n| {
        listing::recursive(n, "/var/crash", 4)
    })
    .row(23);
    if let Some(release) = p.host.value("/proc/sys/kernel/osrelease") {
        p.file(&format!("/boot/config-{release}"), 512 * K).row(24);
    } else {
        p.file("/boot/config-*", 512 * K).row(24);
    }
    p.native("boot", "ls -lanR /boot", |n| {
        listing::recursive(n, "/boot", 4)
    })
    .row(24)
    .limit(512 * K);
    p.native("boot", "ls -lanR /sys/firmware", |n| {
        listing::recursive(n, "/sys/firmware", 2)
    })
    .row(24)
    .limit(512 * K);
    p.native("kernel", "ls /lib/modules", |n| {
        listing::names(n, &["/lib/modules", "/usr/lib/modules"])
    })
    .row(24);
    p.files(
        &[
            "/etc/default/grub",
            "/boot/grub*/grub.cfg",
            "/boot/loader/entries/*",
            "/boot/grub2/grubenv",
        ],
        512 * K,
    )
    .row(25)
    .root();
    p.file("/proc/bootconfig", 64 * K).row(25);
    p.native("boot", "secure boot", secure_boot).row(26);
    let efi = (!p.host.exists("/sys/firmware/efi")).then_some("not booted by EFI");
    p.command_if("boot", "efibootmgr -v", efi)
        .row(26)
        .limit(64 * K);
    p.command_if("boot", "mokutil --sb-state", efi)
        .row(26)
        .limit(64 * K);
    p.file("/sys/kernel/livepatch/*/enabled", 64 * K).row(27);
}

fn uname(n: &mut Native<'_>) -> Result<(), Miss> {
    let value = |name: &str| n.host.value(&format!("/proc/sys/kernel/{name}"));
    let (Some(name), Some(release)) = (value("hostname"), value("osrelease")) else {
        return Err(Miss::absent(
            "the kernel's names are in /proc, which is not here",
        ));
    };
    let version = value("version").unwrap_or_default();
    let machine = if n.host.is_live() {
        rustix::system::uname()
            .machine()
            .to_string_lossy()
            .into_owned()
    } else {
        "x86_64".to_owned()
    };
    // The uname of Red Hat's releases names the processor and the platform as well, by the same word.
    let times = if [".el6", ".el7", ".el8", ".el9"]
        .iter()
        .any(|el| release.contains(el))
    {
        3
    } else {
        1
    };
    let machine = vec![machine; times].join(" ");
    writeln!(
        n.out,
        "Linux {name} {release} {version} {machine} GNU/Linux"
    )?;
    Ok(())
}

fn tainted(n: &mut Native<'_>) -> Result<(), Miss> {
    const BITS: &[&str] = &[
        "proprietary module",
        "module force loaded",
        "out-of-spec system",
        "module force unloaded",
        "machine check",
        "bad page",
        "user request",
        "died (oops)",
        "ACPI table overridden",
        "warning",
        "staging driver",
        "firmware workaround",
        "out-of-tree module",
        "unsigned module",
        "soft lockup",
        "live patch",
        "auxiliary",
        "struct randomisation",
        "in-kernel test",
    ];
    let value: u64 = n
        .host
        .text("/proc/sys/kernel/tainted")?
        .trim()
        .parse()
        .unwrap_or(0);
    writeln!(n.out, "{value}")?;
    for (bit, name) in BITS
        .iter()
        .enumerate()
        .filter(|(bit, _)| value >> bit & 1 == 1)
    {
        writeln!(n.out, "bit {bit}: {name}")?;
    }
    Ok(())
}

fn lsmod(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n.host.text("/proc/modules")?;
    writeln!(n.out, "Module                  Size  Used by")?;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, size, used, by, ..] = words[..] else {
            continue;
        };
        let by = if by == "-" {
            ""
        } else {
            by.trim_end_matches(',')
        };
        let gap = if by.is_empty() { "" } else { " " };
        writeln!(n.out, "{name:<19} {size:>8}  {used}{gap}{by}")?;
    }
    Ok(())
}

fn module_parameters(n: &mut Native<'_>) -> Result<(), Miss> {
    for module in n.host.names("/sys/module") {
        let base = format!("/sys/module/{module}");
        if let Some(version) = n.host.value(&format!("{base}/version")) {
            writeln!(n.out, "{module} version {version}")?;
        }
        for parameter in n.host.names(&format!("{base}/parameters")) {
            // Keys and pass phrases can be parameters.
            if ["key", "pass", "secret", "token"]
                .iter()
                .any(|w| parameter.contains(w))
            {
                continue;
            }
            let path = format!("{base}/parameters/{parameter}");
            if let Some(value) = n.host.value(&path) {
                writeln!(n.out, "{module}.{parameter} = {value}")?;
            }
        }
        if !n.out.check() {
            break;
        }
    }
    if n.out.is_empty() {
        Err(Miss::absent("no /sys/module"))
    } else {
        Ok(())
    }
}

fn sysctl(n: &mut Native<'_>) -> Result<(), Miss> {
    walk(n, "/proc/sys", &mut String::new(), 0)?;
    if n.out.is_empty() {
        Err(Miss::absent("no /proc/sys"))
    } else {
        Ok(())
    }
}

/// Prints every readable variable below `dir`; `key` is its dotted name so far.
fn walk(n: &mut Native<'_>, dir: &str, key: &mut String, depth: usize) -> Result<(), Miss> {
    for name in n.host.names(dir) {
        if !n.out.check() {
            return Ok(());
        }
        let path = format!("{dir}/{name}");
        let Some(meta) = n.host.stat(&path) else {
            continue;
        };
        let length = key.len();
        if !key.is_empty() {
            key.push('.');
        }
        // A dot within a name is written as a slash, as sysctl does.
        key.push_str(&name.replace('.', "/"));
        if meta.is_dir() && depth < 8 {
            walk(n, &path, key, depth + 1)?;
        } else if meta.is_file()
            && meta.mode & 0o444 != 0
            && let Ok(text) = n.host.text(&path)
        {
            for line in text.lines() {
                writeln!(n.out, "{key} = {}", line.trim_end_matches('\0'))?;
            }
            if text.is_empty() {
                writeln!(n.out, "{key} = ")?;
            }
        }
        key.truncate(length);
    }
    Ok(())
}

fn secure_boot(n: &mut Native<'_>) -> Result<(), Miss> {
    let path = n
        .host
        .glob("/sys/firmware/efi/efivars/SecureBoot-*")
        .into_iter()
        .next();
    let path = path.ok_or_else(|| Miss::absent("no EFI variable SecureBoot"))?;
    let bytes = n.host.read(&path, 16)?;
    let on = bytes.get(4).is_some_and(|b| *b == 1);
    writeln!(
        n.out,
        "SecureBoot {}",
        if on { "enabled" } else { "disabled" }
    )?;
    Ok(())
}
