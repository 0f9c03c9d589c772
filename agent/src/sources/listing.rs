//! Directory listings in the format of `ls -lanR`: names, sizes, times and owners, never content.

use crate::collect::open::Meta;
use crate::collect::{Miss, source::Native};
use rustix::fs::FileType;
use std::fmt::Write as _;
use std::io::Write as _;

/// Most entries of one listing.
const MAX_ENTRIES: usize = 20_000;

/// `ls -lanR` of a directory down to `depth`.
///
/// # Errors
/// Absent when there is no such directory; the output's limits.
pub(super) fn recursive(n: &mut Native<'_>, dir: &str, depth: usize) -> Result<(), Miss> {
    if !n.host.stat_followed(dir).is_some_and(|m| m.is_dir()) {
        return Err(Miss::absent("no such directory"));
    }
    let mut left = MAX_ENTRIES;
    level(n, dir, depth, &mut left)
}

fn level(n: &mut Native<'_>, dir: &str, depth: usize, left: &mut usize) -> Result<(), Miss> {
    let mut below = Vec::new();
    let mut text = format!("{dir}:\n");
    let names = n.host.names(dir);
    let entries: Vec<(String, Meta)> = [".", ".."]
        .map(str::to_owned)
        .into_iter()
        .chain(names)
        .filter_map(|name| {
            let meta = n.host.stat(&format!("{dir}/{name}"))?;
            Some((name, meta))
        })
        .collect();
    let blocks: u64 = entries
        .iter()
        .filter(|(name, _)| !name.starts_with('.'))
        .map(|(_, m)| m.size.div_ceil(4096) * 4)
        .sum();
    let _ = writeln!(text, "total {blocks}");
    for (name, meta) in &entries {
        *left = left.saturating_sub(1);
        line(n, &mut text, dir, name, meta);
        if meta.is_dir() && name != "." && name != ".." {
            below.push(format!("{dir}/{name}"));
        }
    }
    text.push('\n');
    n.out.write_all(text.as_bytes())?;
    for dir in below {
        if depth == 0 || *left == 0 || !n.out.check() {
            break;
        }
        level(n, &dir, depth - 1, left)?;
    }
    Ok(())
}

fn line(n: &Native<'_>, text: &mut String, dir: &str, name: &str, meta: &Meta) {
    let Meta {
        nlink,
        uid,
        gid,
        size,
        ..
    } = meta;
    let _ = write!(text, "{} {nlink:>2} {uid:>5} {gid:>5} ", mode(meta));
    if matches!(meta.kind, FileType::BlockDevice | FileType::CharacterDevice) {
        let device = n.host.device_of(&format!("{dir}/{name}")).unwrap_or((0, 0));
        let _ = write!(text, "{:>4},{:>4} ", device.0, device.1);
    } else {
        let _ = write!(text, "{size:>9} ");
    }
    let _ = write!(text, "{} {name}", time(meta.mtime, n.params.now_ms));
    if meta.is_link()
        && let Some(target) = n.host.read_link(&format!("{dir}/{name}"))
    {
        let _ = write!(text, " -> {target}");
    }
    text.push('\n');
}

/// Like `ls`: the time of day within half a year, else the year.
pub(super) fn time(seconds: i64, now_ms: i64) -> String {
    let at = super::host::local(seconds.saturating_mul(1000));
    let recent = (now_ms / 1000 - seconds).abs() < 15_778_476;
    at.strftime(if recent { "%b %e %H:%M" } else { "%b %e  %Y" })
        .to_string()
}

/// `drwxr-xr-x`.
pub(super) fn mode(meta: &Meta) -> String {
    let mut out = String::with_capacity(10);
    out.push(match meta.kind {
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::BlockDevice => 'b',
        FileType::CharacterDevice => 'c',
        FileType::Fifo => 'p',
        FileType::Socket => 's',
        _ => '-',
    });
    for (shift, special, set, unset) in [
        (6, 0o4000, 's', 'S'),
        (3, 0o2000, 's', 'S'),
        (0, 0o1000, 't', 'T'),
    ] {
        let bits = meta.mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (bits & 1 != 0, meta.mode & special != 0) {
            (true, true) => set,
            (false, true) => unset,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    out
}

/// The names in the first of `dirs` that exists, one per line.
///
/// # Errors
/// Absent when none exists.
pub(super) fn names(n: &mut Native<'_>, dirs: &[&str]) -> Result<(), Miss> {
    let dir = dirs
        .iter()
        .find(|d| n.host.stat_followed(d).is_some_and(|m| m.is_dir()));
    let dir = dir.ok_or_else(|| Miss::absent("no such directory"))?;
    for name in n.host.names(dir) {
        writeln!(n.out, "{name}")?;
    }
    Ok(())
}
