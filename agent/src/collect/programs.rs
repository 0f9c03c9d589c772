//! Where programs may be found: fixed folders, never `PATH`, and never a file that a user could have put
//! there.

use rustix::fs::{AtFlags, FileType};
use std::path::{Path, PathBuf};

/// Folders in order.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// Further places of single programs.
const PLACES: &[(&str, &str)] = &[
    ("rc-status", "/bin/rc-status"),
    ("crictl", "/usr/local/bin/crictl"),
];

/// The absolute path of an installed program, or none.
pub fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        return (path.is_absolute() && trusted(&path)).then_some(path);
    }
    FOLDERS
        .iter()
        .map(|f| Path::new(f).join(name))
        .chain(
            PLACES
                .iter()
                .filter(|(n, _)| *n == name)
                .map(|(_, p)| PathBuf::from(p)),
        )
        .find(|p| trusted(p))
}

/// A regular executable that belongs to root, behind folders that only root can write to.
fn trusted(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let sound = |p: &Path, kind: FileType| {
        rustix::fs::statat(rustix::fs::CWD, p, AtFlags::empty()).is_ok_and(|s| {
            FileType::from_raw_mode(s.st_mode) == kind && s.st_uid == 0 && s.st_mode & 0o022 == 0
        })
    };
    let executable = rustix::fs::access(&real, rustix::fs::Access::EXEC_OK).is_ok();
    executable
        && sound(&real, FileType::RegularFile)
        && real
            .ancestors()
            .skip(1)
            .all(|p| sound(p, FileType::Directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_programs_of_root_are_found() {
        assert!(find("sh").is_some_and(|p| p.is_absolute()));
        assert_eq!(find("no-such-program-here"), None);
        assert_eq!(find("relative/sh"), None);
        let dir = tempfile::tempdir().expect("temporary folder");
        let own = dir.path().join("tool");
        std::fs::write(&own, "#!/bin/sh\n").expect("write");
        assert_eq!(
            find(own.to_str().expect("utf-8")),
            None,
            "not executable, in a folder of a user"
        );
    }
}
