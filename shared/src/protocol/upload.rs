//! The upload: what a code allows, what the agent declares, and how far it is.

use serde::{Deserialize, Serialize};

use crate::hash::Digest;

/// Keys of tus `Upload-Metadata`.
pub mod metadata {
    /// Name of the file; display only.
    pub const FILENAME: &str = "filename";
    /// Hex SHA-256 of the whole file; checked at completion when given.
    pub const SHA256: &str = "sha256";
    /// JSON of a [`super::ConsentRecord`].
    pub const CONSENT: &str = "consent";
    /// Hex SHA-256 of the code that may have the bundle deleted again; the code itself stays with the sender.
    pub const WITHDRAWAL: &str = "withdrawal";
}

/// What a code is good for; shown to the customer before anything is collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeInfo {
    /// `sitrep.code/1`.
    pub schema: String,
    /// The ticket that the upload will belong to.
    pub ticket: TicketBrief,
    /// Who asked, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Profile to collect with.
    pub profile: String,
    /// Start of the time span asked for: RFC 3339, or a span such as `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// End of validity, UTC milliseconds.
    pub expires_ms: i64,
    /// Largest upload.
    pub max_bytes: u64,
    /// Uploads that the code still allows.
    pub uploads_left: u32,
    /// How the collector calls itself.
    pub collector_name: String,
    /// age recipient to encrypt to, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_recipient: Option<String>,
}

impl CodeInfo {
    /// Value of `schema`.
    pub const SCHEMA: &str = "sitrep.code/1";
}

/// Name and title of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketBrief {
    /// `TKT-1042`.
    pub key: String,
    /// One line.
    pub title: String,
}

/// What was agreed to, when, and for which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentRecord {
    /// How it was agreed to.
    pub basis: ConsentBasis,
    /// UTC milliseconds by the customer's clock; display only.
    pub at_ms: i64,
    /// Digest of the sealed file that was agreed to.
    pub sha256: Digest,
}

/// How consent was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentBasis {
    /// A person said yes at a terminal or in the browser.
    Interactive,
    /// Flags or a local policy said yes.
    Policy,
}

/// How far an upload is, and what became of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadStatus {
    /// Upload id.
    pub id: String,
    /// State of the transfer.
    pub state: UploadState,
    /// Durable bytes.
    pub offset: u64,
    /// Bytes in all; absent while deferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Digest that the collector computed, once complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// `RCP-XXXX-XXXX`, once complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Bundle id, once complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// `TKT-1042`.
    pub ticket_key: String,
    /// Page of the ticket.
    pub ticket_url: String,
    /// What ingest says; absent before completion.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Reason code of a rejection or quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Findings in short, once ready.
    #[serde(default)]
    pub findings: Vec<FindingBrief>,
}

/// The answer to `DELETE /api/v1/receipts/{receipt}`: what is gone, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// `sitrep.withdrawn/1`.
    pub schema: String,
    /// `RCP-XXXX-XXXX`.
    pub receipt: String,
    /// Digest of the bundle that was there.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
    /// UTC milliseconds by the collector's clock.
    pub deleted_ms: i64,
}

impl Withdrawn {
    /// Value of `schema`.
    pub const SCHEMA: &str = "sitrep.withdrawn/1";
}

/// State of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    /// No byte yet.
    Created,
    /// Some bytes.
    Receiving,
    /// All bytes, stored and queued.
    Complete,
    /// Given up by the collector.
    Failed,
    /// Given up by the client.
    Cancelled,
    /// Too old.
    Expired,
}

/// What ingest says about a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Queued or being read.
    Pending,
    /// Readable, findings are final.
    Ready,
    /// Refused, with a reason code.
    Rejected,
    /// Set aside for a person, with a reason code.
    Quarantined,
}

/// A finding in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingBrief {
    /// Signature id.
    pub id: String,
    /// `critical` … `info`.
    pub severity: String,
    /// One line.
    pub title: String,
}
