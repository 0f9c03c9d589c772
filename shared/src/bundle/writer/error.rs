//! What can go wrong when a bundle is written.

use std::io;

use crate::bundle::limits::Reject;

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output failed.
    #[error("cannot {doing} the bundle")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that a bundle may not hold.
    #[error("cannot store {path:?}")]
    Path {
        /// The name.
        path: String,
        /// Why.
        #[source]
        source: Reject,
    },
    /// A name that is there already.
    #[error("{path:?} is in the bundle already")]
    Duplicate {
        /// The name.
        path: String,
    },
    /// Calls in the wrong order: an entry is open, or none is.
    #[error("{0}")]
    Order(&'static str),
    /// A stored entry without an item, or an item without an entry.
    #[error("manifest and content of {path:?} disagree")]
    Unaccounted {
        /// The name.
        path: String,
    },
    /// The manifest could not be written as JSON.
    #[error("cannot write the manifest")]
    Manifest(#[source] serde_json::Error),
    /// The bundle that is being resealed could not be read.
    #[error("cannot read the bundle")]
    Input(#[source] Reject),
}
