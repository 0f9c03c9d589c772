//! The redactor of one run, by the settings and by what this host tells.

use crate::cli::App;
use crate::collect::Host;
use crate::error::Failure;
use sitrep_shared::redact::{Learned, Level, Redactor, RedactorBuilder};

/// Users from this id on are people.
const FIRST_PERSON: u32 = 1000;
/// A file of words is small.
const MAX_WORDS_BYTES: u64 = 4 * 1024 * 1024;

/// Builds the redactor. `secrets` are words that must not appear anywhere, such as the upload code.
pub fn build(app: &App, host: &Host, name: &str, secrets: &[String]) -> Result<Redactor, Failure> {
    let level: Level = app
        .config
        .text("redact.mode")
        .unwrap_or("standard")
        .parse()
        .map_err(|why: String| Failure::usage(why))?;
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|error| {
        Failure::internal(
            "cannot make a key for redaction",
            std::io::Error::other(error),
        )
    })?;
    let mut words = words(app)?;
    words.extend(secrets.iter().cloned());
    RedactorBuilder::new(level, key)
        .learn(learned(host, name))
        .words(words)
        .build()
        .map_err(|error| Failure::usage("cannot use the redaction rules").because(error))
}

fn words(app: &App) -> Result<Vec<String>, Failure> {
    use std::io::Read;
    let Some(path) = app.config.text("redact.words_file") else {
        return Ok(Vec::new());
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_WORDS_BYTES).read_to_string(&mut text))
        .map_err(|error| {
            Failure::usage(format!("cannot read the words in {path}")).because(error)
        })?;
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Names that only this host knows to be names.
fn learned(host: &Host, name: &str) -> Learned {
    let mut learned = Learned::default();
    learned.hosts.push(name.to_owned());
    if let Some((short, domain)) = name.split_once('.') {
        learned.hosts.push(short.to_owned());
        learned.domains.push(domain.to_owned());
    }
    for line in host.text("/etc/passwd").unwrap_or_default().lines() {
        let mut fields = line.split(':');
        let (user, id) = (
            fields.next(),
            fields.nth(1).and_then(|id| id.parse::<u32>().ok()),
        );
        if let (Some(user), Some(id)) = (user, id)
            && id >= FIRST_PERSON
            && user != "nobody"
        {
            learned.users.push(user.to_owned());
        }
    }
    learned
}
