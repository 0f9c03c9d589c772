//! What holds for every source: planned on every fixture host, ids and paths sound, all rows of the default
//! Linux profile there. The table of them is made by `tests/tests/items.rs`.

use super::registry;
use crate::collect::{Host, Moment, Params, PlannedItem, Tier};
use crate::profile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
        let params = Params {
            before: Some(Arc::new(Moment::take(&host))),
            ..Params::default()
        };
        for source in registry() {
            let items = source.plan(&host, &params);
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
                    !item.read.runs_program() || host.is_live(),
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

#[test]
fn every_row_of_the_profile_has_a_source() {
    for (name, host) in hosts() {
        let rows: BTreeSet<u16> = everything(&host).iter().map(|i| i.number).collect();
        let missing: Vec<u16> = (1..=ROWS).filter(|row| !rows.contains(row)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}
