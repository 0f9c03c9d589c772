//! The rules on their own examples, with the program as it is installed here.

use crate::error::Failure;
use sitrep_shared::redact::{Family, FileContext, RedactorBuilder, families};

/// What one family's examples gave.
pub struct Tried {
    /// The family.
    pub family: &'static Family,
    /// Examples that did not hold.
    pub failed: usize,
}

/// Runs every family's examples.
pub fn run() -> Result<Vec<Tried>, Failure> {
    let mut tried = Vec::new();
    for family in families() {
        let redactor = RedactorBuilder::new(family.level, [1; 32])
            .build()
            .map_err(|error| Failure::internal("cannot use the redaction rules", error))?;
        let holds = |example: &sitrep_shared::redact::Example| {
            let path = example.file.as_deref().unwrap_or("etc/app.conf");
            let done = redactor.all(FileContext { path }, example.text.as_bytes());
            let text = done
                .map(|(out, _)| String::from_utf8_lossy(&out).into_owned())
                .unwrap_or_default();
            let gone = example.gone.iter().all(|g| !text.contains(g.as_str()));
            let kept = example.kept.iter().all(|k| text.contains(k.as_str()));
            gone && kept && (!example.gone.is_empty() || text == example.text)
        };
        let failed = family.examples.iter().filter(|e| !holds(e)).count();
        tried.push(Tried { family, failed });
    }
    Ok(tried)
}
