//! `cargo demo`: the whole product once, on this host, on embedded defaults.
//!
//! Starts the collector on loopback with a fresh data folder, makes a ticket
//! and a code, provokes a harmless real problem, runs the real agent, waits
//! for the verdict and prints the findings. `--once` ends it there.

use sitrep_tests::agent::Agent;
use sitrep_tests::collector::Collector;
use sitrep_tests::trouble;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [trouble::SERVICE_ARGUMENT, log] => {
            return ExitCode::from(trouble::serve_until_full(Path::new(log)));
        }
        [trouble::CRASH_ARGUMENT] => trouble::crash(),
        [] | ["--once"] => {}
        _ => {
            say(
                "usage: cargo demo [--once]\n  --once  end after the findings instead of staying up",
            );
            return ExitCode::from(2);
        }
    }
    match demo(!arguments.is_empty()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: the demo stopped: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demo(once: bool) -> Result<(), String> {
    say("1. Building the product (the first time takes some minutes) …");
    sitrep_tests::binaries::folder();
    let dir = tempfile::tempdir()
        .map_err(|error| format!("cannot make a folder for the demo: {error}"))?;

    say("2. Starting the collector on loopback, with a fresh data folder …");
    let collector = Collector::start(&dir.path().join("collector"))?;
    let ticket = collector.create_ticket("Nightly export fails since Tuesday")?;
    let link = collector.create_code(&ticket.id)?;
    say(&format!(
        "   {}  ticket {} is waiting for a bundle",
        collector.url(),
        ticket.key
    ));

    say("3. Provoking real, harmless trouble: an export to a full device, a crashing process …");
    let trouble = trouble::provoke(dir.path())?;

    say(&format!(
        "4. Running the agent as the customer would: sitrep run {link}"
    ));
    let agent = Agent::new(&dir.path().join("customer"))?;
    let profile = trouble.profile.display().to_string();
    let arguments = [
        "run",
        &link,
        "--profile",
        &profile,
        "--yes",
        "--send",
        "--allow-partial",
        "--json",
    ];
    let ended = agent.run_showing_progress(&arguments)?;
    if ended.code != Some(0) {
        return Err(format!(
            "the agent ended with {:?}:\n{}",
            ended.code, ended.stdout
        ));
    }

    say("5. What the collector found:");
    let bundle = collector.wait_for_verdict(&ticket.id, Duration::from_secs(60))?;
    let findings = collector.findings(&bundle)?;
    if findings.is_empty() {
        return Err("the collector found nothing, although there was trouble to find".to_owned());
    }
    for finding in &findings {
        say(&format!(
            "\n   {:<8} {}  {}",
            finding.severity.to_uppercase(),
            finding.id,
            finding.title
        ));
        for evidence in finding.evidence.iter().take(2) {
            // What is known from facts has a file, but no line.
            let line = match evidence.line {
                0 => String::new(),
                line => format!(":{line}"),
            };
            say(&format!(
                "     {}{line}\n       {}",
                evidence.file, evidence.text
            ));
        }
    }
    say(&format!(
        "\n   Ticket   {}/tickets/{}",
        collector.url(),
        ticket.id
    ));
    say(&format!("   Bundle   {}/bundles/{bundle}", collector.url()));
    say(&format!(
        "   Sign in  {} / {}",
        collector.admin_name(),
        collector.admin_password()
    ));
    if !once {
        say("\nThe collector stays up until Ctrl-C.");
        collector.wait_until_interrupted();
    }
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the demo talks to the person who started it"
)]
fn say(text: &str) {
    println!("{text}");
}
