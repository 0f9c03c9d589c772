//! A finished bundle, redacted once more with the rules of this program.

use super::{Summary, pass};
use crate::cli::opened;
use crate::error::Failure;
use serde_json::{Value, json};
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::Item;
use sitrep_shared::bundle::{Edit, reseal};
use sitrep_shared::bundle::{layout, manifest::Kind};
use sitrep_shared::redact::{FileReport, Level, Redactor};
use sitrep_shared::time::UtcMs;
use std::fs::File;
use std::path::Path;

/// A changed file is held in memory; a larger one is left out of the new bundle, and said so.
const MAX_CHANGED_BYTES: usize = 512 * 1024 * 1024;

/// Writes `input` to `out` with what today's rules remove.
pub fn redo(redactor: &Redactor, input: &Path, out: &Path, now: UtcMs) -> Result<Summary, Failure> {
    let mut bundle = opened::open(input)?;
    let mut done = Summary::default();
    let items: Vec<Item> = bundle.manifest().items.clone();
    let (mut replace, mut reports, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
    for item in items
        .iter()
        .filter(|i| i.kind != Kind::Meta && i.link_target.is_none())
    {
        let Some(path) = item.path.as_deref() else {
            continue;
        };
        let mut bytes = Vec::new();
        bundle.stream(path, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        let name = path.strip_prefix("sos/").unwrap_or(path);
        let mut clean = Vec::with_capacity(bytes.len());
        let mut sink = |part: &[u8]| {
            clean.extend_from_slice(part);
            Ok(())
        };
        match pass(redactor, &mut bytes.as_slice(), name, &mut sink)? {
            Ok((report, read)) => {
                done.count(&report, read);
                if clean.len() > MAX_CHANGED_BYTES && clean != bytes {
                    let why = "it changes and is too large to be written anew";
                    withheld.push((path.to_owned(), why.to_owned()));
                } else if clean != bytes {
                    reports.push((path.to_owned(), report));
                    replace.push((path.to_owned(), clean));
                }
            }
            Err(why) => withheld.push((path.to_owned(), why)),
        }
    }
    let level = level(&bundle.manifest().redaction_level, redactor.level());
    let old = bundle.meta(layout::REDACTION)?;
    let document = document(old, level, &reports);
    replace.push((layout::REDACTION.to_owned(), document));
    let gone = |item: &Item| {
        item.path
            .as_ref()
            .is_some_and(|p| withheld.iter().any(|(w, _)| w == p))
    };
    let what = format!("cannot write {}", out.display());
    let mut source = File::open(input).map_err(|error| Failure::internal(what.clone(), error))?;
    let target =
        File::create_new(out).map_err(|error| Failure::usage(what.clone()).because(error))?;
    let edit = Edit {
        drop: &gone,
        replace,
        note: None,
        redaction_level: Some(level.to_string()),
        mtime: now,
    };
    if let Err(error) = reseal(&mut source, target, edit, &Limits::default()) {
        let _ = std::fs::remove_file(out);
        return Err(Failure::internal(what, error));
    }
    done.withheld = withheld;
    Ok(done)
}

/// The level that now holds: what was removed before stays removed.
fn level(before: &str, now: Level) -> Level {
    before.parse::<Level>().unwrap_or(Level::Off).max(now)
}

/// `meta/redaction.json` with the counts of both times, so that every reader has one account.
fn document(old: Value, level: Level, reports: &[(String, FileReport)]) -> Vec<u8> {
    let mut new = match old {
        Value::Object(_) => old,
        _ => json!({"schema": "sitrep.redaction/1"}),
    };
    new["level"] = json!(level);
    let mut files = match new["files"].take() {
        Value::Array(files) => files,
        _ => Vec::new(),
    };
    for (path, report) in reports {
        add(&mut new["total"], report.total);
        for (rule, count) in &report.by_rule {
            add(&mut new["by_rule"][rule], *count);
        }
        let known = files.iter().position(|f| f["path"] == **path);
        let at = known.unwrap_or_else(|| {
            files.push(json!({"path": path, "total": 0, "by_rule": {}, "places": []}));
            files.len() - 1
        });
        let file = &mut files[at];
        add(&mut file["total"], report.total);
        for (rule, count) in &report.by_rule {
            add(&mut file["by_rule"][rule], *count);
        }
        if let Some(places) = file["places"].as_array_mut() {
            places.extend(report.places.iter().map(|place| json!(place)));
            places.sort_by_key(|place| place["line"].as_u64());
        }
    }
    new["files"] = Value::Array(files);
    format!("{new:#}\n").into_bytes()
}

/// Adds to a number that may not be there yet.
fn add(number: &mut Value, more: u64) {
    *number = json!(number.as_u64().unwrap_or(0) + more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sitrep_shared::redact::Place;

    fn report(line: u64) -> FileReport {
        FileReport {
            total: 1,
            by_rule: [("url".to_owned(), 1)].into(),
            places: vec![Place {
                line,
                rule: "url".to_owned(),
            }],
        }
    }

    #[test]
    fn both_times_are_one_account() {
        let old = json!({"schema": "sitrep.redaction/1", "level": "standard", "total": 2,
            "by_rule": {"url": 2}, "files": [{"path": "sos/a", "total": 2, "by_rule": {"url": 2},
            "places": [{"line": 1, "rule": "url"}, {"line": 9, "rule": "url"}]}], "withheld": []});
        let reports = [
            ("sos/a".to_owned(), report(5)),
            ("sos/b".to_owned(), report(3)),
        ];
        let new = document(old, level("standard", Level::Strict), &reports);
        let new: Value = serde_json::from_slice(&new).expect("JSON");
        assert_eq!(
            (&new["total"], &new["level"]),
            (&json!(4), &json!("strict"))
        );
        assert_eq!(new["by_rule"], json!({"url": 4}));
        let lines: Vec<_> = (0..3)
            .map(|n| new["files"][0]["places"][n]["line"].clone())
            .collect();
        assert_eq!(lines, [1, 5, 9]);
        assert_eq!(new["files"][1]["path"], "sos/b");
        assert_eq!(level("strict", Level::Standard), Level::Strict);
    }

    #[test]
    fn a_bundle_without_an_account_gets_one() {
        let new = document(
            Value::Null,
            Level::Standard,
            &[("sos/a".to_owned(), report(5))],
        );
        let new: Value = serde_json::from_slice(&new).expect("JSON");
        assert_eq!(new["by_rule"], json!({"url": 1}));
        assert_eq!(new["files"][0]["total"], 1);
    }
}
