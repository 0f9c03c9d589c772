//! After the last byte: what the collector made of the bundle.

use super::UploadError;
use super::client::{self, Collector};
use super::state::{Record, Records};
use crate::ui::{Line, Ui};
use reqwest::Method;
use sitrep_shared::protocol::{UploadStatus, Verdict};
use std::time::{Duration, Instant};

/// A person waits this long for the analysis; it goes on without them.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pauses between questions grow up to this.
const SLOWEST: Duration = Duration::from_secs(3);

impl Collector {
    /// Asks until there is a verdict or patience ends; the last answer is kept in the record.
    pub(super) async fn verdict(
        &self,
        ui: &mut Ui,
        sha256: &str,
        records: Option<&Records>,
        record: &mut Record,
    ) -> Result<Option<UploadStatus>, UploadError> {
        let Some(url) = record.upload_url.clone() else {
            return Ok(None);
        };
        let text = ui.say("waiting", &[]);
        if ui.style.progress == crate::ui::Mode::Terminal {
            ui.transient(&Line::of(text));
        } else {
            ui.status(&Line::of(text));
        }
        let began = Instant::now();
        let mut pause = Duration::from_millis(200);
        let mut last = None;
        loop {
            match self.status(&url).await {
                Ok(status) => {
                    let theirs = status.sha256.as_ref().map(ToString::to_string);
                    if let Some(theirs) = theirs.filter(|theirs| theirs != sha256) {
                        return Err(UploadError::Mismatch(theirs));
                    }
                    note(record, &status);
                    keep(records, record)?;
                    let decided = record
                        .verdict
                        .as_deref()
                        .is_some_and(|word| word != "pending");
                    last = Some(status);
                    if decided {
                        break;
                    }
                }
                Err(error @ UploadError::Interrupted(_)) => return Err(error),
                // The bytes are there and stored; not hearing the verdict is no failed upload.
                Err(error) if !error.is_transient() => break,
                Err(_) => {}
            }
            if began.elapsed() > PATIENCE {
                break;
            }
            self.pause(pause).await?;
            pause = (pause * 3 / 2).min(SLOWEST);
        }
        if last.is_some() {
            // The code has done its work.
            record.code = None;
            keep(records, record)?;
        }
        Ok(last)
    }

    /// The collector's present word on an upload.
    pub(super) async fn status(&self, url: &str) -> Result<UploadStatus, UploadError> {
        let request = self.request(Method::GET, url)?;
        let response = self
            .send_request(request, "cannot ask for the verdict")
            .await?;
        client::json(response).await
    }
}

/// Remembers, where there is anything to remember with.
fn keep(records: Option<&Records>, record: &Record) -> Result<(), UploadError> {
    records.map_or(Ok(()), |records| records.save(record))
}

fn note(record: &mut Record, status: &UploadStatus) {
    record.receipt = status.receipt.clone();
    record.ticket = Some(status.ticket_key.clone());
    record.ticket_url = Some(status.ticket_url.clone());
    record.verdict = status.verdict.map(|verdict| word(verdict).to_owned());
}

/// The word of a verdict in records and results.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pending => "pending",
        Verdict::Ready => "ready",
        Verdict::Rejected => "rejected",
        Verdict::Quarantined => "quarantined",
    }
}
