//! Redaction comes before matching, so a signature must know its error in the redacted log too.

use super::engine::Engine;
use super::parse::Catalogue;
use super::run::RunOptions;
use super::source::SourceMap;
use crate::redact::{FileContext, Level, RedactorBuilder};
use crate::time::UtcMs;

/// The year of stamps without one in test logs is seen from here: 2026-12-31T23:59:59Z.
const TEST_TIME: UtcMs = UtcMs(1_798_761_599_000);

/// The signatures that no longer fire on their own log once it is redacted.
fn lost(level: Level) -> Vec<String> {
    let redactor = RedactorBuilder::new(level, [7; 32]).build().unwrap();
    let sources = SourceMap::embedded().unwrap();
    let mut lost = Vec::new();
    for signature in Catalogue::embedded().unwrap().signatures {
        let tests = signature.extension.clone().unwrap().tests;
        let source = signature.rule.as_ref().map(|r| r.source.clone());
        let id = signature.id.clone();
        let catalogue = Catalogue {
            signatures: vec![signature],
        };
        let engine = Engine::new(&catalogue, &sources).unwrap();
        for test in tests.iter().filter(|t| t.fires) {
            let (Some(log), Some(source)) = (&test.log, &source) else {
                continue;
            };
            let path = sources.sample_path(source);
            let context = FileContext { path: &path };
            let (bytes, _) = redactor.all(context, log.as_bytes()).unwrap();
            let mut run = engine.run(RunOptions {
                bundle_time: TEST_TIME,
                ..RunOptions::default()
            });
            let mut file = run.file(&path);
            file.push(&bytes);
            run.done(file.finish());
            if run.finish(test.facts.as_ref()).findings.is_empty() {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                lost.push(format!("{id} \"{}\":\n{text}", test.name));
            }
        }
    }
    lost
}

#[test]
fn signatures_fire_on_redacted_logs() {
    for level in [Level::Standard, Level::Strict] {
        let lost = lost(level);
        assert!(lost.is_empty(), "{level:?}\n{}", lost.join("\n"));
    }
}
