//! The collector's redaction report says what `sitrep show --redactions` says of the same bundle; of what
//! comes without a report, it tells the lines with marks.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::trouble;
use std::time::Duration;

#[test]
fn collector_and_agent_agree_on_what_was_removed() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Nightly export fails")?;
    let trouble = trouble::provoke(dir.path())?;
    let profile = trouble.profile.display().to_string();
    let agent = Agent::new(&dir.path().join("customer"))?;
    let bundle = dir.path().join("bundle.tar.gz").display().to_string();
    let kept = agent.run(&[
        "run",
        "--profile",
        &profile,
        "--no-send",
        "--yes",
        "--allow-partial",
        "--max-time",
        "300s",
        "--output",
        &bundle,
        "--json",
    ])?;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let shown = agent
        .run(&["show", "--redactions", "--json", &bundle])?
        .json()?;
    let bytes = std::fs::read(&bundle).map_err(|error| error.to_string())?;
    let code = collector.create_code_only(&ticket.id)?;
    collector.upload_as_tus_client(&code, "bundle.tar.gz", &bytes)?;
    let arrived = collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    let report = collector.get(&format!("/api/v1/bundles/{arrived}/redactions"))?;
    assert_eq!(report["origin"], "sender");
    for what in ["total", "level", "by_rule", "files", "withheld"] {
        assert_eq!(report[what], shown[what], "{what}");
    }
    let log = report["files"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|file| {
            file["path"]
                .as_str()
                .is_some_and(|p| p.ends_with("exporter.log"))
        })
        .ok_or("nothing was removed from the exporter's log")?;
    let path = log["path"].as_str().ok_or("no path")?;
    let line = log["places"][0]["line"].as_u64().ok_or("no line")?;
    let text = collector.file(&arrived, path)?;
    let nth = usize::try_from(line).map_err(|error| error.to_string())? - 1;
    let there = text.lines().nth(nth).unwrap_or_default();
    assert!(there.contains("REMOVED-"), "line {line}: {there}");
    Ok(())
}

#[test]
fn marks_tell_what_was_removed_where_no_report_is() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("A log by mail")?;
    let code = collector.create_code_only(&ticket.id)?;
    let log = "Jan  7 04:00:01 web app[7]: start\n\
        Jan  7 04:00:02 web app[7]: password=REMOVED-pass-0123456789ab\n\
        Jan  7 04:00:03 web app[7]: from hst-01234567.dom-89abcdef.invalid\n";
    collector.upload_as_tus_client(&code, "app.log", log.as_bytes())?;
    let arrived = collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    let report = collector.get(&format!("/api/v1/bundles/{arrived}/redactions"))?;
    assert_eq!(report["origin"], "marks");
    assert_eq!(report["total"], 2);
    assert_eq!(report["by_rule"]["pass"], 1);
    let lines: Vec<_> = report["files"][0]["places"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|place| place["line"].as_u64())
        .collect();
    assert_eq!(lines, [Some(2), Some(3)]);
    Ok(())
}
