//! The requests of tus 1.0: create, ask for the offset, append.

use super::UploadError;
use super::client::Collector;
use futures_util::stream;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Body, Method, Response};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes of one PATCH: what a lost connection costs at most.
pub const PATCH_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes handed to the connection at a time.
const CHUNK_BYTES: usize = 64 * 1024;
const VERSION: &str = "1.0.0";

/// `Upload-Metadata` of a creation.
pub fn metadata(pairs: &[(&str, &str)]) -> String {
    let encoded = pairs
        .iter()
        .map(|(key, value)| format!("{key} {}", base64(value.as_bytes())));
    encoded.collect::<Vec<_>>().join(",")
}

/// Makes an upload and returns its address, which must be the collector's own. Without a length it is
/// said with a later part.
pub async fn create(
    to: &Collector,
    length: Option<u64>,
    metadata: &str,
) -> Result<String, UploadError> {
    let base = format!("{}/api/v1/uploads", to.destination.base_url());
    let request = to
        .request(Method::POST, &base)?
        .header("Tus-Resumable", VERSION)
        .header("Upload-Metadata", metadata);
    let request = match length {
        Some(length) => request.header("Upload-Length", length),
        None => request.header("Upload-Defer-Length", 1),
    };
    let response = match to.send_request(request, "cannot begin the upload").await {
        // At this address "not known" cannot mean the upload.
        Err(UploadError::Gone) => {
            return Err(UploadError::Protocol(
                "no upload service at this address".to_owned(),
            ));
        }
        other => other?,
    };
    let place = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| UploadError::Protocol("no Location".to_owned()))?;
    own_address(&base, place)
}

fn own_address(base: &str, place: &str) -> Result<String, UploadError> {
    let base =
        reqwest::Url::parse(base).map_err(|error| UploadError::Protocol(error.to_string()))?;
    let url = base
        .join(place)
        .map_err(|error| UploadError::Protocol(error.to_string()))?;
    if url.origin() != base.origin() {
        return Err(UploadError::Protocol(format!(
            "it wants the bytes at {}",
            url.authority()
        )));
    }
    Ok(url.into())
}

/// The offset the collector has safely stored.
pub async fn offset(to: &Collector, url: &str) -> Result<u64, UploadError> {
    let request = to
        .request(Method::HEAD, url)?
        .header("Tus-Resumable", VERSION);
    offset_of(
        &to.send_request(request, "cannot continue the upload")
            .await?,
    )
}

fn offset_of(response: &Response) -> Result<u64, UploadError> {
    response
        .headers()
        .get("Upload-Offset")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| UploadError::Protocol("no Upload-Offset".to_owned()))
}

/// Where the bytes of a part are.
pub enum Source<'a> {
    /// In a file, from the part's offset on.
    File(&'a Path),
    /// Here, and nowhere else.
    Memory(Vec<u8>),
}

/// A part of a bundle on its way out.
pub struct Part<'a> {
    /// The bytes.
    pub source: Source<'a>,
    /// From here.
    pub offset: u64,
    /// This many bytes.
    pub length: u64,
    /// Length of the whole, where it was not said before.
    pub total: Option<u64>,
    /// Most bytes a second.
    pub max_rate: Option<u64>,
    /// Counts bytes that left.
    pub sent: Arc<AtomicU64>,
}

/// Appends a part and returns the collector's new offset.
pub async fn append(to: &Collector, url: &str, part: Part<'_>) -> Result<u64, UploadError> {
    let mut request = to
        .request(Method::PATCH, url)?
        .header("Tus-Resumable", VERSION)
        .header("Upload-Offset", part.offset)
        .header(CONTENT_TYPE, "application/offset+octet-stream")
        .header(reqwest::header::CONTENT_LENGTH, part.length);
    if let Some(total) = part.total {
        request = request.header("Upload-Length", total);
    }
    let request = request.body(body(part)?);
    offset_of(&to.send_request(request, "connection lost").await?)
}

fn body(part: Part<'_>) -> Result<Body, UploadError> {
    let reader: Box<dyn Read + Send> = match part.source {
        Source::Memory(bytes) => Box::new(std::io::Cursor::new(bytes).take(part.length)),
        Source::File(path) => {
            let fault = |source| UploadError::File {
                path: path.to_path_buf(),
                source,
            };
            let mut file = File::open(path).map_err(fault)?;
            file.seek(SeekFrom::Start(part.offset)).map_err(fault)?;
            Box::new(file.take(part.length))
        }
    };
    let (sent, max_rate) = (part.sent, part.max_rate);
    let began = Instant::now();
    let chunks = stream::try_unfold((reader, 0u64), move |(mut file, mut total)| {
        let sent = Arc::clone(&sent);
        async move {
            if let Some(rate) = max_rate.filter(|rate| *rate > 0) {
                let due = Duration::from_secs_f64(total as f64 / rate as f64);
                tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            }
            // Under a limit smaller bites keep the flow even.
            let bite = max_rate.map_or(CHUNK_BYTES, |rate| {
                usize::try_from(rate / 4)
                    .unwrap_or(CHUNK_BYTES)
                    .clamp(1024, CHUNK_BYTES)
            });
            let mut chunk = vec![0u8; bite];
            let count = file.read(&mut chunk)?;
            if count == 0 {
                return Ok::<_, std::io::Error>(None);
            }
            chunk.truncate(count);
            total += count as u64;
            sent.fetch_add(count as u64, Ordering::Relaxed);
            Ok(Some((chunk, (file, total))))
        }
    });
    Ok(Body::wrap_stream(chunks))
}

/// Gives an unfinished upload up, so that the collector forgets it.
pub async fn terminate(to: &Collector, url: &str) -> Result<(), UploadError> {
    let request = to
        .request(Method::DELETE, url)?
        .header("Tus-Resumable", VERSION);
    to.send_request(request, "cannot give the upload up")
        .await
        .map(drop)
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            if place <= group.len() {
                let index = (word >> (18 - 6 * place)) & 63;
                text.push(char::from(ALPHABET[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_base64() {
        for (plain, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), expected);
        }
        assert_eq!(metadata(&[("a", "foo"), ("b", "f")]), "a Zm9v,b Zg==");
    }

    #[test]
    fn the_code_is_only_sent_to_the_collector_itself() {
        let base = "https://s.example.com/api/v1/uploads";
        assert_eq!(
            own_address(base, "/api/v1/uploads/7").ok().as_deref(),
            Some("https://s.example.com/api/v1/uploads/7")
        );
        assert!(own_address(base, "https://evil.example.com/x").is_err());
        assert!(own_address(base, "http://s.example.com/api/v1/uploads/7").is_err());
    }
}
