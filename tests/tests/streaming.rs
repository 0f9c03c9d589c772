//! `sitrep run --stream` on a host whose disk is full: everything arrives, nothing is written.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::{binaries, process};
use std::path::Path;
use std::time::Duration;

/// A full file system, in a mount namespace that ends with the command: the home of the agent.
const FULL: &str = "mount -t tmpfs -o size=64k none \"$1\" && cd \"$1\" && export HOME=\"$1\" \
    && { dd if=/dev/zero of=fill bs=1k 2>/dev/null; true; } \
    && { ! sh -c 'echo x > more' 2>/dev/null || exit 99; } && rm -f more \
    && ls -lR . > /dev/null && before=$(ls -lRa . | sha256sum) \
    && { shift; \"$@\"; code=$?; after=$(ls -lRa . | sha256sum); \
    [ \"$before\" = \"$after\" ] || { ls -lRa . >&2; exit 98; }; exit $code; }";

fn on_a_full_disk(small: &Path, arguments: &[&str]) -> Result<std::process::Output, String> {
    let mut command = process::command(Path::new("/usr/bin/unshare"));
    command
        .args(["-rm", "sh", "-c", FULL, "sh"])
        .arg(small)
        .arg(binaries::sitrep())
        .args(arguments);
    process::output(&mut command)
}

#[test]
fn a_full_disk_is_no_reason_to_send_nothing() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let small = dir.path().join("small");
    std::fs::create_dir(&small).map_err(|error| error.to_string())?;
    let ticket = collector.create_ticket("The disk is full")?;
    let link = collector.create_code(&ticket.id)?;
    let limits = [
        "--yes",
        "--send",
        "--allow-partial",
        "--json",
        "--max-time",
        "300s",
    ];

    // With a spool it cannot be done, and the way out is named.
    let spooled = on_a_full_disk(&small, &[&["run", &link], &limits[..]].concat())?;
    let said = String::from_utf8_lossy(&spooled.stderr);
    assert_eq!(spooled.status.code(), Some(8), "{said}");
    assert!(said.contains("--stream"), "{said}");

    let streamed = on_a_full_disk(&small, &[&["run", &link, "--stream"], &limits[..]].concat())?;
    let said = String::from_utf8_lossy(&streamed.stderr);
    assert_eq!(streamed.status.code(), Some(0), "{said}");
    let result: serde_json::Value =
        serde_json::from_slice(&streamed.stdout).map_err(|error| error.to_string())?;
    assert_eq!(result["upload"]["sha256_confirmed"], true, "{result}");
    let arrived = collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    assert_eq!(
        collector.bundle(&arrived)?["sha256"],
        result["bundle"]["sha256"]
    );

    // It is a whole bundle like any other.
    let path = dir.path().join("arrived.tar.gz");
    std::fs::write(&path, collector.download(&arrived)?).map_err(|error| error.to_string())?;
    let agent = Agent::new(&dir.path().join("customer"))?;
    let file = path.display().to_string();
    let verified = agent.run(&["verify", &file])?;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let consent = agent.run(&["show", &file, "--file", "meta/consent.json"])?;
    assert!(consent.stdout.contains("\"basis\""), "{}", consent.stdout);
    Ok(())
}

#[test]
fn a_stream_that_is_stopped_leaves_no_bundle() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Stopped")?;
    let link = collector.create_code(&ticket.id)?;
    let agent = Agent::new(&dir.path().join("customer"))?;
    // A command that lasts: the run is stopped in the middle of it.
    let profile = dir.path().join("slow.toml");
    let text = "name='slow'\nversion='1'\ntitle='slow'\ntags=['base']\n[[add]]\ncommand=['/usr/bin/sleep','250']\nseconds=250\n";
    std::fs::write(&profile, text).map_err(|error| error.to_string())?;
    let profile = profile.display().to_string();
    let mut command = agent.command(&[
        "run",
        &link,
        "--stream",
        "--yes",
        "--send",
        "--profile",
        &profile,
        "--max-time",
        "300s",
        "--progress",
        "json",
    ]);
    let log = dir.path().join("log");
    let file = std::fs::File::create(&log).map_err(|error| error.to_string())?;
    let mut running = sitrep_tests::process::Running::start(command.stderr(file))?;
    process::wait_for(
        "the slow command to begin",
        Duration::from_secs(120),
        || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("sleep")),
    )?;
    running.signal(2);
    let code = running.wait(Duration::from_secs(120))?;
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(code, Some(130), "{said}");
    assert!(collector.bundles(&ticket.id)?.is_empty());
    // The code is as good as before.
    let again = agent.run(&[
        "run",
        &link,
        "--stream",
        "--yes",
        "--send",
        "--profile",
        "minimal",
        "--allow-partial",
    ])?;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    Ok(())
}
