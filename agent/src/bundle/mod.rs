//! Bundles on this host: the spool file while it grows, what goes into `meta/`, and resealing.

mod derived;
mod draft;
mod gather;
mod guard;
mod meta;
mod readme;
mod recorder;
#[cfg(test)]
mod recorder_tests;
mod redactor;
mod request;
#[cfg(test)]
pub mod sample;
mod spool;

pub use draft::{Draft, Occasion, Parts};
pub use gather::{Prepared, gather, prepare};
pub use request::Request;
pub use spool::{Spool, SpoolError, StateDir};

use crate::error::{Exit, Failure};
use sitrep_shared::bundle::WriteError;

/// The failure when a bundle cannot be written; a full disk has its own exit code.
fn seal_failure(what: &str, error: WriteError) -> Failure {
    let full = matches!(&error, WriteError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull);
    if full {
        return Failure::new(Exit::Limit, "the disk is full")
            .because(error)
            .hint("--tmp-dir DIR on another file system, or --max-size 50M");
    }
    Failure::internal(what, error)
}
