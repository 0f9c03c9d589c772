//! What is mounted and how full it is: `df`, `mount` and `findmnt`, without touching what can hang.

use super::blockdevs;
use crate::collect::{Miss, mounts::Mount, source::Native};
use std::io::Write as _;
use std::time::Duration;

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

/// `df -al -x autofs`.
///
/// # Errors
/// Skipped on a host that does not run; the output's limits.
pub(super) fn df(n: &mut Native<'_>) -> Result<(), Miss> {
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

/// `df -aliT -x autofs`.
///
/// # Errors
/// As for [`df`].
pub(super) fn df_inodes(n: &mut Native<'_>) -> Result<(), Miss> {
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

/// `mount -l`.
///
/// # Errors
/// Absent without a mount table.
pub(super) fn mount(n: &mut Native<'_>) -> Result<(), Miss> {
    for Mount {
        device,
        target,
        fstype,
        options,
        ..
    } in mounts_or_absent(n)?
    {
        let label =
            blockdevs::label(n.host, &device).map_or_else(String::new, |l| format!(" [{l}]"));
        writeln!(
            n.out,
            "{device} on {target} type {fstype} ({options}){label}"
        )?;
    }
    Ok(())
}

/// `findmnt`, as a list.
///
/// # Errors
/// As for [`mount`].
pub(super) fn findmnt(n: &mut Native<'_>) -> Result<(), Miss> {
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
