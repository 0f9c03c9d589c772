//! Unit files and whether they are enabled, worked out from the files as `systemctl list-unit-files` does:
//! it needs no running systemd, so that a dead disk tells it as well.

use crate::collect::{Host, Miss, glob, source::Native};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

/// Where unit files lie; what comes first hides what comes later.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];
const PRESETS: &[&str] = &[
    "/etc/systemd/system-preset",
    "/run/systemd/system-preset",
    "/usr/local/lib/systemd/system-preset",
    "/usr/lib/systemd/system-preset",
    "/lib/systemd/system-preset",
];
const TYPES: &[&str] = &[
    "automount",
    "mount",
    "path",
    "scope",
    "service",
    "slice",
    "socket",
    "swap",
    "target",
    "timer",
];

/// `systemctl list-unit-files`.
///
/// # Errors
/// Absent where there is no unit file.
pub(super) fn list(n: &mut Native<'_>) -> Result<(), Miss> {
    let files = files(n.host);
    if files.is_empty() {
        return Err(Miss::absent("no unit file on this host"));
    }
    let (links, presets) = (links(n.host), presets(n.host));
    let mut rows: Vec<(&str, &'static str, &'static str)> = Vec::new();
    for (name, folder) in &files {
        if !n.out.check() {
            break;
        }
        let state = state(n.host, name, folder, &links);
        let preset = match state {
            "static" | "alias" | "generated" | "transient" => "-",
            _ if preset(&presets, name) => "enabled",
            _ => "disabled",
        };
        rows.push((name, state, preset));
    }
    rows.sort_unstable_by_key(|(name, ..)| (name.rsplit('.').next(), *name));
    let width = |of: fn(&(&str, &str, &str)) -> usize, least| {
        rows.iter().map(of).max().unwrap_or(0).max(least)
    };
    let (a, b) = (width(|r| r.0.len(), 9), width(|r| r.1.len(), 5));
    writeln!(n.out, "{:<a$} {:<b$} PRESET", "UNIT FILE", "STATE")?;
    for (name, state, preset) in &rows {
        writeln!(n.out, "{name:<a$} {state:<b$} {preset}")?;
    }
    writeln!(n.out, "\n{} unit files listed.", rows.len())?;
    Ok(())
}

/// Every unit file by name, with the folder that counts.
fn files(host: &Host) -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        for name in host.names(folder) {
            let known = name
                .rsplit_once('.')
                .is_some_and(|(_, kind)| TYPES.contains(&kind));
            let plain = || {
                host.stat(&format!("{folder}/{name}"))
                    .is_some_and(|m| !m.is_dir())
            };
            if known && !found.contains_key(&name) && plain() {
                found.insert(name, *folder);
            }
        }
    }
    found
}

/// Units that something of the administrator's pulls in, for good and until the next boot.
struct Links {
    lasting: BTreeSet<String>,
    runtime: BTreeSet<String>,
}

fn links(host: &Host) -> Links {
    let of = |folder: &str| {
        let mut found = BTreeSet::new();
        for name in host.names(folder) {
            let path = format!("{folder}/{name}");
            let pulls = [".wants", ".requires", ".upholds"]
                .iter()
                .any(|end| name.ends_with(end));
            if pulls {
                for unit in host.names(&path) {
                    // An instance enables its template.
                    if let (Some((stem, _)), Some((_, kind))) =
                        (unit.split_once('@'), unit.rsplit_once('.'))
                    {
                        found.insert(format!("{stem}@.{kind}"));
                    }
                    found.insert(unit);
                }
            } else if let Some(target) = host.read_link(&path) {
                let unit = target.rsplit('/').next().unwrap_or(&target);
                if unit != name {
                    found.insert(unit.to_owned());
                }
            }
        }
        found
    };
    Links {
        lasting: of("/etc/systemd/system"),
        runtime: of("/run/systemd/system"),
    }
}

fn state(host: &Host, name: &str, folder: &str, links: &Links) -> &'static str {
    let path = format!("{folder}/{name}");
    let runtime = folder.starts_with("/run/");
    let mut text = String::new();
    if let Some(target) = host.read_link(&path) {
        if target == "/dev/null" {
            return if runtime { "masked-runtime" } else { "masked" };
        }
        if target.rsplit('/').next() != Some(name) {
            return "alias";
        }
    }
    match host.text(&path) {
        Ok(found) if found.is_empty() => {
            return if runtime { "masked-runtime" } else { "masked" };
        }
        Ok(found) => text = found,
        // What cannot be read says nothing about being installed.
        Err(_) => {}
    }
    if folder.contains("/generator") {
        "generated"
    } else if folder.ends_with("/transient") {
        "transient"
    } else if links.lasting.contains(name) {
        "enabled"
    } else if links.runtime.contains(name) {
        "enabled-runtime"
    } else {
        installs(&text)
    }
}

/// What the section `[Install]` says.
fn installs(text: &str) -> &'static str {
    let mut inside = false;
    let mut also = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[Install]";
        } else if inside && let Some((key, value)) = line.split_once('=') {
            match key.trim() {
                "WantedBy" | "RequiredBy" | "UpheldBy" | "Alias" if !value.trim().is_empty() => {
                    return "disabled";
                }
                "Also" => also = true,
                _ => {}
            }
        }
    }
    if also { "indirect" } else { "static" }
}

/// Lines `enable PATTERN` and `disable PATTERN` of all preset files, by the files' names.
fn presets(host: &Host) -> Vec<(bool, String)> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in PRESETS {
        for name in host
            .names(folder)
            .into_iter()
            .filter(|n| n.ends_with(".preset"))
        {
            let path = format!("{folder}/{name}");
            files.entry(name).or_insert(path);
        }
    }
    let mut rules = Vec::new();
    for path in files.values() {
        for line in host.text(path).unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("enable"), Some(pattern)) => rules.push((true, pattern.to_owned())),
                (Some("disable"), Some(pattern)) => rules.push((false, pattern.to_owned())),
                _ => {}
            }
        }
    }
    rules
}

/// The first rule that fits counts; without one a unit is to be enabled.
fn preset(rules: &[(bool, String)], name: &str) -> bool {
    rules
        .iter()
        .find(|(_, pattern)| glob::matches(pattern, name))
        .is_none_or(|(enable, _)| *enable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_presets_are_read_as_systemd_does() {
        for (text, state) in [
            ("[Unit]\nAlso=x\n[Service]\n", "static"),
            ("[Install]\nWantedBy=multi-user.target\n", "disabled"),
            ("[Install]\nAlso=x.socket\n", "indirect"),
            ("[Install]\nWantedBy=\n", "static"),
        ] {
            assert_eq!(installs(text), state, "{text}");
        }
        let rules = [(true, "ssh*.service".to_owned()), (false, "*".to_owned())];
        assert!(preset(&rules, "sshd.service") && !preset(&rules, "x.timer"));
        assert!(preset(&[], "x.timer"));
    }
}
