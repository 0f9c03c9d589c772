//! Paths that are never read, whatever a profile says: secrets as such, memory, devices, and files whose
//! mere reading has an effect. Bump [`VERSION`] with every change; it is in the manifest's self item.

use super::glob;
use std::sync::OnceLock;

/// Version of the list.
pub const VERSION: u32 = 1;

/// Path patterns (`**` crosses directories).
const PATTERNS: &[&str] = &[
    "/etc/shadow*",
    "/etc/gshadow*",
    "/etc/security/opasswd*",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private/**",
    "/etc/pki/**/private/**",
    "/etc/pki/tls/private/**",
    "/etc/letsencrypt/**/privkey*",
    "/etc/letsencrypt/accounts/**",
    "/etc/wireguard/**",
    "/etc/ppp/*-secrets",
    "/etc/ipsec.secrets",
    "/etc/ipsec.d/private/**",
    "/etc/NetworkManager/system-connections/**.key",
    "/etc/luks/**",
    "/etc/cryptsetup-keys.d/**",
    "/etc/machine-info.key",
    "/etc/rndc.key",
    "/var/lib/systemd/credential.secret",
    "/etc/credstore*/**",
    "/run/credentials/**",
    "/var/lib/sss/secrets/**",
    "/var/lib/private/**",
    "/run/secrets/**",
    "/**/.ssh/**",
    "/**/.gnupg/**",
    "/**/.aws/**",
    "/**/.kube/**",
    "/**/.docker/config.json",
    "/**/.netrc",
    "/**/.pgpass",
    "/**/.my.cnf",
    "/**/.git-credentials",
    "/**/.*_history",
    "/**/*.keytab",
    "/**/*.p12",
    "/**/*.pfx",
    "/**/*.jks",
    "/**/id_rsa",
    "/**/id_dsa",
    "/**/id_ecdsa",
    "/**/id_ed25519",
    "/var/crash/**/vmcore",
    "/var/crash/**/vmcore.*",
    "/var/lib/systemd/coredump/**",
    "/dev/**",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/kpage*",
    "/proc/sysrq-trigger",
    "/proc/*/mem",
    "/proc/*/environ",
    "/proc/*/auxv",
    "/proc/*/clear_refs",
    "/proc/*/pagemap",
    "/proc/*/root/**",
    "/proc/*/cwd/**",
    "/proc/*/fd/**",
    "/proc/acpi/event",
    "/proc/sys/net/*/route/flush",
    "/proc/sys/net/**/flush",
    "/proc/sys/vm/stat_refresh",
    "/proc/sys/vm/compact_memory",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/**/stable_secret",
    "/proc/sys/net/ipv4/tcp_fastopen_key",
    "/proc/sys/kernel/random/uuid",
    "/proc/sys/kernel/cad_pid",
    "/sys/kernel/debug/**",
    "/sys/kernel/tracing/**",
    "/sys/kernel/security/**/.remove",
    "/sys/firmware/efi/efivars/**",
    "/sys/class/*/*/vpd",
    "/sys/devices/**/vpd",
    "/sys/devices/**/rom",
    "/sys/devices/**/resource[0-9]*",
    "/sys/devices/**/config",
    "/sys/**/registers",
];

/// Exceptions: single variables below a denied folder that carry no secret.
const ALLOWED: &[&str] = &["/sys/firmware/efi/efivars/SecureBoot-*"];

/// Why `path` must not be read, or none.
pub fn reason(path: &str) -> Option<String> {
    if ALLOWED.iter().any(|p| glob::matches(p, path)) {
        return None;
    }
    static LIST: OnceLock<Vec<Pattern>> = OnceLock::new();
    LIST.get_or_init(|| PATTERNS.iter().map(|p| Pattern::of(p)).collect())
        .iter()
        .find(|p| p.matches(path))
        .map(|p| format!("on the deny list ({})", p.text))
}

/// A pattern with what a path must hold to be worth matching: every file that is opened is looked up here.
struct Pattern {
    text: &'static str,
    /// What stands before the first wildcard.
    start: &'static str,
    /// The longest part between wildcards.
    part: &'static str,
}

impl Pattern {
    fn of(text: &'static str) -> Self {
        let parts = || text.split(['*', '?', '[', ']']);
        // A double star with its slash may stand for nothing, and what is in brackets for one of its bytes.
        let plain = parts().filter(|p| !text.contains(&format!("[{p}]")));
        let part = plain.map(|p| p.trim_matches('/')).max_by_key(|p| p.len());
        Self {
            text,
            start: parts().next().unwrap_or("").trim_end_matches('/'),
            part: part.unwrap_or(""),
        }
    }

    fn matches(&self, path: &str) -> bool {
        path.starts_with(self.start) && path.contains(self.part) && glob::matches(self.text, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_denied_and_ordinary_files_are_not() {
        for path in [
            "/etc/shadow",
            "/etc/shadow-",
            "/etc/ssh/ssh_host_rsa_key",
            "/root/.ssh/id_rsa",
            "/home/a/.bash_history",
            "/proc/1/environ",
            "/proc/kcore",
            "/proc/sys/net/ipv6/conf/eth0/stable_secret",
            "/dev/sda",
            "/srv/app/http.keytab",
        ] {
            assert!(reason(path).is_some(), "{path}");
        }
        for path in [
            "/etc/passwd",
            "/etc/ssh/sshd_config",
            "/etc/ssh/ssh_host_rsa_key.pub",
            "/proc/1/status",
            "/proc/meminfo",
            "/var/log/syslog",
            "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
        ] {
            assert!(reason(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_short_way_answers_as_the_patterns_do() {
        let parts = [
            "proc",
            "sys",
            "etc",
            "dev",
            "home",
            "1",
            "net",
            "ssh",
            ".ssh",
            "x.keytab",
            "flush",
            "shadow",
            "shadow-",
            "ssh_host_rsa_key",
            "resource0",
            "resource",
            "devices",
            "fd",
            "mem",
        ];
        for a in parts {
            for b in parts {
                for c in parts {
                    let path = format!("/{a}/{b}/{c}");
                    for text in PATTERNS {
                        let (short, long) = (Pattern::of(text), glob::matches(text, &path));
                        assert_eq!(short.matches(&path), long, "{text} {path}");
                    }
                }
            }
        }
    }
}
