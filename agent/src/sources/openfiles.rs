//! What processes hold open: counts by type, big files that are deleted but still open, libraries that
//! were replaced under a running process, and which process owns a socket.

use crate::collect::mounts;
use crate::collect::{Host, Miss, source::Native};
use rustix::fs::FileType;
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

/// Every descriptor that may be read, in the columns of `lsof +M -n -l`; without the mapped libraries, which
/// are most of its lines and answer nothing here.
///
/// # Errors
/// Absent without /proc; denied for the processes of others.
pub(super) fn list(n: &mut Native<'_>) -> Result<(), Miss> {
    let pids = n.host.pids();
    if pids.is_empty() {
        return Err(Miss::absent("no process in /proc"));
    }
    writeln!(
        n.out,
        "COMMAND     PID     USER   FD      TYPE             DEVICE  SIZE/OFF       NODE NAME"
    )?;
    let mut hidden = 0;
    for pid in pids {
        let process = format!("/proc/{pid}");
        let Some(owner) = n.host.stat(&process) else {
            continue;
        };
        let fds = n.host.names(&format!("{process}/fd"));
        hidden += usize::from(fds.is_empty() && !n.host.is_root());
        let mut name = name(n.host, pid);
        name.truncate(name.char_indices().nth(9).map_or(name.len(), |(at, _)| at));
        let fixed = [("cwd", "cwd"), ("root", "rtd"), ("exe", "txt")]
            .map(|(file, shown)| (format!("{process}/{file}"), shown.to_owned()));
        let numbered = fds.iter().take(MAX_FDS).filter_map(|fd| {
            let path = format!("{process}/fd/{fd}");
            let mode = match n.host.stat(&path)?.mode & 0o600 {
                0o600 => "u",
                0o200 => "w",
                _ => "r",
            };
            Some((path, format!("{fd}{mode}")))
        });
        let lines: Vec<String> = fixed
            .into_iter()
            .chain(numbered)
            .filter_map(|(path, fd)| {
                let opened = described(n.host, &path)?;
                let who = format!("{name:<9} {pid:>5} {:>8}", owner.uid);
                Some(format!("{who} {fd:>4}  {opened}\n"))
            })
            .collect();
        for line in &lines {
            write!(n.out, "{line}")?;
        }
        if !n.out.check() {
            break;
        }
    }
    if hidden > 0 {
        return Err(Miss::denied(format!(
            "descriptors of {hidden} processes of other users"
        )));
    }
    Ok(())
}

/// Type, device, size, inode and name of what a link in /proc leads to.
fn described(host: &Host, link: &str) -> Option<String> {
    let target = host.read_link(link)?;
    let hangs = target.starts_with('/')
        && mounts::of_path(host.mounts(), &target).is_some_and(mounts::Mount::can_hang);
    let meta = if hangs {
        None
    } else {
        host.stat_descriptor(link)
    };
    let shape = match (meta.map(|m| m.kind), target.split(':').next()) {
        (Some(FileType::RegularFile), _) => "REG",
        (Some(FileType::Directory), _) => "DIR",
        (Some(FileType::CharacterDevice), _) => "CHR",
        (Some(FileType::BlockDevice), _) => "BLK",
        (Some(FileType::Fifo), _) => "FIFO",
        (Some(FileType::Socket), _) => "sock",
        (_, Some("anon_inode")) => "a_inode",
        _ => "unknown",
    };
    let (device, size, inode) = meta.map_or((String::new(), 0, String::new()), |m| {
        let device = format!(
            "{},{}",
            rustix::fs::major(m.id.0),
            rustix::fs::minor(m.id.0)
        );
        (device, m.size, m.id.1.to_string())
    });
    let size = if matches!(shape, "REG" | "DIR") {
        size.to_string()
    } else {
        "0t0".to_owned()
    };
    Some(format!(
        "{shape:>8} {device:>18} {size:>9} {inode:>10} {target}"
    ))
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
