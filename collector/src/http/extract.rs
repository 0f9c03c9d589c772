//! Extractors whose refusals are problem documents: JSON, query, path, form, and who is calling.

use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::auth::Actor;
use crate::auth::sessions::SessionInfo;
use crate::error::AppError;
use crate::state::AppState;
use crate::tickets::Caller;

/// The client's address, after proxies that are trusted.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The request's id, also in the answer's `X-Request-Id`.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl FromRequestParts<AppState> for Caller {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        let actor = Actor::from_request_parts(parts, state).await?;
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        Ok(Self { actor, address })
    }
}

impl FromRequestParts<AppState> for Actor {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, AppError> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or(Self::Nobody))
    }
}

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, AppError> {
        Ok(parts
            .extensions
            .get::<Self>()
            .copied()
            .unwrap_or(Self(IpAddr::from([0, 0, 0, 0]))))
    }
}

impl FromRequestParts<AppState> for SessionInfo {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, AppError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(AppError::unauthenticated)
    }
}

/// A JSON body. 415 for another type, 400 for what is not JSON, 422 for JSON of another shape.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        use axum::extract::rejection::JsonRejection;
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(AppError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the body as application/json",
            )),
            Err(JsonRejection::JsonDataError(error)) => Err(AppError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                error.body_text(),
            )),
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(other) => Err(AppError::bad_request(other.body_text())),
        }
    }
}

fn too_large() -> AppError {
    AppError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "the body is larger than this route takes",
    )
}

/// Query parameters. 400 when one has the wrong form.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(AppError::bad_request(error.body_text())),
        }
    }
}

/// Parameters of the path. 404 when one has the wrong form: such a thing does not exist.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(AppError::not_found("page")),
        }
    }
}

/// A form of a page, with its CSRF token checked when there is a session.
#[derive(Debug)]
pub struct Form<T>(pub T);

#[derive(serde::Deserialize)]
struct CsrfField {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Form<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        parse_form(&raw_form(request, state).await?).map(Self)
    }
}

/// A form as [`Form`] has it, and its fields as they were sent: for pages that show them again when they refuse it.
#[derive(Debug)]
pub struct Kept<T>(pub T, pub Vec<(String, String)>);

impl<T: DeserializeOwned> FromRequest<AppState> for Kept<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        let raw = raw_form(request, state).await?;
        Ok(Self(parse_form(&raw)?, parse_form(&raw)?))
    }
}

async fn raw_form(request: Request, state: &AppState) -> Result<Vec<u8>, AppError> {
    let session = request.extensions().get::<SessionInfo>().cloned();
    let raw = match axum::extract::RawForm::from_request(request, state).await {
        Ok(axum::extract::RawForm(raw)) => raw,
        Err(error) => return Err(AppError::bad_request(error.body_text())),
    };
    if let Some(session) = session {
        let field: CsrfField = parse_form(&raw)?;
        session.check_csrf(&field.csrf)?;
    }
    Ok(raw.to_vec())
}

fn parse_form<T: DeserializeOwned>(raw: &[u8]) -> Result<T, AppError> {
    serde_urlencoded::from_bytes(raw)
        .map_err(|e| AppError::bad_request(format!("the form cannot be read: {e}")))
}
