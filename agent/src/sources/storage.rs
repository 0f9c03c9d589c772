//! Storage: disks, file systems, RAID, volumes, and how full they are.

use super::{blocks, declare, listing, mounted};
use crate::collect::{
    self, Miss, Params, PlannedItem, Planner, Source, mounts::Mount, source::Native,
};
use std::io::Write as _;

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
    p.native("filesys", "df -al -x autofs", mounted::df)
        .row(69)
        .must()
        .seconds(10)
        .link("df");
    p.native("filesys", "df -aliT -x autofs", mounted::df_inodes)
        .row(69)
        .must()
        .seconds(10);
    plan_mounts(p);
}

/// What is mounted where, and the layers below.
fn plan_mounts(p: &mut Planner<'_>) {
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
    p.native("filesys", "mount -l", mounted::mount)
        .row(71)
        .must()
        .link("mount");
    p.native("filesys", "findmnt", mounted::findmnt).row(71);
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
    plan_zfs_and_nfs(p);
}

fn plan_zfs_and_nfs(p: &mut Planner<'_>) {
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
