//! What receiving an upload can end in, besides success. The HTTP layer gives each a status.

use crate::bundles::storage::StorageError;
use crate::db::DbError;

/// An upload request that was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// A header that says nothing sensible: 400.
    #[error("header {name}: {detail}")]
    Header {
        /// The header.
        name: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// No such upload for this credential: 404.
    #[error("no such upload")]
    Unknown,
    /// The upload was there and has ended without a bundle: 410.
    #[error("the upload has ended: {reason}")]
    Gone {
        /// cancelled, expired, or why it failed.
        reason: String,
    },
    /// The offset is not where the upload stands: 409.
    #[error("the upload stands at byte {actual}")]
    Offset {
        /// The durable offset.
        actual: u64,
    },
    /// A newer request took over this upload: 409.
    #[error("a newer request took over this upload")]
    Superseded,
    /// More bytes than the upload's length or the limit: 413.
    #[error("more than the {limit} bytes that are allowed")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The length of the upload was set before, to something else: 400.
    #[error("the length of this upload is already set")]
    LengthSet,
    /// A chunk or the whole file has another digest than promised: 460.
    #[error("the digest does not fit the bytes")]
    Checksum,
    /// The code allows no further upload: 403.
    #[error("this code allows no further upload")]
    CodeUsed,
    /// Too many unfinished uploads with one code: 429.
    #[error("too many unfinished uploads with this code")]
    TooMany,
    /// The ticket, or the whole collector, holds as much as it may: 507.
    #[error("the quota of this {of} is used up")]
    Quota {
        /// ticket or collector.
        of: &'static str,
    },
    /// As many bodies are being received as this process takes: 503.
    #[error("too many uploads at once")]
    Busy,
    /// No room: 507.
    #[error("no room for the upload")]
    Full,
    /// The client was silent or too slow; what came is kept: 408.
    #[error("no data for too long; {committed} bytes are kept")]
    Slow {
        /// The durable offset.
        committed: u64,
    },
    /// The body broke off; what came is kept: 400, though nobody may be there to read it.
    #[error("the request body broke off; {committed} bytes are kept")]
    Broken {
        /// The durable offset.
        committed: u64,
    },
    /// The store failed: 507 when full, 503 when it does not answer, else 500.
    #[error("store the upload")]
    Storage(#[from] StorageError),
    /// The database failed: 503, nothing was acknowledged.
    #[error("record the upload")]
    Db(#[from] DbError),
    /// What records uploads broke off: 500.
    #[error("the upload was not recorded")]
    Unrecorded,
    /// A blocking task did not end: 500.
    #[error("run the write")]
    Task(#[from] tokio::task::JoinError),
}

impl ReceiveError {
    /// Why a complete upload was refused for good; `None` when a fault kept it from being recorded.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Quota { .. } => Some("quota_exceeded"),
            Self::CodeUsed => Some("code_used"),
            _ => None,
        }
    }
}
