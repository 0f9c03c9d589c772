//! Which files of configuration differ between two bundles, by what their manifests say.

use std::collections::BTreeMap;

use serde::Serialize;
use sitrep_shared::bundle::manifest::Item;
use utoipa::ToSchema;

use super::Look;
use crate::bundles::browse::index::FileEntry;

/// Files of configuration that are compared.
const FILES_MAX: usize = 5_000;

/// A file of configuration that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigFile {
    /// Its path on the host.
    pub path: String,
    /// Its number in the earlier bundle; none when it was not there.
    pub before: Option<u64>,
    /// Its number in the later one.
    pub after: Option<u64>,
}

/// The path on the host of a file of configuration, whoever made the bundle: what stands from `/etc/` on.
fn config_path(path: &str) -> Option<String> {
    let at = if path.starts_with("etc/") {
        0
    } else {
        path.find("/etc/")? + 1
    };
    Some(format!("/{}", &path[at..]))
}

/// A file of configuration in one of the two.
struct Side {
    fid: u64,
    /// What tells whether two are the same: the digest where there is one.
    digest: String,
    /// Whether something was removed from it.
    redacted: bool,
}

/// Files of configuration by path.
fn config_files(look: &Look) -> BTreeMap<String, Side> {
    let items = look.manifest.iter().flat_map(|manifest| &manifest.items);
    let items: BTreeMap<&str, &Item> = items
        .filter_map(|item| Some((item.path.as_deref()?, item)))
        .collect();
    let of = |entry: &FileEntry| {
        let item = items.get(entry.path.as_str());
        let digest = item.and_then(|item| item.sha256.as_ref());
        let side = Side {
            fid: entry.fid,
            digest: digest.map_or_else(|| format!("{} bytes", entry.size), ToString::to_string),
            redacted: item.is_some_and(|item| !item.redactions.is_empty()),
        };
        Some((config_path(&entry.path)?, side))
    };
    let text = look.files.iter().filter(|entry| entry.text);
    text.filter_map(of).take(FILES_MAX).collect()
}

/// Files of configuration with other digests, and whether that may come from what was removed.
pub(super) fn compare(before: &Look, after: &Look) -> Vec<(ConfigFile, bool)> {
    let (one, other) = (config_files(before), config_files(after));
    let mut all: BTreeMap<&String, [Option<&Side>; 2]> = BTreeMap::new();
    for (place, files) in [&one, &other].into_iter().enumerate() {
        for (path, file) in files {
            all.entry(path).or_default()[place] = Some(file);
        }
    }
    all.into_iter()
        .filter(|(_, [one, other])| one.map(|s| &s.digest) != other.map(|s| &s.digest))
        .map(|(path, sides)| {
            let [before, after] = sides.map(|side| side.map(|side| side.fid));
            let file = ConfigFile {
                path: path.clone(),
                before,
                after,
            };
            let redacted = sides
                .iter()
                .all(|side| side.is_some_and(|side| side.redacted));
            (file, redacted)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_is_known_by_its_path_on_the_host() {
        for (path, expected) in [
            ("sos/etc/fstab", Some("/etc/fstab")),
            (
                "sosreport-h1-2026/etc/ssh/sshd_config",
                Some("/etc/ssh/sshd_config"),
            ),
            ("etc/hosts", Some("/etc/hosts")),
            ("sos/var/log/etc", None),
            ("sos/usr/lib/petc/x", None),
        ] {
            assert_eq!(config_path(path).as_deref(), expected, "{path}");
        }
    }
}
