//! Facts about file systems, from the outputs of df and the mount table.

use super::read::Text;
use super::{Device, Disk, Facts, Mount};

/// Types without storage of their own; a full one is not a full disk.
const PSEUDO: &[&str] = &[
    "tmpfs",
    "devtmpfs",
    "squashfs",
    "iso9660",
    "overlay",
    "proc",
    "sysfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "efivarfs",
    "ramfs",
    "mqueue",
    "hugetlbfs",
    "debugfs",
    "tracefs",
    "securityfs",
    "bpf",
    "pstore",
    "configfs",
    "fusectl",
    "autofs",
    "binfmt_misc",
    "nsfs",
    "rpc_pipefs",
];

/// Mounts and devices that are listed; hosts of containers have thousands.
const MAX_ROWS: usize = 500;

fn disk<'a>(facts: &'a mut Facts, mount: &str) -> &'a mut Disk {
    let at = facts
        .disks
        .iter()
        .position(|d| d.mount == mount)
        .unwrap_or_else(|| {
            facts.disks.push(Disk {
                mount: mount.to_owned(),
                ..Disk::default()
            });
            facts.disks.len() - 1
        });
    &mut facts.disks[at]
}

pub(super) fn mounts(t: &Text<'_>, facts: &mut Facts) {
    facts.mounts.clear();
    for line in t.text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, mount, fstype, options, ..] = words.as_slice() else {
            continue;
        };
        let mount = mount.replace("\\040", " ");
        if facts.mounts.len() < MAX_ROWS {
            facts.mounts.push(Mount {
                target: mount.clone(),
                device: (*device).to_owned(),
                fstype: (*fstype).to_owned(),
                options: options.split(',').map(str::to_owned).collect(),
                item: t.path.to_owned(),
            });
        }
        let disk = disk(facts, &mount);
        (*device).clone_into(&mut disk.device);
        (*fstype).clone_into(&mut disk.fstype);
        disk.read_only = options.split(',').any(|o| o == "ro");
        disk.pseudo = PSEUDO.contains(fstype);
    }
}

/// Splits a line of df: the device may be followed by a type; the mount point is the rest.
fn columns(line: &str, before_mount: usize) -> Option<(Vec<&str>, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mount = words
        .get(before_mount..)
        .filter(|m| !m.is_empty())?
        .join(" ");
    Some((words[..before_mount].to_vec(), mount))
}

fn percent(text: &str) -> Option<f64> {
    text.strip_suffix('%')?.parse().ok()
}

pub(super) fn df(t: &Text<'_>, facts: &mut Facts) {
    for line in t.text.lines().skip(1) {
        let Some((words, mount)) = columns(line, 5) else {
            continue;
        };
        let [device, total, used, available, _] = words[..] else {
            continue;
        };
        let (Ok(total), Ok(used)) = (total.parse::<u64>(), used.parse::<u64>()) else {
            continue;
        };
        if total == 0 {
            continue;
        }
        let available = available.parse::<u64>().unwrap_or(0);
        let disk = disk(facts, &mount);
        device.clone_into(&mut disk.device);
        (disk.total_bytes, disk.used_bytes) = (total * 1024, used * 1024);
        // As df counts: what is reserved for root is neither used nor available.
        let share = used as f64 * 100.0 / (used + available).max(1) as f64;
        disk.used_pct = (share * 10.0).round() / 10.0;
        t.path.clone_into(&mut disk.item);
    }
}

pub(super) fn inodes(t: &Text<'_>, facts: &mut Facts) {
    for line in t.text.lines().skip(1) {
        let Some((words, mount)) = columns(line, 6) else {
            continue;
        };
        let share = words.get(5).and_then(|w| percent(w));
        if share.is_some() {
            disk(facts, &mount).inodes_used_pct = share;
        }
    }
}

/// `lsblk -O -P`: a line of `KEY="value"` per device. The kernel's names of columns changed once.
pub(super) fn devices(t: &Text<'_>, facts: &mut Facts) {
    for line in t.text.lines().take(MAX_ROWS) {
        let value = |keys: &[&str]| {
            let found = keys.iter().find_map(|key| {
                let at = line
                    .find(&format!(" {key}=\""))
                    .map(|at| at + 1)
                    .or_else(|| line.starts_with(&format!("{key}=\"")).then_some(0))?;
                line[at + key.len() + 2..].split('"').next()
            });
            found.unwrap_or("").trim().to_owned()
        };
        let name = value(&["NAME", "KNAME"]);
        if name.is_empty() {
            continue;
        }
        facts.devices.push(Device {
            kind: value(&["TYPE"]),
            size_bytes: size(&value(&["SIZE"])),
            model: value(&["MODEL"]),
            rotational: match value(&["ROTA"]).as_str() {
                "1" => Some(true),
                "0" => Some(false),
                _ => None,
            },
            read_only: value(&["RO"]) == "1",
            parent: value(&["PKNAME"]),
            fstype: value(&["FSTYPE"]),
            mount: value(&["MOUNTPOINT"]),
            item: t.path.to_owned(),
            name,
        });
    }
}

/// A size as lsblk writes it: `256G`, `1.5T`, or plain bytes.
fn size(text: &str) -> u64 {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text[number.len()..].chars().next() {
        Some('K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        _ => 0,
    };
    let bytes = number.parse::<f64>().unwrap_or(0.0) * 1024_f64.powi(power);
    bytes as u64
}

/// Leaves out what has no size: such mounts tell nothing as disks.
pub(super) fn settle(facts: &mut Facts) {
    facts.disks.retain(|d| d.total_bytes > 0);
    facts.disks.sort_by(|a, b| a.mount.cmp(&b.mount));
}
