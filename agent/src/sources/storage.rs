//! Storage: disks, file systems, RAID, volumes, and how full they are.

use super::{blocks, declare, listing};
use crate::collect::{
    self, Miss, Params, PlannedItem, Planner, Source, mounts::Mount, source::Native,
};
use std::io::Write as _;
use std::time::Duration;

declare!(
    Storage,
    "storage",
    "Storage",
    "Is anything full, read-only, failing, or missing?",
    ["base", "storage"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Devices of which details are asked.
const MAX_DEVICES: usize = 24;
const LVM: &str = "--config 'global{metadata_read_only=1}' --nolocking --foreign";

fn plan(p: &mut Planner<'_>) {
    p.files(
        &[
            "/proc/partitions",
            "/proc/diskstats",
            "/proc/mdstat",
            "/proc/mounts",
            "/proc/self/mountinfo",
        ],
        2 * M,
    )
    .row(67)
    .must();
    p.files(
        &[
            "/proc/fs/ext4/*/options",
            "/proc/fs/jbd2/*/info",
            "/proc/fs/xfs/*",
        ],
        64 * K,
    )
    .row(67);
    p.native("block", "lsblk", blocks::tree).row(68).must();
    p.native("block", "lsblk -O -P", blocks::pairs).row(68);
    p.native("block", "lsblk -f -a -l", blocks::file_systems)
        .row(68);
    p.native("block", "lsblk -t", blocks::topology).row(68);
    p.native("block", "ls -lanR /dev", |n| {
        listing::recursive(n, "/dev", 2)
    })
    .row(68)
    .limit(512 * K);
    p.native("block", "ls -lanR /sys/block", |n| {
        listing::recursive(n, "/sys/block", 0)
    })
    .row(68);
    for name in [
        "scheduler",
        "stable_writes",
        "discard_max_bytes",
        "max_segment_size",
    ] {
        p.file(&format!("/sys/block/*/queue/{name}"), 4 * K).row(68);
    }
    p.native("filesys", "df -al -x autofs", df)
        .row(69)
        .must()
        .seconds(10)
        .link("df");
    p.native("filesys", "df -aliT -x autofs", df_inodes)
        .row(69)
        .must()
        .seconds(10);
    p.files(
        &[
            "/etc/fstab",
            "/etc/crypttab",
            "/etc/auto.*",
            "/etc/autofs*",
            "/etc/exports",
        ],
        256 * K,
    )
    .row(70);
    p.files(
        &["/etc/exports.d/*", "/etc/nfs.conf", "/etc/idmapd.conf"],
        256 * K,
    )
    .row(70);
    p.native("filesys", "mount -l", mount)
        .row(71)
        .must()
        .link("mount");
    p.native("filesys", "findmnt", findmnt).row(71);
    p.native("block", "blkid -c /dev/null", blocks::blkid)
        .row(72)
        .root();
    p.file("/run/udev/data/b*", 64 * K).row(72);
    plan_volumes(p);
    plan_file_systems(p);
    plan_hardware(p);
    p.native("filesys", "largest files", largest)
        .row(81)
        .limit(256 * K)
        .seconds(15);
    p.files(
        &["/sys/block/zram*/mm_stat", "/sys/block/zram*/disksize"],
        4 * K,
    )
    .row(82);
}

fn plan_volumes(p: &mut Planner<'_>) {
    p.file("/etc/lvm/lvm.conf", 256 * K).row(73);
    let has = |dir: &str, prefix: &str| p.host.names(dir).iter().any(|n| n.starts_with(prefix));
    let mapper = (!has("/sys/block", "dm-")).then_some("no device-mapper device");
    let raid = (!has("/sys/block", "md")).then_some("no MD device");
    for command in [
        "pvs -a -v -o +pv_mda_free,pv_mda_size,pv_mda_count,pv_mda_used_count,pe_start",
        "vgs -v -o +vg_mda_count,vg_mda_free,vg_mda_size,vg_mda_used_count,vg_tags,systemid",
        "lvs -a -o +lv_tags,devices,lv_kernel_read_ahead,lv_read_ahead,stripes,stripesize",
    ] {
        let line = format!("{command} {LVM}");
        match mapper {
            None => {
                let argv = line
                    .replace('\'', "")
                    .split(' ')
                    .map(str::to_owned)
                    .collect();
                p.argv("lvm2", &line, argv).row(73).seconds(20).root();
            }
            Some(_) => {
                p.command_if("lvm2", &line, mapper).row(73);
            }
        }
    }
    p.files(&["/etc/mdadm.conf", "/etc/mdadm/mdadm.conf"], 64 * K)
        .row(74);
    let arrays: Vec<String> = p
        .host
        .names("/sys/block")
        .into_iter()
        .filter(|n| n.starts_with("md"))
        .collect();
    p.command_if("md", "mdadm -D --scan", raid).row(74).root();
    for array in arrays.iter().take(MAX_DEVICES) {
        p.command("md", &format!("mdadm -D /dev/{array}"))
            .row(74)
            .root();
    }
    p.command_if("devicemapper", "dmsetup info -c", mapper)
        .row(75)
        .root();
    p.command_if("devicemapper", "dmsetup status", mapper)
        .row(75)
        .root();
    p.file("/etc/multipath.conf", 256 * K).row(75);
    let multipath =
        (!p.host.exists("/sys/module/dm_multipath")).then_some("multipath is not loaded");
    p.command_if("multipath", "multipath -v4 -ll", multipath)
        .row(75)
        .seconds(20)
        .root();
}

/// One command per mounted device of a type, on local storage only.
fn plan_file_systems(p: &mut Planner<'_>) {
    let mounted = |types: &[&str]| -> Vec<Mount> {
        let all = p.host.mounts().iter();
        let mut found: Vec<Mount> = all
            .filter(|m| types.contains(&m.fstype.as_str()) && m.device.starts_with("/dev/"))
            .cloned()
            .collect();
        found.sort_by(|a, b| a.device.cmp(&b.device));
        found.dedup_by(|a, b| a.device == b.device);
        found.truncate(MAX_DEVICES);
        found
    };
    let (ext, xfs, btrfs) = (
        mounted(&["ext2", "ext3", "ext4"]),
        mounted(&["xfs"]),
        mounted(&["btrfs"]),
    );
    for mount in &ext {
        p.command("filesys", &format!("dumpe2fs -h {}", mount.device))
            .row(76)
            .seconds(15)
            .root();
    }
    for mount in &xfs {
        p.command("xfs", &format!("xfs_info {}", mount.target))
            .row(76)
            .seconds(15);
    }
    for mount in &btrfs {
        p.command("btrfs", &format!("btrfs filesystem usage {}", mount.target))
            .row(76)
            .seconds(15)
            .root();
        p.command("btrfs", &format!("btrfs device stats {}", mount.target))
            .row(76)
            .seconds(15)
            .root();
    }
    if ext.is_empty() && xfs.is_empty() && btrfs.is_empty() {
        p.nothing(
            "filesys",
            "dumpe2fs, xfs_info, btrfs",
            Miss::absent("no such file system is mounted"),
        )
        .row(76);
    }
    p.files(
        &[
            "/sys/fs/ext4/*/errors_count",
            "/sys/fs/ext4/*/last_error_time",
            "/sys/fs/xfs/*/error/**",
        ],
        4 * K,
    )
    .row(76);
    let zfs = (!p.host.exists("/proc/spl")).then_some("ZFS is not loaded");
    for line in ["zpool status -v", "zpool list -v", "zfs list"] {
        p.command_if("zfs", line, zfs)
            .row(77)
            .limit(512 * K)
            .seconds(15);
    }
    p.file("/proc/spl/kstat/zfs/arcstats", 64 * K).row(77);
    p.files(
        &[
            "/proc/fs/nfsfs/*",
            "/proc/self/mountstats",
            "/proc/net/rpc/nfs",
            "/proc/net/rpc/nfsd",
        ],
        M,
    )
    .row(80);
}

fn plan_hardware(p: &mut Planner<'_>) {
    let disks: Vec<String> = p
        .host
        .names("/sys/block")
        .into_iter()
        .filter(|n| n.starts_with("sd") || n.starts_with("nvme") || n.starts_with("hd"))
        .collect();
    if !p.params.opted_in("smart") {
        p.nothing("ata", "smartctl", Miss::skipped("opt-in (smart)"))
            .row(78);
    } else if disks.is_empty() {
        p.nothing(
            "ata",
            "smartctl",
            Miss::absent("no disk that has health data"),
        )
        .row(78);
    }
    for disk in disks
        .iter()
        .take(MAX_DEVICES)
        .filter(|_| p.params.opted_in("smart"))
        .cloned()
        .collect::<Vec<_>>()
    {
        // Never wakes a disk that sleeps.
        p.command("ata", &format!("smartctl -n standby -x /dev/{disk}"))
            .row(78)
            .seconds(15)
            .root();
    }
    p.files(
        &[
            "/sys/class/nvme/*/model",
            "/sys/class/nvme/*/state",
            "/sys/class/nvme/*/firmware_rev",
        ],
        4 * K,
    )
    .row(78);
    p.file("/proc/scsi/scsi", 64 * K).row(79);
    p.native("scsi", "lsscsi", blocks::lsscsi).row(79);
    for pattern in [
        "/sys/class/scsi_host/*/state",
        "/sys/class/fc_host/*/port_state",
        "/sys/class/iscsi_session/*/state",
    ] {
        p.file(pattern, 4 * K).row(79);
    }
    let iscsi = (!p.host.exists("/sys/class/iscsi_session")).then_some("no iSCSI session");
    p.command_if("iscsi", "iscsiadm -m session -P 1", iscsi)
        .row(79)
        .root();
}

/// The mounts that may be asked for their size: local, and each target once (the topmost counts).
fn local_mounts(n: &Native<'_>) -> Vec<Mount> {
    let mut seen = std::collections::BTreeSet::new();
    let mut found: Vec<Mount> = n
        .host
        .mounts()
        .iter()
        .rev()
        .filter(|m| m.fstype != "autofs" && !m.can_hang() && seen.insert(m.target.clone()))
        .cloned()
        .collect();
    found.reverse();
    found
}

/// `statvfs` on a thread of its own, since a failing disk can block it. The thread is left behind then.
fn sizes(mount: &Mount) -> Option<rustix::fs::StatVfs> {
    if mount.is_pseudo() {
        return rustix::fs::statvfs(&mount.target).ok();
    }
    let (tx, rx) = std::sync::mpsc::channel();
    let target = mount.target.clone();
    std::thread::spawn(move || {
        let _ = tx.send(rustix::fs::statvfs(&target));
    });
    rx.recv_timeout(Duration::from_secs(2)).ok()?.ok()
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        "-".to_owned()
    } else {
        format!("{}%", (part * 100).div_ceil(whole))
    }
}

fn df(n: &mut Native<'_>) -> Result<(), Miss> {
    if !n.host.is_live() {
        return Err(Miss::skipped("sizes are only known on a running host"));
    }
    writeln!(
        n.out,
        "Filesystem     1K-blocks     Used Available Use% Mounted on"
    )?;
    for mount in local_mounts(n) {
        let Mount { device, target, .. } = &mount;
        let Some(s) = sizes(&mount) else {
            writeln!(
                n.out,
                "{device:<14} {:>9} {:>8} {:>9} {:>4} {target}",
                "-", "-", "-", "-"
            )?;
            continue;
        };
        let kb = |blocks: u64| u128::from(blocks) * u128::from(s.f_frsize) / 1024;
        let (total, free) = (kb(s.f_blocks), kb(s.f_bfree));
        let (used, available) = (total.saturating_sub(free), kb(s.f_bavail));
        let share = percent(
            u64::try_from(used).unwrap_or(0),
            u64::try_from(used + available).unwrap_or(0),
        );
        writeln!(
            n.out,
            "{device:<14} {total:>9} {used:>8} {available:>9} {share:>4} {target}"
        )?;
    }
    Ok(())
}

fn df_inodes(n: &mut Native<'_>) -> Result<(), Miss> {
    if !n.host.is_live() {
        return Err(Miss::skipped("sizes are only known on a running host"));
    }
    writeln!(
        n.out,
        "Filesystem     Type         Inodes   IUsed    IFree IUse% Mounted on"
    )?;
    for mount in local_mounts(n) {
        let Mount {
            device,
            target,
            fstype,
            ..
        } = &mount;
        let Some(s) = sizes(&mount) else { continue };
        let used = s.f_files.saturating_sub(s.f_ffree);
        let share = percent(used, s.f_files);
        writeln!(
            n.out,
            "{device:<14} {fstype:<9} {:>9} {used:>7} {:>8} {share:>5} {target}",
            s.f_files, s.f_ffree
        )?;
    }
    Ok(())
}

fn mounts_or_absent(n: &Native<'_>) -> Result<Vec<Mount>, Miss> {
    let mounts = n.host.mounts().to_vec();
    if mounts.is_empty() {
        Err(Miss::absent("no mount table"))
    } else {
        Ok(mounts)
    }
}

fn mount(n: &mut Native<'_>) -> Result<(), Miss> {
    for Mount {
        device,
        target,
        fstype,
        options,
        ..
    } in mounts_or_absent(n)?
    {
        let label = blocks::label(n.host, &device).map_or_else(String::new, |l| format!(" [{l}]"));
        writeln!(
            n.out,
            "{device} on {target} type {fstype} ({options}){label}"
        )?;
    }
    Ok(())
}

fn findmnt(n: &mut Native<'_>) -> Result<(), Miss> {
    let mounts = mounts_or_absent(n)?;
    let width = |f: fn(&Mount) -> &str| {
        mounts
            .iter()
            .map(|m| f(m).len())
            .max()
            .unwrap_or(0)
            .clamp(6, 60)
    };
    let (a, b, c) = (
        width(|m| &m.target),
        width(|m| &m.device),
        width(|m| &m.fstype),
    );
    writeln!(
        n.out,
        "{:<a$} {:<b$} {:<c$} OPTIONS",
        "TARGET", "SOURCE", "FSTYPE"
    )?;
    for Mount {
        device,
        target,
        fstype,
        options,
        ..
    } in &mounts
    {
        writeln!(n.out, "{target:<a$} {device:<b$} {fstype:<c$} {options}")?;
    }
    Ok(())
}

/// The largest files below the usual places, to a depth and number that cost little.
fn largest(n: &mut Native<'_>) -> Result<(), Miss> {
    let mut files = Vec::new();
    let mut seen = 0_usize;
    let mut queue: Vec<(String, usize)> = [
        "/var/log",
        "/var/tmp",
        "/tmp",
        "/var/cache",
        "/var/spool",
        "/var/lib",
    ]
    .map(|d| (d.to_owned(), 3))
    .to_vec();
    while let Some((dir, depth)) = queue.pop() {
        if seen > 50_000 || !n.out.check() {
            break;
        }
        for name in n.host.names(&dir) {
            let path = format!("{dir}/{name}");
            let Some(meta) = n.host.stat(&path) else {
                continue;
            };
            seen += 1;
            if meta.is_dir() && depth > 0 {
                queue.push((path, depth - 1));
            } else if meta.is_file() && meta.size > 1 << 20 {
                files.push((meta.size, path));
            }
        }
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    writeln!(n.out, "# the 30 largest of {seen} entries looked at")?;
    for (size, path) in files.iter().take(30) {
        writeln!(n.out, "{size:>14} {path}")?;
    }
    Ok(())
}
