//! What the built-in catalogue promises: how much there is in each area, that everybody gets help from
//! it, and that what looks at facts alone says yes, no, and that it cannot tell.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::engine::Engine;
use super::model::{Signature, SignatureTest, Status, Steps};
use super::parse::Catalogue;
use super::run::RunOptions;
use super::source::SourceMap;

/// Areas that a host bundle shows: each has signatures.
const AREAS: &[&str] = &[
    "apache",
    "containers",
    "cron",
    "dns",
    "filesystems",
    "haproxy",
    "java",
    "kernel",
    "mail",
    "memory",
    "mysql",
    "network",
    "nginx",
    "node",
    "packages",
    "postgresql",
    "python",
    "redis",
    "ssh",
    "storage",
    "systemd",
    "time",
    "tls",
];

fn signatures() -> Vec<Signature> {
    Catalogue::embedded().unwrap().signatures
}

/// What a signature says of a host with these facts and no logs: `None` when it cannot tell.
fn says(signature: &Signature, facts: &Value) -> Option<bool> {
    let catalogue = Catalogue {
        signatures: vec![signature.clone()],
    };
    let engine = Engine::new(&catalogue, &SourceMap::embedded().unwrap()).unwrap();
    let report = engine.run(RunOptions::default()).finish(Some(facts));
    (report.evaluated == 1).then_some(report.findings.len() == 1)
}

#[test]
fn every_area_has_signatures_and_there_are_enough() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for signature in signatures() {
        let area = signature.file.split('/').next().unwrap_or_default();
        let count = counts.entry(area.to_owned()).or_default();
        count.0 += 1;
        count.1 += usize::from(signature.rule.is_none());
    }
    let table: String = counts
        .iter()
        .map(|(area, (all, facts))| format!("{area}: {all}, of these {facts} on facts alone\n"))
        .collect();
    let missing: Vec<_> = AREAS.iter().filter(|a| !counts.contains_key(**a)).collect();
    assert!(missing.is_empty(), "nothing about {missing:?}\n{table}");
    let total: usize = counts.values().map(|c| c.0).sum();
    assert!(total >= 120, "{total} in all\n{table}");
    let facts: usize = counts.values().map(|c| c.1).sum();
    assert!(facts >= 40, "{facts} on facts alone\n{table}");
}

#[test]
fn every_signature_helps_both_audiences_in_both_languages_and_is_proven() {
    let mut faults = Vec::new();
    for signature in signatures() {
        let mut fault = |what: &str| faults.push(format!("{}: {what}", signature.id));
        let texts = [&signature.cause, &signature.impact, &signature.mitigation];
        if texts.iter().any(|text| text.is_empty()) || signature.references.is_empty() {
            fault("no cause, impact, mitigation or reference");
        }
        let Some(extension) = &signature.extension else {
            fault("nothing of ours");
            continue;
        };
        let complete = |steps: &Steps| !steps.en.is_empty() && !steps.zh.is_empty();
        if !complete(&extension.fix.plain) || !complete(&extension.fix.expert) {
            fault("no fix for somebody");
        }
        let fires = |yes: bool| extension.tests.iter().any(|test| test.fires == yes);
        if !fires(true) || !fires(false) {
            fault("not shown to fire and to stay silent");
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn on_facts_alone_a_signature_says_yes_and_no_and_that_it_cannot_tell() {
    let mut faults = Vec::new();
    let mut shown = 0;
    let all = signatures();
    let on_facts = |s: &&Signature| s.rule.is_none() && s.status() == Status::Live;
    for signature in all.iter().filter(on_facts) {
        let tests = || signature.extension.iter().flat_map(|e| &e.tests);
        let told = |test: &SignatureTest| says(signature, test.facts.as_ref()?);
        for answer in [true, false] {
            if !tests().any(|test| test.fires == answer && told(test) == Some(answer)) {
                faults.push(format!("{}: never says {answer}", signature.id));
            }
        }
        // A host of which nothing is known is not a host that is well.
        let unknown = says(signature, &json!({}));
        if unknown.is_some() {
            faults.push(format!("{}: says {unknown:?} of nothing", signature.id));
        }
        shown += 1;
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(shown >= 40, "{shown}");
}
