//! A tus client that does not give up: whatever happens to collector, line or store, it asks where the upload stands
//! and goes on, and complains when an acknowledged byte is not there.

use reqwest::blocking::{Client, RequestBuilder, Response};
use sitrep_shared::hash::sha256;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a client waits for a collector that is down or refuses.
const PATIENCE: Duration = Duration::from_secs(240);
/// Pause before it asks again.
const PAUSE: Duration = Duration::from_millis(30);

/// Uploads with one code.
pub struct Uploader<'a> {
    /// Where the collector, or a proxy in front of it, is.
    pub base: String,
    /// The upload code.
    pub code: String,
    /// Bytes of a request.
    pub chunk: usize,
    /// Counts acknowledgements.
    pub acknowledged: &'a AtomicU64,
    client: Client,
}

/// An upload that the client believes complete.
pub struct Sent {
    /// Digest of what was sent, hex.
    pub sha256: String,
    /// Its id.
    pub id: String,
}

impl<'a> Uploader<'a> {
    /// An uploader that waits at most `timeout` for each answer.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(
        base: &str,
        code: &str,
        chunk: usize,
        timeout: Duration,
        acknowledged: &'a AtomicU64,
    ) -> Result<Self, String> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().timeout(timeout).no_proxy().build();
        Ok(Self {
            base: base.to_owned(),
            code: code.to_owned(),
            chunk,
            acknowledged,
            client: client.map_err(|error| error.to_string())?,
        })
    }

    /// One request; none when there was no answer or a 5xx.
    fn once(&self, request: RequestBuilder) -> Result<Response, String> {
        let request = request
            .bearer_auth(&self.code)
            .header("Tus-Resumable", "1.0.0");
        match request.send() {
            Ok(response) if response.status().as_u16() < 500 => Ok(response),
            Ok(response) => Err(response.status().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Asks until there is an answer.
    fn ask(&self, mut request: impl FnMut() -> RequestBuilder) -> Result<Response, String> {
        let began = Instant::now();
        loop {
            match self.once(request()) {
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => std::thread::park_timeout(PAUSE),
                // Too many uploads whose addresses were lost with a connection: they count until they are given up.
                Ok(answer) if answer.status() == 429 && began.elapsed() < PATIENCE => {
                    std::thread::park_timeout(PAUSE);
                }
                done => return done,
            }
        }
    }

    /// Makes an upload; its URL.
    ///
    /// # Errors
    /// When the collector refuses, or does not answer for long.
    pub fn create(&self, bytes: usize) -> Result<String, String> {
        let url = format!("{}/api/v1/uploads", self.base);
        let made = self.ask(|| self.client.post(&url).header("Upload-Length", bytes))?;
        let place = made.headers().get("location");
        let place = place.and_then(|place| place.to_str().ok());
        let place = place.ok_or_else(|| format!("no upload: {}", made.status()))?;
        Ok(format!("{}{place}", self.base))
    }

    /// Asks for an upload once; the answer, whatever it is.
    ///
    /// # Errors
    /// When there is none.
    pub fn create_once(&self, bytes: usize) -> Result<Response, String> {
        let url = format!("{}/api/v1/uploads", self.base);
        let ask = || {
            let request = self.client.post(&url).bearer_auth(&self.code);
            let request = request.header("Tus-Resumable", "1.0.0");
            request.header("Upload-Length", bytes).send()
        };
        // A connection that was kept may have ended with an early answer; that is no answer to this request.
        ask().or_else(|_| ask()).map_err(|error| error.to_string())
    }

    /// The request that sends the bytes from an offset on, at most a chunk.
    pub fn patch(&self, url: &str, data: &[u8], at: usize) -> RequestBuilder {
        let end = (at + self.chunk).min(data.len());
        self.client
            .patch(url)
            .bearer_auth(&self.code)
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Offset", at)
            .header("Content-Type", "application/offset+octet-stream")
            .body(data[at..end].to_vec())
    }

    /// Where an upload stands by the collector's word.
    ///
    /// # Errors
    /// When it is gone, or the collector does not answer for long.
    pub fn stands(&self, url: &str) -> Result<usize, String> {
        let began = Instant::now();
        loop {
            let head = self.ask(|| self.client.head(url))?;
            match head.status().as_u16() {
                200 => return offset(&head),
                // Another request of ours has the turn, somewhere.
                409 if began.elapsed() < PATIENCE => std::thread::park_timeout(PAUSE),
                status => return Err(format!("{url} is gone: {status}")),
            }
        }
    }

    /// Sends what is missing, from `at` on.
    ///
    /// # Errors
    /// When an acknowledged byte is not there any more, or the collector does not answer for long.
    pub fn go_on(&self, url: &str, data: &[u8], mut at: usize) -> Result<Sent, String> {
        let mut wholes = 0;
        loop {
            match self.once(self.patch(url, data, at)) {
                Ok(done) if done.status() == 204 => {
                    at = offset(&done)?;
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                    if at == data.len() {
                        break;
                    }
                }
                // Killed, cut, or another offset than we knew: the collector says where to go on.
                _ => {
                    let stands = self.stands(url)?;
                    if stands < at {
                        return Err(format!(
                            "{url}: {at} were acknowledged, and {stands} are there"
                        ));
                    }
                    at = stands;
                    wholes += usize::from(at == data.len());
                    if wholes > 1 {
                        break;
                    }
                }
            }
        }
        Ok(Sent {
            sha256: sha256(data).to_string(),
            id: url.rsplit('/').next().unwrap_or_default().to_owned(),
        })
    }

    /// One upload whose bytes all come with its creation, in one request.
    ///
    /// # Errors
    /// When it is not complete by the answer.
    pub fn whole(&self, data: &[u8]) -> Result<Sent, String> {
        let url = format!("{}/api/v1/uploads", self.base);
        let request = self.client.post(&url).header("Upload-Length", data.len());
        let request = request.header("Content-Type", "application/offset+octet-stream");
        let made = self.once(request.body(data.to_vec()))?;
        if made.status() != 201 || offset(&made)? != data.len() {
            return Err(format!("the upload is not complete: {}", made.status()));
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        let place = made.headers().get("location");
        let place = place.and_then(|place| place.to_str().ok());
        Ok(Sent {
            sha256: sha256(data).to_string(),
            id: place
                .and_then(|place| place.rsplit('/').next())
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// One upload from its creation to its end.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::go_on`].
    pub fn upload(&self, data: &[u8]) -> Result<Sent, String> {
        let url = self.create(data.len())?;
        self.go_on(&url, data, 0)
    }
}

/// The offset that an answer tells.
///
/// # Errors
/// When it tells none.
pub fn offset(response: &Response) -> Result<usize, String> {
    let offset = response.headers().get("upload-offset");
    let offset = offset.and_then(|value| value.to_str().ok()?.parse().ok());
    offset.ok_or_else(|| "no offset".to_owned())
}

/// A log of at least so many bytes that no other upload has.
#[must_use]
pub fn log_text(of: u64, number: u64, bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + 64);
    let mut line = 0u64;
    while text.len() < bytes {
        line += 1;
        let entry = format!("Nov 21 14:02:00 host app[{of}]: upload {number} line {line}\n");
        text.extend_from_slice(entry.as_bytes());
    }
    text
}
