//! A finished bundle, redacted once more with the rules of this program.

use super::{Summary, pass};
use crate::cli::opened;
use crate::error::Failure;
use serde_json::{Value, json};
use sitrep_shared::bundle::limits::Limits;
use sitrep_shared::bundle::manifest::Item;
use sitrep_shared::bundle::{Edit, reseal};
use sitrep_shared::bundle::{layout, manifest::Kind};
use sitrep_shared::redact::{FileReport, Redactor};
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
    let old = bundle.meta(layout::REDACTION)?;
    let document = document(old, redactor, &reports);
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
        mtime: now,
    };
    if let Err(error) = reseal(&mut source, target, edit, &Limits::default()) {
        let _ = std::fs::remove_file(out);
        return Err(Failure::internal(what, error));
    }
    done.withheld = withheld;
    Ok(done)
}

/// `meta/redaction.json` with the counts of both times.
fn document(old: Value, redactor: &Redactor, reports: &[(String, FileReport)]) -> Vec<u8> {
    let again: Vec<Value> = reports
        .iter()
        .map(|(path, report)| {
            json!({"path": path, "total": report.total, "by_rule": report.by_rule,
                "places": report.places})
        })
        .collect();
    let mut new = match old {
        Value::Object(_) => old,
        _ => json!({"schema": "sitrep.redaction/1"}),
    };
    new["again"] = json!({"level": redactor.level(), "files": again});
    format!("{new:#}\n").into_bytes()
}
