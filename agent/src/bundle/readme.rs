//! `README.txt`: what a person reads first when the bundle is opened without Sitrep.

use super::draft::Occasion;
use serde_json::Value;
use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, Outcome};
use std::fmt::Write;

/// Findings named in the README; all are in `meta/findings.json`.
const NAMED_FINDINGS: usize = 10;
/// Missing items named in the README; all are in the manifest.
const NAMED_MISSING: usize = 100;

/// Room for the text at the head of a bundle, kept while what is missing and found is not known yet.
pub const ROOM_BYTES: u16 = 4 * 1024;

/// The text, in at most [`ROOM_BYTES`]: the longer the list of what is missing, the less of it.
pub fn text(manifest: &Manifest, occasion: &Occasion, findings: &Value) -> String {
    let mut named = NAMED_MISSING;
    loop {
        let mut text = String::new();
        let _ = head(&mut text, manifest, occasion);
        let _ = found(&mut text, findings);
        let _ = missing(&mut text, manifest, named);
        let _ = layout(&mut text);
        if text.len() <= usize::from(ROOM_BYTES) || named == 0 {
            return text;
        }
        named /= 2;
    }
}

/// The text of a bundle that is sent while it is collected: nobody knows yet what will be missing.
pub fn on_the_road(manifest: &Manifest, occasion: &Occasion) -> String {
    let mut text = String::new();
    let _ = head(&mut text, manifest, occasion);
    text.push_str("This bundle was sent while it was collected, without a copy on the host.\n");
    text.push_str(
        "Known problems found there: meta/findings.json. What is missing: meta/manifest.json.\n\n",
    );
    let _ = layout(&mut text);
    text
}

fn head(text: &mut String, manifest: &Manifest, occasion: &Occasion) -> std::fmt::Result {
    writeln!(
        text,
        "Diagnostics of {}, made by sitrep {}",
        manifest.host, manifest.agent.version
    )?;
    writeln!(text)?;
    writeln!(text, "made        {}", manifest.created)?;
    if let Some(ticket) = &manifest.ticket {
        let title = occasion.title.as_deref().unwrap_or("");
        writeln!(text, "ticket      {ticket} {title}")?;
    }
    if let Some(who) = &occasion.requested_by {
        writeln!(text, "asked by    {who}")?;
    }
    if let Some(host) = &occasion.host {
        writeln!(text, "for         {host}")?;
    }
    writeln!(
        text,
        "profile     {} {}",
        manifest.profile.name, manifest.profile.version
    )?;
    writeln!(text, "redaction   {}", manifest.redaction_level)?;
    if let Some(note) = &manifest.note {
        writeln!(text, "note        {note}")?;
    }
    writeln!(text)
}

fn found(text: &mut String, findings: &Value) -> std::fmt::Result {
    let list = findings["findings"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    writeln!(text, "Known problems found on the host: {}", list.len())?;
    for finding in list.iter().take(NAMED_FINDINGS) {
        let part = |key: &str| finding[key].as_str().unwrap_or("").to_owned();
        writeln!(
            text,
            "  {:<9} {}  {}",
            part("severity"),
            part("id"),
            part("title")
        )?;
        if let Some(first) = finding["evidence"]
            .as_array()
            .and_then(|evidence| evidence.first())
        {
            let file = first["file"].as_str().unwrap_or("?");
            match first["line"].as_u64() {
                Some(line) if line > 0 => writeln!(text, "            {file}:{line}")?,
                _ => writeln!(text, "            {file}")?,
            }
        }
    }
    writeln!(text)
}

fn missing(text: &mut String, manifest: &Manifest, named: usize) -> std::fmt::Result {
    let left_out: Vec<&Item> = manifest
        .items
        .iter()
        .filter(|item| item.kind != Kind::Meta)
        .filter(|item| !matches!(item.outcome, Outcome::Collected | Outcome::Absent))
        .collect();
    writeln!(text, "Missing or incomplete: {}", left_out.len())?;
    for item in left_out.iter().take(named) {
        let outcome = crate::cli::outcome_word(item.outcome);
        let reason = item.reason.as_deref().unwrap_or("");
        writeln!(text, "  {outcome:<10} {:<40} {reason}", item.id)?;
    }
    if left_out.len() > named {
        writeln!(
            text,
            "  … and {} more, see meta/manifest.json",
            left_out.len() - named
        )?;
    }
    writeln!(text)
}

fn layout(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "sos/                 files at their host paths; outputs in sos/sos_commands/"
    )?;
    writeln!(text, "meta/facts.json      values read from them")?;
    writeln!(
        text,
        "meta/findings.json   known problems, with file and line"
    )?;
    writeln!(
        text,
        "meta/redaction.json  what was removed: rules, counts, lines, never values"
    )?;
    writeln!(
        text,
        "meta/consent.json    what was shown and by whom it was agreed to"
    )?;
    writeln!(
        text,
        "meta/trace.json      how long each item took; opens in a trace viewer"
    )?;
    writeln!(text, "meta/manifest.json   every item that was asked for")?;
    writeln!(text)?;
    writeln!(
        text,
        "sitrep show FILE reads all of it; tar xzf FILE unpacks it."
    )
}
