//! Bytes of strangers as an answer: always an attachment of no type, never sniffed, never run; by range when asked.

use std::convert::Infallible;
use std::io::Read;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use crate::bundles::download::{Ask, Span, ask, safe_name};
use crate::error::AppError;

/// Bytes read and sent at a time.
const PIECE_BYTES: usize = 128 * 1024;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attachment<'a> {
    /// The stranger's name for it.
    pub(crate) name: &'a str,
    /// Strong entity tag, quoted: contents never change.
    pub(crate) tag: &'a str,
    /// Bytes of the whole.
    pub(crate) size: u64,
}

/// What decides which bytes are sent.
#[derive(Debug, Clone)]
pub struct Conditions {
    method: Method,
    headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            method: parts.method.clone(),
            headers: parts.headers.clone(),
        })
    }
}

impl Conditions {
    /// Whether something is taken from its start on, rather than gone on with.
    pub(super) fn begins(&self) -> bool {
        let range = self
            .headers
            .get(RANGE)
            .and_then(|range| range.to_str().ok());
        self.method == Method::GET && range.is_none_or(|range| range.starts_with("bytes=0-"))
    }
}

/// Which bytes are to be sent, or the answer that needs none: 304, 412 or 416.
pub(crate) fn plan(
    Conditions { method, headers }: &Conditions,
    attachment: Attachment<'_>,
) -> Result<(StatusCode, Span), Box<Response>> {
    if !is_meant(headers, attachment.tag) {
        return Err(Box::new(other()));
    }
    if unchanged(headers, attachment.tag) {
        return Err(Box::new(not_modified(attachment.tag)));
    }
    let fits = headers
        .get(IF_RANGE)
        .is_none_or(|value| value.as_bytes() == attachment.tag.as_bytes());
    let range = headers
        .get(RANGE)
        // A range has a meaning for GET only.
        .filter(|_| fits && *method == Method::GET)
        .and_then(|value| value.to_str().ok());
    match ask(range, attachment.size) {
        Ask::Whole => Ok((
            StatusCode::OK,
            Span {
                from: 0,
                bytes: attachment.size,
            },
        )),
        Ask::Part(span) => Ok((StatusCode::PARTIAL_CONTENT, span)),
        Ask::Outside => Err(Box::new(outside(attachment.size))),
    }
}

/// Answers with the bytes of a reader that stands at the span.
pub(crate) fn send(
    attachment: Attachment<'_>,
    (status, span): (StatusCode, Span),
    reader: Box<dyn Read + Send>,
) -> Response {
    let mut response = (status, Body::from_stream(pieces(reader))).into_response();
    immutable(&mut response, attachment.tag);
    put(&mut response, CONTENT_TYPE, "application/octet-stream");
    put(&mut response, CONTENT_LENGTH, &span.bytes.to_string());
    put(&mut response, ACCEPT_RANGES, "bytes");
    put(
        &mut response,
        CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'",
    );
    put(
        &mut response,
        CONTENT_DISPOSITION,
        &format!("attachment; filename=\"{}\"", safe_name(attachment.name)),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let last = span.from + span.bytes - 1;
        put(
            &mut response,
            CONTENT_RANGE,
            &format!("bytes {}-{last}/{}", span.from, attachment.size),
        );
    }
    response
}

/// Reads off the async threads, a piece at a time, and only as fast as the client takes them.
fn pieces(
    reader: Box<dyn Read + Send>,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold(reader, |mut reader| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0u8; PIECE_BYTES];
            let mut filled = 0;
            while filled < piece.len() {
                match reader.read(&mut piece[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
            piece.truncate(filled);
            Ok::<_, std::io::Error>((piece, reader))
        });
        let (piece, reader) = read.await.map_err(std::io::Error::other)??;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), reader)))
    })
}

/// Whether these are bytes that the client means, when it says which. A weak tag never means them.
fn is_meant(headers: &HeaderMap, tag: &str) -> bool {
    let mut lines = headers.get_all(IF_MATCH).iter().peekable();
    lines.peek().is_none()
        || lines
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .any(|one| one == "*" || one == tag)
}

/// 412.
fn other() -> Response {
    let error = AppError::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "these are not the bytes that If-Match names",
    );
    error.into_response()
}

/// Whether the client has these very bytes.
pub(crate) fn unchanged(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// 304.
pub(crate) fn not_modified(tag: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    immutable(&mut response, tag);
    response
}

/// Contents of a bundle never change; only this reader may keep them.
pub(crate) fn immutable(response: &mut Response, tag: &str) {
    put(response, ETAG, tag);
    put(
        response,
        CACHE_CONTROL,
        "private, max-age=31536000, immutable",
    );
    put(response, X_CONTENT_TYPE_OPTIONS, "nosniff");
}

fn outside(size: u64) -> Response {
    let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    put(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
    response
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn get(pairs: &[(HeaderName, &'static str)]) -> Response {
        asked(Method::GET, pairs)
    }

    fn asked(method: Method, pairs: &[(HeaderName, &'static str)]) -> Response {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        let attachment = Attachment {
            name: "../a\"b.html",
            tag: "\"t\"",
            size: 10,
        };
        match plan(&Conditions { method, headers }, attachment) {
            Err(response) => *response,
            Ok((status, span)) => {
                let from = usize::try_from(span.from).unwrap();
                let data =
                    b"0123456789"[from..from + usize::try_from(span.bytes).unwrap()].to_vec();
                send(
                    attachment,
                    (status, span),
                    Box::new(std::io::Cursor::new(data)),
                )
            }
        }
    }

    #[tokio::test]
    async fn whole_part_none_and_unchanged() {
        let whole = get(&[]);
        assert_eq!(
            whole.headers()["content-disposition"],
            "attachment; filename=\"a_b.html\""
        );
        assert_eq!(whole.headers()["content-type"], "application/octet-stream");
        assert!(
            whole.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("sandbox")
        );
        assert_eq!(
            &whole.into_body().collect().await.unwrap().to_bytes()[..],
            b"0123456789"
        );
        let part = get(&[(RANGE, "bytes=2-4")]);
        assert_eq!(
            (part.status().as_u16(), &part.headers()["content-range"]),
            (206, &HeaderValue::from_static("bytes 2-4/10"))
        );
        assert_eq!(
            &part.into_body().collect().await.unwrap().to_bytes()[..],
            b"234"
        );
        assert_eq!(get(&[(RANGE, "bytes=10-")]).status().as_u16(), 416);
        assert_eq!(get(&[(IF_NONE_MATCH, "\"t\"")]).status().as_u16(), 304);
        assert_eq!(
            get(&[(RANGE, "bytes=2-4"), (IF_RANGE, "\"old\"")])
                .status()
                .as_u16(),
            200
        );
    }

    #[test]
    fn bytes_that_are_not_meant_are_not_sent() {
        for (meant, expected) in [
            ("\"t\"", 200),
            ("\"old\", \"t\"", 200),
            ("*", 200),
            ("\"old\"", 412),
            ("W/\"t\"", 412),
            ("", 412),
        ] {
            let response = get(&[(IF_MATCH, meant)]);
            assert_eq!(response.status().as_u16(), expected, "{meant}");
        }
        let first = get(&[(IF_MATCH, "\"old\""), (IF_NONE_MATCH, "\"t\"")]);
        assert_eq!(first.status().as_u16(), 412);
    }

    #[test]
    fn the_head_of_a_part_is_that_of_the_whole() {
        for range in ["bytes=2-4", "bytes=10-"] {
            let response = asked(Method::HEAD, &[(RANGE, range)]);
            assert_eq!(response.status().as_u16(), 200);
            assert_eq!(response.headers()["content-length"], "10");
        }
    }
}
