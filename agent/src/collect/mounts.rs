//! Which paths lie on file systems that can hang: network mounts, FUSE, autofs. They are never touched,
//! not even by `stat`, because a dead server blocks the caller in the kernel.

/// One line of /proc/self/mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Mount point.
    pub target: String,
    /// File system type.
    pub fstype: String,
    /// What is mounted.
    pub device: String,
    /// Mount and super block options, joined.
    pub options: String,
    /// Directory of the file system that is mounted (bind mounts).
    pub root: String,
    /// `major:minor`.
    pub dev: String,
}

impl Mount {
    /// Whether touching it may block for ever.
    pub fn can_hang(&self) -> bool {
        let t = self.fstype.as_str();
        t.starts_with("nfs")
            || t.starts_with("fuse")
            || matches!(
                t,
                "cifs"
                    | "smb3"
                    | "smbfs"
                    | "autofs"
                    | "ceph"
                    | "afs"
                    | "9p"
                    | "glusterfs"
                    | "lustre"
                    | "gfs2"
                    | "ocfs2"
                    | "ncpfs"
                    | "coda"
                    | "davfs"
                    | "beegfs"
                    | "gpfs"
                    | "virtiofs"
            )
    }

    /// Whether it has no storage behind it (proc, sysfs and their like).
    pub fn is_pseudo(&self) -> bool {
        matches!(
            self.fstype.as_str(),
            "proc"
                | "sysfs"
                | "devpts"
                | "cgroup"
                | "cgroup2"
                | "securityfs"
                | "debugfs"
                | "tracefs"
                | "bpf"
                | "pstore"
                | "efivarfs"
                | "mqueue"
                | "hugetlbfs"
                | "configfs"
                | "fusectl"
                | "binfmt_misc"
                | "rpc_pipefs"
                | "selinuxfs"
                | "nsfs"
                | "autofs"
        )
    }
}

/// Parses the text of mountinfo.
pub fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    let fstype = right.next()?.to_owned();
    let device = unescape(right.next()?);
    let superblock = right.next().unwrap_or("");
    let mut options = (*left.get(5)?).to_owned();
    for option in superblock
        .split(',')
        .filter(|o| !matches!(*o, "" | "rw" | "ro"))
    {
        if !options.split(',').any(|o| o == option) {
            options.push(',');
            options.push_str(option);
        }
    }
    if superblock.split(',').any(|o| o == "ro") && !options.split(',').any(|o| o == "ro") {
        options = options.replacen("rw", "ro", 1);
    }
    Some(Mount {
        target: unescape(left.get(4)?),
        fstype,
        device,
        options,
        root: unescape(left.get(3)?),
        dev: (*left.get(2)?).to_owned(),
    })
}

/// Undoes the octal escapes of mountinfo (space, tab, newline, backslash).
pub fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 4);
        match digits {
            Some(d) if bytes[at] == b'\\' && d.iter().all(|c| (b'0'..=b'7').contains(c)) => {
                out.push((d[0] - b'0').wrapping_mul(64) + (d[1] - b'0') * 8 + (d[2] - b'0'));
                at += 4;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The mount that holds `path`: the one with the longest target that is a prefix; of equals the last.
pub fn of_path<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|m| {
            m.target == "/"
                || path == m.target
                || path
                    .strip_prefix(m.target.as_str())
                    .is_some_and(|r| r.starts_with('/'))
        })
        .fold(None, |best: Option<&Mount>, m| match best {
            Some(b) if b.target.len() > m.target.len() => Some(b),
            _ => Some(m),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
        30 22 0:40 / /srv/my\\040data rw - nfs4 files:/x rw,vers=4.2\n\
        31 22 0:41 / /ro ro - xfs /dev/sdb ro\n";

    #[test]
    fn network_mounts_are_found_by_longest_prefix() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1].target, "/srv/my data");
        assert!(of_path(&mounts, "/srv/my data/a").is_some_and(Mount::can_hang));
        assert!(!of_path(&mounts, "/srv/my database").is_some_and(Mount::can_hang));
        assert_eq!(mounts[0].options, "rw,relatime,errors=remount-ro");
        assert_eq!(mounts[2].options, "ro");
    }
}
