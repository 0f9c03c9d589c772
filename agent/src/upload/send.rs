//! Sending a bundle so that it arrives: from the offset the collector names, through lost
//! connections, restarts and full disks, or to an error that says how to go on.

use super::client::Collector;
use super::state::{Record, Records};
use super::{UploadError, retry, tus, withdraw};
use crate::ui::{Bar, Line, Tone, Ui};
use sitrep_shared::protocol::{UploadStatus, metadata};
use sitrep_shared::size::{format_bytes, format_duration_ms};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the bar moves.
const FRAME: Duration = Duration::from_millis(200);
/// No byte moved and no answer came: the connection is dead.
const STALLED: Duration = Duration::from_secs(60);

/// A sealed bundle that was agreed to.
pub struct Outgoing<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its name for the collector.
    pub name: &'a str,
    /// Its sha256 in hex.
    pub sha256: &'a str,
    /// Its length.
    pub length: u64,
    /// How it was agreed to, as the collector stores it.
    pub consent: &'a str,
    /// Most bytes a second.
    pub max_rate: Option<u64>,
    /// Where uploads are remembered.
    pub records: &'a Records,
}

/// What came of it.
#[derive(Debug)]
pub struct Sent {
    /// The collector's last word; absent when it does not tell.
    pub status: Option<UploadStatus>,
    /// The collector confirmed the digest.
    pub confirmed: bool,
    /// Where an upload that was begun before went on; none when it began now.
    pub resumed_from: Option<u64>,
    /// Time of sending.
    pub seconds: f64,
}

impl Collector {
    /// Sends or continues. `record` holds what is known of the upload and is kept up to date on disk.
    pub fn send(
        &self,
        ui: &mut Ui,
        out: &Outgoing<'_>,
        record: &mut Record,
    ) -> Result<Sent, UploadError> {
        let began = Instant::now();
        out.records.save(record)?;
        self.runtime.block_on(async {
            let resumed_from = self.transfer(ui, out, record).await?;
            let seconds = began.elapsed().as_secs_f64();
            let status = self
                .verdict(ui, out.sha256, Some(out.records), record)
                .await?;
            let confirmed = status
                .as_ref()
                .and_then(|status| status.sha256.as_ref())
                .map(ToString::to_string);
            let confirmed = confirmed.is_some_and(|sha256| sha256 == out.sha256);
            Ok(Sent {
                status,
                confirmed,
                resumed_from,
                seconds,
            })
        })
    }

    async fn transfer(
        &self,
        ui: &mut Ui,
        out: &Outgoing<'_>,
        record: &mut Record,
    ) -> Result<Option<u64>, UploadError> {
        let mut tries = 0;
        let mut resumed_from = None;
        loop {
            let before = record.offset;
            let error = match self.attempt(ui, out, record, &mut resumed_from).await {
                Ok(()) => return Ok(resumed_from),
                Err(error) => error,
            };
            if record.offset > before {
                tries = 0;
            }
            tries += 1;
            record.attempts += 1;
            out.records.save(record)?;
            let lost = matches!(error, UploadError::Gone) && record.upload_url.is_some();
            let moved = matches!(error, UploadError::Answer { status: 409, .. });
            if !(error.is_transient() || lost || moved) || tries > retry::MAX_TRIES {
                return Err(error);
            }
            if lost {
                (record.upload_url, record.offset) = (None, 0);
                continue;
            }
            let pause = retry::pause(tries, retry::random(), error.retry_after());
            let time = format_duration_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            let text = ui.say(
                "retrying",
                &[
                    ("why", &error.short()),
                    ("time", &time),
                    ("n", &tries.to_string()),
                    ("max", &retry::MAX_TRIES.to_string()),
                ],
            );
            ui.status(&Line::new().tone(Tone::Warn, "  ! ").text(text));
            self.pause(pause).await?;
        }
    }

    /// From the collector's offset to the end, or to the first error.
    async fn attempt(
        &self,
        ui: &mut Ui,
        out: &Outgoing<'_>,
        record: &mut Record,
        resumed_from: &mut Option<u64>,
    ) -> Result<(), UploadError> {
        let url = match record.upload_url.clone() {
            Some(url) => {
                record.offset = tus::offset(self, &url).await?;
                resumed_from.get_or_insert(record.offset);
                let (done, total) = (format_bytes(record.offset), format_bytes(out.length));
                let text = ui.say("resuming", &[("done", &done), ("total", &total)]);
                ui.status(&Line::of(text));
                url
            }
            None => {
                let withdrawal = record.withdrawal_code.as_deref().map(withdraw::digest);
                let mut pairs = vec![
                    (metadata::FILENAME, out.name),
                    (metadata::SHA256, out.sha256),
                    (metadata::CONSENT, out.consent),
                ];
                // An upload that an older version began has no such code.
                pairs.extend(
                    withdrawal
                        .as_deref()
                        .map(|digest| (metadata::WITHDRAWAL, digest)),
                );
                let metadata = tus::metadata(&pairs);
                let url = tus::create(self, Some(out.length), &metadata).await?;
                (record.upload_url, record.offset) = (Some(url.clone()), 0);
                out.records.save(record)?;
                url
            }
        };
        if record.offset > out.length {
            return Err(UploadError::Protocol(
                "it has more bytes than the file".to_owned(),
            ));
        }
        let mut bar = Bar::new(out.length, record.offset);
        while record.offset < out.length {
            let next = self.append(ui, &mut bar, out, &url, record.offset).await?;
            if next <= record.offset || next > out.length {
                return Err(UploadError::Protocol(format!(
                    "offset {next} after {}",
                    record.offset
                )));
            }
            record.offset = next;
            out.records.save(record)?;
        }
        bar.at(ui, out.length);
        record.complete = true;
        out.records.save(record)
    }

    async fn append(
        &self,
        ui: &mut Ui,
        bar: &mut Bar,
        out: &Outgoing<'_>,
        url: &str,
        offset: u64,
    ) -> Result<u64, UploadError> {
        let sent = Arc::new(AtomicU64::new(0));
        let part = tus::Part {
            source: tus::Source::File(out.path),
            offset,
            length: (out.length - offset).min(tus::PATCH_BYTES),
            total: None,
            max_rate: out.max_rate,
            sent: Arc::clone(&sent),
        };
        let mut work = std::pin::pin!(tus::append(self, url, part));
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(FRAME) => {
                    let now = sent.load(Ordering::Relaxed);
                    if now > last {
                        (last, moved) = (now, Instant::now());
                    } else if moved.elapsed() > STALLED {
                        return Err(UploadError::Stalled(STALLED.as_secs()));
                    }
                    bar.at(ui, offset + now);
                }
            }
        }
    }
}
