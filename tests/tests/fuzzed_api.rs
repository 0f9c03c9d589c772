//! The API against its own description: requests made up from the OpenAPI document by schemathesis, valid ones and others.
//! No answer is a failure of the server, each is one that the document names, in the shape it gives; and without a
//! credential nothing is told.

use std::path::PathBuf;

use sitrep_tests::collector::Collector;
use sitrep_tests::process;

/// Requests for each operation and phase at most.
const EXAMPLES: &str = "30";
/// What every answer is checked for.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,ignored_auth";

#[test]
fn whatever_is_sent_the_answer_is_as_described() -> Result<(), String> {
    let venv = std::env::var_os("SITREP_TESTS_VENV")
        .ok_or("SITREP_TESTS_VENV is not set: tests/run makes it")?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    collector.create_ticket("Something to find")?;
    let mut command = process::command(&PathBuf::from(venv).join("bin/schemathesis"));
    command.args(["run", &format!("{}/api/v1/openapi.json", collector.url())]);
    command.args([
        "-H",
        &format!("Authorization: Bearer {}", collector.token()),
    ]);
    command.args(["--phases", "coverage,fuzzing", "--checks", CHECKS]);
    command.args(["--max-examples", EXAMPLES, "--seed", "7", "--workers", "2"]);
    command.args([
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
        "--request-timeout",
        "60",
    ]);
    command.env("HOME", dir.path()).current_dir(dir.path());
    let output = process::output(&mut command)?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        // Nothing would be found either if nothing had been asked.
        let asked = said
            .split(" generated")
            .next()
            .and_then(|text| text.split_whitespace().last());
        let asked: usize = asked.and_then(|n| n.parse().ok()).unwrap_or(0);
        assert!(asked > 3_000, "{said}");
        Ok(())
    } else {
        Err(format!(
            "{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
