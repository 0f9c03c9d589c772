//! Configuration of widespread services, where it is.

use super::declare;
use crate::collect::{self, Params, PlannedItem, Planner, Source};

declare!(
    Configs,
    "configs",
    "Service configuration",
    "How are the usual services configured?",
    ["usual", "configs"]
);

/// Limit of one file.
const LIMIT: u64 = 256 << 10;

/// Services and their files. A service without any file gives one absent item.
const SERVICES: &[(&str, &[&str])] = &[
    (
        "nginx",
        &[
            "/etc/nginx/nginx.conf",
            "/etc/nginx/conf.d/*",
            "/etc/nginx/sites-enabled/*",
        ],
    ),
    (
        "apache",
        &[
            "/etc/apache2/*.conf",
            "/etc/apache2/sites-enabled/*",
            "/etc/httpd/conf/*.conf",
            "/etc/httpd/conf.d/*",
        ],
    ),
    ("haproxy", &["/etc/haproxy/haproxy.cfg"]),
    (
        "postgresql",
        &["/etc/postgresql/*/*/*.conf", "/var/lib/pgsql/data/*.conf"],
    ),
    (
        "mysql",
        &[
            "/etc/my.cnf",
            "/etc/my.cnf.d/*",
            "/etc/mysql/*.cnf",
            "/etc/mysql/*/*.cnf",
        ],
    ),
    ("redis", &["/etc/redis.conf", "/etc/redis/*.conf"]),
    (
        "postfix",
        &["/etc/postfix/main.cf", "/etc/postfix/master.cf"],
    ),
    ("bind", &["/etc/named.conf", "/etc/bind/named.conf*"]),
    ("dnsmasq", &["/etc/dnsmasq.conf", "/etc/dnsmasq.d/*"]),
    ("samba", &["/etc/samba/smb.conf"]),
    ("squid", &["/etc/squid/squid.conf"]),
    (
        "rabbitmq",
        &["/etc/rabbitmq/*.conf", "/etc/rabbitmq/*.config"],
    ),
    ("mongodb", &["/etc/mongod.conf"]),
    ("keepalived", &["/etc/keepalived/keepalived.conf"]),
    ("pacemaker", &["/etc/corosync/corosync.conf"]),
    ("libvirt", &["/etc/libvirt/*.conf"]),
    (
        "tuned",
        &["/etc/tuned/active_profile", "/etc/tuned/tuned-main.conf"],
    ),
    (
        "tomcat",
        &["/etc/tomcat*/server.xml", "/etc/tomcat*/web.xml"],
    ),
    ("sysconfig", &["/etc/sysconfig/*"]),
    ("defaults", &["/etc/default/*"]),
    ("sos", &["/etc/sos/sos.conf", "/etc/sos.conf"]),
    ("java", &["/etc/java*/*/security/java.security"]),
];

fn plan(p: &mut Planner<'_>) {
    for (_, patterns) in SERVICES {
        let present: Vec<&str> = patterns
            .iter()
            .copied()
            .filter(|f| !p.host.glob(f).is_empty())
            .collect();
        if present.is_empty() {
            p.file(patterns[0], LIMIT);
        }
        p.files(&present, LIMIT).root();
    }
}
