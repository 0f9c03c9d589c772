//! `sitrep record`: what happens between the marks is in the bundle, as lines and as a difference.

use sitrep_tests::agent::Agent;
use sitrep_tests::process;
use std::path::Path;
use std::time::Duration;

#[test]
fn what_happens_while_recording_is_told() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let agent = Agent::new(&dir.path().join("customer"))?;
    let bundle = dir.path().join("bundle.tar.gz").display().to_string();
    let arguments = [
        "record",
        "--for",
        "3s",
        "--profile",
        "minimal",
        "--no-send",
        "--yes",
        "--allow-partial",
        "--max-time",
        "300s",
        "--output",
        &bundle,
    ];
    let mut running = agent.start(&arguments)?;
    // Begun by now, and over before the run ends.
    std::thread::sleep(Duration::from_secs(1));
    let mut trouble = process::command(Path::new("/bin/sleep"))
        .arg("297")
        .spawn()
        .map_err(|error| error.to_string())?;
    let ended = running.wait(Duration::from_secs(300));
    trouble.kill().map_err(|error| error.to_string())?;
    let _ = trouble.wait();
    assert_eq!(ended?, Some(0));

    let shown = agent.run(&["show", &bundle, "--file", "sos/sos_commands/sitrep/changes"])?;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let new = format!("{} (sleep) started", trouble.id());
    let (before, after) = shown
        .stdout
        .split_once("[processes that are new]")
        .ok_or("no section of new processes")?;
    assert!(after.contains(&new), "{after}");
    assert!(before.contains("stat processes"), "{before}");
    assert!(before.contains("cpu ticks"), "{before}");

    // Without marks there is nothing to compare with.
    let plan = agent.run(&["plan", "--profile", "minimal"])?;
    assert!(!plan.stdout.contains("sitrep/changes"), "{}", plan.stdout);
    Ok(())
}
