//! An open folder of the host. What is read through it is in that very folder, even when another has taken
//! its path since: the way to read a process whose number may be used again.

use super::miss::Miss;
use super::{deny, open};
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// A folder that stays the same.
#[derive(Debug)]
pub struct Folder {
    path: String,
    fd: OwnedFd,
}

impl Folder {
    /// Opens `path` below `root`.
    pub(super) fn open(root: BorrowedFd<'_>, path: &str) -> Result<Self, Miss> {
        let fd = open::open_exact(root, path, OFlags::DIRECTORY).map_err(std::io::Error::from)?;
        let path = path.to_owned();
        Ok(Self { path, fd })
    }

    /// Reads the file `name` in it, up to `cap` bytes.
    ///
    /// # Errors
    /// A miss: gone, denied, refused.
    pub fn read(&self, name: &str, cap: u64) -> Result<Vec<u8>, Miss> {
        if let Some(reason) = deny::reason(&format!("{}/{name}", self.path)) {
            return Err(Miss::refused(reason));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let fd = rustix::fs::openat2(&self.fd, name, flags, Mode::empty(), resolve)
            .or_else(|error| match error {
                // Kernels before 5.6; a name of one component cannot lead anywhere else.
                rustix::io::Errno::NOSYS | rustix::io::Errno::PERM if !name.contains('/') => {
                    rustix::fs::openat(&self.fd, name, flags, Mode::empty())
                }
                other => Err(other),
            })
            .map_err(std::io::Error::from)?;
        let mut out = Vec::new();
        std::fs::File::from(fd).take(cap).read_to_end(&mut out)?;
        Ok(out)
    }

    /// Names of the variables in `environ` of a process's folder. The values, for which the file is on the
    /// deny list, do not leave this function.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn environment_names(&self, cap: u64) -> Result<Vec<String>, Miss> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, "environ", flags, Mode::empty())
            .map_err(std::io::Error::from)?;
        let mut bytes = Vec::new();
        std::fs::File::from(fd).take(cap).read_to_end(&mut bytes)?;
        let named = |entry: &[u8]| {
            let end = memchr::memchr(b'=', entry)?;
            let name = std::str::from_utf8(&entry[..end]).ok()?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
        };
        Ok(bytes.split(|b| *b == 0).filter_map(named).collect())
    }

    /// The folder `name` in it.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn folder(&self, name: &str) -> Result<Self, Miss> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(std::io::Error::from)?;
        let path = format!("{}/{name}", self.path);
        Ok(Self { path, fd })
    }

    /// The names in it, at most `most`.
    pub fn names(&self, most: usize) -> Vec<String> {
        let Ok(entries) = Dir::read_from(self.fd.as_fd()) else {
            return Vec::new();
        };
        let names = entries.filter_map(Result::ok);
        names
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .filter(|n| n != "." && n != "..")
            .take(most)
            .collect()
    }
}
