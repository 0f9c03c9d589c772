//! The whole product in one readable test: a customer has a problem, runs the
//! agent, loses the network in the middle, and the ticket ends up knowing why.
//! Every part is the real one.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::process::wait_for;
use sitrep_tests::proxy::Proxy;
use sitrep_tests::trouble;
use std::time::Duration;

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told from top to bottom")]
fn from_trouble_to_tagged_ticket() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;

    // An engineer opens a ticket and asks for a bundle.
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Nightly export fails")?;

    // The customer's line drops everything after the first 96 KB.
    let proxy =
        Proxy::cutting_after(collector.address(), 96 * 1024).map_err(|error| error.to_string())?;
    let code = collector.create_code_only(&ticket.id)?;
    let link = format!("http://{}/u/{code}", proxy.address());

    // The customer's host really is in trouble.
    let trouble = trouble::provoke(dir.path())?;
    let profile = trouble.profile.display().to_string();
    let log = std::fs::read_to_string(&trouble.log).map_err(|error| error.to_string())?;
    assert!(log.contains("No space left on device"), "{log}");

    // The agent collects, finds the problem by itself, and starts to send.
    let agent = Agent::new(&dir.path().join("customer"))?;
    let bundle = dir.path().join("bundle.tar.gz").display().to_string();
    let kept = agent.run(&[
        "run",
        "--profile",
        &profile,
        "--no-send",
        "--yes",
        "--allow-partial",
        // A loaded test machine is not what this story is about.
        "--max-time",
        "300s",
        "--output",
        &bundle,
        "--json",
    ])?;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let result = kept.json()?;
    let found_here: Vec<&str> = result["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["id"].as_str())
        .collect();
    assert!(
        !found_here.is_empty(),
        "the agent found nothing on a host in trouble: {result}"
    );
    let digest = result["bundle"]["sha256"]
        .as_str()
        .ok_or("no digest")?
        .to_owned();

    // The network goes, the machine goes (SIGKILL), both come back: the upload goes on.
    let mut sending = agent.start(&["send", &bundle, &link, "--yes"])?;
    wait_for("the line to drop", Duration::from_secs(30), || {
        proxy.has_cut()
    })?;
    sending.kill();
    assert!(
        collector.bundles(&ticket.id)?.is_empty(),
        "half a bundle was taken for a whole one"
    );
    proxy.mend();
    let sent = agent.run(&["send", &bundle, &link, "--yes", "--json"])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(
        sent.json()?["upload"]["resumed_from"]
            .as_u64()
            .is_some_and(|offset| offset > 0),
        "started again from zero: {}",
        sent.stdout
    );

    // The collector read it, agrees with the agent, and tagged the ticket by itself.
    let arrived = collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    let findings = collector.findings(&arrived)?;
    let found_there: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    for id in &found_here {
        assert!(
            found_there.contains(id),
            "found on the host only: {id}; the collector has {found_there:?}"
        );
    }
    let evidence = findings
        .iter()
        .flat_map(|finding| &finding.evidence)
        .find(|evidence| evidence.file.ends_with("exporter.log"));
    let evidence = evidence.ok_or("no evidence in the exporter's log")?;
    let line = usize::try_from(evidence.line).map_err(|error| error.to_string())?;
    assert!(
        log.lines()
            .nth(line - 1)
            .is_some_and(|text| text.contains("No space left")),
        "evidence points at line {line}"
    );
    assert!(
        !collector.ticket_tags(&ticket.id)?.is_empty(),
        "the ticket was not tagged"
    );

    // One digest on the customer's screen, on the ticket, and over the stored bytes.
    assert_eq!(
        collector.bundle(&arrived)?["sha256"].as_str(),
        Some(digest.as_str())
    );
    let downloaded = collector.download(&arrived)?;
    assert_eq!(sitrep_shared::hash::sha256(&downloaded).to_string(), digest);

    // The password in the log stayed at home; the line around it did not.
    let there = collector.file(&arrived, &evidence.file)?;
    assert!(there.contains("user=exporter password="), "{there}");
    assert!(
        !there.contains("correct-horse-battery"),
        "the password arrived at the collector"
    );
    Ok(())
}
