//! Bundles encrypted to a key of age: Debian's `age` reads what the agent writes, the collector reads what
//! either writes, and without the key it only stores.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::process::{self, wait_for};
use std::path::{Path, PathBuf};
use std::time::Duration;

struct World {
    dir: tempfile::TempDir,
    collector: Collector,
    agent: Agent,
    key: PathBuf,
    recipient: String,
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = process::command(Path::new(program));
    process::said(command.args(arguments))
}

impl World {
    /// A collector that asks for encryption, and has the key or not.
    fn new(with_key: bool) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let data = dir.path().join("collector");
        std::fs::create_dir(&data).map_err(|error| error.to_string())?;
        let place = if with_key { &data } else { dir.path() };
        let key = place.join("age.key");
        let file = key.display().to_string();
        run("age-keygen", &["-o", &file])?;
        let recipient = run("age-keygen", &["-y", &file])?.trim().to_owned();
        if !with_key {
            std::fs::write(data.join("age.pub"), &recipient).map_err(|error| error.to_string())?;
        }
        Ok(Self {
            collector: Collector::start(&data)?,
            agent: Agent::new(&dir.path().join("customer"))?,
            key,
            recipient,
            dir,
        })
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// A profile with a log that holds a known problem.
    fn profile(&self) -> Result<String, String> {
        let log = self.path("app.log");
        let text = "2026-11-21 14:02:00 app: write failed: No space left on device (os error 28)\n";
        std::fs::write(&log, text).map_err(|error| error.to_string())?;
        let profile = format!(
            "name='mine'\nversion='1'\ntitle='mine'\nsources=['host','custom']\n[[add]]\nfile='{log}'\nlog=true\n"
        );
        std::fs::write(self.path("mine.toml"), profile).map_err(|error| error.to_string())?;
        Ok(self.path("mine.toml"))
    }
}

#[test]
fn whoever_has_the_key_reads_it_and_nobody_else() -> Result<(), String> {
    let world = World::new(true)?;
    let ticket = world.collector.create_ticket("Encrypted")?;
    let link = world.collector.create_code(&ticket.id)?;
    let profile = world.profile()?;
    let sent = world.agent.run(&[
        "run",
        &link,
        "--yes",
        "--send",
        "--allow-partial",
        "--profile",
        &profile,
        "--json",
    ])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let result = sent.json()?;
    let file = result["bundle"]["path"].as_str().ok_or("no path")?;
    assert!(file.ends_with(".tar.gz.age"), "{file}");
    let kept = world.agent.home().join(file);

    // The collector has read it: findings, files, and the digest that was agreed to.
    let arrived = world
        .collector
        .wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    assert_eq!(
        world.collector.bundle(&arrived)?["sha256"],
        result["bundle"]["sha256"]
    );
    let findings = world.collector.findings(&arrived)?;
    let evidence = findings.iter().flat_map(|finding| &finding.evidence);
    let log = evidence
        .map(|evidence| &evidence.file)
        .find(|file| file.ends_with("app.log"));
    let log = log.ok_or("the problem in the log was not found")?;
    assert!(
        world
            .collector
            .file(&arrived, log)?
            .contains("No space left")
    );

    // What is stored is what was sent: without the key it is noise, with it `age` gives the bundle.
    let stored = world.collector.download(&arrived)?;
    assert!(stored == std::fs::read(&kept).map_err(|error| error.to_string())?);
    assert!(stored.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    let plain = world.path("plain.tar.gz");
    let key = world.key.display().to_string();
    run(
        "age",
        &["-d", "-i", &key, "-o", &plain, &kept.display().to_string()],
    )?;
    assert_eq!(world.agent.run(&["verify", &plain])?.code, Some(0));

    // And the other way: what `age` wrote is read here.
    let other = world.path("other.tar.gz.age");
    run("age", &["-r", &world.recipient, "-o", &other, &plain])?;
    let ticket = world.collector.create_ticket("By age itself")?;
    let link = world.collector.create_code(&ticket.id)?;
    let sent = world.agent.run(&["send", &other, &link, "--yes"])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    world
        .collector
        .wait_for_verdict(&ticket.id, Duration::from_secs(60))?;

    // A byte that was changed on the way is found.
    let mut bytes = std::fs::read(&other).map_err(|error| error.to_string())?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let ticket = world.collector.create_ticket("Changed")?;
    let code = world.collector.create_code_only(&ticket.id)?;
    world
        .collector
        .upload_as_tus_client(&code, "x.tar.gz.age", &bytes)?;
    assert!(
        world
            .collector
            .wait_for_verdict(&ticket.id, Duration::from_secs(60))
            .is_err()
    );
    let refused = world.collector.bundles(&ticket.id)?;
    assert_eq!(refused[0]["reason"], "bad_encryption", "{refused:?}");
    Ok(())
}

#[test]
fn what_is_sent_while_it_is_collected_is_encrypted_as_well() -> Result<(), String> {
    let world = World::new(true)?;
    let ticket = world.collector.create_ticket("Streamed")?;
    let link = world.collector.create_code(&ticket.id)?;
    let profile = world.profile()?;
    let flags = ["--yes", "--send", "--stream", "--allow-partial", "--json"];
    let run_it = ["run", &link, "--profile", &profile];
    let sent = world.agent.run(&[&run_it[..], &flags[..]].concat())?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let result = sent.json()?;
    let arrived = world
        .collector
        .wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    let bundle = world.collector.bundle(&arrived)?;
    assert_eq!(bundle["sha256"], result["bundle"]["sha256"]);
    let findings = world.collector.findings(&arrived)?;
    assert!(!findings.is_empty(), "the problem in the log was not found");
    let stored = world.path("stored.age");
    let bytes = world.collector.download(&arrived)?;
    assert_eq!(result["bundle"]["bytes"], bytes.len());
    std::fs::write(&stored, bytes).map_err(|error| error.to_string())?;
    let (plain, key) = (world.path("plain.tar.gz"), world.key.display().to_string());
    run("age", &["-d", "-i", &key, "-o", &plain, &stored])?;
    assert_eq!(world.agent.run(&["verify", &plain])?.code, Some(0));
    Ok(())
}

#[test]
fn a_profile_names_whom_it_is_for() -> Result<(), String> {
    let world = World::new(false)?;
    let profile = world.profile()?;
    let mut text = std::fs::read_to_string(&profile).map_err(|error| error.to_string())?;
    text.insert_str(0, &format!("age_recipient='{}'\n", world.recipient));
    std::fs::write(&profile, text).map_err(|error| error.to_string())?;
    let flags = ["--no-send", "--yes", "--allow-partial", "--json"];
    let run_it = ["run", "--profile", &profile];
    let kept = world.agent.run(&[&run_it[..], &flags[..]].concat())?;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let file = kept.json()?["bundle"]["path"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(file.ends_with(".tar.gz.age"), "{file}");
    let kept = world.agent.home().join(file).display().to_string();
    let (plain, key) = (world.path("plain.tar.gz"), world.key.display().to_string());
    run("age", &["-d", "-i", &key, "-o", &plain, &kept])?;
    assert_eq!(world.agent.run(&["verify", &plain])?.code, Some(0));
    Ok(())
}

#[test]
fn without_the_key_the_collector_only_stores() -> Result<(), String> {
    let world = World::new(false)?;
    let ticket = world.collector.create_ticket("Not for us")?;
    let link = world.collector.create_code(&ticket.id)?;
    let profile = world.profile()?;
    let sent = world.agent.run(&[
        "run",
        &link,
        "--yes",
        "--send",
        "--allow-partial",
        "--profile",
        &profile,
    ])?;
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(
        sent.stderr.contains("nothing was evaluated"),
        "{}",
        sent.stderr
    );
    let mut bundle = serde_json::Value::Null;
    wait_for("a verdict", Duration::from_secs(60), || {
        let bundles = world.collector.bundles(&ticket.id).unwrap_or_default();
        bundle = bundles.last().cloned().unwrap_or_default();
        bundle["state"] == "quarantined"
    })?;
    assert_eq!(bundle["reason"], "encrypted", "{bundle}");
    let id = bundle["id"].as_str().ok_or("no id")?;
    assert!(world.collector.findings(id)?.is_empty());
    let stored = world.path("stored.age");
    std::fs::write(&stored, world.collector.download(id)?).map_err(|error| error.to_string())?;
    let (plain, key) = (world.path("plain.tar.gz"), world.key.display().to_string());
    run("age", &["-d", "-i", &key, "-o", &plain, &stored])?;
    assert_eq!(world.agent.run(&["verify", &plain])?.code, Some(0));
    Ok(())
}
