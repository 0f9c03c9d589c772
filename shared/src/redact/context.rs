//! What the file's name says: which formats keep secrets by position in the line.

/// Formats whose secrets stand by position and are known by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// `shadow`, `gshadow`, `.htpasswd`: second field of `:`.
    Colon2,
    /// `.pgpass`: fifth field of `:`.
    Pgpass,
    /// `chap-secrets`, `pap-secrets`: third word.
    Chap,
    /// `sasl_passwd`, exim's `passwd.client`: what follows the last `:` of the last word.
    Last,
    /// racoon's `psk.txt`: the second word.
    Second,
    /// `smbpasswd`: third and fourth field of `:`.
    Smb,
    /// Tables under `/proc/net` with addresses in hexadecimal (strict).
    ProcNet,
    /// `krb5.keytab`-like lists with one secret per line (`authkey`, `.vault_pass`).
    Whole,
}

/// The facts about one file that scanners use.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Context {
    pub lines: Option<Lines>,
    /// Running configuration of network gear.
    pub network: bool,
    /// Settings of modems and wireless cards: `pin` is a secret.
    pub modem: bool,
    /// Names a version file: dotted numbers are versions.
    pub version: bool,
    /// Prose by extension (`.md`, `.txt`, a log): bare words after a key word are text.
    pub prose: bool,
}

impl Context {
    /// Reads a bundle or host path.
    pub(crate) fn of(path: &str) -> Self {
        let lower = path.to_ascii_lowercase();
        let base = lower.rsplit(['/', '\\']).next().unwrap_or_default();
        let base = base.strip_suffix(".gz").unwrap_or(base);
        let stem = base
            .trim_end_matches(['-', '~'])
            .trim_end_matches(".bak")
            .trim_end_matches(".old");
        let lines = match stem {
            "shadow" | "gshadow" | ".htpasswd" | "htpasswd" | "opasswd" | "passwd.htpasswd" => {
                Some(Lines::Colon2)
            }
            "rsyncd.secrets" => Some(Lines::Colon2),
            "sasl_passwd" | "passwd.client" => Some(Lines::Last),
            "psk.txt" => Some(Lines::Second),
            "smbpasswd" => Some(Lines::Smb),
            ".pgpass" | "pgpass" | "pgpass.conf" => Some(Lines::Pgpass),
            "chap-secrets" | "pap-secrets" | "l2tp-secrets" | "authkeys" => Some(Lines::Chap),
            ".vault_pass" | ".vault-token" | "authkey" | ".erlang.cookie" | "master.key" => {
                Some(Lines::Whole)
            }
            "tcp" | "tcp6" | "udp" | "udp6" | "udplite" | "udplite6" | "raw" | "raw6" | "route"
            | "if_inet6" | "ipv6_route" | "rt_cache" | "icmp" | "icmp6"
                if lower.contains("/net/") =>
            {
                Some(Lines::ProcNet)
            }
            s if s.ends_with(".htpasswd") || s.starts_with(".htpasswd") => Some(Lines::Colon2),
            s if s.contains("mbtree") || lower.contains("/bearer_tokens/") => Some(Lines::Whole),
            _ => None,
        };
        let has = |w: &str| lower.contains(w);
        Self {
            lines,
            network: has("network/") && !has("networking/")
                || has("running-config")
                || has("startup-config")
                || has("junos")
                || has("cisco"),
            modem: has("networkmanager")
                || has("wpa_supplicant")
                || has("wvdial")
                || has("modem")
                || has("hostapd"),
            version: base.contains("version"),
            prose: base.ends_with(".log") || has("var/log/") || base.ends_with(".md"),
        }
    }
}
