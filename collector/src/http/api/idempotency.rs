//! `Idempotency-Key`: a POST that is sent twice is done once.
//!
//! The answer is remembered after the change; two equal requests at the same moment can both be
//! done, which the primary key then shows as a conflict to the second.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::auth::sha256_hex;
use crate::db::idempotency;
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use crate::tickets::Caller;

/// A key with the request it was sent with.
pub struct Key {
    actor: String,
    key: String,
    request: String,
}

/// The request's key, if any; the answer, when it was already given.
pub async fn begin(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    path: &str,
    body: &impl std::fmt::Debug,
) -> AppResult<(Option<Key>, Option<Response>)> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok((None, None));
    };
    let wrong =
        || AppError::bad_request("Idempotency-Key must be 1 to 200 printable ASCII characters");
    let key = value.to_str().map_err(|_| wrong())?.trim();
    if key.is_empty() || key.len() > 200 {
        return Err(wrong());
    }
    let request = sha256_hex(format!("{path}\n{body:?}").as_bytes());
    let key = Key {
        actor: caller.actor.label(),
        key: key.to_owned(),
        request,
    };
    let known = idempotency::find(&mut *state.db.read().await?, &key.actor, &key.key).await?;
    let Some((request, status, body)) = known else {
        return Ok((Some(key), None));
    };
    if request != key.request {
        return Err(AppError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "this key was used for another request",
        ));
    }
    let status = u16::try_from(status)
        .ok()
        .and_then(|s| StatusCode::from_u16(s).ok())
        .unwrap_or(StatusCode::OK);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    response.headers_mut().insert(
        "idempotent-replayed",
        header::HeaderValue::from_static("true"),
    );
    Ok((Some(key), Some(response)))
}

/// The answer as JSON, remembered when there is a key.
pub async fn answer(
    state: &AppState,
    key: Option<Key>,
    status: StatusCode,
    value: &impl Serialize,
) -> AppResult<Response> {
    let body = serde_json::to_string(value).map_err(AppError::internal)?;
    if let Some(key) = key {
        let mut tx = state.db.begin().await?;
        let remembered = (key.request, i64::from(status.as_u16()), body.clone());
        match idempotency::insert(&mut tx, &key.actor, &key.key, &remembered, state.now_ms()).await
        {
            Err(error) if error.is_unique_violation() => {
                return Err(AppError::conflict(
                    "in_progress",
                    "the same request was sent at the same moment",
                ));
            }
            other => other?,
        }
        tx.commit().await?;
    }
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}
