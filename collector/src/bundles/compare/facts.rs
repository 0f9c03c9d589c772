//! What differs between the facts of two bundles. A fact has a name made of the keys that lead to it; things in a list
//! go by what names them on the host, so that one more disk does not make all others differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::bundles::redactions::without_fingerprints;

/// Differences that are told of each kind.
const MAX: usize = 500;
/// Keys that name a thing in a list, the first that it has.
const NAMES: [&str; 7] = ["mount", "target", "name", "path", "port", "device", "pid"];
/// Parts of the facts that say where they come from, or that are another at every moment.
const LEFT_OUT: [&str; 6] = ["schema", "items", "item", "top_cpu", "top_rss", "recent"];

/// Something with another value in each of two bundles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// What it is, such as `disks./srv.fstype`, or a package.
    pub name: String,
    /// Value in the earlier one; none when it has none.
    pub before: Option<String>,
    /// Value in the later one.
    pub after: Option<String>,
}

/// Differences, apart by what they are of.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) facts: Vec<Difference>,
    pub(super) readings: Vec<Difference>,
    pub(super) packages: Vec<Difference>,
}

/// Compares two documents of facts.
pub(super) fn compare(before: &Value, after: &Value) -> Told {
    let [one, other] = [before, after].map(|facts| {
        let mut flat = BTreeMap::new();
        flatten(facts, "", &mut flat);
        flat
    });
    let mut told = Told::default();
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let (before, after) = (one.get(name), other.get(name));
        if before.map(|v| &v.text) == after.map(|v| &v.text) {
            continue;
        }
        let package = name.strip_prefix("packages.versions.");
        let figures = [before, after].into_iter().flatten().all(|v| v.figure);
        let list = match package {
            Some(_) => &mut told.packages,
            None if figures => &mut told.readings,
            None => &mut told.facts,
        };
        list.push(Difference {
            name: package.unwrap_or(name).to_owned(),
            before: before.map(|v| v.text.clone()),
            after: after.map(|v| v.text.clone()),
        });
    }
    for list in [&mut told.facts, &mut told.readings, &mut told.packages] {
        list.truncate(MAX);
    }
    told
}

struct Flat {
    text: String,
    figure: bool,
}

fn flatten(value: &Value, name: &str, flat: &mut BTreeMap<String, Flat>) {
    let below = |key: &str| {
        if name.is_empty() {
            key.to_owned()
        } else {
            format!("{name}.{key}")
        }
    };
    match value {
        Value::Object(fields) => {
            let told = fields
                .iter()
                .filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
            for (key, value) in told {
                flatten(value, &below(key), flat);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (place, thing) in list.iter().enumerate() {
                let named = NAMES.iter().find_map(|key| thing.get(key).map(text));
                flatten(
                    thing,
                    &below(&named.unwrap_or_else(|| place.to_string())),
                    flat,
                );
            }
        }
        Value::Null => {}
        other => {
            let figure = other.is_number();
            flat.insert(
                name.to_owned(),
                Flat {
                    text: text(other),
                    figure,
                },
            );
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => without_fingerprints(text).into_owned(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn things_in_lists_go_by_their_names() {
        let disk = |mount: &str, used: u64| json!({"mount": mount, "fstype": "ext4", "used_bytes": used, "item": "df"});
        let before = json!({
            "schema": "a", "os": {"version": "12.4", "item": "x"},
            "disks": [disk("/", 5), disk("/srv", 1)],
            "packages": {"versions": {"zlib": "1.2", "old": "1", "passwd": "REMOVED-pass-0123456789ab"}},
            "units": {"failed": ["a.service"]},
        });
        let after = json!({
            "schema": "b", "os": {"version": "12.5", "item": "y"},
            "disks": [disk("/data", 7), disk("/", 6), disk("/srv", 1)],
            "packages": {"versions": {"zlib": "1.3", "passwd": "REMOVED-pass-ba9876543210"}},
            "units": {"failed": []},
        });
        let told = compare(&before, &after);
        let short = |list: &[Difference]| -> Vec<String> {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            list.iter()
                .map(|d| format!("{} {} {}", d.name, text(&d.before), text(&d.after)))
                .collect()
        };
        let facts = [
            "disks./data.fstype - ext4",
            "disks./data.mount - /data",
            "os.version 12.4 12.5",
            "units.failed a.service ",
        ];
        assert_eq!(short(&told.facts), facts);
        let readings = ["disks./.used_bytes 5 6", "disks./data.used_bytes - 7"];
        assert_eq!(short(&told.readings), readings);
        assert_eq!(short(&told.packages), ["old 1 -", "zlib 1.2 1.3"]);
        let same = compare(&before, &before);
        assert!(same.facts.is_empty() && same.readings.is_empty() && same.packages.is_empty());
        assert!(compare(&Value::Null, &Value::Null).facts.is_empty());
    }
}
