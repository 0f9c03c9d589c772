//! What bundles tell the ticket they belong to. A trait, so that receiving and ingest can be tested without tickets.

use std::fmt;
use std::pin::Pin;

use sqlx::AnyConnection;

use crate::db::DbError;
use crate::db::bundles::{BundleRow, Outcome};
use crate::db::findings::NewFinding;
use crate::db::uploads::UploadRow;

/// An answer that is waited for.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbError>> + Send + 'a>>;

/// A verdict, inside its transaction.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The bundle as it was before.
    pub bundle: &'a BundleRow,
    /// Its new state and reason.
    pub outcome: &'a Outcome,
    /// Its findings.
    pub findings: &'a [NewFinding],
}

/// What a ticket is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketName {
    /// `TKT-1042`.
    pub key: String,
    /// Its title.
    pub title: String,
}

/// The other side. Everything is called inside the transaction of the change it is about.
pub trait Tickets: fmt::Debug + Send + Sync {
    /// Uploads are complete: spends a use of its code for each, and notes them on their tickets. False when a code has
    /// not so many left; the transaction is to be taken back then.
    fn received<'a>(
        &'a self,
        tx: &'a mut AnyConnection,
        uploads: &'a [UploadRow],
    ) -> Soon<'a, bool>;

    /// What a ticket is called.
    fn name<'a>(&'a self, db: &'a mut AnyConnection, ticket_id: &'a str) -> Soon<'a, TicketName>;

    /// A bundle has its verdict.
    fn verdict<'a>(&'a self, tx: &'a mut AnyConnection, told: Told<'a>) -> Soon<'a, ()>;

    /// Who sent a bundle takes it back: its findings go, and what they did to the ticket.
    fn withdrawn<'a>(
        &'a self,
        tx: &'a mut AnyConnection,
        bundle: &'a BundleRow,
        code_id: &'a str,
    ) -> Soon<'a, ()>;
}

/// Tickets that take everything, for tests.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct AnyTicket {
    /// Codes are spent.
    pub spent: std::sync::atomic::AtomicBool,
    /// Verdicts are refused.
    pub deaf: std::sync::atomic::AtomicBool,
    /// Findings told.
    pub findings: std::sync::atomic::AtomicUsize,
}

impl Tickets for AnyTicket {
    fn received<'a>(&'a self, _: &'a mut AnyConnection, _: &'a [UploadRow]) -> Soon<'a, bool> {
        let left = !self.spent.load(std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move { Ok(left) })
    }

    fn name<'a>(&'a self, _: &'a mut AnyConnection, ticket_id: &'a str) -> Soon<'a, TicketName> {
        Box::pin(async move {
            Ok(TicketName {
                key: ticket_id.to_owned(),
                title: String::new(),
            })
        })
    }

    fn verdict<'a>(&'a self, _: &'a mut AnyConnection, told: Told<'a>) -> Soon<'a, ()> {
        if self.deaf.load(std::sync::atomic::Ordering::Relaxed) {
            return Box::pin(async { Err(DbError::Url) });
        }
        self.findings
            .fetch_add(told.findings.len(), std::sync::atomic::Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }

    fn withdrawn<'a>(
        &'a self,
        _: &'a mut AnyConnection,
        _: &'a BundleRow,
        _: &'a str,
    ) -> Soon<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
