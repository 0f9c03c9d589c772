//! The agent's own directory and the spool file in it: private, never guessed, never overwritten.
//!
//! Root works in `/var/lib/sitrep`, everyone else below `~/.local/state`, both below
//! `$XDG_STATE_HOME` where it is set; never in /tmp. A directory
//! that is not ours, or that others may enter, is refused.

use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::ui::Io;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Names of spool files begin like this.
const PREFIX: &str = "spool-";

/// What can go wrong with the agent's own files.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Neither root nor a home.
    #[error("no directory for the agent's own files: HOME and XDG_STATE_HOME are not set")]
    NoHome,
    /// The directory belongs to someone else or is open to others.
    #[error("{path} is {fault}; it must belong to this user and be closed to others (mode 0700)")]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        fault: &'static str,
    },
    /// A file or directory operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl SpoolError {
    fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.to_path_buf(),
            source: source.into(),
        }
    }

    /// The failure a person reads; a full disk has its own exit code.
    pub fn failure(self) -> Failure {
        match &self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Failure::new(Exit::Limit, "the disk is full")
                    .because(self)
                    .hint("--tmp-dir DIR on another file system, or --max-size 50M, or --stream to send without a file")
            }
            Self::Io {
                action: "create",
                source,
                ..
            } if source.kind() == io::ErrorKind::AlreadyExists => {
                Failure::usage("will not overwrite a file")
                    .because(self)
                    .hint("name another with -o FILE")
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Failure::new(Exit::Limit, "the file system is read-only")
                    .because(self)
                    .hint("--tmp-dir DIR on a file system that can be written")
            }
            _ => Failure::internal("cannot use the agent's own directory", self)
                .hint("name another with SITREP_STATE_DIR or --tmp-dir"),
        }
    }
}

/// The agent's own directory, checked and open.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    dir: OwnedFd,
}

impl StateDir {
    /// Where it is by settings and user.
    pub fn locate(io: &Io, config: &Config) -> Result<PathBuf, SpoolError> {
        if let Some(path) = config.text("state_dir") {
            return Ok(PathBuf::from(path));
        }
        // An explicit place counts for root, too; `open` refuses one that is not root's own.
        let base = match (io.var("XDG_STATE_HOME"), io.var("HOME")) {
            (Some(base), _) => PathBuf::from(base),
            _ if rustix::process::geteuid().is_root() => PathBuf::from("/var/lib"),
            (None, Some(home)) => PathBuf::from(home).join(".local/state"),
            (None, None) => return Err(SpoolError::NoHome),
        };
        Ok(base.join("sitrep"))
    }

    /// Makes the directory when it is missing, and refuses one that others could have prepared.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        use std::os::unix::fs::DirBuilderExt;
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| SpoolError::io("create", path, error))?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|error| SpoolError::io("open", path, error))?;
        let stat =
            rustix::fs::fstat(&dir).map_err(|error| SpoolError::io("examine", path, error))?;
        let unsafe_ = |fault| SpoolError::Unsafe {
            path: path.to_path_buf(),
            fault,
        };
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(unsafe_("owned by another user"));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(unsafe_("open to other users"));
        }
        Ok(Self {
            path: path.to_path_buf(),
            dir,
        })
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Free bytes for this user.
    pub fn free_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::fstatvfs(&self.dir).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// A new empty file that only this user can read and that disappears unless it is kept.
    pub fn spool(&self) -> Result<Spool, SpoolError> {
        let number = getrandom::u64().map_err(|error| {
            SpoolError::io("name a file in", &self.path, io::Error::other(error))
        })?;
        let name = format!("{PREFIX}{number:016x}");
        let path = self.path.join(&name);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.dir, &name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| SpoolError::io("create", &path, error))?;
        // The lock tells a later run that this one is alive; a file system without locks is fine.
        let _ = rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive);
        let dir = self
            .dir
            .try_clone()
            .map_err(|error| SpoolError::io("open", &self.path, error))?;
        Ok(Spool {
            dir,
            name,
            path,
            file: File::from(fd),
            kept: false,
        })
    }

    /// Removes what runs that were killed have left; returns how many files.
    pub fn sweep(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(&self.path) else {
            return 0;
        };
        let mut removed = 0;
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with(PREFIX) {
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let Ok(fd) = rustix::fs::openat(&self.dir, &name, flags, Mode::empty()) else {
                continue;
            };
            if rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).is_ok()
                && rustix::fs::unlinkat(&self.dir, &name, AtFlags::empty()).is_ok()
            {
                removed += 1;
            }
        }
        removed
    }
}

/// A file of this run in the agent's own directory.
#[derive(Debug)]
pub struct Spool {
    dir: OwnedFd,
    name: String,
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Spool {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle on the same file; they share the position.
    pub fn handle(&self) -> Result<File, SpoolError> {
        self.file
            .try_clone()
            .map_err(|error| SpoolError::io("open", &self.path, error))
    }

    /// Moves the file to where the person wants it, never over another, and makes it durable.
    pub fn keep(&mut self, target: &Path) -> Result<PathBuf, SpoolError> {
        self.file
            .sync_all()
            .map_err(|error| SpoolError::io("write", &self.path, error))?;
        match rustix::fs::renameat_with(&self.dir, &self.name, CWD, target, RenameFlags::NOREPLACE)
        {
            Ok(()) => self.kept = true,
            Err(Errno::EXIST) => return Err(SpoolError::io("create", target, Errno::EXIST)),
            // Another file system, or one that cannot rename like this.
            Err(_) => self.copy(target)?,
        }
        let parent = target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Ok(parent) = File::open(parent.unwrap_or(Path::new("."))) {
            let _ = parent.sync_all();
        }
        Ok(target.to_path_buf())
    }

    fn copy(&mut self, target: &Path) -> Result<(), SpoolError> {
        use std::os::unix::fs::OpenOptionsExt;
        let fault = |error: io::Error| SpoolError::io("create", target, error);
        let mut copy = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(target)
            .map_err(fault)?;
        let copied = File::open(&self.path)
            .and_then(|mut from| io::copy(&mut from, &mut copy))
            .and_then(|_| copy.sync_all());
        copied.map_err(|error| {
            let _ = std::fs::remove_file(target);
            SpoolError::io("write", target, error)
        })
    }

    /// Leaves the file in the agent's own directory under a name that no sweep removes.
    pub fn leave(&mut self, name: &str) -> PathBuf {
        self.kept = true;
        let flags = RenameFlags::NOREPLACE;
        if rustix::fs::renameat_with(&self.dir, &self.name, &self.dir, name, flags).is_ok() {
            self.path.set_file_name(name);
        }
        self.path.clone()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn files_are_private_and_vanish_unless_kept() {
        let home = tempfile::tempdir().expect("a folder");
        let state = StateDir::open(&home.path().join("a/b")).expect("made");
        let spool = state.spool().expect("made");
        let path = spool.path().to_path_buf();
        assert_eq!(
            std::fs::metadata(&path).expect("there").mode() & 0o777,
            0o600
        );
        drop(spool);
        assert!(!path.exists());
        let mut spool = state.spool().expect("made");
        spool
            .handle()
            .expect("a handle")
            .write_all(b"x")
            .expect("written");
        let target = home.path().join("kept.tar.gz");
        assert_eq!(spool.keep(&target).ok(), Some(target.clone()));
        assert_eq!(std::fs::read(&target).expect("there"), b"x");
        let again = state
            .spool()
            .expect("made")
            .keep(&target)
            .expect_err("not over another");
        assert!(
            matches!(
                again,
                SpoolError::Io {
                    action: "create",
                    ..
                }
            ),
            "{again}"
        );
    }

    #[test]
    fn open_directories_are_refused() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).expect("set");
        assert!(matches!(
            StateDir::open(home.path()),
            Err(SpoolError::Unsafe { .. })
        ));
    }

    #[test]
    fn a_sweep_spares_living_runs() {
        let home = tempfile::tempdir().expect("a folder");
        let state = StateDir::open(&home.path().join("s")).expect("made");
        let living = state.spool().expect("made");
        std::fs::write(state.path().join("spool-dead"), b"x").expect("written");
        assert_eq!(state.sweep(), 1);
        assert!(living.path().exists());
    }
}
