//! From bundle paths and texts to facts: which texts are wanted, and who parses them.

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

/// Path below the sos tree (a `*` at the end is a prefix) and its parser.
const PARSERS: &[(&str, Parser)] = &[
    ("etc/os-release", system::os),
    ("usr/lib/os-release", system::os),
    ("etc/redhat-release", system::redhat),
    ("sos_commands/kernel/uname_-a", system::uname),
    ("proc/version", system::version),
    ("proc/sys/kernel/tainted", system::tainted),
    ("sos_commands/host/hostname", system::hostname),
    ("etc/hostname", system::hostname),
    ("sos_commands/host/virtualization", system::virtualization),
    ("proc/uptime", system::uptime),
    ("proc/loadavg", system::load),
    ("proc/cpuinfo", system::cpuinfo),
    ("proc/meminfo", system::meminfo),
    ("proc/pressure/cpu", system::pressure),
    ("proc/pressure/memory", system::pressure),
    ("proc/pressure/io", system::pressure),
    ("sys/class/dmi/id/sys_vendor", system::dmi),
    ("sys/class/dmi/id/product_name", system::dmi),
    ("sys/class/dmi/id/bios_version", system::dmi),
    ("sos_commands/date/clock", system::clock),
    ("sos_commands/systemd/timedatectl", system::timedatectl),
    ("proc/sys/fs/file-nr", system::limits),
    ("proc/sys/kernel/pid_max", system::limits),
    ("proc/sys/net/netfilter/nf_conntrack_count", system::limits),
    ("proc/sys/net/netfilter/nf_conntrack_max", system::limits),
    ("sos_commands/kernel/sysctl_-a", system::sysctl),
    ("proc/mounts", storage::mounts),
    ("proc/self/mounts", storage::mounts),
    ("sos_commands/filesys/df_-aliT_-x_autofs", storage::inodes),
    ("sos_commands/filesys/df_-al_-x_autofs", storage::df),
    ("sos_commands/filesys/df_-al", storage::df),
    ("sos_commands/networking/ip_-d_address", network::addresses),
    ("sos_commands/networking/ip_address", network::addresses),
    ("proc/net/dev", network::counters),
    (
        "sos_commands/networking/ip_route_show_table_all",
        network::routes,
    ),
    (
        "sos_commands/networking/netstat_-W_-neopa",
        network::sockets,
    ),
    ("etc/resolv.conf", network::resolver),
    ("sos_commands/process/ps_auxwww", process::ps),
    ("sos_commands/systemd/systemctl_list-units", process::units),
    (
        "sos_commands/systemd/systemctl_list-units_--all",
        process::units,
    ),
    (
        "sos_commands/systemd/systemctl_list-units_--failed",
        process::failed_units,
    ),
    ("sos_commands/dpkg/dpkg_-l", inventory::dpkg),
    ("installed-debs", inventory::dpkg),
    ("installed-rpms", inventory::rpm),
    ("sos_commands/rpm/*", inventory::rpm),
    ("var/log/dpkg.log", inventory::dpkg_log),
    (
        "sos_commands/certificates/certificates",
        inventory::certificates,
    ),
    ("sos_commands/docker/docker_ps_-a", inventory::containers),
    ("sos_commands/podman/podman_ps_-a", inventory::containers),
];

fn parser(path: &str) -> Option<(&'static str, Parser)> {
    let below = below_tree(path);
    PARSERS
        .iter()
        .find(|(p, _)| {
            p.strip_suffix('*')
                .map_or(*p == below, |prefix| below.starts_with(prefix))
        })
        .copied()
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
        let Some((_, parse)) = parser(path) else {
            return;
        };
        let bytes = &bytes[..bytes.len().min(MAX_TEXT)];
        let text = String::from_utf8_lossy(bytes);
        parse(
            &Text {
                path,
                text: &text,
                now_ms: self.now_ms,
            },
            &mut self.facts,
        );
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
