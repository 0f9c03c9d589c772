//! The collector's own TLS, and what a customer sees who does not trust it yet.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::{binaries, process};
use std::time::Duration;

#[test]
fn a_bundle_travels_by_tls_and_only_to_whom_is_trusted() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setting = Setting {
        tls: true,
        ..Setting::default()
    };
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
    let ticket = collector.create_ticket("Behind TLS")?;
    let link = collector.create_code(&ticket.id)?;
    assert!(link.starts_with("https://"), "{link}");

    let agent = Agent::new(&dir.path().join("customer"))?;
    let bundle = dir.path().join("bundle.tar.gz").display().to_string();
    let kept = agent.run(&[
        "run",
        "--profile",
        "minimal",
        "--no-send",
        "--yes",
        "--allow-partial",
        "-o",
        &bundle,
    ])?;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);

    let unknown = agent.run(&["send", &bundle, &link, "--yes"])?;
    assert_eq!(unknown.code, Some(5), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("certificate") && unknown.stderr.contains("--ca-file"),
        "{}",
        unknown.stderr
    );
    assert!(
        collector.bundles(&ticket.id)?.is_empty(),
        "something was sent to a collector that was not trusted"
    );

    let trusted = collector.certificate().display().to_string();
    let sent = agent.run(&["send", &bundle, &link, "--yes", "--ca-file", &trusted])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    Ok(())
}

#[test]
fn plain_http_is_for_loopback_only() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = process::command(&binaries::sitrepd());
    command
        .arg("serve")
        .env("SITREPD_DATA_DIR", dir.path())
        .env("SITREPD_LISTEN", "0.0.0.0:0")
        .env("SITREPD_TLS_MODE", "off");
    let ended = process::output(&mut command)?;
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(
        said.contains("tls.mode") && said.contains("loopback"),
        "{said}"
    );
    Ok(())
}
