//! Journeys through the pages in a real Chromium: customers, engineers, authors, trainers; by mouse and by keyboard; in
//! both languages, light and dark; with axe-core on every page, empty and full. The steps are in
//! `tests/fixtures/browser/journeys.mjs`.

use serde_json::json;
use sitrep_tests::agent::Agent;
use sitrep_tests::collector::{Collector, Setting};
use sitrep_tests::{binaries, process, trouble, workspace_root};
use std::path::Path;

/// Runs a journey against a collector of its own, with a customer whose host is in trouble.
fn journey(name: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut setting = Setting::default();
    let open = ("SITREPD_REQUESTS".to_owned(), "open".to_owned());
    setting.env.push(open);
    let collector = Collector::start_with(&dir.path().join("collector"), setting)?;
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
    ])?;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let root = workspace_root();
    let world = json!({
        "url": collector.url(),
        "password": collector.admin_password(),
        "modules": root.join("target/node"),
        "shots": root.join("target/screenshots"),
        "chromium": "/usr/bin/chromium",
        "sitrep": binaries::sitrep(),
        "home": agent.home(),
        "profile": profile,
        "config": trouble.config,
        "bundle": bundle,
    });
    let mut command = process::command(Path::new("node"));
    command.arg(root.join("tests/fixtures/browser/journeys.mjs"));
    command.args([name, &world.to_string()]);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.env("HOME", dir.path());
    let output = process::output(&mut command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    ))
}

#[test]
fn a_customer_uploads_by_page_and_by_command() -> Result<(), String> {
    journey("customer")
}

#[test]
fn an_engineer_goes_from_a_new_ticket_to_an_article() -> Result<(), String> {
    journey("engineer")
}

#[test]
fn an_author_writes_and_another_person_publishes() -> Result<(), String> {
    journey("author")
}

#[test]
fn a_trainer_replays_a_case() -> Result<(), String> {
    journey("trainer")
}

#[test]
fn a_ticket_is_closed_with_keys_alone() -> Result<(), String> {
    journey("keyboard")
}

#[test]
fn changes_are_taken_back_and_tickets_of_one_problem_answered_at_once() -> Result<(), String> {
    journey("desk")
}

#[test]
fn an_engineer_searches_and_compares() -> Result<(), String> {
    journey("finder")
}

#[test]
fn a_log_of_half_a_million_lines_is_read_with_keys() -> Result<(), String> {
    journey("reader")
}

#[test]
fn every_page_is_accessible_in_both_languages_light_and_dark() -> Result<(), String> {
    journey("pages")
}
