//! What tus 1.0 says in headers and statuses, between the service that receives and the routes in `uploads`.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use sitrep_shared::protocol::Problem;
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use crate::bundles::receive::headers::{self, CHECKSUMS, Checksum, EXTENSIONS, Metadata, VERSION};
use crate::bundles::receive::{Append, Create, First, ReceiveError, Receiver};
use crate::db::uploads::UploadRow;

/// Content type of a chunk.
pub(super) const CHUNK: &str = "application/offset+octet-stream";

/// The text of a header, when it is there and ASCII.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::trim)
}

/// The text of a header that must not be overheard: `None` only when it is not there at all.
///
/// # Errors
/// [`ReceiveError::Header`] when it stands there twice, since nobody knows which is meant, or is not ASCII.
pub(super) fn said<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a str>, ReceiveError> {
    let fault = |detail: &str| ReceiveError::Header {
        name,
        detail: detail.to_owned(),
    };
    let mut lines = headers.get_all(name).iter();
    let Some(value) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(fault("more than one line"));
    }
    let text = value.to_str().map_err(|_| fault("not visible ASCII"))?;
    Ok(Some(text.trim()))
}

/// Refuses another version of the protocol, as tus demands, with 412.
pub(super) fn wrong_version(headers: &HeaderMap) -> Option<Response> {
    if text(headers, "tus-resumable") == Some(VERSION) {
        return None;
    }
    let problem = Problem::new(412, "tus_version", "This server speaks tus 1.0.0");
    let mut response = problem_response(412, problem);
    put(&mut response, "tus-version", VERSION);
    put(&mut response, "tus-resumable", VERSION);
    Some(response)
}

/// Reads a creation.
pub(super) fn creation(headers: &HeaderMap) -> Result<Create, ReceiveError> {
    if headers.contains_key("upload-concat") {
        let detail = "concatenation is not spoken here".to_owned();
        return Err(ReceiveError::Header {
            name: "Upload-Concat",
            detail,
        });
    }
    let length = headers::length(
        said(headers, "Upload-Length")?,
        said(headers, "Upload-Defer-Length")?,
    )?;
    let metadata = Metadata::parse(said(headers, "Upload-Metadata")?.unwrap_or_default())?;
    Ok(Create { length, metadata })
}

/// Reads what a PATCH asks for.
pub(super) fn patch(headers: &HeaderMap, upload: Uuid) -> Result<Append, ReceiveError> {
    let offset = said(headers, "Upload-Offset")?.unwrap_or_default();
    let offset = headers::byte_count("Upload-Offset", offset)?;
    let length = said(headers, "Upload-Length")?
        .map(|value| headers::byte_count("Upload-Length", value))
        .transpose()?;
    let First {
        checksum,
        body_bytes,
    } = first(headers)?;
    Ok(Append {
        upload,
        offset,
        length,
        checksum,
        body_bytes,
    })
}

/// Reads what is said of the body of a creation, or of a PATCH.
pub(super) fn first(headers: &HeaderMap) -> Result<First, ReceiveError> {
    let checksum = said(headers, "Upload-Checksum")?
        .map(Checksum::parse)
        .transpose()?;
    Ok(First {
        checksum,
        body_bytes: body_bytes(headers),
    })
}

/// Length of the body, when the client says it.
pub(super) fn body_bytes(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_LENGTH.as_str()).and_then(|value| value.parse().ok())
}

/// Whether the request carries a chunk.
pub(super) fn has_chunk(headers: &HeaderMap) -> bool {
    text(headers, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.eq_ignore_ascii_case(CHUNK))
}

/// An empty answer with what every tus answer has.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    put(&mut response, "tus-resumable", VERSION);
    response
}

/// 415: a PATCH of another content type.
pub(super) fn wrong_type() -> Response {
    let problem = Problem::new(
        415,
        "content_type",
        "A chunk is application/offset+octet-stream",
    );
    let mut response = problem_response(415, problem);
    put(&mut response, "tus-resumable", VERSION);
    response
}

/// 204 with what this server can do.
pub(super) fn options(max_bytes: u64) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    put(&mut response, "tus-version", VERSION);
    put(&mut response, "tus-extension", EXTENSIONS);
    put(&mut response, "tus-checksum-algorithm", CHECKSUMS);
    put(&mut response, "tus-max-size", &max_bytes.to_string());
    response
}

/// 201 with the address of the new upload.
pub(super) fn created(receiver: &Receiver, row: &UploadRow) -> Response {
    let mut response = empty(StatusCode::CREATED);
    put(
        &mut response,
        LOCATION.as_str(),
        &format!("/api/v1/uploads/{}", row.id),
    );
    standing(&mut response, receiver, row);
    response
}

/// 204 after a chunk.
pub(super) fn appended(receiver: &Receiver, row: &UploadRow) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    standing(&mut response, receiver, row);
    response
}

/// 200 with where an upload stands and what is known of it.
pub(super) fn head(receiver: &Receiver, row: &UploadRow) -> Response {
    let mut response = empty(StatusCode::OK);
    standing(&mut response, receiver, row);
    put(&mut response, CACHE_CONTROL.as_str(), "no-store");
    match row.length_bytes {
        Some(length) => put(&mut response, "upload-length", &length.to_string()),
        None => put(&mut response, "upload-defer-length", "1"),
    }
    if !row.metadata.is_empty() {
        put(&mut response, "upload-metadata", &row.metadata);
    }
    response
}

fn standing(response: &mut Response, receiver: &Receiver, row: &UploadRow) {
    put(response, "upload-offset", &row.offset_bytes.to_string());
    if row.is_open() {
        put(
            response,
            "upload-expires",
            &http_date(receiver.lapses_ms(row)),
        );
    }
}

pub(super) fn put(response: &mut Response, name: &str, value: &str) {
    // Values are our own words and numbers, or a header that came in as one.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}

/// The date form of RFC 9110.
fn http_date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_else(|_| UtcMs(ms).rfc3339())
}

/// The answer to a request that was not carried out.
pub(super) fn refusal(error: &ReceiveError) -> Response {
    let (status, code, title) = kind(error);
    let mut problem = Problem::new(status, code, title);
    // The text of faults of our own stays in the log.
    if status < 500 {
        problem.detail = Some(error.to_string());
    } else {
        tracing::error!(error = %sitrep_shared::error::chain(error), "an upload request failed");
    }
    let mut response = problem_response(status, problem);
    put(&mut response, "tus-resumable", VERSION);
    match error {
        ReceiveError::Offset { actual } => put(&mut response, "upload-offset", &actual.to_string()),
        ReceiveError::Slow { committed } | ReceiveError::Broken { committed } => {
            put(&mut response, "upload-offset", &committed.to_string());
        }
        _ if matches!(status, 429 | 503 | 507) => {
            put(&mut response, RETRY_AFTER.as_str(), "5");
        }
        _ => {}
    }
    response
}

pub(super) fn kind(error: &ReceiveError) -> (u16, &'static str, &'static str) {
    match error {
        ReceiveError::Header { .. } => (400, "bad_header", "A header cannot be read"),
        ReceiveError::LengthSet => (400, "length_set", "The length is already set"),
        ReceiveError::Broken { .. } => (400, "body_broken", "The request body broke off"),
        ReceiveError::CodeUsed => (
            401,
            sitrep_shared::protocol::problem::CODE_INVALID,
            "The code is not valid",
        ),
        ReceiveError::Unknown => (404, "not_found", "There is no such upload"),
        ReceiveError::Slow { .. } => (408, "too_slow", "No data for too long"),
        ReceiveError::Offset { .. } => (409, "offset_mismatch", "The upload stands elsewhere"),
        ReceiveError::Superseded => (409, "superseded", "A newer request took over"),
        ReceiveError::Gone { .. } => (410, "upload_gone", "The upload has ended"),
        ReceiveError::TooLarge { .. } => (413, "upload_too_large", "The upload is too large"),
        ReceiveError::TooMany => (429, "too_many_uploads", "Too many unfinished uploads"),
        ReceiveError::Checksum => (460, "checksum_mismatch", "The digest does not fit"),
        ReceiveError::Storage(fault) if fault.is_full() => {
            (507, "no_room", "No room for the upload")
        }
        ReceiveError::Db(fault) if fault.is_full() => (507, "no_room", "No room for the upload"),
        ReceiveError::Full => (507, "no_room", "No room for the upload"),
        ReceiveError::Quota { .. } => (507, "quota_exceeded", "The quota is used up"),
        ReceiveError::Busy => (503, "busy", "Too many uploads at once"),
        ReceiveError::Storage(fault) if fault.is_unavailable() => (
            503,
            "unavailable",
            "The collector cannot store the upload now",
        ),
        ReceiveError::Db(_) => (
            503,
            "unavailable",
            "The collector cannot record the upload now",
        ),
        ReceiveError::Storage(_) | ReceiveError::Task(_) | ReceiveError::Unrecorded => {
            (500, "internal", "The collector failed")
        }
    }
}

pub(super) fn problem_response(status: u16, problem: Problem) -> Response {
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    put(
        &mut response,
        CONTENT_TYPE.as_str(),
        "application/problem+json",
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn another_version_is_told_which_is_spoken() {
        assert!(wrong_version(&headers(&[("tus-resumable", "1.0.0")])).is_none());
        for wrong in [headers(&[]), headers(&[("tus-resumable", "0.2.2")])] {
            let response = wrong_version(&wrong).unwrap();
            assert_eq!(
                (
                    response.status().as_u16(),
                    &response.headers()["tus-version"]
                ),
                (412, &HeaderValue::from_static("1.0.0"))
            );
            assert_eq!(response.headers()["tus-resumable"], VERSION);
        }
    }

    #[test]
    fn a_creation_says_its_length_and_no_more_than_is_spoken() {
        assert_eq!(
            creation(&headers(&[("upload-length", "5")]))
                .unwrap()
                .length,
            Some(5)
        );
        for wrong in [
            headers(&[]),
            headers(&[("upload-length", "5"), ("upload-defer-length", "1")]),
            headers(&[("upload-length", "5"), ("upload-concat", "partial")]),
        ] {
            assert!(creation(&wrong).is_err());
        }
    }

    #[test]
    fn what_is_said_twice_or_in_bytes_that_are_no_text_is_refused() {
        let at_zero = headers(&[("upload-offset", "0"), ("upload-length", "5")]);
        let id = Uuid::nil();
        assert!(creation(&at_zero).is_ok() && patch(&at_zero, id).is_ok());
        for name in [
            "upload-offset",
            "upload-length",
            "upload-checksum",
            "upload-metadata",
            "upload-defer-length",
        ] {
            let mut bytes = at_zero.clone();
            let value = HeaderValue::from_bytes(b"sha1 \xff").unwrap();
            bytes.insert(HeaderName::from_static(name), value);
            let mut twice = at_zero.clone();
            for _ in 0..2 {
                twice.append(HeaderName::from_static(name), HeaderValue::from_static("0"));
            }
            for wrong in [bytes, twice] {
                let refused = [creation(&wrong).err(), patch(&wrong, id).err()];
                let named = refused.iter().flatten().any(|error| {
                    matches!(error, ReceiveError::Header { name: of, .. } if of.eq_ignore_ascii_case(name))
                });
                assert!(named, "{name}: {refused:?}");
            }
        }
    }

    #[test]
    fn refusals_have_the_statuses_of_the_protocol() {
        let gone = ReceiveError::Gone {
            reason: "expired".into(),
        };
        for (error, status) in [
            (ReceiveError::Checksum, 460),
            (ReceiveError::Offset { actual: 7 }, 409),
            (ReceiveError::Full, 507),
            (ReceiveError::Quota { of: "ticket" }, 507),
            (ReceiveError::Busy, 503),
            (ReceiveError::Unknown, 404),
            (gone, 410),
        ] {
            assert_eq!(refusal(&error).status().as_u16(), status);
        }
        assert_eq!(
            refusal(&ReceiveError::Offset { actual: 7 }).headers()["upload-offset"],
            "7"
        );
    }

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
