//! From bundle paths and texts to facts: which texts are wanted, and who parses them.

use serde_json::Value;

use super::{Facts, SCHEMA, inventory, network, process, storage, system};

/// Most bytes of one text that a caller needs to keep for [`Reader::add`].
pub const MAX_TEXT: usize = 2 << 20;

/// What a parser gets.
pub(super) struct Text<'a> {
    /// Bundle path.
    pub path: &'a str,
    /// The text.
    pub text: &'a str,
    /// When the bundle was made, UTC ms.
    pub now_ms: i64,
}

type Parser = fn(&Text<'_>, &mut Facts);

/// Path below the sos tree (a `*` at the end is a prefix), the group of facts that it adds to, and its parser.
const PARSERS: &[(&str, &str, Parser)] = &[
    ("etc/os-release", "os", system::os),
    ("usr/lib/os-release", "os", system::os),
    ("etc/redhat-release", "os", system::redhat),
    ("sos_commands/kernel/uname_-a", "kernel", system::uname),
    ("proc/version", "kernel", system::version),
    ("proc/sys/kernel/tainted", "kernel", system::tainted),
    ("proc/cmdline", "kernel", system::cmdline),
    ("sos_commands/host/hostname", "host", system::hostname),
    ("etc/hostname", "host", system::hostname),
    (
        "sos_commands/host/virtualization",
        "host",
        system::virtualization,
    ),
    ("proc/uptime", "host", system::uptime),
    ("proc/loadavg", "cpu", system::load),
    ("proc/cpuinfo", "cpu", system::cpuinfo),
    ("proc/meminfo", "memory", system::meminfo),
    ("proc/pressure/cpu", "pressure", system::pressure),
    ("proc/pressure/memory", "pressure", system::pressure),
    ("proc/pressure/io", "pressure", system::pressure),
    ("sys/class/dmi/id/sys_vendor", "hardware", system::dmi),
    ("sys/class/dmi/id/product_name", "hardware", system::dmi),
    ("sys/class/dmi/id/bios_version", "hardware", system::dmi),
    ("sos_commands/date/clock", "clock", system::clock),
    (
        "sos_commands/systemd/timedatectl",
        "clock",
        system::timedatectl,
    ),
    ("proc/sys/fs/file-nr", "limits", system::limits),
    ("proc/sys/kernel/pid_max", "limits", system::limits),
    ("proc/sys/kernel/threads-max", "limits", system::limits),
    (
        "proc/sys/net/netfilter/nf_conntrack_count",
        "limits",
        system::limits,
    ),
    (
        "proc/sys/net/netfilter/nf_conntrack_max",
        "limits",
        system::limits,
    ),
    ("sos_commands/kernel/sysctl_-a", "sysctl", system::sysctl),
    ("proc/mounts", "mounts", storage::mounts),
    ("proc/self/mounts", "mounts", storage::mounts),
    (
        "sos_commands/filesys/df_-aliT_-x_autofs",
        "disks",
        storage::inodes,
    ),
    (
        "sos_commands/filesys/df_-al_-x_autofs",
        "disks",
        storage::df,
    ),
    ("sos_commands/filesys/df_-al", "disks", storage::df),
    (
        "sos_commands/block/lsblk_-O_-P",
        "devices",
        storage::devices,
    ),
    (
        "sos_commands/networking/ip_-d_address",
        "network",
        network::addresses,
    ),
    (
        "sos_commands/networking/ip_address",
        "network",
        network::addresses,
    ),
    ("proc/net/dev", "network", network::counters),
    (
        "sos_commands/networking/ip_route_show_table_all",
        "network",
        network::routes,
    ),
    (
        "sos_commands/networking/netstat_-W_-neopa",
        "sockets",
        network::sockets,
    ),
    ("proc/net/sockstat", "sockets", network::sockstat),
    ("etc/resolv.conf", "resolver", network::resolver),
    ("sos_commands/process/ps_auxwww", "processes", process::ps),
    (
        "sos_commands/systemd/systemctl_list-units",
        "units",
        process::units,
    ),
    (
        "sos_commands/systemd/systemctl_list-units_--all",
        "units",
        process::units,
    ),
    (
        "sos_commands/systemd/systemctl_list-units_--failed",
        "units",
        process::failed_units,
    ),
    ("sos_commands/dpkg/dpkg_-l", "packages", inventory::dpkg),
    ("installed-debs", "packages", inventory::dpkg),
    ("installed-rpms", "packages", inventory::rpm),
    ("sos_commands/rpm/*", "packages", inventory::rpm),
    ("var/log/dpkg.log", "packages", inventory::dpkg_log),
    ("var/log/dnf.rpm.log", "packages", inventory::dnf_log),
    (
        "sos_commands/certificates/certificates",
        "certificates",
        inventory::certificates,
    ),
    (
        "sos_commands/docker/docker_ps_-a",
        "containers",
        inventory::containers,
    ),
    (
        "sos_commands/podman/podman_ps_-a",
        "containers",
        inventory::containers,
    ),
];

fn parser(path: &str) -> Option<(&'static str, Parser)> {
    let below = below_tree(path);
    let found = PARSERS.iter().find(|(known, _, _)| {
        known
            .strip_suffix('*')
            .map_or(*known == below, |prefix| below.starts_with(prefix))
    });
    found.map(|(_, group, parse)| (*group, *parse))
}

/// The path below the root of the sos tree, for ours (`sos/…`, with or without the top directory) and for
/// sos reports.
fn below_tree(path: &str) -> &str {
    if let Some(rest) = path.strip_prefix("sos/") {
        return rest;
    }
    match path.split_once('/') {
        Some((top, rest))
            if !matches!(
                top,
                "etc" | "proc" | "sys" | "var" | "usr" | "sos_commands" | "run"
            ) =>
        {
            rest.strip_prefix("sos/").unwrap_or(rest)
        }
        _ => path,
    }
}

/// The single values of a group that several files add to; nothing for the others, which name their item.
fn singles(group: &str, facts: &Facts) -> serde_json::Map<String, Value> {
    let value = match group {
        "os" => serde_json::to_value(&facts.os),
        "kernel" => serde_json::to_value(&facts.kernel),
        "host" => serde_json::to_value(&facts.host),
        "hardware" => serde_json::to_value(&facts.hardware),
        "cpu" => serde_json::to_value(&facts.cpu),
        "pressure" => serde_json::to_value(&facts.pressure),
        "limits" => serde_json::to_value(&facts.limits),
        _ => Ok(Value::Null),
    };
    let Ok(Value::Object(mut values)) = value else {
        return serde_json::Map::new();
    };
    values.retain(|key, value| key != "item" && !value.is_array() && !value.is_object());
    values
}

/// Whether facts are read from the text at this bundle path.
pub fn wants(path: &str) -> bool {
    parser(path).is_some()
}

/// Gathers facts from texts, in any order.
#[derive(Debug, Default)]
pub struct Reader {
    facts: Facts,
    now_ms: i64,
}

impl Reader {
    /// `now_ms` is when the bundle was made (for the days that certificates have left).
    pub fn new(now_ms: i64) -> Self {
        Self {
            facts: Facts::default(),
            now_ms,
        }
    }

    /// Reads one text; texts that hold no facts are ignored.
    pub fn add(&mut self, path: &str, bytes: &[u8]) {
        let Some((group, parse)) = parser(path) else {
            return;
        };
        let bytes = &bytes[..bytes.len().min(MAX_TEXT)];
        let text = String::from_utf8_lossy(bytes);
        let before = singles(group, &self.facts);
        parse(
            &Text {
                path,
                text: &text,
                now_ms: self.now_ms,
            },
            &mut self.facts,
        );
        for (key, value) in singles(group, &self.facts) {
            if before.get(&key) != Some(&value) {
                let name = format!("{group}.{key}");
                self.facts.sources.insert(name, path.to_owned());
            }
        }
        let items = self.facts.items.entry(group.to_owned()).or_default();
        if !items.iter().any(|known| known == path) {
            items.push(path.to_owned());
        }
    }

    /// The facts.
    pub fn finish(mut self) -> Facts {
        SCHEMA.clone_into(&mut self.facts.schema);
        storage::settle(&mut self.facts);
        self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_group_name_the_file_of_each() {
        let mut reader = Reader::new(0);
        reader.add(
            "sos/proc/pressure/cpu",
            b"some avg10=95.48 avg60=1 avg300=1 total=1\n",
        );
        reader.add(
            "sos/proc/pressure/io",
            b"some avg10=1.50 avg60=1 avg300=1 total=1\n",
        );
        reader.add("sos/proc/meminfo", b"MemTotal: 1000 kB\n");
        let sources = reader.finish().sources;
        let found: Vec<(&str, &str)> = sources
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("pressure.cpu_some_avg10", "sos/proc/pressure/cpu"),
                ("pressure.io_some_avg10", "sos/proc/pressure/io"),
            ]
        );
    }

    #[test]
    fn paths_of_bundles_and_sos_reports_are_known() {
        for path in [
            "sos/proc/meminfo",
            "top-1/sos/proc/meminfo",
            "sosreport-x/proc/meminfo",
            "proc/meminfo",
        ] {
            assert!(wants(path), "{path}");
        }
        assert!(!wants("sos/proc/meminfo2"));
        assert!(!wants("sos/var/log/syslog"));
    }
}
