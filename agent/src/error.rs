//! The agent's edge for failures: what failed, why, what to do next, and the exit code.
//!
//! Modules below return their own enums; a command turns them into a [`Failure`] and [`crate::run`]
//! prints it once. Nothing here may print.

use crate::ui::Lang;
use std::error::Error;

/// How a run of the program ended. The numbers are a stable interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Complete, sent or saved as asked.
    Ok,
    /// A fault of the program or of this host's file system; a bundle that exists is kept.
    Internal,
    /// Wrong usage or configuration.
    Usage,
    /// Finished, but at least one item is missing.
    Partial,
    /// The upload code is wrong, used up or expired.
    Auth,
    /// The upload failed; the bundle is kept.
    Upload,
    /// The person declined; nothing was sent.
    Declined,
    /// The redaction guard tripped in strict mode; nothing was sent.
    Redaction,
    /// A local limit was reached: disk, size, time.
    Limit,
    /// A finding is at least as severe as `--fail-on` says.
    FailOn,
    /// Interrupted by Ctrl-C.
    Interrupted,
    /// Terminated by SIGTERM.
    Terminated,
}

impl Exit {
    /// Every ending, in the order of the numbers.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::Internal,
        Self::Usage,
        Self::Partial,
        Self::Auth,
        Self::Upload,
        Self::Declined,
        Self::Redaction,
        Self::Limit,
        Self::FailOn,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Auth => 4,
            Self::Upload => 5,
            Self::Declined => 6,
            Self::Redaction => 7,
            Self::Limit => 8,
            Self::FailOn => 9,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// One line for help and the manual page.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "complete, sent or saved as asked",
            Self::Internal => "internal error (the bundle is kept if one exists)",
            Self::Usage => "wrong usage or configuration",
            Self::Partial => "finished, but an item is missing (0 with --allow-partial)",
            Self::Auth => "the upload code is wrong, used up or expired",
            Self::Upload => "upload failed; bundle kept, resume command printed",
            Self::Declined => "declined by the person; nothing was sent",
            Self::Redaction => "redaction guard tripped; nothing was sent",
            Self::Limit => "local limit reached: disk, size or time",
            Self::FailOn => "a finding reached --fail-on",
            Self::Interrupted => "interrupted; temporary files removed, resumable",
            Self::Terminated => "terminated; temporary files removed, resumable",
        }
    }

    /// The word for `"outcome"` in JSON results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "complete",
            Self::Internal => "internal_error",
            Self::Usage => "usage",
            Self::Partial => "partial",
            Self::Auth => "code_refused",
            Self::Upload => "upload_failed",
            Self::Declined => "declined",
            Self::Redaction => "redaction_guard",
            Self::Limit => "local_limit",
            Self::FailOn => "finding_severity",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }
}

/// What went wrong, ready for a person: `error:` line, notes, hints, exit code.
#[derive(Debug)]
pub struct Failure {
    /// The ending this leads to.
    pub exit: Exit,
    /// What was being done, to what.
    pub what: String,
    /// Why; its chain is printed after `what`.
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// Labelled lines such as `kept: ./file.tar.gz`.
    pub notes: Vec<(&'static str, String)>,
    /// What to do next, one sentence each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without a deeper cause.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            source: None,
            notes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Wrong usage: exit code 2.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// A fault of the program or the host: exit code 1.
    pub fn internal(
        what: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::new(Exit::Internal, what).because(source)
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a `hint:` line.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a labelled line.
    pub fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }

    /// The same in the person's language, as far as the texts of the causes are ours.
    pub fn message_in(&self, lang: Lang) -> String {
        let mut text = lang.error(&self.what);
        let mut cause: Option<&(dyn Error + 'static)> = match &self.source {
            Some(source) => Some(&**source),
            None => None,
        };
        while let Some(inner) = cause {
            text.push_str(lang.colon());
            text.push_str(&lang.error(&inner.to_string()));
            cause = inner.source();
        }
        text
    }

    /// The text after `error:`, with the chain of causes.
    pub fn message(&self) -> String {
        match &self.source {
            Some(source) => format!("{}: {}", self.what, sitrep_shared::error::chain(&**source)),
            None => self.what.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_ascending() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    }

    #[test]
    fn the_message_carries_the_chain() {
        let failure = Failure::internal("cannot write x", std::io::Error::other("no space"));
        assert_eq!(failure.message(), "cannot write x: no space");
    }
}
