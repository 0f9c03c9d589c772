//! Security modules, accounts, logins, certificates: what may be refused, and what has expired.

use super::{declare, logins};
use crate::collect::certificate;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, source::Native};
use std::collections::BTreeSet;
use std::io::Write as _;

declare!(
    Security,
    "security",
    "Security",
    "Does a security module, an account or a certificate stand in the way?",
    ["base", "security"]
);

const K: u64 = 1 << 10;

fn plan(p: &mut Planner<'_>) {
    p.files(
        &[
            "/sys/fs/selinux/enforce",
            "/sys/fs/selinux/policyvers",
            "/sys/fs/selinux/deny_unknown",
        ],
        4 * K,
    )
    .row(100);
    p.file("/etc/selinux/config", 64 * K).row(100);
    p.native("selinux", "sestatus -b", sestatus).row(100).must();
    p.files(
        &[
            "/sys/kernel/security/apparmor/profiles",
            "/sys/module/apparmor/parameters/*",
        ],
        512 * K,
    )
    .row(101)
    .root();
    p.native("apparmor", "apparmor_status", apparmor)
        .row(101)
        .root();
    let state = [
        "/sys/kernel/security/lsm",
        "/sys/kernel/security/lockdown",
        "/proc/sys/kernel/yama/ptrace_scope",
    ];
    p.files(&state, 4 * K).row(102);
    p.files(
        &[
            "/proc/sys/crypto/fips_enabled",
            "/etc/crypto-policies/state/current",
            "/etc/crypto-policies/config",
        ],
        64 * K,
    )
    .row(102);
    plan_accounts(p);
}

/// Who may come in and what is recorded of it.
fn plan_accounts(p: &mut Planner<'_>) {
    let audit = (!p.host.exists("/run/auditd.pid") && !p.host.exists("/var/run/auditd.pid"))
        .then_some("auditd does not run");
    p.command_if("auditd", "auditctl -s", audit).row(103).root();
    p.command_if("auditd", "auditctl -l", audit).row(103).root();
    p.files(&["/etc/audit/auditd.conf", "/etc/audit/rules.d/*"], 64 * K)
        .row(103);
    p.files(
        &[
            "/etc/pam.d/*",
            "/etc/security/*.conf",
            "/etc/login.defs",
            "/etc/pam.conf",
        ],
        64 * K,
    )
    .row(104);
    p.files(
        &[
            "/etc/sssd/sssd.conf",
            "/etc/krb5.conf",
            "/etc/krb5.conf.d/*",
        ],
        64 * K,
    )
    .row(104)
    .root();
    p.native("accounts", "accounts", accounts).row(105);
    p.files(
        &[
            "/etc/ssh/sshd_config",
            "/etc/ssh/sshd_config.d/*",
            "/etc/ssh/ssh_config",
        ],
        64 * K,
    )
    .row(106);
    let sshd = (!p.host.exists("/run/sshd.pid") && !p.host.exists("/var/run/sshd.pid"))
        .then_some("sshd does not run");
    p.command_if("ssh", "sshd -T", sshd).row(106).root();
    if p.params.opted_in("sudoers") {
        p.files(&["/etc/sudoers", "/etc/sudoers.d/*"], 64 * K)
            .row(107)
            .root();
    } else {
        p.nothing("sudo", "sudoers", Miss::skipped("opt-in (sudoers)"))
            .row(107);
    }
    plan_logins(p);
    p.native("certificates", "certificates", certificates)
        .row(108)
        .must()
        .limit(256 * K)
        .seconds(10);
    p.native("security", "modes of sensitive files", modes)
        .row(109);
}

fn plan_logins(p: &mut Planner<'_>) {
    let recorded = |path: &str| p.host.stat(path).is_some_and(|m| m.size > 0);
    let (wtmp, btmp) = (recorded("/var/log/wtmp"), recorded("/var/log/btmp"));
    if wtmp {
        p.native("login", "last -F -n 200", |n| {
            logins::last(n, "/var/log/wtmp", 200)
        })
        .row(107)
        .limit(256 * K)
        .link("last");
    } else {
        let miss = Miss::absent("no login is recorded");
        p.nothing("login", "last -F -n 200", miss).row(107);
    }
    if !p.params.opted_in("lastb") {
        let miss = Miss::skipped("opt-in (lastb); profile full has it");
        p.nothing("login", "lastb -F -n 50", miss).row(107);
    } else if btmp {
        p.native("login", "lastb -F -n 50", |n| {
            logins::last(n, "/var/log/btmp", 50)
        })
        .row(107)
        .limit(64 * K)
        .root();
    } else {
        let miss = Miss::absent("no failed login is recorded");
        p.nothing("login", "lastb -F -n 50", miss).row(107);
    }
}

fn sestatus(n: &mut Native<'_>) -> Result<(), Miss> {
    let enforce = n.host.value("/sys/fs/selinux/enforce");
    let Some(enforce) = enforce else {
        writeln!(n.out, "SELinux status:                 disabled")?;
        return Ok(());
    };
    let config = n.host.text("/etc/selinux/config").unwrap_or_default();
    let setting = |key: &str| {
        config
            .lines()
            .find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('='))
            .unwrap_or("unknown")
            .trim()
            .to_owned()
    };
    let mode = |v: &str| if v == "1" { "enforcing" } else { "permissive" };
    for (key, value) in [
        ("SELinux status", "enabled".to_owned()),
        ("SELinuxfs mount", "/sys/fs/selinux".to_owned()),
        ("SELinux root directory", "/etc/selinux".to_owned()),
        ("Loaded policy name", setting("SELINUXTYPE")),
        ("Current mode", mode(&enforce).to_owned()),
        ("Mode from config file", setting("SELINUX")),
        ("Policy MLS status", mls(n)),
        ("Policy deny_unknown status", deny_unknown(n)),
        (
            "Max kernel policy version",
            n.host
                .value("/sys/fs/selinux/policyvers")
                .unwrap_or_default(),
        ),
    ] {
        writeln!(n.out, "{:<32}{value}", format!("{key}:"))?;
    }
    writeln!(n.out, "\nPolicy booleans:")?;
    for name in n.host.names("/sys/fs/selinux/booleans") {
        let value = n
            .host
            .value(&format!("/sys/fs/selinux/booleans/{name}"))
            .unwrap_or_default();
        writeln!(
            n.out,
            "{name:<44}{}",
            if value.starts_with('1') { "on" } else { "off" }
        )?;
    }
    Ok(())
}

fn mls(n: &Native<'_>) -> String {
    let on = n.host.value("/sys/fs/selinux/mls").as_deref() == Some("1");
    if on { "enabled" } else { "disabled" }.to_owned()
}

fn deny_unknown(n: &Native<'_>) -> String {
    let on = n.host.value("/sys/fs/selinux/deny_unknown").as_deref() == Some("1");
    if on { "denied" } else { "allowed" }.to_owned()
}

fn apparmor(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n
        .host
        .text("/sys/kernel/security/apparmor/profiles")
        .map_err(|m| match m.outcome {
            collect::Outcome::Absent => Miss::absent("AppArmor is not loaded"),
            _ => m,
        })?;
    writeln!(
        n.out,
        "apparmor module is loaded.\n{} profiles are loaded.",
        text.lines().count()
    )?;
    for mode in ["enforce", "complain", "kill", "unconfined"] {
        let of_mode: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_suffix(&format!(" ({mode})")))
            .collect();
        writeln!(n.out, "{} profiles are in {mode} mode.", of_mode.len())?;
        for name in of_mode {
            writeln!(n.out, "   {name}")?;
        }
    }
    Ok(())
}

/// Counts, and the accounts that services run as; not the whole file, which names people.
fn accounts(n: &mut Native<'_>) -> Result<(), Miss> {
    let text = n.host.text("/etc/passwd")?;
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split(':').collect())
        .filter(|f: &Vec<&str>| f.len() >= 7)
        .collect();
    let uid = |f: &[&str]| f[2].parse::<u64>().unwrap_or(0);
    let people = rows
        .iter()
        .filter(|f| (1000..65_000).contains(&uid(f)))
        .count();
    let roots = rows.iter().filter(|f| uid(f) == 0).count();
    writeln!(
        n.out,
        "accounts {}, of people {people}, with uid 0 {roots}",
        rows.len()
    )?;
    for f in rows.iter().filter(|f| uid(f) < 1000) {
        writeln!(
            n.out,
            "{} uid {} gid {} home {} shell {}",
            f[0], f[2], f[3], f[5], f[6]
        )?;
    }
    let groups = n.host.text("/etc/group").unwrap_or_default();
    writeln!(n.out, "groups {}", groups.lines().count())?;
    Ok(())
}

/// Where services keep the certificates that they present. The system's own trust store is left out.
const PLACES: &[&str] = &[
    "/etc/ssl/*.pem",
    "/etc/ssl/*.crt",
    "/etc/ssl/certs/ssl-cert-snakeoil.pem",
    "/etc/pki/tls/certs/*.crt",
    "/etc/pki/tls/certs/*.pem",
    "/etc/letsencrypt/live/*/cert.pem",
    "/etc/nginx/**.pem",
    "/etc/nginx/**.crt",
    "/etc/nginx/ssl/*",
    "/etc/nginx/certs/*",
    "/etc/apache2/ssl/*",
    "/etc/httpd/conf/*.crt",
    "/etc/haproxy/certs/*",
    "/etc/postfix/*.pem",
    "/etc/dovecot/*.pem",
    "/etc/docker/*.pem",
    "/etc/kubernetes/pki/*.crt",
    "/etc/kubernetes/pki/etcd/*.crt",
    "/var/lib/kubelet/pki/*.crt",
    "/etc/postgresql/*/*/*.crt",
    "/etc/mysql/*.pem",
    "/etc/rabbitmq/*.pem",
    "/etc/openvpn/*.crt",
    "/etc/pki/consumer/cert.pem",
    "/etc/pki/entitlement/*.pem",
];

/// Parsed, never copied: path, subject, end of validity in UTC ms, issuer, begin, mode, names. Tabs between.
fn certificates(n: &mut Native<'_>) -> Result<(), Miss> {
    let paths: BTreeSet<String> = PLACES.iter().flat_map(|p| n.host.glob(p)).collect();
    let mut found = false;
    writeln!(
        n.out,
        "# path\tsubject\tnot after (UTC ms)\tissuer\tnot before (UTC ms)\tmode\tnames"
    )?;
    for path in paths {
        let mode = n.host.stat_followed(&path).map_or(0, |m| m.mode & 0o7777);
        let Ok(bytes) = n.host.read(&path, 256 * K) else {
            continue;
        };
        for certificate in certificate::read_all(&bytes).into_iter().take(8) {
            found = true;
            let certificate::Certificate {
                subject,
                issuer,
                not_after_ms,
                not_before_ms,
                names,
            } = certificate;
            let names = names.join(",");
            writeln!(
                n.out,
                "{path}\t{subject}\t{not_after_ms}\t{issuer}\t{not_before_ms}\t{mode:04o}\t{names}"
            )?;
        }
        if !n.out.check() {
            break;
        }
    }
    if !found {
        writeln!(n.out, "# none in the usual places")?;
    }
    Ok(())
}

/// Modes and owners of files that services refuse when they are too open, or miss when too closed.
fn modes(n: &mut Native<'_>) -> Result<(), Miss> {
    let paths = [
        "/",
        "/etc",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/sudoers",
        "/etc/ssh",
        "/etc/ssh/sshd_config",
        "/etc/ssl/private",
        "/etc/crontab",
        "/root",
        "/root/.ssh",
        "/root/.ssh/authorized_keys",
        "/tmp",
        "/var/tmp",
        "/var/log",
        "/var/lib",
        "/var/run",
        "/run",
        "/dev/null",
        "/dev/shm",
        "/home",
        "/usr/bin/sudo",
        "/usr/bin/su",
    ];
    for path in paths {
        if let Some(meta) = n.host.stat(path) {
            writeln!(
                n.out,
                "{} {:>5} {:>5} {path}",
                super::listing::mode(&meta),
                meta.uid,
                meta.gid
            )?;
        }
    }
    Ok(())
}
