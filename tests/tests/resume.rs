//! The agent is killed again and again while it sends: it goes on where the collector stands, and what is
//! sent twice is at most one request's worth for each kill.

use sitrep_shared::bundle::manifest::{Item, Manifest, SCHEMA};
use sitrep_shared::bundle::{BundleWriter, WriterOptions};
use sitrep_shared::hash::sha256;
use sitrep_shared::time::UtcMs;
use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::process::wait_for;
use sitrep_tests::proxy::Proxy;
use std::path::Path;
use std::time::Duration;

/// What a kill may cost.
const RESENT_BYTES: u64 = 8 << 20;
/// Requests, answers and headers of one session.
const OVERHEAD_BYTES: u64 = 256 << 10;

/// A bundle of noise, so that it is as long as it is.
fn bundle(path: &Path, bytes: usize) -> Result<(), String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(bytes / 8)
    .flatten()
    .collect();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| error.to_string())?;
    let options = WriterOptions {
        top_dir: "local-h-20261121T140200Z".to_owned(),
        mtime: UtcMs(0),
        level: 1,
    };
    let mut writer = BundleWriter::create(file, options);
    let name = "sos/var/log/noise";
    writer
        .add(name, &noise)
        .map_err(|error| error.to_string())?;
    let mut manifest = Manifest {
        schema: SCHEMA.to_owned(),
        format: 1,
        created: "2026-11-21T14:02:00Z".to_owned(),
        host: "h".to_owned(),
        items: vec![Item {
            id: "noise".to_owned(),
            path: Some(name.to_owned()),
            ..Item::default()
        }],
        ..Manifest::default()
    };
    writer
        .seal(&mut manifest)
        .map_err(|error| error.to_string())?;
    Ok(())
}

#[test]
fn what_is_sent_twice_is_at_most_one_request_for_each_kill() -> Result<(), String> {
    let quick = std::env::var_os("SITREP_TESTS_QUICK").is_some_and(|quick| !quick.is_empty());
    let kills: u64 = if quick { 10 } else { 50 };
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Killed")?;
    let agent = Agent::new(&dir.path().join("customer"))?;
    // Counts what passes and cuts nothing.
    let line =
        Proxy::cutting_after(collector.address(), i64::MAX).map_err(|error| error.to_string())?;
    let code = collector.create_code_only(&ticket.id)?;
    let link = format!("http://{}/u/{code}", line.address());
    let path = dir.path().join("noise.tar.gz");
    let length = usize::try_from(kills).unwrap_or(50) * (600 << 10);
    bundle(&path, length)?;
    let file = path.display().to_string();
    let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;

    let (mut before, mut resent, mut worst) = (0, 0, 0);
    let send = ["send", &file, &link, "--yes", "--limit-rate", "8M"];
    for kill in 0..kills {
        let passed = line.passed();
        let mut sending = agent.start(&send)?;
        // At another moment each time: between the first bytes and more than a request.
        let wanted = 100_000 + kill * 7_919 % 13 * 60_000;
        wait_for("bytes to pass", Duration::from_secs(120), || {
            line.passed() - passed >= wanted || sending.wait(Duration::ZERO).is_ok()
        })?;
        sending.kill();
        // The collector has what came, once it has noticed.
        let mut stands = 0;
        let mut last = u64::MAX;
        wait_for("the collector to notice", Duration::from_secs(60), || {
            stands = stored(&collector, &agent, &code).unwrap_or(before);
            let settled = stands == last;
            last = stands;
            settled
        })?;
        let sent = line.passed() - passed;
        let cost = sent.saturating_sub(stands.saturating_sub(before));
        assert!(
            cost <= RESENT_BYTES + OVERHEAD_BYTES,
            "kill {kill}: {sent} bytes passed, the collector went from {before} to {stands}"
        );
        assert!(
            stands >= before,
            "kill {kill}: from {before} back to {stands}"
        );
        (resent, worst, before) = (resent + cost, worst.max(cost), stands);
    }
    let last = agent.run(&["send", &file, &link, "--yes", "--json"])?;
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    let arrived = collector.wait_for_verdict(&ticket.id, Duration::from_secs(120))?;
    assert_eq!(
        collector.bundles(&ticket.id)?.len(),
        1,
        "one upload, one bundle"
    );
    let stored = sha256(&collector.download(&arrived)?);
    assert!(stored == sha256(&bytes), "other bytes arrived");
    let line = format!(
        "{kills} kills of {} bytes: {resent} bytes cost in all, {worst} at worst, {} passed\n",
        bytes.len(),
        line.passed()
    );
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes())
        .map_err(|error| error.to_string())
}

/// What the collector has of the one upload that the agent remembers.
fn stored(collector: &Collector, agent: &Agent, code: &str) -> Option<u64> {
    let state = agent.home().join("state/sitrep");
    let record = std::fs::read_dir(state).ok()?.flatten().find_map(|entry| {
        let text = std::fs::read_to_string(entry.path()).ok()?;
        serde_json::from_str::<serde_json::Value>(&text).ok()
    })?;
    let url = record["upload_url"].as_str()?;
    let path = url.find("/api/").and_then(|at| url.get(at..))?;
    let (status, body) = collector.answer("GET", path, Some(code)).ok()?;
    (status == 200).then(|| body["offset"].as_u64()).flatten()
}
