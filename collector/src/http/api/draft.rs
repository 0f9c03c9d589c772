//! The IETF's resumable uploads (draft-ietf-httpbis-resumable-upload), for clients that speak it instead of tus: interop
//! versions 5 and 6, which tus-js-client calls `ietf-draft-03` and `ietf-draft-05`. The same uploads, in other words.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use sitrep_shared::protocol::Problem;
use uuid::Uuid;

use super::tus;
use crate::bundles::Bundles;
use crate::bundles::receive::headers::{Metadata, base_name, byte_count};
use crate::bundles::receive::{Append, Create, Grant, ReceiveError};
use crate::db::uploads::UploadRow;

/// The header that says which version of the draft is spoken.
const VERSION: &str = "upload-draft-interop-version";
/// The header that says whether the body is the last of the upload.
const COMPLETE: &str = "upload-complete";
/// Content type of a part from version 6 on.
const PART: &str = "application/partial-upload";
/// Types of the draft's own problems begin so.
const PROBLEMS: &str = "https://iana.org/assignments/http-problem-types#";

/// The draft's interop version, when the request speaks one that is spoken here.
pub(super) fn version(headers: &HeaderMap) -> Option<u8> {
    let version = tus::text(headers, VERSION)?.parse().ok()?;
    matches!(version, 5 | 6).then_some(version)
}

/// Whether the body is the last: a boolean of structured fields.
fn complete(headers: &HeaderMap) -> Result<bool, ReceiveError> {
    match tus::text(headers, COMPLETE) {
        Some("?1") => Ok(true),
        Some("?0") => Ok(false),
        _ => Err(ReceiveError::Header {
            name: "Upload-Complete",
            detail: "neither ?0 nor ?1".to_owned(),
        }),
    }
}

/// `POST`: a new upload with its first bytes, or all of them.
pub(super) async fn create(
    bundles: &Bundles,
    grant: &Grant,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    match creation(bundles, grant, headers, body).await {
        Ok(row) => {
            let mut response = standing(StatusCode::CREATED, &row, headers);
            let place = format!("/api/v1/uploads/{}", row.id);
            tus::put(&mut response, LOCATION.as_str(), &place);
            limit(&mut response, bundles);
            response
        }
        Err(error) => refusal(&error, headers),
    }
}

async fn creation(
    bundles: &Bundles,
    grant: &Grant,
    headers: &HeaderMap,
    body: Body,
) -> Result<UploadRow, ReceiveError> {
    let last = complete(headers)?;
    let said = tus::text(headers, "upload-length")
        .map(|value| byte_count("Upload-Length", value))
        .transpose()?;
    let mut metadata = Metadata::parse(tus::text(headers, "upload-metadata").unwrap_or_default())?;
    if let Some(name) = tus::text(headers, CONTENT_DISPOSITION.as_str()).and_then(named) {
        metadata.filename = name;
    }
    let body_bytes = tus::body_bytes(headers);
    let create = Create {
        length: said.or(body_bytes.filter(|_| last)),
        metadata,
    };
    let row = bundles.receiver.create(grant, create).await?;
    if !row.is_open() || (body_bytes == Some(0) && !last) {
        return Ok(row);
    }
    let request = Append {
        upload: id(&row.id)?,
        offset: 0,
        length: None,
        checksum: None,
        body_bytes,
    };
    match append(bundles, grant, request, last, body).await {
        // The upload is there: its address is worth more to the client than the fault.
        Err(ReceiveError::Broken { .. } | ReceiveError::Slow { .. }) => {
            bundles.receiver.find(&grant.code_id, id(&row.id)?).await
        }
        other => other,
    }
}

/// Appends, and ends an upload whose length nobody said.
async fn append(
    bundles: &Bundles,
    grant: &Grant,
    request: Append,
    last: bool,
    body: Body,
) -> Result<UploadRow, ReceiveError> {
    let upload = request.upload;
    let row = bundles
        .receiver
        .append(&grant.code_id, request, body.into_data_stream())
        .await?;
    if last && row.is_open() && row.length_bytes.is_none() {
        return bundles
            .receiver
            .close(&grant.code_id, upload, row.offset_bytes)
            .await;
    }
    Ok(row)
}

/// `PATCH`: the next bytes.
pub(super) async fn patch(
    bundles: &Bundles,
    grant: &Grant,
    upload: &str,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let kind = tus::text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    if version(headers) == Some(6) && !kind.eq_ignore_ascii_case(PART) {
        let problem = Problem::new(415, "content_type", "A part is application/partial-upload");
        return tus::problem_response(415, problem);
    }
    let appended = async {
        let offset = tus::text(headers, "upload-offset").unwrap_or_default();
        let request = Append {
            upload: id(upload)?,
            offset: byte_count("Upload-Offset", offset)?,
            length: None,
            checksum: None,
            body_bytes: tus::body_bytes(headers),
        };
        append(bundles, grant, request, complete(headers)?, body).await
    };
    match appended.await {
        Ok(row) => standing(StatusCode::NO_CONTENT, &row, headers),
        Err(error) => refusal(&error, headers),
    }
}

/// `HEAD`: where it stands.
pub(super) async fn head(
    bundles: &Bundles,
    grant: &Grant,
    upload: &str,
    headers: &HeaderMap,
) -> Response {
    let found = async { bundles.receiver.head(&grant.code_id, id(upload)?).await }.await;
    match found {
        Ok(row) => {
            let mut response = standing(StatusCode::NO_CONTENT, &row, headers);
            tus::put(&mut response, CACHE_CONTROL.as_str(), "no-store");
            if let Some(length) = row.length_bytes {
                tus::put(&mut response, "upload-length", &length.to_string());
            }
            limit(&mut response, bundles);
            response
        }
        Err(error) => refusal(&error, headers),
    }
}

/// `DELETE`: the client gives up.
pub(super) async fn delete(
    bundles: &Bundles,
    grant: &Grant,
    upload: &str,
    headers: &HeaderMap,
) -> Response {
    let cancelled = async { bundles.receiver.cancel(&grant.code_id, id(upload)?).await }.await;
    match cancelled {
        Ok(()) => empty(StatusCode::NO_CONTENT, headers),
        Err(error) => refusal(&error, headers),
    }
}

fn empty(status: StatusCode, headers: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if let Some(version) = version(headers) {
        tus::put(&mut response, VERSION, &version.to_string());
    }
    response
}

fn standing(status: StatusCode, row: &UploadRow, headers: &HeaderMap) -> Response {
    let mut response = empty(status, headers);
    tus::put(
        &mut response,
        "upload-offset",
        &row.offset_bytes.to_string(),
    );
    let complete = if row.is_open() { "?0" } else { "?1" };
    tus::put(&mut response, COMPLETE, complete);
    response
}

fn limit(response: &mut Response, bundles: &Bundles) {
    let limits = bundles.receiver.limits();
    let value = format!(
        "max-size={}, max-age={}",
        limits.max_bytes,
        limits.max_age.as_secs()
    );
    tus::put(response, "upload-limit", &value);
}

/// The answer to a request that was not carried out, with the draft's own problem types.
fn refusal(error: &ReceiveError, headers: &HeaderMap) -> Response {
    let mut response = match error {
        ReceiveError::Offset { actual } => {
            let mut problem = serde_json::to_value(Problem::new(
                409,
                "offset_mismatch",
                "The upload stands elsewhere",
            ))
            .unwrap_or_default();
            problem["type"] = format!("{PROBLEMS}mismatching-upload-offset").into();
            problem["expected-offset"] = (*actual).into();
            let offset = tus::text(headers, "upload-offset").unwrap_or_default();
            problem["provided-offset"] = offset.parse::<u64>().unwrap_or_default().into();
            let mut response = Response::new(Body::from(problem.to_string()));
            *response.status_mut() = StatusCode::CONFLICT;
            tus::put(
                &mut response,
                CONTENT_TYPE.as_str(),
                "application/problem+json",
            );
            tus::put(&mut response, "upload-offset", &actual.to_string());
            tus::put(&mut response, COMPLETE, "?0");
            response
        }
        other => tus::refusal(other),
    };
    response.headers_mut().remove("tus-resumable");
    if let Some(version) = version(headers) {
        tus::put(&mut response, VERSION, &version.to_string());
    }
    response
}

/// The file name of a Content-Disposition header, when it has one in the plain form.
fn named(disposition: &str) -> Option<String> {
    let rest = disposition.split_once("filename=")?.1.trim_start();
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split(';').next()?.trim(),
    };
    (!name.is_empty()).then(|| base_name(name))
}

fn id(text: &str) -> Result<Uuid, ReceiveError> {
    Uuid::parse_str(text).map_err(|_| ReceiveError::Unknown)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn versions_that_are_spoken() {
        for (value, expected) in [("5", Some(5)), ("6", Some(6)), ("4", None), ("x", None)] {
            assert_eq!(version(&headers(&[(VERSION, value)])), expected);
        }
        assert_eq!(version(&headers(&[])), None);
    }

    #[test]
    fn the_last_part_is_said_strictly() {
        assert!(complete(&headers(&[(COMPLETE, "?1")])).unwrap());
        assert!(!complete(&headers(&[(COMPLETE, "?0")])).unwrap());
        for wrong in [headers(&[]), headers(&[(COMPLETE, "true")])] {
            assert!(complete(&wrong).is_err());
        }
    }

    #[test]
    fn names_come_from_the_disposition() {
        for (text, expected) in [
            ("attachment; filename=\"a b.tar.gz\"", Some("a b.tar.gz")),
            ("attachment; filename=../../x; size=3", Some("x")),
            ("attachment", None),
        ] {
            assert_eq!(named(text).as_deref(), expected);
        }
    }

    #[test]
    fn an_offset_that_differs_is_told_as_the_draft_says() {
        let asked = headers(&[(VERSION, "6"), ("upload-offset", "3")]);
        let response = refusal(&ReceiveError::Offset { actual: 7 }, &asked);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()["upload-offset"], "7");
        assert_eq!(response.headers()[VERSION], "6");
        assert!(!response.headers().contains_key("tus-resumable"));
    }
}
