//! `/api/v1/uploads`: tus 1.0, and the IETF's draft, for whoever has an upload code, and what became of an upload.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::{draft, tus};
use crate::auth::Access;
use crate::auth::limits::subject;
use crate::bundles::Bundles;
use crate::bundles::receive::{Grant, ReceiveError};
use crate::db::uploads::UploadRow;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Path};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::codes::CodeGrant;

/// What tus clients are told besides the failures of every route.
const TUS: &[u16] = &[400, 403, 404, 409, 410, 412, 413, 415, 423, 460, 503, 507];
/// The same for whoever names the method in a header, and one that is not taken.
const OVERRIDDEN: &[u16] = &[
    400, 403, 404, 405, 409, 410, 412, 413, 415, 423, 460, 503, 507,
];

/// Its lines in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .on(Method::OPTIONS, "/api/v1/uploads", Access::Public, options)
        .post("/api/v1/uploads", Access::Uploader, create)
        .doc(Op::new("tus 1.0: begin an upload").empty(201).fails(TUS))
        .get("/api/v1/uploads/{id}", Access::Uploader, status)
        .doc(Op::new("What became of an upload").raw(200, "application/json"))
        .on(Method::HEAD, "/api/v1/uploads/{id}", Access::Uploader, head)
        .patch("/api/v1/uploads/{id}", Access::Uploader, patch)
        .doc(Op::new("tus 1.0: append bytes").empty(204).fails(TUS))
        .delete("/api/v1/uploads/{id}", Access::Uploader, delete)
        .doc(Op::new("tus 1.0: give an upload up").empty(204).fails(TUS))
        .post("/api/v1/uploads/{id}", Access::Uploader, overridden)
        .doc(Op::new("tus 1.0: X-HTTP-Method-Override").empty(204).fails(OVERRIDDEN))
}

/// What the checked code of a request grants.
pub struct Uploader(pub Grant);

impl FromRequestParts<AppState> for Uploader {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> AppResult<Self> {
        parts
            .extensions
            .get::<CodeGrant>()
            .map(|code| Self(grant(code, parts)))
            .ok_or_else(AppError::unauthenticated)
    }
}

/// What receiving needs of a code, and of who uses it.
pub(crate) fn grant(code: &CodeGrant, parts: &Parts) -> Grant {
    let address = parts.extensions.get::<ClientAddress>();
    Grant {
        code_id: code.code_id.clone(),
        ticket_id: code.ticket_id.clone(),
        max_bytes: code.max_bytes,
        uploads_left: u64::from(code.uploads_left),
        address: address.map_or_else(String::new, |address| subject(address.0)),
    }
}

/// `OPTIONS`: what this server speaks. Needs no credential.
pub async fn options(State(bundles): State<Arc<Bundles>>, headers: HeaderMap) -> Response {
    if draft::version(&headers).is_some() {
        return draft::options(&bundles, &headers);
    }
    let mut response = tus::options(bundles.receiver.limits().max_bytes);
    // Clients of the draft may ask before they have settled on a version.
    draft::limit(&mut response, &bundles, None);
    response
}

/// `POST /api/v1/uploads`: a new upload, with its first bytes when they come along.
pub async fn create(
    State(bundles): State<Arc<Bundles>>,
    Uploader(grant): Uploader,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if draft::version(&headers).is_some() {
        return draft::create(&bundles, &grant, &headers, body).await;
    }
    if let Some(response) = tus::wrong_version(&headers) {
        return response;
    }
    match creation(&bundles, &grant, &headers, body).await {
        Ok(row) => tus::created(&bundles.receiver, &row),
        Err(error) => tus::refusal(&error),
    }
}

async fn creation(
    bundles: &Bundles,
    grant: &Grant,
    headers: &HeaderMap,
    body: Body,
) -> Result<UploadRow, ReceiveError> {
    let request = tus::creation(headers)?;
    if !tus::has_chunk(headers) {
        return bundles.receiver.create(grant, request).await;
    }
    let (first, body) = (tus::first(headers)?, body.into_data_stream());
    bundles
        .receiver
        .create_with(grant, request, first, body)
        .await
}

/// `HEAD /api/v1/uploads/{id}`: where it stands.
pub async fn head(
    State(bundles): State<Arc<Bundles>>,
    Uploader(grant): Uploader,
    Path(upload): Path<String>,
    headers: HeaderMap,
) -> Response {
    if draft::version(&headers).is_some() {
        return draft::head(&bundles, &grant, &upload, &headers).await;
    }
    if let Some(response) = tus::wrong_version(&headers) {
        return response;
    }
    let found = async { bundles.receiver.head(&grant.code_id, id(&upload)?).await }.await;
    match found {
        Ok(row) => tus::head(&bundles.receiver, &row),
        Err(error) => tus::refusal(&error),
    }
}

/// `PATCH /api/v1/uploads/{id}`: the next bytes.
pub async fn patch(
    State(bundles): State<Arc<Bundles>>,
    Uploader(grant): Uploader,
    Path(upload): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if draft::version(&headers).is_some() {
        return draft::patch(&bundles, &grant, &upload, &headers, body).await;
    }
    if let Some(response) = tus::wrong_version(&headers) {
        return response;
    }
    if !tus::has_chunk(&headers) {
        return tus::wrong_type();
    }
    let appended = async {
        let request = tus::patch(&headers, id(&upload)?)?;
        bundles
            .receiver
            .append(&grant.code_id, request, body.into_data_stream())
            .await
    };
    match appended.await {
        Ok(row) => tus::appended(&bundles.receiver, &row),
        Err(error) => tus::refusal(&error),
    }
}

/// `DELETE /api/v1/uploads/{id}`: the client gives up.
pub async fn delete(
    State(bundles): State<Arc<Bundles>>,
    Uploader(grant): Uploader,
    Path(upload): Path<String>,
    headers: HeaderMap,
) -> Response {
    if draft::version(&headers).is_some() {
        return draft::delete(&bundles, &grant, &upload, &headers).await;
    }
    if let Some(response) = tus::wrong_version(&headers) {
        return response;
    }
    let cancelled = async { bundles.receiver.cancel(&grant.code_id, id(&upload)?).await }.await;
    match cancelled {
        Ok(()) => tus::empty(StatusCode::NO_CONTENT),
        Err(error) => tus::refusal(&error),
    }
}

/// `POST /api/v1/uploads/{id}`: for clients behind proxies that know neither PATCH nor DELETE.
pub async fn overridden(
    state: State<Arc<Bundles>>,
    uploader: Uploader,
    path: Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let method = tus::text(&headers, "x-http-method-override").unwrap_or_default();
    match method.to_ascii_uppercase().as_str() {
        "PATCH" => patch(state, uploader, path, headers, body).await,
        "DELETE" => delete(state, uploader, path, headers).await,
        "HEAD" => head(state, uploader, path, headers).await,
        _ => no_such_method(),
    }
}

fn no_such_method() -> Response {
    let error = AppError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take this method",
    );
    let mut response = error.into_response();
    tus::put(&mut response, ALLOW.as_str(), "GET,HEAD,PATCH,DELETE,POST");
    response
}

/// `GET /api/v1/uploads/{id}`: what became of it. Does not disturb a request that writes.
pub async fn status(
    State(state): State<AppState>,
    Uploader(grant): Uploader,
    Path(upload): Path<String>,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let upload = Uuid::parse_str(&upload).map_err(|_| AppError::not_found("upload"))?;
    let row = bundles.receiver.find(&grant.code_id, upload).await?;
    let mut status = bundles.status(&row).await?;
    status.ticket_key = bundles.ticket_name(&row.ticket_id).await?.key;
    status.ticket_url = format!("{}/tickets/{}", state.base_url, row.ticket_id);
    Ok(Json(status).into_response())
}

fn id(text: &str) -> Result<Uuid, ReceiveError> {
    Uuid::parse_str(text).map_err(|_| ReceiveError::Unknown)
}

impl From<ReceiveError> for AppError {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Unknown => Self::not_found("upload"),
            ReceiveError::Db(error) => error.into(),
            other => match super::tus::kind(&other) {
                (status @ 400..=499, code, _) => {
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                    Self::new(status, code, other.to_string())
                }
                (503, code, title) => {
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title).retry_after(5)
                }
                (507, code, title) => {
                    Self::new(StatusCode::INSUFFICIENT_STORAGE, code, title).retry_after(5)
                }
                _ => Self::internal(other),
            },
        }
    }
}
