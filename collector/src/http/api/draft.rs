//! The IETF's resumable uploads (draft-ietf-httpbis-resumable-upload), for clients that speak it instead of tus: interop
//! versions 5 and 6, which tus-js-client calls `ietf-draft-03` and `ietf-draft-05`. The same uploads, in other words.

use axum::body::{Body, BodyDataStream};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;
use sitrep_shared::protocol::Problem;
use uuid::Uuid;

use super::tus;
use crate::bundles::Bundles;
use crate::bundles::receive::headers::{Metadata, base_name, byte_count};
use crate::bundles::receive::{Append, Create, Grant, ReceiveError, from_db};
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
    match tus::said(headers, "Upload-Complete")? {
        Some("?1") => Ok(true),
        Some("?0") => Ok(false),
        _ => Err(ReceiveError::Header {
            name: "Upload-Complete",
            detail: "neither ?0 nor ?1".to_owned(),
        }),
    }
}

/// Refuses headers that the draft forbids in a request.
fn absent(headers: &HeaderMap, names: &[&'static str]) -> Result<(), ReceiveError> {
    match names.iter().find(|name| headers.contains_key(**name)) {
        Some(&name) => Err(ReceiveError::Header {
            name,
            detail: "has no place in this request".to_owned(),
        }),
        None => Ok(()),
    }
}

/// The last body ends elsewhere than the upload, as its length was said.
fn inconsistent() -> ReceiveError {
    ReceiveError::Header {
        name: "Upload-Length",
        detail: "not where the body ends".to_owned(),
    }
}

/// `OPTIONS`: the bounds of uploads.
pub(super) fn options(bundles: &Bundles, headers: &HeaderMap) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT, headers);
    limit(&mut response, bundles, None);
    response
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
            limit(&mut response, bundles, Some(&row));
            response
        }
        Err(error) => refusal(&error, headers, false),
    }
}

async fn creation(
    bundles: &Bundles,
    grant: &Grant,
    headers: &HeaderMap,
    body: Body,
) -> Result<UploadRow, ReceiveError> {
    absent(headers, &["Upload-Offset"])?;
    let last = complete(headers)?;
    let said = tus::said(headers, "Upload-Length")?
        .map(|value| byte_count("Upload-Length", value))
        .transpose()?;
    let mut metadata = Metadata::parse(tus::said(headers, "Upload-Metadata")?.unwrap_or_default())?;
    if let Some(name) = tus::text(headers, CONTENT_DISPOSITION.as_str()).and_then(named) {
        metadata.filename = name;
    }
    let body_bytes = tus::body_bytes(headers);
    let create = Create {
        length: said.or(body_bytes.filter(|_| last)),
        metadata,
    };
    if let (Some(length), Some(bytes)) = (create.length, body_bytes)
        && (bytes > length || (last && bytes != length))
    {
        return Err(inconsistent());
    }
    let mut body = body.into_data_stream();
    if create.length == Some(0) {
        let empty = bundles.receiver.ends_here(&mut body, body_bytes, 0).await;
        empty.map_err(|error| match error {
            ReceiveError::TooLarge { .. } => inconsistent(),
            other => other,
        })?;
    }
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

/// Appends, and ends an upload whose length nobody said. The last body must end where the upload does: before it is
/// taken, when its length is known.
async fn append(
    bundles: &Bundles,
    grant: &Grant,
    request: Append,
    last: bool,
    body: BodyDataStream,
) -> Result<UploadRow, ReceiveError> {
    let (receiver, upload) = (&bundles.receiver, request.upload);
    if let Some(bytes) = request.body_bytes.filter(|_| last) {
        let row = receiver.find(&grant.code_id, upload).await?;
        let end = request.offset.saturating_add(bytes);
        // One that stands elsewhere is told so, which helps its client more.
        let stands = row.is_open() && from_db(row.offset_bytes) == request.offset;
        if stands && row.length_bytes.is_some_and(|said| from_db(said) != end) {
            return Err(inconsistent());
        }
    }
    let row = receiver.append(&grant.code_id, request, body).await?;
    if !last || !row.is_open() {
        return Ok(row);
    }
    if row.length_bytes.is_some() {
        return Err(inconsistent());
    }
    receiver
        .close(&grant.code_id, upload, row.offset_bytes)
        .await
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
        let offset = tus::said(headers, "Upload-Offset")?.unwrap_or_default();
        let request = Append {
            upload: id(upload)?,
            offset: byte_count("Upload-Offset", offset)?,
            length: None,
            checksum: None,
            body_bytes: tus::body_bytes(headers),
        };
        let (last, body) = (complete(headers)?, body.into_data_stream());
        append(bundles, grant, request, last, body).await
    };
    match appended.await {
        Ok(row) => standing(StatusCode::NO_CONTENT, &row, headers),
        Err(error) => {
            let whole = is_whole(bundles, grant, upload, &error).await;
            refusal(&error, headers, whole)
        }
    }
}

/// Whether bytes were refused because the upload is complete.
async fn is_whole(bundles: &Bundles, grant: &Grant, upload: &str, error: &ReceiveError) -> bool {
    if !matches!(
        error,
        ReceiveError::Offset { .. } | ReceiveError::TooLarge { .. }
    ) {
        return false;
    }
    let found = async { bundles.receiver.find(&grant.code_id, id(upload)?).await }.await;
    found.is_ok_and(|row| row.state == "complete")
}

/// `HEAD`: where it stands.
pub(super) async fn head(
    bundles: &Bundles,
    grant: &Grant,
    upload: &str,
    headers: &HeaderMap,
) -> Response {
    let found = async {
        absent(
            headers,
            &["Upload-Offset", "Upload-Complete", "Upload-Length"],
        )?;
        bundles.receiver.head(&grant.code_id, id(upload)?).await
    };
    match found.await {
        Ok(row) => {
            let mut response = standing(StatusCode::NO_CONTENT, &row, headers);
            tus::put(&mut response, CACHE_CONTROL.as_str(), "no-store");
            if let Some(length) = row.length_bytes {
                tus::put(&mut response, "upload-length", &length.to_string());
            }
            limit(&mut response, bundles, Some(&row));
            response
        }
        Err(error) => refusal(&error, headers, false),
    }
}

/// `DELETE`: the client gives up.
pub(super) async fn delete(
    bundles: &Bundles,
    grant: &Grant,
    upload: &str,
    headers: &HeaderMap,
) -> Response {
    let cancelled = async {
        absent(headers, &["Upload-Offset", "Upload-Complete"])?;
        bundles.receiver.cancel(&grant.code_id, id(upload)?).await
    };
    match cancelled.await {
        Ok(()) => empty(StatusCode::NO_CONTENT, headers),
        Err(error) => refusal(&error, headers, false),
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

/// The bounds of an upload as it stands, or of any that would begin now. One that is complete does not lapse.
pub(super) fn limit(response: &mut Response, bundles: &Bundles, row: Option<&UploadRow>) {
    let limits = bundles.receiver.limits();
    let max_age = match row {
        None => Some(limits.idle_expiry.min(limits.max_age).as_secs()),
        Some(row) => row.is_open().then(|| bundles.receiver.lasts_s(row)),
    };
    let mut value = format!("max-size={}", limits.max_bytes);
    if let Some(seconds) = max_age {
        value.push_str(&format!(", max-age={seconds}"));
    }
    tus::put(response, "upload-limit", &value);
}

/// The answer to a request that was not carried out, with the draft's own problem types. `whole`: the upload is
/// complete.
fn refusal(error: &ReceiveError, headers: &HeaderMap, whole: bool) -> Response {
    let mut response = match error {
        ReceiveError::Offset { actual } => {
            let problem = Problem::new(409, "offset_mismatch", "The upload stands elsewhere");
            let mut problem = typed(problem, "mismatching-upload-offset");
            problem["expected-offset"] = (*actual).into();
            let offset = tus::text(headers, "upload-offset").unwrap_or_default();
            problem["provided-offset"] = offset.parse::<u64>().unwrap_or_default().into();
            let mut response = sent(StatusCode::CONFLICT, &problem);
            tus::put(&mut response, "upload-offset", &actual.to_string());
            tus::put(&mut response, COMPLETE, if whole { "?1" } else { "?0" });
            response
        }
        ReceiveError::TooLarge { .. } if whole => {
            let problem = Problem::new(400, "upload_complete", "The upload is complete");
            sent(StatusCode::BAD_REQUEST, &typed(problem, "completed-upload"))
        }
        other => tus::refusal(other),
    };
    response.headers_mut().remove("tus-resumable");
    if let Some(version) = version(headers) {
        tus::put(&mut response, VERSION, &version.to_string());
    }
    response
}

fn typed(problem: Problem, kind: &str) -> Value {
    let mut problem = serde_json::to_value(problem).unwrap_or_default();
    problem["type"] = format!("{PROBLEMS}{kind}").into();
    problem
}

fn sent(status: StatusCode, problem: &Value) -> Response {
    let mut response = Response::new(Body::from(problem.to_string()));
    *response.status_mut() = status;
    tus::put(
        &mut response,
        CONTENT_TYPE.as_str(),
        "application/problem+json",
    );
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
mod tests;
