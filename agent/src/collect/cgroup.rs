//! A control group of this run's own, so that neither the agent nor a command that it starts can take more
//! memory or processor time than was allowed. Version 2, and version 1 on older hosts. Root only; the group
//! disappears with the run.

use super::mounts;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What the group may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Most memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Most processor time, in percent of one processor.
    pub cpu_percent: Option<u64>,
}

/// Why there is no group.
#[derive(Debug, Error)]
pub enum CgroupError {
    /// No hierarchy has this controller where this process could use it.
    #[error("no control group hierarchy offers {0} here")]
    Missing(&'static str),
    /// The group could not be made or entered.
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

impl CgroupError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// Length of the period in which processor time is counted.
const PERIOD_US: u64 = 100_000;

/// One setting: controller, file and value in version 2, and the same in version 1.
type Setting = (&'static str, (&'static str, String), (&'static str, String));

impl Bounds {
    /// Whether nothing is bounded.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    fn settings(self) -> Vec<Setting> {
        let memory = self.memory_bytes.map(|bytes| {
            let text = bytes.to_string();
            let v2 = ("memory.max", text.clone());
            ("memory", v2, ("memory.limit_in_bytes", text))
        });
        let cpu = self.cpu_percent.map(|percent| {
            let quota = percent * PERIOD_US / 100;
            let v2 = ("cpu.max", format!("{quota} {PERIOD_US}"));
            ("cpu", v2, ("cpu.cfs_quota_us", quota.to_string()))
        });
        memory.into_iter().chain(cpu).collect()
    }
}

/// Membership in groups of this run's own; leaves and removes them when dropped.
#[derive(Debug, Default)]
pub struct Membership {
    /// Where we came from, and the group that was made.
    groups: Vec<(PathBuf, PathBuf)>,
}

impl Membership {
    /// Makes groups with these bounds and moves this process into them.
    ///
    /// # Errors
    /// The host has no usable hierarchy, or we have no right to it.
    pub fn enter(bounds: Bounds) -> Result<Self, CgroupError> {
        let read = |path: &str| {
            std::fs::read_to_string(path).map_err(CgroupError::io("read", Path::new(path)))
        };
        let table = mounts::parse(&read("/proc/self/mountinfo")?);
        let own = read("/proc/self/cgroup")?;
        let mut joined = Self::default();
        for (controller, v2, v1) in bounds.settings() {
            let (home, parent, (file, value)) = unified(&table, &own, controller)
                .map(|(home, parent)| (home, parent, v2))
                .or_else(|| {
                    let home = legacy(&table, &own, controller)?;
                    Some((home.clone(), home, v1))
                })
                .ok_or(CgroupError::Missing(controller))?;
            let group = parent.join(format!("sitrep-{}", std::process::id()));
            if !joined.groups.iter().any(|(_, known)| *known == group) {
                std::fs::create_dir(&group).map_err(CgroupError::io("create", &group))?;
                joined.groups.push((home, group.clone()));
            }
            let file = group.join(file);
            std::fs::write(&file, value).map_err(CgroupError::io("write", &file))?;
        }
        for (_, group) in &joined.groups {
            let procs = group.join("cgroup.procs");
            std::fs::write(&procs, "0").map_err(CgroupError::io("enter", &procs))?;
        }
        Ok(joined)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        for (home, group) in &self.groups {
            // A group that cannot be left or removed is empty once this process ends, and costs nothing.
            let _ = std::fs::write(home.join("cgroup.procs"), "0");
            let _ = std::fs::remove_dir(group);
        }
    }
}

/// Our group in the unified hierarchy, and the nearest one above whose children have this controller.
fn unified(table: &[mounts::Mount], own: &str, controller: &str) -> Option<(PathBuf, PathBuf)> {
    let mount = table.iter().find(|mount| mount.fstype == "cgroup2")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let top = Path::new(&mount.target);
    let home = top.join(path);
    let offers = |dir: &Path| {
        std::fs::read_to_string(dir.join("cgroup.subtree_control"))
            .is_ok_and(|text| text.split_whitespace().any(|name| name == controller))
    };
    let parent = home
        .ancestors()
        .take_while(|dir| dir.starts_with(top))
        .find(|dir| offers(dir))?
        .to_path_buf();
    Some((home, parent))
}

/// Our group in the hierarchy of one controller.
fn legacy(table: &[mounts::Mount], own: &str, controller: &str) -> Option<PathBuf> {
    let mount = table.iter().find(|mount| {
        mount.fstype == "cgroup" && mount.options.split(',').any(|name| name == controller)
    })?;
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let names = fields.next()?;
        names
            .split(',')
            .any(|name| name == controller)
            .then(|| fields.next())
            .flatten()
    })?;
    let home = Path::new(&mount.target).join(path.trim_start_matches('/'));
    home.is_dir().then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found() {
        let table = mounts::parse(
            "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
        );
        let own = "4:memory:/\n1:cpu,cpuacct:/none/such\n0::/\n";
        let found = legacy(&table, own, "memory");
        // Only where this very host has the folder.
        let expected = PathBuf::from("/sys/fs/cgroup/memory/");
        assert_eq!(found, expected.is_dir().then_some(expected));
        assert_eq!(
            legacy(&table, own, "cpu"),
            None,
            "a group that is not there"
        );
        assert_eq!(unified(&table, own, "memory"), None);
    }

    #[test]
    fn bounds_are_written_as_each_version_wants_them() {
        let bounds = Bounds {
            memory_bytes: Some(1 << 28),
            cpu_percent: Some(50),
        };
        let settings = bounds.settings();
        assert_eq!(settings[0].1, ("memory.max", "268435456".to_owned()));
        assert_eq!(settings[1].1, ("cpu.max", "50000 100000".to_owned()));
        assert_eq!(settings[1].2, ("cpu.cfs_quota_us", "50000".to_owned()));
        assert!(Bounds::default().is_open() && !bounds.is_open());
    }
}
