//! What holds for every source: planned on every fixture host, ids and paths sound, all rows of the default
//! Linux profile there, and the table of them true.

use super::registry;
use crate::collect::{Host, Kind, Params, PlannedItem, Read, Tier};
use crate::profile;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Rows of the default Linux profile.
const ROWS: u16 = 131;

fn hosts() -> Vec<(String, Host)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hosts");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("fixtures")
        .map(|e| e.expect("entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 3);
    paths
        .iter()
        .map(|p| {
            (
                p.file_name().expect("name").to_string_lossy().into_owned(),
                Host::at(p).expect("host"),
            )
        })
        .collect()
}

fn everything(host: &Host) -> Vec<PlannedItem> {
    let params = Params {
        now_ms: 1_795_528_862_000,
        ..Params::default()
    };
    registry()
        .iter()
        .flat_map(|s| s.plan(host, &params))
        .collect()
}

#[test]
fn every_source_plans_on_every_host() {
    for (name, host) in hosts()
        .into_iter()
        .chain([("live".to_owned(), Host::live().expect("host"))])
    {
        for source in registry() {
            let items = source.plan(&host, &Params::default());
            assert!(!items.is_empty(), "{} plans nothing on {name}", source.id());
            for item in items {
                assert_eq!(item.source, source.id());
                assert!(
                    item.path.starts_with("sos/")
                        && !item.path.contains("/../")
                        && !item.path.ends_with('/'),
                    "{}",
                    item.path
                );
                assert!(
                    !item.path.starts_with("sos/dev/"),
                    "readers leave out what lies below dev/"
                );
                assert!(
                    item.limit_bytes > 0 && item.timeout_ms > 0 && !item.why.is_empty(),
                    "{}",
                    item.id
                );
                assert!(
                    !matches!(item.read, Read::Command { .. }) || host.is_live(),
                    "no command on a fixture"
                );
            }
        }
    }
}

#[test]
fn sources_are_named_once_and_fully() {
    let ids: BTreeSet<&str> = registry().iter().map(|s| s.id()).collect();
    assert_eq!(ids.len(), registry().len());
    for source in registry() {
        assert!(
            !source.title().is_empty() && source.why().ends_with('?') && !source.tags().is_empty(),
            "{}",
            source.id()
        );
    }
}

#[test]
fn every_source_belongs_to_a_built_in_profile() {
    let profiles = profile::built_in().expect("profiles");
    for source in registry() {
        let by: Vec<&str> = profiles
            .iter()
            .filter(|p| p.chooses(*source))
            .map(|p| p.name.as_str())
            .collect();
        assert!(by.len() > 1, "{} is only in {by:?}", source.id());
    }
}

#[test]
fn the_must_tier_is_small() {
    for (name, host) in hosts() {
        let must: u64 = everything(&host)
            .iter()
            .filter(|i| i.tier == Tier::Must)
            .map(|i| i.estimate_bytes)
            .sum();
        assert!(must < 5_000_000, "{name}: {must}");
    }
}

/// One line per row of the profile: which sources, and in which ways.
fn table(host: &Host) -> String {
    let mut rows: BTreeMap<u16, Vec<PlannedItem>> = BTreeMap::new();
    for item in everything(host) {
        rows.entry(item.number).or_default().push(item);
    }
    let mut out = String::from(
        "# The default Linux profile, row by row\n\nMade by a test from the registry of sources, on the Debian fixture. \
         N: read natively, F: files, C: commands\n(only where the program is installed). *root*: gives more, or only, as \
         root.\n\n| row | source | how | items, for example | root |\n|---|---|---|---|---|\n",
    );
    for row in 1..=ROWS {
        let items = rows
            .get(&row)
            .unwrap_or_else(|| panic!("row {row} has no source"));
        let sources: BTreeSet<&str> = items.iter().map(|i| i.source).collect();
        let how: BTreeSet<&str> = items
            .iter()
            .map(|i| match i.kind {
                Kind::File => "F",
                Kind::Command => "C",
                _ => "N",
            })
            .collect();
        let root = if items.iter().any(|i| i.needs.is_some()) {
            "*root*"
        } else {
            ""
        };
        let mut names: Vec<String> = items
            .iter()
            .map(|i| format!("`{}`", i.origin.replace('|', "/")))
            .collect();
        let more = names.len().saturating_sub(4);
        names.truncate(4);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        let join = |set: BTreeSet<&str>| set.into_iter().collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            out,
            "| {row} | {} | {} | {} | {root} |",
            join(sources),
            join(how),
            names.join(", ")
        );
    }
    out
}

#[test]
fn the_table_of_items_is_true() {
    let (_, debian) = hosts()
        .into_iter()
        .find(|(n, _)| n == "debian")
        .expect("fixture");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/ITEMS.md");
    let table = table(&debian);
    #[expect(clippy::disallowed_methods, reason = "a switch of this test only")]
    if std::env::var("SITREP_UPDATE").is_ok() {
        std::fs::write(&path, &table).expect("written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == table,
        "run this test with SITREP_UPDATE=1 and look at the difference"
    );
}
