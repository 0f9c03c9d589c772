//! Bundles on this host: the spool file while it grows, what goes into `meta/`, and resealing.

mod derived;
mod draft;
mod encrypt;
mod gather;
mod guard;
mod meta;
mod output;
mod readme;
mod recorder;
#[cfg(test)]
mod recorder_tests;
mod redactor;
mod request;
#[cfg(test)]
pub mod sample;
mod spool;
mod stream;

pub use draft::{Draft, Occasion, Parts};
pub use gather::{Prepared, gather, open_host, prepare};
pub use output::{Piece, Road};
pub use request::Request;
pub use spool::{Spool, SpoolError, StateDir};
pub use stream::{Streamed, name, stream};

use crate::error::{Exit, Failure};
use serde_json::Value;
use sitrep_shared::bundle::WriteError;
use sitrep_shared::bundle::manifest::Manifest;

/// A sealed bundle as the summary and the result see it.
#[derive(Clone, Copy, Debug)]
pub struct View<'b> {
    /// Its manifest.
    pub manifest: &'b Manifest,
    /// `meta/findings.json`.
    pub findings: &'b Value,
    /// `meta/redaction.json`.
    pub redaction: &'b Value,
    /// Its length.
    pub bytes: u64,
    /// Its sha256 in hex.
    pub sha256: &'b str,
}

/// The failure when a bundle cannot be written; a full disk has its own exit code.
fn seal_failure(what: &str, error: WriteError) -> Failure {
    let full = matches!(&error, WriteError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
    if full {
        return Failure::new(Exit::Limit, "the disk is full")
            .because(error)
            .hint("--tmp-dir DIR on another file system, or --max-size 50M, or --stream to send without a file");
    }
    Failure::internal(what, error)
}
