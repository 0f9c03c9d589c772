//! The host as sources see it: files below a root directory, what runs it, and nothing else.
//!
//! A root other than `/` is a dead disk, a container's root or a fixture: then no command is run and
//! nothing is asked of the running kernel.

use super::folder::Folder;
use super::miss::Miss;
use super::mounts::{self, Mount};
use super::open::{self, Meta};
use super::{deny, glob, rights, sys};
use rustix::fs::{Dir, OFlags};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most names that one directory or pattern gives.
const MAX_NAMES: usize = 4_000;
/// Deepest directory below a `**`.
const MAX_DEPTH: usize = 6;

struct Inner {
    root: PathBuf,
    fd: OwnedFd,
    live: bool,
    uid: u32,
    mounts: Vec<Mount>,
    /// Whether any of them can hang; most hosts have none, and look-ups are spared.
    can_hang: bool,
}

/// A host, live or fixture. Clones share it.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({})", self.0.root.display())
    }
}

impl Host {
    /// The running host.
    ///
    /// # Errors
    /// When `/` cannot be opened.
    pub fn live() -> std::io::Result<Self> {
        Self::open_root(Path::new("/"), true)
    }

    /// A host whose files lie below `root`; `/` gives the running host.
    ///
    /// # Errors
    /// When `root` is not a directory that can be opened.
    pub fn at(root: &Path) -> std::io::Result<Self> {
        Self::open_root(root, root == Path::new("/"))
    }

    fn open_root(root: &Path, live: bool) -> std::io::Result<Self> {
        let fd = rustix::fs::open(
            root,
            OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH,
            rustix::fs::Mode::empty(),
        )?;
        let mut inner = Inner {
            root: root.to_owned(),
            fd,
            live,
            uid: rustix::process::geteuid().as_raw(),
            mounts: Vec::new(),
            can_hang: false,
        };
        // The mount table is read before anything else, so that no later read touches a dead server.
        if let Ok((file, _)) = open::open_file(inner.fd.as_fd(), "/proc/self/mountinfo") {
            let mut text = Vec::new();
            if file.take(4 << 20).read_to_end(&mut text).is_ok() {
                inner.mounts = mounts::parse(&String::from_utf8_lossy(&text));
                inner.can_hang = live && inner.mounts.iter().any(Mount::can_hang);
            }
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Whether this is the running system, so that commands and system calls tell about it.
    pub fn is_live(&self) -> bool {
        self.0.live
    }

    /// Whether we may read what only root may.
    pub fn is_root(&self) -> bool {
        self.0.uid == 0
    }

    /// Our effective user id.
    pub fn uid(&self) -> u32 {
        self.0.uid
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// The mount table.
    pub fn mounts(&self) -> &[Mount] {
        &self.0.mounts
    }

    /// Whether systemd runs this host.
    pub fn has_systemd(&self) -> bool {
        self.stat("/run/systemd/system").is_some_and(|m| m.is_dir())
    }

    /// Refuses what lies on a file system that can hang, and what is on the deny list.
    ///
    /// # Errors
    /// A miss: refused or skipped.
    pub fn check(&self, path: &str) -> Result<(), Miss> {
        if let Some(reason) = deny::reason(path) {
            return Err(Miss::refused(reason));
        }
        self.check_mount(path)
    }

    /// Refuses what lies on a file system that can hang.
    fn check_mount(&self, path: &str) -> Result<(), Miss> {
        if !self.0.can_hang {
            return Ok(());
        }
        match mounts::of_path(&self.0.mounts, path) {
            Some(m) if m.can_hang() && m.target != "/" => Err(Miss::skipped(format!(
                "lies on {} mounted at {}, which may hang",
                m.fstype, m.target
            ))),
            _ => Ok(()),
        }
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// A miss: absent, denied, refused, skipped.
    pub fn open(&self, path: &str) -> Result<(File, Meta), Miss> {
        self.check(path)?;
        let open = || open::open_file(self.0.fd.as_fd(), path);
        // What users can write to is opened with the rights of the file's owner, not with root's.
        let users = ["/home/", "/tmp/", "/var/tmp/"]
            .iter()
            .any(|p| path.starts_with(p));
        match open::lstat(self.0.fd.as_fd(), path) {
            Ok(meta) if users && self.0.live && self.is_root() && meta.uid != 0 => {
                sys::with_file_rights_of(meta.uid, meta.gid, open)
            }
            // The kernel shows addresses and stacks only to those who had this right when they opened it.
            _ if matches!(path, "/proc/iomem" | "/proc/ioports") || path.ends_with("/stack") => {
                rights::as_administrator(open)
            }
            _ => open(),
        }
    }

    /// Reads a file up to `cap` bytes; more is cut off.
    ///
    /// # Errors
    /// A miss, as for [`Host::open`].
    pub fn read(&self, path: &str, cap: u64) -> Result<Vec<u8>, Miss> {
        let (file, _) = self.open(path)?;
        let mut out = Vec::new();
        file.take(cap).read_to_end(&mut out)?;
        Ok(out)
    }

    /// Reads a file from `offset` on, up to `cap` bytes.
    ///
    /// # Errors
    /// A miss, as for [`Host::open`].
    pub fn read_from(&self, path: &str, offset: u64, cap: u64) -> Result<Vec<u8>, Miss> {
        use std::io::{Seek as _, SeekFrom};
        let (mut file, _) = self.open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut out = Vec::new();
        file.take(cap).read_to_end(&mut out)?;
        Ok(out)
    }

    /// Reads a file as text up to 1 MiB; bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    /// A miss, as for [`Host::open`].
    pub fn text(&self, path: &str) -> Result<String, Miss> {
        let bytes = self.read(path, 1 << 20)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// The trimmed text of a small file, or none.
    pub fn value(&self, path: &str) -> Option<String> {
        self.text(path)
            .ok()
            .map(|t| t.trim().trim_end_matches('\0').to_owned())
    }

    /// `lstat`, or none when it does not exist or must not be touched.
    pub fn stat(&self, path: &str) -> Option<Meta> {
        self.check_mount(path).ok()?;
        open::lstat(self.0.fd.as_fd(), path).ok()
    }

    /// The text of a symbolic link.
    pub fn read_link(&self, path: &str) -> Option<String> {
        open::read_link(self.0.fd.as_fd(), path).ok()
    }

    /// `stat` of what an open descriptor (`/proc/PID/fd/N`) refers to. Only for targets that cannot hang.
    pub fn stat_descriptor(&self, path: &str) -> Option<Meta> {
        let at = rustix::fs::AtFlags::empty();
        let stat = rustix::fs::statat(&self.0.fd, path.trim_start_matches('/'), at).ok()?;
        self.0.live.then(|| Meta::of(&stat))
    }

    /// Major and minor number of a device node.
    pub fn device_of(&self, path: &str) -> Option<(u32, u32)> {
        open::device(self.0.fd.as_fd(), path).ok()
    }

    /// The path behind all links of `path`, when each hop is allowed.
    ///
    /// # Errors
    /// A miss: absent, or refused when a hop leads where it must not.
    pub fn resolve(&self, path: &str) -> Result<String, Miss> {
        self.check(path)?;
        open::resolve(self.0.fd.as_fd(), path)
    }

    /// Size and type of what is behind `path`, following allowed links.
    pub fn stat_followed(&self, path: &str) -> Option<Meta> {
        let meta = self.stat(path)?;
        if !meta.is_link() {
            return Some(meta);
        }
        self.stat(&self.resolve(path).ok()?)
    }

    /// Whether there is something at `path`.
    pub fn exists(&self, path: &str) -> bool {
        self.stat(path).is_some()
    }

    /// Names in a directory, sorted; empty when it cannot be read.
    pub fn names(&self, dir: &str) -> Vec<String> {
        let mut names = self.names_unsorted(dir);
        names.sort_unstable();
        names
    }

    fn names_unsorted(&self, dir: &str) -> Vec<String> {
        if self.check_mount(dir).is_err() {
            return Vec::new();
        }
        let root = self.0.fd.as_fd();
        let fd = open::open_exact(root, dir, OFlags::DIRECTORY).or_else(|_| {
            let real = open::resolve(root, dir).map_err(|_| rustix::io::Errno::LOOP)?;
            open::open_exact(root, &real, OFlags::DIRECTORY)
        });
        let Ok(entries) = fd.and_then(Dir::new) else {
            return Vec::new();
        };
        entries
            .filter_map(Result::ok)
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| n != "." && n != "..")
            .take(MAX_NAMES)
            .collect()
    }

    /// A folder that stays the same while it is read.
    ///
    /// # Errors
    /// A miss, as for [`Host::open`].
    pub fn folder(&self, path: &str) -> Result<Folder, Miss> {
        self.check_mount(path)?;
        Folder::open(self.0.fd.as_fd(), path)
    }

    /// Numeric names in `/proc`, in order.
    pub fn pids(&self) -> Vec<u32> {
        let root = self.0.fd.as_fd();
        let Ok(entries) = open::open_exact(root, "/proc", OFlags::DIRECTORY).and_then(Dir::new)
        else {
            return Vec::new();
        };
        // More processes than a table can show usefully; the summary says when it was reached.
        let mut pids: Vec<u32> = entries
            .filter_map(|e| e.ok()?.file_name().to_str().ok()?.parse().ok())
            .take(65_536)
            .collect();
        pids.sort_unstable();
        pids
    }

    /// Regular files (or allowed links to them) that match `pattern`, sorted.
    pub fn glob(&self, pattern: &str) -> Vec<String> {
        let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty()).collect();
        let mut found = Vec::new();
        self.expand(String::new(), &parts, MAX_DEPTH, &mut found);
        found
    }

    fn expand(&self, base: String, parts: &[&str], depth: usize, found: &mut Vec<String>) {
        if found.len() >= MAX_NAMES {
            return;
        }
        let Some((part, rest)) = parts.split_first() else {
            if !base.is_empty() && self.stat_followed(&base).is_some_and(|m| m.is_file()) {
                found.push(base);
            }
            return;
        };
        if *part == "**" {
            self.expand_deep(&base, rest, depth, found);
        } else if glob::is_pattern(part) {
            let dir = if base.is_empty() { "/" } else { &base };
            for name in self.names(dir).iter().filter(|n| glob::matches(part, n)) {
                if !name.starts_with('.') || part.starts_with('.') {
                    self.expand(format!("{base}/{name}"), rest, depth, found);
                }
            }
        } else {
            self.expand(format!("{base}/{part}"), rest, depth, found);
        }
    }

    fn expand_deep(&self, base: &str, rest: &[&str], depth: usize, found: &mut Vec<String>) {
        let tail = if rest.is_empty() { &["*"][..] } else { rest };
        for name in self.names(if base.is_empty() { "/" } else { base }) {
            let path = format!("{base}/{name}");
            // Links are not followed here: they lead in circles and out of the tree.
            match self.stat(&path) {
                Some(m) if m.is_dir() && depth > 0 => {
                    self.expand_deep(&path, rest, depth - 1, found)
                }
                Some(m)
                    if m.is_file()
                        && found.len() < MAX_NAMES
                        && tail.len() == 1
                        && glob::matches(tail[0], &name) =>
                {
                    found.push(path);
                }
                _ => {}
            }
        }
    }
}
