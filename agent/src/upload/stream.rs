//! Sending a bundle while it is made: tus with deferred length, from memory. A piece is kept until the
//! collector has acknowledged it, so a lost connection costs nothing; a killed run costs everything,
//! since nothing is on this disk.

use super::client::Collector;
use super::state::Record;
use super::{UploadError, retry, tus, withdraw};
use crate::bundle::Piece;
use crate::ui::Ui;
use sitrep_shared::protocol::metadata;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// A piece that is not through after this long is sent again. A megabyte at 10 kB/s still fits.
const PIECE_TIMEOUT: Duration = Duration::from_secs(120);

/// A bundle on the road.
pub struct Outbound<'a> {
    /// Its name for the collector.
    pub name: &'a str,
    /// How it was agreed to, as the collector stores it.
    pub consent: &'a str,
    /// With this the bundle can be taken back.
    pub withdrawal_code: &'a str,
    /// Most bytes a second.
    pub max_rate: Option<u64>,
}

/// What arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Where the collector has it.
    pub url: String,
    /// Bytes it has acknowledged.
    pub bytes: u64,
    /// Time of sending.
    pub seconds: f64,
}

impl Collector {
    /// Sends what comes until its end. When it breaks off without one, the upload is given up: half a
    /// bundle stays nobody's.
    pub fn stream(
        &self,
        out: &Outbound<'_>,
        pieces: &Receiver<Piece>,
    ) -> Result<Arrived, UploadError> {
        let began = Instant::now();
        self.runtime.block_on(async {
            let metadata = tus::metadata(&[
                (metadata::FILENAME, out.name),
                (metadata::CONSENT, out.consent),
                (metadata::WITHDRAWAL, &withdraw::digest(out.withdrawal_code)),
            ]);
            let url = self.begin(&metadata).await?;
            match self.pass_on(out, &url, pieces).await {
                Ok(bytes) => Ok(Arrived {
                    url,
                    bytes,
                    seconds: began.elapsed().as_secs_f64(),
                }),
                Err(error) => {
                    // When the collector cannot be reached, it lapses by itself.
                    let _ = tokio::time::timeout(PIECE_TIMEOUT, self.give_up(&url)).await;
                    Err(error)
                }
            }
        })
    }

    async fn begin(&self, metadata: &str) -> Result<String, UploadError> {
        let mut tries = 0;
        loop {
            match tus::create(self, None, metadata).await {
                Err(error) if error.is_transient() && tries < retry::MAX_TRIES => {
                    tries += 1;
                    let pause = retry::pause(tries, retry::random(), error.retry_after());
                    self.pause(pause).await?;
                }
                other => return other,
            }
        }
    }

    async fn pass_on(
        &self,
        out: &Outbound<'_>,
        url: &str,
        pieces: &Receiver<Piece>,
    ) -> Result<u64, UploadError> {
        let mut offset = 0;
        // The last piece carries the length, so one is always held back.
        let mut waiting: Option<Vec<u8>> = None;
        loop {
            match pieces.recv() {
                Ok(Piece::Bytes(bytes)) => {
                    if let Some(before) = waiting.replace(bytes) {
                        offset = self.deliver(out, url, offset, before, false).await?;
                    }
                }
                Ok(Piece::End) => {
                    let last = waiting.unwrap_or_default();
                    return self.deliver(out, url, offset, last, true).await;
                }
                Err(_) => {
                    let signal = self.interrupt.signal();
                    return Err(signal.map_or(UploadError::Broken, |signal| {
                        UploadError::Interrupted(signal.exit())
                    }));
                }
            }
        }
    }

    /// Sends one piece until it is acknowledged, from wherever the collector stands.
    async fn deliver(
        &self,
        out: &Outbound<'_>,
        url: &str,
        offset: u64,
        mut bytes: Vec<u8>,
        last: bool,
    ) -> Result<u64, UploadError> {
        let end = offset + bytes.len() as u64;
        let (mut at, mut tries) = (offset, 0);
        loop {
            let part = tus::Part {
                source: tus::Source::Memory(bytes.clone()),
                offset: at,
                length: bytes.len() as u64,
                total: last.then_some(end),
                max_rate: out.max_rate,
                sent: Arc::new(AtomicU64::new(0)),
            };
            let sent = tokio::time::timeout(PIECE_TIMEOUT, tus::append(self, url, part)).await;
            let outcome = sent.unwrap_or(Err(UploadError::Stalled(PIECE_TIMEOUT.as_secs())));
            let error = match outcome {
                Ok(next) if next == end => return Ok(end),
                Ok(next) => UploadError::Protocol(format!("offset {next} instead of {end}")),
                Err(error) => error,
            };
            let moved = matches!(error, UploadError::Answer { status: 409, .. });
            if !(error.is_transient() || moved) || tries >= retry::MAX_TRIES {
                return Err(error);
            }
            tries += 1;
            self.pause(retry::pause(tries, retry::random(), error.retry_after()))
                .await?;
            // Where it stands now; when that cannot be asked, the next try says so.
            if let Ok(stands) = tus::offset(self, url).await {
                if stands < at || stands > end {
                    let text = format!("offset {stands} is not between {at} and {end}");
                    return Err(UploadError::Protocol(text));
                }
                if stands == end && (!last || at == end) {
                    return Ok(end);
                }
                bytes.drain(..usize::try_from(stands - at).unwrap_or(bytes.len()));
                at = stands;
            }
        }
    }

    /// Ctrl-C must not keep half a bundle there, so this is sent whatever came.
    async fn give_up(&self, url: &str) -> Result<(), UploadError> {
        let request = self
            .request(reqwest::Method::DELETE, url)?
            .header("Tus-Resumable", "1.0.0");
        let _ = request.send().await;
        Ok(())
    }

    /// Waits for the verdict on what arrived; nothing is remembered on disk.
    pub fn verdict_on(
        &self,
        ui: &mut Ui,
        arrived: &Arrived,
        sha256: &str,
        withdrawal_code: &str,
    ) -> Result<(super::Sent, Record), UploadError> {
        let mut record = Record {
            sha256: sha256.to_owned(),
            length: arrived.bytes,
            offset: arrived.bytes,
            complete: true,
            upload_url: Some(arrived.url.clone()),
            withdrawal_code: Some(withdrawal_code.to_owned()),
            base_url: self.destination.base_url().to_owned(),
            ..Record::default()
        };
        let status = self
            .runtime
            .block_on(self.verdict(ui, sha256, None, &mut record))?;
        let theirs = status.as_ref().and_then(|status| status.sha256.as_ref());
        let confirmed = theirs.is_some_and(|theirs| theirs.to_string() == sha256);
        let sent = super::Sent {
            status,
            confirmed,
            resumed_from: None,
            seconds: arrived.seconds,
        };
        Ok((sent, record))
    }
}
