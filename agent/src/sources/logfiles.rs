//! Log files, newest first: the known ones with generous limits, whatever else lies in /var/log with small
//! ones. Rotated files belong to their log and share its budget.

use super::{declare, listing};
use crate::collect::logs::LogItem;
use crate::collect::unpack::Packing;
use crate::collect::{self, Miss, Params, PlannedItem, Planner, Source, Tier, source::Native};
use std::collections::BTreeMap;
use std::io::Write as _;

declare!(
    Logfiles,
    "logfiles",
    "Log files",
    "What was logged around the time of the trouble?",
    ["base", "logs"]
);

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
/// Members of one log, newest first.
const MAX_MEMBERS: usize = 30;
/// Logs besides the known ones.
const MAX_OTHERS: usize = 200;
/// Deepest folder below /var/log.
const MAX_DEPTH: usize = 4;

/// Known logs: profile row, limit of the group, names below /var/log.
const KNOWN: &[(u16, u64, &[&str])] = &[
    (
        59,
        25 * M,
        &[
            "messages",
            "syslog",
            "kern.log",
            "daemon.log",
            "user.log",
            "boot.log",
            "debug",
            "dmesg",
        ],
    ),
    (60, 10 * M, &["auth.log", "secure"]),
    (61, 10 * M, &["audit/audit.log"]),
    (
        62,
        5 * M,
        &[
            "dpkg.log",
            "alternatives.log",
            "apt/history.log",
            "apt/term.log",
            "dnf.log",
            "dnf.rpm.log",
            "yum.log",
            "zypper.log",
            "zypp/history",
            "pacman.log",
            "up2date",
        ],
    ),
    (
        63,
        5 * M,
        &[
            "cron",
            "cron.log",
            "maillog",
            "mail.log",
            "mail.err",
            "mail.warn",
        ],
    ),
    (9, 5 * M, &["cloud-init.log", "cloud-init-output.log"]),
];

/// Not text: accounts and databases that other items read, or nobody.
const BINARY: &[&str] = &["wtmp", "btmp", "lastlog", "tallylog", "faillog"];

/// A member of a log: path, compression, what orders it (newest first).
#[derive(Clone, Debug)]
struct Member {
    path: String,
    stored_as: String,
    packing: Packing,
    size: u64,
    mtime: i64,
}

fn plan(p: &mut Planner<'_>) {
    let mut found: BTreeMap<String, Vec<Member>> = BTreeMap::new();
    walk(p, "/var/log", 0, &mut found);
    for (row, limit, names) in KNOWN {
        let mut any = false;
        for name in *names {
            if let Some(members) = found.remove(&format!("/var/log/{name}")) {
                any = true;
                add(p, *row, &format!("/var/log/{name}"), *limit, members);
            }
        }
        if !any {
            let miss = Miss::absent("none of these logs is on this host");
            p.nothing("logs", &names.join(" "), miss)
                .row(*row)
                .tier(Tier::Logs);
        }
    }
    let mut others: Vec<(String, Vec<Member>)> = found.into_iter().collect();
    others.sort_by_key(|(_, m)| std::cmp::Reverse(m.iter().map(|m| m.mtime).max()));
    for (group, members) in others.into_iter().take(MAX_OTHERS) {
        add(p, 0, &group, 5 * M, members);
    }
    p.native("logs", "ls -alZRs /var/log", |n| {
        listing::recursive(n, "/var/log", MAX_DEPTH)
    })
    .row(64)
    .limit(2 * M);
    p.native("logs", "largest logs", largest).row(64);
    let configuration = [
        "/etc/rsyslog.conf",
        "/etc/rsyslog.d/*",
        "/etc/syslog-ng/*",
        "/etc/logrotate.conf",
        "/etc/logrotate.d/*",
    ];
    p.files(&configuration, 512 * K).row(65);
    p.nothing(
        "logs",
        "signatures",
        Miss::skipped("every line is matched while it is collected; see meta/findings.json"),
    )
    .row(66);
}

fn add(p: &mut Planner<'_>, row: u16, group: &str, limit: u64, mut members: Vec<Member>) {
    // The plain file is the newest whatever its time says; the rest by time.
    members.sort_by_key(|m| (m.path != group, std::cmp::Reverse(m.mtime), m.path.clone()));
    let limit = limit.min(p.params.log_group_bytes);
    for member in members.into_iter().take(MAX_MEMBERS) {
        let Member {
            path,
            stored_as,
            packing,
            size,
            ..
        } = member;
        let log = LogItem {
            group: group.to_owned(),
            group_bytes: limit,
            packing,
        };
        let estimate = match packing {
            Packing::Plain => size,
            _ => size * 7,
        };
        p.log(&path, &stored_as, log)
            .row(row)
            .tier(Tier::Logs)
            .limit(limit)
            .seconds(60)
            .estimate(estimate.min(limit))
            .root();
    }
}

fn walk(p: &Planner<'_>, dir: &str, depth: usize, found: &mut BTreeMap<String, Vec<Member>>) {
    for name in p.host.names(dir) {
        let path = format!("{dir}/{name}");
        let Some(meta) = p.host.stat(&path) else {
            continue;
        };
        if meta.is_dir() {
            if depth < MAX_DEPTH && !skipped_folder(&path) {
                walk(p, &path, depth + 1, found);
            }
            continue;
        }
        if !meta.is_file() || is_binary(&name) {
            continue;
        }
        let (base, stored, packing) = group_of(&name);
        let member = Member {
            stored_as: format!("{dir}/{stored}"),
            packing,
            size: meta.size,
            mtime: meta.mtime,
            path,
        };
        found
            .entry(format!("{dir}/{base}"))
            .or_default()
            .push(member);
    }
}

/// Folders with their own items or without text.
fn skipped_folder(path: &str) -> bool {
    [
        "/var/log/journal",
        "/var/log/sa",
        "/var/log/sysstat",
        "/var/log/pods",
        "/var/log/containers",
    ]
    .contains(&path)
}

fn is_binary(name: &str) -> bool {
    let stem = name.split(['.', '-']).next().unwrap_or(name);
    BINARY.contains(&stem)
        || name.ends_with(".journal")
        || name.ends_with(".db")
        || name.ends_with(".swp")
}

/// `syslog.2.gz` is a member of `syslog`, stored as `syslog.2`, packed with gz. Dates and numbers that
/// logrotate adds are taken off.
fn group_of(name: &str) -> (String, String, Packing) {
    let (stored, packing) = Packing::of_name(name);
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let mut base = stored;
    if let Some((rest, last)) = base.rsplit_once('.')
        && (digits(last) || last == "old")
    {
        base = rest;
    }
    if let Some((rest, last)) = base.rsplit_once('-')
        && digits(last)
        && last.len() >= 8
    {
        base = rest;
    }
    // `name-20261124.log` keeps its ending.
    let dated = base
        .strip_suffix(".log")
        .and_then(|b| b.rsplit_once('-'))
        .filter(|(_, d)| digits(d) && d.len() >= 8);
    let base = dated.map_or_else(|| base.to_owned(), |(rest, _)| format!("{rest}.log"));
    (base, stored.to_owned(), packing)
}

/// The fifty largest files below /var/log.
fn largest(n: &mut Native<'_>) -> Result<(), Miss> {
    let mut files: Vec<(u64, String)> = n
        .host
        .glob("/var/log/**")
        .into_iter()
        .filter_map(|path| n.host.stat(&path).map(|m| (m.size, path)))
        .collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    for (size, path) in files.iter().take(50) {
        writeln!(n.out, "{size:>14} {path}")?;
    }
    if files.is_empty() {
        Err(Miss::absent("nothing in /var/log"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_belong_to_their_log() {
        for (name, expected) in [
            ("syslog", ("syslog", "syslog", Packing::Plain)),
            ("syslog.1", ("syslog", "syslog.1", Packing::Plain)),
            ("syslog.2.gz", ("syslog", "syslog.2", Packing::Gzip)),
            (
                "messages-20261101",
                ("messages", "messages-20261101", Packing::Plain),
            ),
            (
                "messages-20261101.xz",
                ("messages", "messages-20261101", Packing::Program("xz")),
            ),
            (
                "access.log.10.gz",
                ("access.log", "access.log.10", Packing::Gzip),
            ),
            (
                "app-20261101.log",
                ("app.log", "app-20261101.log", Packing::Plain),
            ),
            ("Xorg.0.log", ("Xorg.0.log", "Xorg.0.log", Packing::Plain)),
        ] {
            let (base, stored, packing) = group_of(name);
            assert_eq!(
                (base.as_str(), stored.as_str(), packing),
                expected,
                "{name}"
            );
        }
        assert!(is_binary("wtmp.1") && is_binary("btmp") && !is_binary("syslog"));
    }
}
