//! The systems that teams use already: told what happens to tickets here, and read for what happens to them there.
//!
//! Two forms. A [`Hook`] takes every event as one message. A [`System`] has tickets of its own and is four verbs: open
//! (or attach), comment, report, label, and is read for news. One file for each, one line in [`KINDS`]. What goes out
//! goes through the outbox, what is asked over HTTP through `outgoing`; neither knows any system.

pub mod admin;
mod carry;
mod chat;
mod desks;
mod fields;
mod guard;
pub mod inbound;
mod mail;
pub mod mirror;
pub mod outbox;
mod outgoing;
mod redmine;
mod report;
mod rt;
pub mod webhook;
mod zammad;

use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::db::DbError;
use crate::db::connectors::ConnectorRow;
use crate::db::tickets::TicketRow;
use crate::db::timeline::EventRow;
use crate::error::AppError;
use crate::state::AppState;

/// Every kind there is.
pub static KINDS: &[Kind] = &[
    webhook::KIND,
    chat::KIND,
    mail::KIND,
    rt::KIND,
    redmine::KIND,
    zammad::KIND,
];

/// An answer that is waited for.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Why another system was not told. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It may go well later.
    #[error("{why}")]
    Later {
        /// What happened.
        why: String,
        /// How long the other side asks to wait, in milliseconds.
        after_ms: Option<i64>,
    },
    /// It will not go well before somebody changes something.
    #[error("{0}")]
    Refused(String),
    /// Another one changed the same thing meanwhile.
    #[error("{0}")]
    Conflict(String),
    /// What was sent does not fit what the other side takes.
    #[error("{0}")]
    Invalid(String),
    /// What was sent is larger than is taken there.
    #[error("{0}")]
    TooLarge(String),
    /// The other side wants no more.
    #[error("{0}")]
    Gone(String),
    /// The database failed.
    #[error("look into the database")]
    Db(#[from] DbError),
    /// Something of ours failed.
    #[error("gather what is told")]
    Own(#[from] AppError),
}

impl Fault {
    /// A fault that may pass.
    pub fn later(why: impl Into<String>) -> Self {
        Self::Later {
            why: why.into(),
            after_ms: None,
        }
    }

    /// Whether trying again by itself makes sense.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Later { .. } | Self::Conflict(_) | Self::Db(_) | Self::Own(_)
        )
    }
}

/// How a connector is set up; which of it a kind uses is in its [`Kind`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The host is inside our own network: private addresses and plain HTTP are allowed for it.
    pub private: bool,
    /// Kinds of events that are told; none for all.
    #[schema(max_items = 60)]
    pub events: Vec<String>,
    /// Queue, project or group in which tickets are opened; address of the sender of mail.
    #[schema(max_length = 200)]
    pub place: String,
    /// Opens a ticket there for every one here; otherwise only those that somebody connects are told.
    pub open: bool,
    /// Their public comments are shown to the customer here.
    pub publish: bool,
    /// Their field of several values that our tags go into: its name, or its number in Redmine.
    #[schema(max_length = 200)]
    pub tags_field: String,
    /// Their fields (names, or numbers in Redmine), each with what goes into it, as `Severity = severity`: `key`, `url`,
    /// `priority`, `severity`, `finding`, `customer`, `product` or `category`.
    #[schema(max_items = 60)]
    pub fields: Vec<String>,
    /// Name of the account there; none for the address of the sender.
    #[schema(max_length = 200)]
    pub user: String,
    /// Their statuses, each with ours that it means, as `resolved = solved`; none for the usual.
    #[schema(max_items = 60)]
    pub statuses: Vec<String>,
    /// Largest report that is attached, in bytes; 0 for the usual.
    pub report_bytes: u64,
    /// Language of what we write there: `en` or `zh-CN`.
    #[schema(max_length = 20)]
    pub language: String,
}

/// What a connector is made from.
#[derive(Debug)]
pub struct Setup {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// What it is shown.
    pub secret: Secret,
    /// The rest.
    pub settings: Settings,
}

/// What the secret of a connector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretForm {
    /// A token or key of the other side.
    Given,
    /// A key that both sides sign with; made here when none is given.
    Made,
    /// The whole address: only its host is shown.
    Address,
    /// A password, or none.
    Optional,
}

/// One kind of connector.
#[derive(Debug)]
pub struct Kind {
    /// The word in the row.
    pub word: &'static str,
    /// Whether it has tickets of its own.
    pub tickets: bool,
    /// Whether it is read for what happens there.
    pub reads: bool,
    /// What its address begins with.
    pub schemes: &'static [&'static str],
    /// What its secret is.
    pub secret: SecretForm,
    /// Settings it uses besides name, address and secret.
    pub uses: &'static [&'static str],
    /// Statuses there and ours they mean, unless the settings say otherwise.
    pub statuses: &'static [&'static str],
    /// Makes it.
    pub make: fn(&Setup) -> Result<Made, Fault>,
}

/// A connector that was made.
pub enum Made {
    /// Takes events.
    Hook(Box<dyn Hook>),
    /// Has tickets.
    System(Box<dyn System>),
}

/// One event, for a [`Hook`].
pub struct Message<'a> {
    /// The event.
    pub event: &'a EventRow,
    /// Its ticket as it is now.
    pub ticket: &'a TicketRow,
    /// The ticket's tags.
    pub tags: &'a [String],
    /// The ticket's page.
    pub url: String,
    /// When it is sent.
    pub now_ms: i64,
}

/// Takes every event as one message.
pub trait Hook: Send + Sync {
    /// Tells an event. The event's id is the same for every try.
    fn tell<'a>(&'a self, state: &'a AppState, message: &'a Message<'a>) -> Soon<'a, ()>;

    /// Takes in what came from there, where something can come.
    fn pick_up<'a>(&'a self, _: &'a AppState, _: &'a ConnectorRow) -> Soon<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// A ticket of another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its id there.
    pub id: String,
    /// Its page.
    pub url: String,
}

/// What a ticket that is opened there says.
#[derive(Debug)]
pub struct Case {
    /// `TKT-1042`.
    pub key: String,
    /// Title.
    pub title: String,
    /// The problem as it was told, and where it is here.
    pub text: String,
    /// Our page of it, by which it is found again.
    pub url: String,
    /// Whom to answer, when that is a mail address.
    pub contact: Option<String>,
}

/// Something to write there.
#[derive(Debug)]
pub struct Comment {
    /// The text, with the mark in its last line.
    pub text: String,
    /// The mark by which it is found again.
    pub mark: String,
    /// Whether the customer may see it.
    pub public: bool,
    /// Whether an earlier try may have written it.
    pub again: bool,
    /// A file to attach: name and HTML.
    pub file: Option<(String, String)>,
}

/// What is set on a ticket there. Values of others stay.
#[derive(Debug, Default)]
pub struct Labels {
    /// Tags to be there.
    pub add: Vec<String>,
    /// Tags of ours to be there no more.
    pub remove: Vec<String>,
    /// Fields of one value, by name or number.
    pub fields: Vec<(String, String)>,
    /// The status there, when it has to change.
    pub status: Option<String>,
}

/// What somebody wrote there.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its id there; larger ones are younger.
    pub id: i64,
    /// Who.
    pub author: String,
    /// Plain text.
    pub body: String,
    /// Whether the customer may see it there.
    pub public: bool,
    /// Whether the customer wrote it.
    pub by_customer: bool,
}

/// How a ticket stands there.
#[derive(Debug, Default)]
pub struct News {
    /// Its status in their word.
    pub status: String,
    /// Id of the last thing that happened to it.
    pub last: i64,
    /// Comments after the last one that was seen, oldest first.
    pub said: Vec<Said>,
}

/// Has tickets of its own.
pub trait System: Send + Sync {
    /// Asks for something harmless, to see whether address and secret are right.
    fn check(&self) -> Soon<'_, ()>;
    /// Finds the ticket that stands for ours, or opens it.
    fn open<'a>(&'a self, case: &'a Case) -> Soon<'a, Remote>;
    /// Takes a ticket that is there already, and notes ours on it.
    fn attach<'a>(&'a self, id: &'a str, case: &'a Case) -> Soon<'a, Remote>;
    /// Writes a comment, with or without a report.
    fn comment<'a>(&'a self, id: &'a str, comment: &'a Comment) -> Soon<'a, ()>;
    /// Sets tags, fields and status. Twice is as once.
    fn label<'a>(&'a self, id: &'a str, labels: &'a Labels) -> Soon<'a, ()>;
    /// Ids of tickets that changed since then.
    fn changed(&self, since_ms: i64) -> Soon<'_, Vec<String>>;
    /// How a ticket stands, with the comments after `last`; none for how it stands alone.
    fn news<'a>(&'a self, id: &'a str, last: Option<i64>) -> Soon<'a, News>;
}

/// The kind of a word.
pub fn kind(word: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.word == word)
}

/// Whether connectors of this kind have tickets of their own.
pub fn has_tickets(word: &str) -> bool {
    kind(word).is_some_and(|kind| kind.tickets)
}

/// The page of a ticket here.
fn page(state: &AppState, ticket: &TicketRow) -> String {
    format!("{}/tickets/{}", state.base_url, crate::tickets::key(ticket))
}

/// How a row is set up.
pub fn setup(state: &AppState, row: &ConnectorRow) -> Result<Setup, Fault> {
    let secret = state.pepper.unlock(&row.id, &row.secret).ok_or_else(|| {
        Fault::Refused(format!(
            "the secret of {} cannot be opened with this key file: enter it again",
            row.name
        ))
    })?;
    Ok(Setup {
        name: row.name.clone(),
        url: row.url.clone(),
        secret,
        settings: settings(row)?,
    })
}

fn settings(row: &ConnectorRow) -> Result<Settings, Fault> {
    serde_json::from_str(&row.settings).map_err(|error| {
        Fault::Refused(format!("the settings of {} are damaged: {error}", row.name))
    })
}

/// Makes the connector of a row.
pub fn make(state: &AppState, row: &ConnectorRow) -> Result<(Made, Settings), Fault> {
    let kind = kind(&row.kind)
        .ok_or_else(|| Fault::Refused(format!("this version has no connector \"{}\"", row.kind)))?;
    let mut setup = setup(state, row)?;
    if setup.settings.statuses.is_empty() {
        let usual = kind.statuses.iter();
        setup.settings.statuses = usual.map(|line| (*line).to_owned()).collect();
    }
    Ok(((kind.make)(&setup)?, setup.settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_in_every_language() {
        for (code, _) in crate::locale::Locale::all() {
            let locale = crate::locale::Locale::by_code(code).unwrap();
            for kind in KINDS {
                let name = locale.w("connector", kind.word);
                assert_ne!(name, kind.word, "{code}");
            }
        }
    }

    #[test]
    fn kinds_are_named_once_and_use_settings_that_exist() {
        let known = serde_json::to_value(Settings::default()).unwrap();
        for (place, kind) in KINDS.iter().enumerate() {
            let before = &KINDS[..place];
            assert!(before.iter().all(|other| other.word != kind.word));
            for name in kind.uses {
                assert!(known.get(name).is_some(), "{}: {name}", kind.word);
            }
            let usual: Vec<String> = kind.statuses.iter().map(|s| (*s).to_owned()).collect();
            for (_, ours) in fields::pairs(&usual) {
                assert!(crate::tickets::model::Status::parse(ours).is_some());
            }
        }
    }
}
