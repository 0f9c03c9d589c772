//! What processes hold open: counts by type, big files that are deleted but still open, libraries that
//! were replaced under a running process, and which process owns a socket.

use crate::collect::mounts;
use crate::collect::{Host, Miss, source::Native};
use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;

/// Most descriptors of one process that are looked at.
const MAX_FDS: usize = 2_000;
/// Processes whose memory maps are looked at.
const MAX_MAPS: usize = 400;

fn kind(target: &str) -> &'static str {
    match target.split([':', '[']).next().unwrap_or("") {
        "socket" => "socket",
        "pipe" => "pipe",
        "anon_inode" => "anon",
        _ if target.starts_with("/dev/") => "device",
        _ if target.starts_with('/') => "file",
        _ => "other",
    }
}

fn name(host: &Host, pid: u32) -> String {
    host.value(&format!("/proc/{pid}/comm")).unwrap_or_default()
}

/// The summary that replaces a full lsof.
///
/// # Errors
/// Absent without /proc; denied when no process of others could be read is only noted.
pub(super) fn summary(n: &mut Native<'_>) -> Result<(), Miss> {
    let pids = n.host.pids();
    if pids.is_empty() {
        return Err(Miss::absent("no process in /proc"));
    }
    writeln!(
        n.out,
        "    PID COMMAND          total   file socket   pipe   anon device  other"
    )?;
    let mut hidden = 0;
    let mut deleted = Vec::new();
    for pid in pids {
        let dir = format!("/proc/{pid}/fd");
        let fds = n.host.names(&dir);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut seen = 0;
        for fd in fds.iter().take(MAX_FDS) {
            let path = format!("{dir}/{fd}");
            let Some(target) = n.host.read_link(&path) else {
                continue;
            };
            seen += 1;
            *counts.entry(kind(&target)).or_default() += 1;
            if let Some(file) = target.strip_suffix(" (deleted)") {
                deleted.extend(
                    deleted_size(n.host, &path, file).map(|size| (size, pid, file.to_owned())),
                );
            }
        }
        hidden += usize::from(fds.is_empty() && !n.host.is_root());
        if seen > 0 {
            write!(n.out, "{pid:>7} {:<16} {:>5}", name(n.host, pid), fds.len())?;
            for kind in ["file", "socket", "pipe", "anon", "device", "other"] {
                write!(n.out, " {:>6}", counts.get(kind).copied().unwrap_or(0))?;
            }
            writeln!(n.out)?;
        }
        if !n.out.check() {
            break;
        }
    }
    writeln!(n.out, "\ndeleted but open, 1 MiB and more")?;
    deleted.sort_unstable_by(|a, b| b.cmp(a));
    for (size, pid, file) in deleted.iter().take(200) {
        writeln!(n.out, "{size:>14} {pid:>7} {file}")?;
    }
    if hidden > 0 {
        return Err(Miss::denied(format!(
            "descriptors of {hidden} processes of other users"
        )));
    }
    Ok(())
}

/// The size of a deleted file of 1 MiB or more, unless it lies on a mount that can hang.
fn deleted_size(host: &Host, fd: &str, file: &str) -> Option<u64> {
    if !file.starts_with('/')
        || mounts::of_path(host.mounts(), file).is_some_and(mounts::Mount::can_hang)
    {
        return None;
    }
    let size = host.stat_descriptor(fd)?.size;
    (size >= 1 << 20).then_some(size)
}

/// Processes that still run code which an update has replaced.
///
/// # Errors
/// Absent without /proc.
pub(super) fn deleted_libraries(n: &mut Native<'_>) -> Result<(), Miss> {
    let mut found = false;
    for pid in n.host.pids().into_iter().take(MAX_MAPS) {
        let Ok(maps) = n.host.text(&format!("/proc/{pid}/maps")) else {
            continue;
        };
        let mut last = "";
        for line in maps
            .lines()
            .filter(|l| l.ends_with(" (deleted)") && l.contains(".so"))
        {
            let Some(at) = line.find('/') else { continue };
            let file = line[at..].trim_end_matches(" (deleted)");
            if file != last && !file.starts_with("/memfd:") {
                writeln!(n.out, "{pid:>7} {:<16} {file}", name(n.host, pid))?;
                found = true;
                last = file;
            }
        }
        if !n.out.check() {
            break;
        }
    }
    if !found {
        writeln!(n.out, "none")?;
    }
    Ok(())
}

/// Owner of each socket: inode to pid and program.
pub(super) fn socket_owners(n: &mut Native<'_>) -> HashMap<u64, (u32, String)> {
    let mut owners = HashMap::new();
    for pid in n.host.pids() {
        let dir = format!("/proc/{pid}/fd");
        let mut program = None;
        for fd in n.host.names(&dir).iter().take(MAX_FDS) {
            let Some(target) = n.host.read_link(&format!("{dir}/{fd}")) else {
                continue;
            };
            let inode = target
                .strip_prefix("socket:[")
                .and_then(|t| t.strip_suffix(']')?.parse::<u64>().ok());
            if let Some(inode) = inode {
                let program = program.get_or_insert_with(|| name(n.host, pid));
                owners
                    .entry(inode)
                    .or_insert_with(|| (pid, program.clone()));
            }
        }
        if !n.out.check() {
            break;
        }
    }
    owners
}
