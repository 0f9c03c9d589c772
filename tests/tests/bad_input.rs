//! What goes wrong in the field: each fault gives its message, its exit code
//! or reason code, and nothing is lost.

use sitrep_tests::agent::{Agent, Ended};
use sitrep_tests::collector::{Collector, Ticket};
use sitrep_tests::process::{self, wait_for};
use sitrep_tests::proxy::Proxy;
use sitrep_tests::{binaries, crafted};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct World {
    dir: tempfile::TempDir,
    collector: Collector,
    agent: Agent,
    ticket: Ticket,
}

impl World {
    fn new() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let collector = Collector::start(&dir.path().join("collector"))?;
        let agent = Agent::new(&dir.path().join("customer"))?;
        let ticket = collector.create_ticket("Something is wrong")?;
        Ok(Self {
            dir,
            collector,
            agent,
            ticket,
        })
    }

    fn kept_bundle(&self) -> Result<PathBuf, String> {
        let path = self.dir.path().join("bundle.tar.gz");
        let ended = self.agent.run(&[
            "run",
            "--profile",
            "minimal",
            "--no-send",
            "--yes",
            "--allow-partial",
            "--output",
            text(&path),
        ])?;
        if ended.code == Some(0) {
            Ok(path)
        } else {
            Err(ended.stderr)
        }
    }

    fn send(&self, file: &Path, to: &str) -> Result<Ended, String> {
        self.agent.run(&["send", text(file), to, "--yes"])
    }

    /// Uploads bytes as any tus client would, and waits for the verdict's reason.
    fn refusal_of(&self, bytes: &[u8]) -> Result<String, String> {
        let ticket = self.collector.create_ticket("hostile")?;
        let code = self.collector.create_code_only(&ticket.id)?;
        self.collector
            .upload_as_tus_client(&code, "upload.bin", bytes)?;
        let verdict = self
            .collector
            .wait_for_verdict(&ticket.id, Duration::from_secs(60));
        let bundles = self.collector.bundles(&ticket.id)?;
        let last = bundles
            .last()
            .ok_or("the refused upload is not on the ticket")?;
        if verdict.is_ok() {
            Err(format!("it was taken: {last}"))
        } else {
            Ok(last["reason"].as_str().unwrap_or_default().to_owned())
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[test]
fn codes_that_are_not_good_all_get_one_answer() -> Result<(), String> {
    let world = World::new()?;
    let bundle = world.kept_bundle()?;
    let used = world.collector.create_code(&world.ticket.id)?;
    assert_eq!(world.send(&bundle, &used)?.code, Some(0));
    let revoked = world.collector.create_code(&world.ticket.id)?;
    world.collector.revoke_codes(&world.ticket.id)?;
    let wrong = format!("{}/u/7K4M-Q2XP-3NRT-8VWY", world.collector.url());
    let other = world.dir.path().join("other.tar.gz");
    std::fs::copy(&bundle, &other).map_err(|error| error.to_string())?;
    for (what, link) in [("used", used), ("revoked", revoked), ("wrong", wrong)] {
        let ended = world.send(&other, &link)?;
        assert_eq!(ended.code, Some(4), "{what}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("error:") && ended.stderr.contains("hint:"),
            "{what}: {}",
            ended.stderr
        );
        assert!(other.exists(), "{what}: the bundle is gone");
    }
    Ok(())
}

#[test]
fn an_expired_code_is_refused_like_a_wrong_one() -> Result<(), String> {
    let mut world = World::new()?;
    let bundle = world.kept_bundle()?;
    let link = world.collector.create_code(&world.ticket.id)?;
    // Codes live three days; the collector's clock goes on by four.
    world.collector.restart_at("+4d")?;
    let ended = world.send(&bundle, &link)?;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("expired") && ended.stderr.contains("hint:"),
        "{}",
        ended.stderr
    );
    assert!(bundle.exists(), "the bundle is gone");
    Ok(())
}

#[test]
fn what_is_no_honest_bundle_gets_its_reason() -> Result<(), String> {
    let world = World::new()?;
    let honest = std::fs::read(world.kept_bundle()?).map_err(|error| error.to_string())?;
    let traversal = crafted::tar_gz(&[
        ("bundle/README.txt", b"read me"),
        ("bundle/../../etc/cron.d/evil", b"* * * * * root true"),
    ]);
    assert_eq!(world.refusal_of(&honest[..honest.len() / 2])?, "truncated");
    assert_eq!(
        world.refusal_of(&crafted::lying_bundle())?,
        "manifest_mismatch"
    );
    assert_eq!(world.refusal_of(&traversal)?, "path_traversal");
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let reason = world.refusal_of(&noise)?;
    assert!(
        matches!(reason.as_str(), "not_a_bundle" | "unknown_format"),
        "{reason}"
    );
    Ok(())
}

#[test]
fn the_agent_will_not_send_what_it_cannot_verify() -> Result<(), String> {
    let world = World::new()?;
    let bundle = world.kept_bundle()?;
    let honest = std::fs::read(&bundle).map_err(|error| error.to_string())?;
    let cut = world.dir.path().join("cut.tar.gz");
    std::fs::write(&cut, &honest[..honest.len() - 100]).map_err(|error| error.to_string())?;
    let ended = world.agent.run(&["verify", text(&cut)])?;
    assert!(
        ended.code != Some(0) && ended.stderr.contains("truncated"),
        "{:?} {}",
        ended.code,
        ended.stderr
    );
    assert_eq!(world.agent.run(&["verify", text(&bundle)])?.code, Some(0));
    Ok(())
}

#[test]
fn without_a_terminal_nothing_is_decided() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let agent = Agent::new(dir.path())?;
    let ended = agent.run(&["run", "--profile", "minimal"])?;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("standard input is not a terminal")
            && ended.stderr.contains("--no-send"),
        "{}",
        ended.stderr
    );
    Ok(())
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing_half() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (small, home) = (dir.path().join("small"), dir.path().join("home"));
    for folder in [&small, &home] {
        std::fs::create_dir(folder).map_err(|error| error.to_string())?;
    }
    // A real full file system, in a mount namespace of its own that ends with the command.
    let script = "mount -t tmpfs -o size=16k none \"$1\" && exec \"$2\" run --profile minimal --no-send --yes --allow-partial --tmp-dir \"$1\" -o \"$1/b.tar.gz\"";
    let mut command = process::command(Path::new("/usr/bin/unshare"));
    command
        .args(["-rm", "sh", "-c", script, "sh", text(&small)])
        .arg(binaries::sitrep());
    command
        .env("HOME", &home)
        .env("XDG_STATE_HOME", home.join("state"))
        .current_dir(&home);
    let output = process::output(&mut command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.contains("error:") && said.contains("hint:"), "{said}");
    Ok(())
}

#[test]
fn a_collector_that_goes_down_in_the_middle_loses_nothing() -> Result<(), String> {
    let mut world = World::new()?;
    let bundle = world.kept_bundle()?;
    let proxy = Proxy::cutting_after(world.collector.address(), 8 * 1024)
        .map_err(|error| error.to_string())?;
    let code = world.collector.create_code_only(&world.ticket.id)?;
    let link = format!("http://{}/u/{code}", proxy.address());
    let mut sending = world
        .agent
        .start(&["send", text(&bundle), &link, "--yes"])?;
    wait_for("the line to drop", Duration::from_secs(30), || {
        proxy.has_cut()
    })?;
    world.collector.crash_and_restart()?;
    proxy.mend();
    let code = sending.wait(Duration::from_secs(120))?;
    assert_eq!(code, Some(0), "{}", sending.take_stderr());
    let arrived = world
        .collector
        .wait_for_verdict(&world.ticket.id, Duration::from_secs(60))?;
    assert_eq!(
        world.collector.bundles(&world.ticket.id)?.len(),
        1,
        "one upload, one bundle"
    );
    let stored = world.collector.download(&arrived)?;
    assert_eq!(
        stored,
        std::fs::read(&bundle).map_err(|error| error.to_string())?
    );
    Ok(())
}

#[test]
fn a_source_that_panics_is_an_outcome() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let agent = Agent::new(&dir.path().join("customer"))?;
    let bundle = dir.path().join("bundle.tar.gz");
    let mut command = agent.command(&[
        "run",
        "--profile",
        "minimal",
        "--no-send",
        "--yes",
        "--output",
        text(&bundle),
    ]);
    let output = process::output(command.env("SITREP_FAULT_PANIC_IN", "memory"))?;
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown = agent.run(&["show", text(&bundle), "--items", "--json"])?;
    assert!(shown.stdout.contains("panicked"), "{}", shown.stdout);
    assert_eq!(agent.run(&["verify", text(&bundle)])?.code, Some(0));
    Ok(())
}
