//! Runs the tests that a signature brings along.

use super::engine::Engine;
use super::model::{Signature, SignatureTest, Status};
use super::parse::Catalogue;
use super::run::RunOptions;
use super::source::SourceMap;
use crate::time::UtcMs;

/// The year of stamps without one in test logs is seen from here: 2026-12-31T23:59:59Z.
const TEST_TIME: UtcMs = UtcMs(1_798_761_599_000);

/// A test of a signature that did not come out as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// The signature.
    pub id: String,
    /// Its file.
    pub file: String,
    /// The line of the test.
    pub line: u64,
    /// The test.
    pub test: String,
    /// What happened instead.
    pub message: String,
}

/// Runs every test of a signature, whatever its status.
pub fn test_signature(signature: &Signature, sources: &SourceMap) -> Vec<TestFailure> {
    let Some(extension) = &signature.extension else {
        return Vec::new();
    };
    let mut live = signature.clone();
    if let Some(extension) = &mut live.extension {
        extension.status = Status::Live;
    }
    let catalogue = Catalogue {
        signatures: vec![live],
    };
    let fault = |test: &SignatureTest, message: String| TestFailure {
        id: signature.id.clone(),
        file: signature.file.clone(),
        line: test.line,
        test: test.name.clone(),
        message,
    };
    match Engine::new(&catalogue, sources) {
        Ok(engine) => {
            let outcome = |test| {
                run_test(&engine, signature, sources, test)
                    .err()
                    .map(|m| fault(test, m))
            };
            extension.tests.iter().filter_map(outcome).collect()
        }
        Err(error) => extension
            .tests
            .iter()
            .map(|test| fault(test, crate::error::chain(&error)))
            .collect(),
    }
}

fn run_test(
    engine: &Engine,
    signature: &Signature,
    sources: &SourceMap,
    test: &SignatureTest,
) -> Result<(), String> {
    let mut run = engine.run(RunOptions {
        bundle_time: TEST_TIME,
        ..RunOptions::default()
    });
    if let (Some(log), Some(rule)) = (&test.log, &signature.rule) {
        let path = test
            .path
            .clone()
            .unwrap_or_else(|| sources.sample_path(&rule.source));
        let mut file = run.file(&path);
        file.push(log.as_bytes());
        run.done(file.finish());
    }
    let report = run.finish(test.facts.as_ref());
    let finding = report.findings.first();
    match (test.fires, finding) {
        (true, None) => {
            let reason = report.not_evaluated.first().map(|n| n.reason.as_str());
            Err(match reason {
                Some(reason) => format!("does not fire: {reason}"),
                None => "does not fire".to_owned(),
            })
        }
        (false, Some(finding)) => {
            let lines: Vec<u64> = finding.evidence.iter().map(|e| e.line).collect();
            Err(format!("fires on lines {lines:?}"))
        }
        (true, Some(finding)) if !test.evidence.is_empty() => {
            let mut lines: Vec<u64> = finding.evidence.iter().map(|e| e.line).collect();
            lines.sort_unstable();
            let missing: Vec<u64> = test
                .evidence
                .iter()
                .copied()
                .filter(|l| !lines.contains(l))
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            Err(format!(
                "its evidence is on lines {lines:?}, not on {missing:?}"
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_of_the_catalogue_passes_its_own_tests() {
        let catalogue = Catalogue::embedded().unwrap_or_else(|errors| {
            panic!(
                "{}",
                errors
                    .iter()
                    .map(|e| format!("{e} ({})\n", e.hint))
                    .collect::<String>()
            )
        });
        assert!(
            catalogue.signatures.len() >= 30,
            "the catalogue has {}",
            catalogue.signatures.len()
        );
        let sources = SourceMap::embedded().unwrap();
        let failures: Vec<String> = catalogue
            .signatures
            .iter()
            .flat_map(|s| test_signature(s, &sources))
            .map(|f| {
                format!(
                    "{}:{} {} \"{}\": {}\n",
                    f.file, f.line, f.id, f.test, f.message
                )
            })
            .collect();
        assert!(failures.is_empty(), "\n{}", failures.concat());
    }
}
