//! What an uploader may know of an upload: how far it is, and the verdict. Nothing of the ticket but its name.

use sitrep_shared::hash::Digest;
use sitrep_shared::protocol::{FindingBrief, UploadState, UploadStatus, Verdict};
use uuid::Uuid;

use super::Bundles;
use crate::db::uploads::UploadRow;
use crate::db::{DbError, bundles, findings};

impl Bundles {
    /// The status of an upload, without the ticket's names, which the caller adds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self, row: &UploadRow) -> Result<UploadStatus, DbError> {
        let complete = row.state == "complete";
        let mut status = UploadStatus {
            id: row.id.clone(),
            state: state(&row.state),
            offset: row.offset_bytes.max(0).unsigned_abs(),
            length: row.length_bytes.map(|length| length.max(0).unsigned_abs()),
            sha256: row
                .sha256
                .as_deref()
                .and_then(|hex| hex.parse::<Digest>().ok()),
            receipt: complete.then(|| row.receipt.clone()),
            bundle: complete.then(|| row.bundle_id.clone()),
            ticket_key: String::new(),
            ticket_url: String::new(),
            verdict: None,
            reason: row.reason.clone(),
            findings: Vec::new(),
        };
        if complete {
            let mut conn = self.db.read().await?;
            let bundle = bundles::find(&mut conn, &row.bundle_id).await?;
            status.verdict = bundle.as_ref().map(|bundle| verdict(&bundle.state));
            status.reason = bundle.and_then(|bundle| bundle.reason);
            let found = findings::of_bundle(&mut conn, &row.bundle_id, super::now_ms()).await?;
            status.findings = found
                .into_iter()
                .filter(findings::FindingRow::stands)
                .map(|row| FindingBrief {
                    id: row.signature_id,
                    severity: row.severity,
                    title: row.title,
                })
                .collect();
        }
        Ok(status)
    }

    /// The uploads made with a code, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn uploads_of_code(&self, code_id: &str) -> Result<Vec<UploadRow>, DbError> {
        crate::db::uploads::of_code(&mut *self.db.read().await?, code_id).await
    }

    /// Reads an id from an address.
    pub fn id(text: &str) -> Option<Uuid> {
        Uuid::parse_str(text).ok()
    }
}

fn state(word: &str) -> UploadState {
    match word {
        "created" => UploadState::Created,
        "receiving" => UploadState::Receiving,
        "complete" => UploadState::Complete,
        "cancelled" => UploadState::Cancelled,
        "expired" => UploadState::Expired,
        _ => UploadState::Failed,
    }
}

fn verdict(state: &str) -> Verdict {
    match state {
        "ready" => Verdict::Ready,
        "rejected" => Verdict::Rejected,
        "quarantined" => Verdict::Quarantined,
        _ => Verdict::Pending,
    }
}
