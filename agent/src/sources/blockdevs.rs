//! Block devices as /sys/block and the udev database know them, and what stands on what. Nothing is read
//! from the devices.

use crate::collect::{Host, Miss};
use std::collections::BTreeMap;

/// Most devices that are shown.
const MAX_DEVICES: usize = 2_000;

/// One block device.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub name: String,
    pub dev: String,
    pub dir: String,
    pub bytes: u64,
    pub removable: bool,
    pub read_only: bool,
    pub kind: &'static str,
    pub mounts: Vec<String>,
    pub children: Vec<Block>,
    pub udev: BTreeMap<String, String>,
}

/// The trimmed text of a small file, or nothing.
pub(super) fn value(host: &Host, path: &str) -> String {
    host.value(path).unwrap_or_default()
}

/// What udev knows of a device.
fn udev(host: &Host, dev: &str) -> BTreeMap<String, String> {
    let text = host
        .text(&format!("/run/udev/data/b{dev}"))
        .unwrap_or_default();
    let rows = text
        .lines()
        .filter_map(|l| l.strip_prefix("E:")?.split_once('='));
    rows.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn kind(name: &str, dir: &str, host: &Host) -> &'static str {
    match name {
        n if n.starts_with("loop") => "loop",
        n if n.starts_with("sr") => "rom",
        n if n.starts_with("md") => "raid",
        n if n.starts_with("dm-") => match value(host, &format!("{dir}/dm/uuid")).split('-').next()
        {
            Some("LVM") => "lvm",
            Some("CRYPT") => "crypt",
            Some("mpath") => "mpath",
            _ => "dm",
        },
        _ => "disk",
    }
}

fn block(host: &Host, name: &str, dir: &str, partition: bool, depth: usize) -> Block {
    let dev = value(host, &format!("{dir}/dev"));
    let number = |file: &str| {
        value(host, &format!("{dir}/{file}"))
            .parse::<u64>()
            .unwrap_or(0)
    };
    let mounts = host
        .mounts()
        .iter()
        .filter(|m| m.dev == dev && !dev.is_empty());
    let mut block = Block {
        mounts: mounts.map(|m| m.target.clone()).collect(),
        // The kernel counts in sectors of 512 bytes whatever the device's are.
        bytes: number("size") * 512,
        removable: number("removable") == 1,
        read_only: number("ro") == 1,
        kind: if partition {
            "part"
        } else {
            kind(name, dir, host)
        },
        udev: udev(host, &dev),
        name: match host.value(&format!("{dir}/dm/name")) {
            Some(mapped) if !mapped.is_empty() => mapped,
            _ => name.to_owned(),
        },
        dev,
        dir: dir.to_owned(),
        children: Vec::new(),
    };
    if depth < 6 {
        if !partition {
            for child in host.names(dir).into_iter().filter(|c| c.starts_with(name)) {
                block.children.push(self::block(
                    host,
                    &child,
                    &format!("{dir}/{child}"),
                    true,
                    depth + 1,
                ));
            }
        }
        for holder in host.names(&format!("{dir}/holders")) {
            block.children.push(self::block(
                host,
                &holder,
                &format!("/sys/block/{holder}"),
                false,
                depth + 1,
            ));
        }
    }
    block
}

/// The devices that stand on no other, without empty loop and RAM devices unless `all`.
///
/// # Errors
/// Absent without /sys/block.
pub(super) fn roots(host: &Host, all: bool) -> Result<Vec<Block>, Miss> {
    let names = host.names("/sys/block");
    if names.is_empty() {
        return Err(Miss::absent("no block device in /sys/block"));
    }
    let found = names
        .iter()
        .take(MAX_DEVICES)
        .filter(|n| host.names(&format!("/sys/block/{n}/slaves")).is_empty())
        .map(|n| block(host, n, &format!("/sys/block/{n}"), false, 0));
    // A loop device without a file is not there, for lsblk; an empty disk is.
    let mut found: Vec<Block> = found
        .filter(|b| all || b.bytes > 0 || b.kind != "loop")
        .collect();
    found.sort_by_key(|b| {
        let (major, minor) = b.dev.split_once(':').unwrap_or((&b.dev, ""));
        (
            major.parse().unwrap_or(u32::MAX),
            minor.parse().unwrap_or(u32::MAX),
        )
    });
    Ok(found)
}

/// All devices, each with the one that it stands on.
pub(super) fn flat<'b>(
    roots: &'b [Block],
    out: &mut Vec<(&'b Block, Option<&'b Block>)>,
    parent: Option<&'b Block>,
) {
    for block in roots {
        out.push((block, parent));
        flat(&block.children, out, Some(block));
    }
}

/// The label of a device node, as udev knows it.
pub(super) fn label(host: &Host, device: &str) -> Option<String> {
    if !device.starts_with("/dev/") {
        return None;
    }
    let (major, minor) = host.device_of(device)?;
    udev(host, &format!("{major}:{minor}")).remove("ID_FS_LABEL")
}
