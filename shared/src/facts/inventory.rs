//! Facts about what is installed: packages, certificates, containers.

use super::read::Text;
use super::{Certificate, Container, Facts, Packages, RecentPackage};

/// How many recent changes are kept.
const RECENT: usize = 50;
const DAY_MS: i64 = 86_400_000;

fn packages<'a>(facts: &'a mut Facts, manager: &str, item: &str) -> &'a mut Packages {
    let packages = facts.packages.get_or_insert_with(Packages::default);
    manager.clone_into(&mut packages.manager);
    item.clone_into(&mut packages.item);
    packages
}

/// `dpkg -l`: `ii  name[:arch]  version  arch  description`.
pub(super) fn dpkg(t: &Text<'_>, facts: &mut Facts) {
    let packages = packages(facts, "dpkg", t.path);
    for line in t
        .text
        .lines()
        .filter(|l| l.as_bytes().get(1) == Some(&b'i') && l.as_bytes().get(2) == Some(&b' '))
    {
        let mut words = line.split_whitespace().skip(1);
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            let name = name.split(':').next().unwrap_or(name);
            packages
                .versions
                .insert(name.to_owned(), version.to_owned());
        }
    }
    packages.total = Some(packages.versions.len() as u64);
}

/// Lines that begin with `name-version-release.arch`.
pub(super) fn rpm(t: &Text<'_>, facts: &mut Facts) {
    let packages = packages(facts, "rpm", t.path);
    for line in t.text.lines() {
        let Some(full) = line.split_whitespace().next() else {
            continue;
        };
        let full = full.rsplit_once('.').map_or(full, |(rest, _)| rest);
        let mut parts = full.rsplitn(3, '-');
        if let (Some(release), Some(version), Some(name)) =
            (parts.next(), parts.next(), parts.next())
        {
            packages
                .versions
                .insert(name.to_owned(), format!("{version}-{release}"));
        }
    }
    packages.total = Some(packages.versions.len() as u64);
}

/// `2026-11-24 14:41:00 upgrade name:arch old new`.
pub(super) fn dpkg_log(t: &Text<'_>, facts: &mut Facts) {
    let packages = facts.packages.get_or_insert_with(Packages::default);
    for line in t.text.lines().rev() {
        let words: Vec<&str> = line.split(' ').collect();
        let [day, time, "install" | "upgrade" | "remove", name, _, new] = words[..] else {
            continue;
        };
        let name = name.split(':').next().unwrap_or(name).to_owned();
        packages.recent.push(RecentPackage {
            name,
            version: new.to_owned(),
            at: format!("{day} {time}"),
        });
        if packages.recent.len() == RECENT {
            break;
        }
    }
}

/// `2026-11-24T14:41:00+0000 SUBDEBUG Upgrade: name-version-release.arch`.
pub(super) fn dnf_log(t: &Text<'_>, facts: &mut Facts) {
    let packages = facts.packages.get_or_insert_with(Packages::default);
    for line in t.text.lines().rev() {
        let words: Vec<&str> = line.split(' ').collect();
        let [at, _, "Installed:" | "Upgrade:" | "Erase:", full, ..] = words[..] else {
            continue;
        };
        let full = full.rsplit_once('.').map_or(full, |(rest, _)| rest);
        let mut parts = full.rsplitn(3, '-');
        if let (Some(release), Some(version), Some(name)) =
            (parts.next(), parts.next(), parts.next())
        {
            packages.recent.push(RecentPackage {
                name: name.to_owned(),
                version: format!("{version}-{release}"),
                at: at.to_owned(),
            });
        }
        if packages.recent.len() >= RECENT {
            break;
        }
    }
}

/// Our own listing: `path<TAB>subject<TAB>expires (UTC ms)` and more columns.
pub(super) fn certificates(t: &Text<'_>, facts: &mut Facts) {
    for line in t.text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [path, subject, expires, ..] = columns[..] else {
            continue;
        };
        let Ok(expires_ms) = expires.parse::<i64>() else {
            continue;
        };
        facts.certificates.push(Certificate {
            path: path.to_owned(),
            subject: subject.to_owned(),
            expires_ms,
            days_left: (expires_ms - t.now_ms).div_euclid(DAY_MS),
            item: t.path.to_owned(),
        });
    }
}

/// `docker ps -a` and `podman ps -a`: columns begin where their titles do.
pub(super) fn containers(t: &Text<'_>, facts: &mut Facts) {
    let mut lines = t.text.lines();
    let Some(title) = lines.next() else { return };
    let column = |name: &str| title.find(name);
    let (Some(image), Some(status), Some(names)) =
        (column("IMAGE"), column("STATUS"), column("NAMES"))
    else {
        return;
    };
    let cell = |line: &str, from: usize| {
        let rest = line.get(from..).unwrap_or("");
        rest.split("  ").next().unwrap_or("").trim().to_owned()
    };
    for line in lines {
        facts.containers.push(Container {
            name: cell(line, names),
            image: cell(line, image),
            state: cell(line, status),
            item: t.path.to_owned(),
        });
    }
}
