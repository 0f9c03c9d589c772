//! A small sealed bundle for tests of what comes after sealing.

use super::draft::{Draft, Occasion, Parts};
use super::meta;
use super::spool::StateDir;
use serde_json::json;
use sitrep_shared::bundle::manifest::{Item, Kind, Manifest, Outcome, SCHEMA};
use sitrep_shared::bundle::{BundleWriter, WriterOptions, layout};
use sitrep_shared::time::UtcMs;
use std::collections::BTreeMap;
use std::path::Path;

/// Files of the sample: id, path, text.
const FILES: [(&str, &str, &str); 3] = [
    (
        "kernel/dmesg",
        "sos/dmesg",
        "line one\nOut of memory: Killed process 7\n",
    ),
    ("network/hosts", "sos/etc/hosts", "127.0.0.1\tlocalhost\n"),
    ("logfiles/syslog", "sos/var/log/syslog", "a\nb\nc\n"),
];

/// A draft in `dir`, which must not exist yet.
pub fn draft(dir: &Path) -> Draft {
    let state = StateDir::open(dir).expect("a state directory");
    let spool = state.spool().expect("a spool file");
    let at = UtcMs(1_795_269_720_000);
    let top_dir = layout::top_dir(Some("TKT-7"), "web1", at);
    let options = WriterOptions {
        top_dir,
        mtime: at,
        level: 1,
    };
    let mut writer = BundleWriter::create(spool.handle().expect("a handle"), options);
    let [findings, redaction, facts] = documents();
    let mut items = Vec::new();
    for (id, path, text) in FILES {
        writer.add(path, text.as_bytes()).expect("added");
        items.push(item(id, path, Kind::File));
    }
    writer.link("sos/kernel", "dmesg").expect("linked");
    items.push(Item {
        origin: "sos/dmesg".to_owned(),
        link_target: Some("dmesg".to_owned()),
        ..item("links/kernel", "sos/kernel", Kind::Link)
    });
    for (path, value) in [
        (layout::FACTS, &facts),
        (layout::FINDINGS, &findings),
        (layout::REDACTION, &redaction),
    ] {
        writer.add(path, &meta::document(value)).expect("added");
        items.push(item(path, path, Kind::Meta));
    }
    items.push(denied());
    let mut manifest = Manifest {
        schema: SCHEMA.to_owned(),
        format: 1,
        created: at.rfc3339(),
        host: "web1".to_owned(),
        ticket: Some("TKT-7".to_owned()),
        redaction_level: "standard".to_owned(),
        started_ms: at.0,
        items,
        ..Manifest::default()
    };
    let (_, sealed) = writer.seal(&mut manifest).expect("sealed");
    Draft::open(Parts {
        spool,
        recipient: None,
        dir: state,
        occasion: Occasion::default(),
        whys: BTreeMap::from([(
            "kernel/dmesg".to_owned(),
            "What does the kernel complain about?",
        )]),
        sha256: sealed.sha256.to_string(),
        bytes: sealed.bytes,
        findings,
        redaction,
        facts,
    })
    .expect("opens")
}

/// Findings, redaction report and facts that agree with the files.
fn documents() -> [serde_json::Value; 3] {
    let findings = json!({"schema": "sitrep.findings/1", "evaluated": 2, "not_evaluated": [], "findings": [
        {"id": "SIG-0087", "severity": "high", "title": "The kernel killed a process", "cause": "Memory ran out.",
         "impact": "A service is gone.", "mitigation": "Give it more memory.",
         "fix": {"expert": {"en": ["Look at the limits", "Restart it"], "zh": []}, "plain": {"en": [], "zh": []}},
         "references": ["https://example.com/oom"],
         "evidence": [{"file": "sos/dmesg", "line": 2, "text": "Out of memory: Killed process 7"}]}]});
    let redaction = json!({"schema": "sitrep.redaction/1", "level": "standard", "total": 2,
        "by_rule": {"password": 2}, "withheld": [], "files": [
            {"path": "sos/etc/hosts", "total": 2, "by_rule": {"password": 2},
             "places": [{"line": 1, "rule": "password"}]}]});
    let facts =
        json!({"schema": "sitrep.facts/1", "os": {"id": "debian", "item": "sos/etc/hosts"}});
    [findings, redaction, facts]
}

fn denied() -> Item {
    Item {
        outcome: Outcome::Denied,
        reason: Some("permission denied".to_owned()),
        needs: Some("root".to_owned()),
        path: None,
        ..item("security/shadow", "", Kind::File)
    }
}

fn item(id: &str, path: &str, kind: Kind) -> Item {
    Item {
        id: id.to_owned(),
        source: id.split('/').next().unwrap_or("").to_owned(),
        kind,
        origin: path.trim_start_matches("sos").to_owned(),
        path: Some(path.to_owned()),
        ..Item::default()
    }
}
