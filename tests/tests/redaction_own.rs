//! A customer's own words and patterns, given by files that the settings name, and a bundle redone with
//! newer rules.

use sitrep_tests::agent::Agent;

#[test]
fn own_words_and_patterns_are_removed() -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let agent = Agent::new(&dir.path().join("customer"))?;
    let write = |name: &str, text: &str| -> Result<String, String> {
        let path = dir.path().join(name);
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
        Ok(path.display().to_string())
    };
    let words = write("words", "# names of projects\nProjekt Adler\n\n")?;
    let patterns = write("patterns", "# customer numbers\nACME-\\d{6}\n")?;
    let settings = write(
        "settings.toml",
        &format!("[redact]\nwords_file = \"{words}\"\npatterns_file = \"{patterns}\"\n"),
    )?;
    let log = write(
        "app.log",
        "start of projekt adler\norder of ACME-123456 and ACME-12\npassword=hunter2hunter2\n",
    )?;
    let ended = agent.run(&["--config", &settings, "redact", &log])?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("start of REMOVED-own-"), "{lines:?}");
    assert!(lines[1].starts_with("order of REMOVED-own-"), "{lines:?}");
    assert!(lines[1].ends_with(" and ACME-12"), "{lines:?}");
    assert!(lines[2].starts_with("password=REMOVED-pass-"), "{lines:?}");

    // A pattern that cannot be used ends the command before anything is shown.
    let broken = write("broken", "(\n")?;
    let settings = write(
        "broken.toml",
        &format!("[redact]\npatterns_file = \"{broken}\"\n"),
    )?;
    let ended = agent.run(&["--config", &settings, "redact", &log])?;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    let absent = dir.path().join("nowhere").display().to_string();
    let settings = write(
        "absent.toml",
        &format!("[redact]\npatterns_file = \"{absent}\"\n"),
    )?;
    let ended = agent.run(&["--config", &settings, "redact", &log])?;
    assert_ne!(ended.code, Some(0));
    assert_eq!(ended.stdout, "");
    Ok(())
}
