//! Block devices from /sys/block and the udev database, in the shapes of lsblk, blkid and lsscsi.

use super::blockdevs::{Block, flat, roots, value};
use crate::collect::{Miss, source::Native};
use std::io::Write as _;

/// Sizes as lsblk writes them: binary units, one decimal unless it is zero.
fn human(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "K", "M", "G", "T", "P"] {
        if size < 1023.95 || unit == "P" {
            let text = format!("{size:.1}");
            return format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text));
        }
        size /= 1024.0;
    }
    String::new()
}

/// `lsblk`.
///
/// # Errors
/// Absent without /sys/block.
pub(super) fn tree(n: &mut Native<'_>) -> Result<(), Miss> {
    let roots = roots(n.host, false)?;
    writeln!(n.out, "NAME   MAJ:MIN RM   SIZE RO TYPE MOUNTPOINT")?;
    let mut rows = Vec::new();
    for root in &roots {
        rows.push((root.name.clone(), root));
        tree_rows(&mut rows, root, "");
    }
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(4);
    for (name, b) in rows {
        let (rm, ro) = (u8::from(b.removable), u8::from(b.read_only));
        let mount = b.mounts.first().map_or("", String::as_str);
        let line = format!(
            "{name:<width$} {:>7} {rm:>2} {:>6} {ro:>2} {:<4} {mount}",
            b.dev,
            human(b.bytes),
            b.kind
        );
        writeln!(n.out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn tree_rows<'b>(rows: &mut Vec<(String, &'b Block)>, of: &'b Block, indent: &str) {
    for (at, child) in of.children.iter().enumerate() {
        let last = at + 1 == of.children.len();
        rows.push((
            format!("{indent}{}{}", if last { "└─" } else { "├─" }, child.name),
            child,
        ));
        tree_rows(
            rows,
            child,
            &format!("{indent}{}", if last { "  " } else { "│ " }),
        );
    }
}

/// `lsblk -O -P`, with the columns that readers use.
///
/// # Errors
/// Absent without /sys/block.
pub(super) fn pairs(n: &mut Native<'_>) -> Result<(), Miss> {
    let roots = roots(n.host, false)?;
    let mut all = Vec::new();
    flat(&roots, &mut all, None);
    for (b, parent) in all {
        let queue = |name: &str| {
            value(
                n.host,
                &format!("{}/queue/{name}", parent.map_or(&b.dir, |p| &p.dir)),
            )
        };
        let udev = |key: &str| b.udev.get(key).cloned().unwrap_or_default();
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let columns = [
            ("NAME", b.name.clone()),
            ("KNAME", b.dir.rsplit('/').next().unwrap_or("").to_owned()),
            ("MAJ:MIN", b.dev.clone()),
            ("FSTYPE", udev("ID_FS_TYPE")),
            ("MOUNTPOINT", b.mounts.first().cloned().unwrap_or_default()),
            ("LABEL", udev("ID_FS_LABEL")),
            ("UUID", udev("ID_FS_UUID")),
            ("PARTUUID", udev("ID_PART_ENTRY_UUID")),
            ("RA", queue("read_ahead_kb")),
            ("RO", flag(b.read_only)),
            ("RM", flag(b.removable)),
            ("MODEL", value(n.host, &format!("{}/device/model", b.dir))),
            ("SIZE", human(b.bytes)),
            ("STATE", value(n.host, &format!("{}/device/state", b.dir))),
            (
                "ALIGNMENT",
                value(n.host, &format!("{}/alignment_offset", b.dir)),
            ),
            ("MIN-IO", queue("minimum_io_size")),
            ("OPT-IO", queue("optimal_io_size")),
            ("PHY-SEC", queue("physical_block_size")),
            ("LOG-SEC", queue("logical_block_size")),
            ("ROTA", queue("rotational")),
            ("SCHED", chosen(&queue("scheduler"))),
            ("RQ-SIZE", queue("nr_requests")),
            ("TYPE", b.kind.to_owned()),
            ("DISC-GRAN", queue("discard_granularity")),
            ("DISC-MAX", queue("discard_max_bytes")),
            (
                "PKNAME",
                parent.map_or_else(String::new, |p| p.name.clone()),
            ),
            ("VENDOR", value(n.host, &format!("{}/device/vendor", b.dir))),
        ];
        let line: Vec<String> = columns
            .iter()
            .map(|(k, v)| format!("{k}=\"{}\"", v.replace('"', "'")))
            .collect();
        writeln!(n.out, "{}", line.join(" "))?;
    }
    Ok(())
}

/// The word in brackets: `none [mq-deadline] kyber`.
fn chosen(text: &str) -> String {
    let inside = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or(text, |(word, _)| word).to_owned()
}

/// `lsblk -f -a -l`.
///
/// # Errors
/// Absent without /sys/block.
pub(super) fn file_systems(n: &mut Native<'_>) -> Result<(), Miss> {
    let roots = roots(n.host, true)?;
    let mut all = Vec::new();
    flat(&roots, &mut all, None);
    writeln!(
        n.out,
        "{:<16} {:<12} {:<16} {:<36} MOUNTPOINT",
        "NAME", "FSTYPE", "LABEL", "UUID"
    )?;
    for (b, _) in all {
        let udev = |key: &str| b.udev.get(key).map_or("", String::as_str);
        let (kind, label, uuid) = (udev("ID_FS_TYPE"), udev("ID_FS_LABEL"), udev("ID_FS_UUID"));
        let line = format!(
            "{:<16} {kind:<12} {label:<16} {uuid:<36} {}",
            b.name,
            b.mounts.join(" ")
        );
        writeln!(n.out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `lsblk -t`.
///
/// # Errors
/// Absent without /sys/block.
pub(super) fn topology(n: &mut Native<'_>) -> Result<(), Miss> {
    let roots = roots(n.host, false)?;
    writeln!(
        n.out,
        "NAME         ALIGNMENT MIN-IO OPT-IO PHY-SEC LOG-SEC ROTA SCHED       RQ-SIZE   RA"
    )?;
    for b in &roots {
        let queue = |name: &str| value(n.host, &format!("{}/queue/{name}", b.dir));
        let alignment = value(n.host, &format!("{}/alignment_offset", b.dir));
        let (minimum, optimal) = (queue("minimum_io_size"), queue("optimal_io_size"));
        let (physical, logical) = (queue("physical_block_size"), queue("logical_block_size"));
        let (rota, sched, rq) = (
            queue("rotational"),
            chosen(&queue("scheduler")),
            queue("nr_requests"),
        );
        let ahead = queue("read_ahead_kb");
        write!(
            n.out,
            "{:<12} {alignment:>9} {minimum:>6} {optimal:>6} {physical:>7} {logical:>7} ",
            b.name
        )?;
        writeln!(n.out, "{rota:>4} {sched:<11} {rq:>7} {ahead:>4}")?;
    }
    Ok(())
}

/// `blkid` from the udev database: nothing is read from the devices.
///
/// # Errors
/// Absent without udev.
pub(super) fn blkid(n: &mut Native<'_>) -> Result<(), Miss> {
    let roots = roots(n.host, false)?;
    let mut all = Vec::new();
    flat(&roots, &mut all, None);
    for (b, _) in all {
        let columns = [
            ("LABEL", "ID_FS_LABEL"),
            ("UUID", "ID_FS_UUID"),
            ("TYPE", "ID_FS_TYPE"),
            ("PARTLABEL", "ID_PART_ENTRY_NAME"),
            ("PARTUUID", "ID_PART_ENTRY_UUID"),
        ];
        let known = columns
            .iter()
            .filter_map(|(k, from)| Some(format!("{k}=\"{}\"", b.udev.get(*from)?)));
        let line: Vec<String> = known.collect();
        if !line.is_empty() {
            let folder = if matches!(b.kind, "lvm" | "crypt" | "mpath" | "dm") {
                "/dev/mapper"
            } else {
                "/dev"
            };
            writeln!(n.out, "{folder}/{}: {}", b.name, line.join(" "))?;
        }
    }
    if !n.out.is_empty() {
        return Ok(());
    }
    // Without udev (containers, small systems) only the mounted types are known.
    for m in n
        .host
        .mounts()
        .iter()
        .filter(|m| m.device.starts_with("/dev/"))
    {
        writeln!(n.out, "{}: TYPE=\"{}\"", m.device, m.fstype)?;
    }
    if n.out.is_empty() {
        Err(Miss::absent("no udev database and no mounted device"))
    } else {
        Ok(())
    }
}

/// `lsscsi` from /sys/bus/scsi.
///
/// # Errors
/// Absent without SCSI devices.
pub(super) fn lsscsi(n: &mut Native<'_>) -> Result<(), Miss> {
    let base = "/sys/bus/scsi/devices";
    for address in n
        .host
        .names(base)
        .iter()
        .filter(|a| a.matches(':').count() == 3)
    {
        let get = |name: &str| value(n.host, &format!("{base}/{address}/{name}"));
        let kind = match get("type").as_str() {
            "0" => "disk",
            "1" => "tape",
            "5" => "cd/dvd",
            _ => "other",
        };
        let node = n
            .host
            .names(&format!("{base}/{address}/block"))
            .into_iter()
            .next();
        let node = node.map_or_else(|| "-".to_owned(), |b| format!("/dev/{b}"));
        writeln!(
            n.out,
            "[{address}]    {kind:<7} {:<8} {:<16} {:<5} {node}",
            get("vendor"),
            get("model"),
            get("rev")
        )?;
    }
    if n.out.is_empty() {
        Err(Miss::absent("no SCSI device"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_lsblk_does() {
        for (bytes, text) in [
            (0, "0B"),
            (512, "512B"),
            (1 << 20, "1M"),
            (274_877_906_944, "256G"),
            (1_610_612_736, "1.5G"),
        ] {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(chosen("none [mq-deadline] kyber"), "mq-deadline");
    }
}
