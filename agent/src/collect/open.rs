//! Opens files of the host without being led astray: no symbolic link is followed by the kernel, nothing
//! but a regular file is read, and a hard link that a user may have planted is refused.
//!
//! Links that the host needs (`/etc/resolv.conf`, most of `/etc/os-release`) are resolved here, one hop at
//! a time, and each hop must lie below [`HOP_PREFIXES`] and off the deny list.

use super::deny;
use super::miss::Miss;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where a link may lead. Not /home, /tmp, /var/tmp: users can write there.
const HOP_PREFIXES: &[&str] = &[
    "/etc/",
    "/usr/",
    "/run/",
    "/var/run/",
    "/var/log/",
    "/var/lib/",
    "/proc/",
    "/sys/",
    "/lib/",
    "/lib64/",
    "/boot/",
    "/opt/",
    "/bin/",
    "/sbin/",
];

/// More hops than any sane host has.
const MAX_HOPS: usize = 12;

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}

/// What `stat` says, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Type of the file.
    pub kind: FileType,
    /// Size in bytes (0 for most of /proc).
    pub size: u64,
    /// Permission bits and type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Number of hard links.
    pub nlink: u64,
    /// Last change of the content, seconds.
    pub mtime: i64,
    /// Device and inode.
    pub id: (u64, u64),
}

impl Meta {
    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }

    /// What to note when the file is not any more what it was when it was opened. Not for files of the
    /// kernel, which have no size and another time at every look.
    pub(crate) fn changed(&self, file: &File) -> Option<Miss> {
        let now = Self::of(&rustix::fs::fstat(file).ok()?);
        if self.size == 0 || (now.size, now.mtime) == (self.size, self.mtime) {
            return None;
        }
        let how = match now.size.cmp(&self.size) {
            std::cmp::Ordering::Greater => "grew",
            std::cmp::Ordering::Less => "became shorter",
            std::cmp::Ordering::Equal => "was rewritten",
        };
        Some(Miss {
            outcome: super::source::Outcome::Collected,
            reason: format!("{how} while it was read"),
        })
    }

    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // widths differ between architectures
    pub(crate) fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            nlink: stat.st_nlink as u64,
            mtime: stat.st_mtime as i64,
            id: (stat.st_dev as u64, stat.st_ino as u64),
        }
    }
}

fn relative(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    if path.is_empty() { "." } else { path }
}

/// `stat` without following the last component.
pub fn lstat(root: BorrowedFd<'_>, path: &str) -> std::io::Result<Meta> {
    Ok(Meta::of(&rustix::fs::statat(
        root,
        relative(path),
        AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT,
    )?))
}

/// Major and minor number of a device node.
#[allow(clippy::useless_conversion)] // the type differs between architectures
pub fn device(root: BorrowedFd<'_>, path: &str) -> std::io::Result<(u32, u32)> {
    let stat = rustix::fs::statat(root, relative(path), AtFlags::SYMLINK_NOFOLLOW)?;
    let device = stat.st_rdev.into();
    Ok((rustix::fs::major(device), rustix::fs::minor(device)))
}

/// The text of a symbolic link.
pub fn read_link(root: BorrowedFd<'_>, path: &str) -> std::io::Result<String> {
    let text = rustix::fs::readlinkat(root, relative(path), Vec::new())?;
    Ok(text.to_string_lossy().into_owned())
}

/// Opens `path` (absolute, below `root`) without following any link; `extra` adds flags.
pub fn open_exact(root: BorrowedFd<'_>, path: &str, extra: OFlags) -> Result<OwnedFd, Errno> {
    // Links in /sys and /proc are the kernel's own; only the magic ones lead out.
    let kernels = path.starts_with("/sys/") || path.starts_with("/proc/");
    let (flags, resolve) = if kernels {
        (
            (flags() | extra) - OFlags::NOFOLLOW,
            ResolveFlags::NO_MAGICLINKS | ResolveFlags::IN_ROOT,
        )
    } else {
        (
            flags() | extra,
            ResolveFlags::NO_SYMLINKS | ResolveFlags::IN_ROOT,
        )
    };
    match rustix::fs::openat2(root, relative(path), flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => open_by_component(root, path, extra),
        other => other,
    }
}

/// The same for kernels before 5.6: each directory is opened without following links.
fn open_by_component(root: BorrowedFd<'_>, path: &str, extra: OFlags) -> Result<OwnedFd, Errno> {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .collect();
    let Some((last, dirs)) = parts.split_last() else {
        return rustix::fs::openat(root, ".", flags() | extra, Mode::empty());
    };
    if parts.contains(&"..") {
        return Err(Errno::INVAL);
    }
    let mut at: Option<OwnedFd> = None;
    for dir in dirs {
        let from = at.as_ref().map_or(root, AsFd::as_fd);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        at = Some(rustix::fs::openat(from, *dir, flags, Mode::empty())?);
    }
    rustix::fs::openat(
        at.as_ref().map_or(root, AsFd::as_fd),
        *last,
        flags() | extra,
        Mode::empty(),
    )
}

/// Follows the links of `path` by hand; gives the real path, still absolute below `root`.
pub fn resolve(root: BorrowedFd<'_>, path: &str) -> Result<String, Miss> {
    let mut pending: Vec<String> = components(path);
    let mut done: Vec<String> = Vec::new();
    let mut hops = 0;
    while let Some(part) = pending.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        done.push(part);
        let here = format!("/{}", done.join("/"));
        let meta = lstat(root, &here)?;
        if !meta.is_link() {
            continue;
        }
        hops += 1;
        if hops > MAX_HOPS {
            return Err(Miss::refused("too many symbolic links"));
        }
        let target = read_link(root, &here)?;
        done.pop();
        if target.starts_with('/') {
            done.clear();
        }
        pending.extend(components(&target));
        let mut whole = done.clone();
        whole.extend(pending.iter().rev().cloned());
        let next = normal(&whole);
        if !HOP_PREFIXES.iter().any(|p| next.starts_with(p)) {
            return Err(Miss::refused(format!("a symbolic link leads to {next}")));
        }
        if let Some(reason) = deny::reason(&next) {
            return Err(Miss::refused(reason));
        }
    }
    Ok(format!("/{}", done.join("/")))
}

/// Components in reverse, as a stack.
fn components(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .rev()
        .map(str::to_owned)
        .collect()
}

fn normal(parts: &[String]) -> String {
    let mut out: Vec<&str> = Vec::new();
    for part in parts {
        if part == ".." {
            out.pop();
        } else {
            out.push(part);
        }
    }
    format!("/{}", out.join("/"))
}

/// Opens a regular file for reading; follows allowed links.
pub fn open_file(root: BorrowedFd<'_>, path: &str) -> Result<(File, Meta), Miss> {
    let fd = match open_exact(root, path, OFlags::empty()) {
        Err(Errno::LOOP) => {
            let real = resolve(root, path)?;
            open_exact(root, &real, OFlags::empty()).map_err(std::io::Error::from)?
        }
        Err(Errno::NXIO) => return Err(Miss::refused("not a regular file")),
        other => other.map_err(std::io::Error::from)?,
    };
    let meta = Meta::of(&rustix::fs::fstat(&fd).map_err(std::io::Error::from)?);
    if meta.is_dir() {
        return Err(Miss::refused("is a directory"));
    }
    if !meta.is_file() {
        return Err(Miss::refused("not a regular file"));
    }
    if meta.nlink > 1 && meta.uid != 0 {
        return Err(Miss::refused(
            "has further hard links and does not belong to root",
        ));
    }
    Ok((File::from(fd), meta))
}
