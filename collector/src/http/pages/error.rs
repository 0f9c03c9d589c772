//! Error pages: what happened, what to do, and an id to quote.

use askama::Template;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sitrep_shared::protocol::Problem;

use super::Frame;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    status: u16,
    what: String,
    hint: String,
    error_id: String,
}

/// A problem as a page; `headers` are those of the problem's answer.
pub fn page(frame: Frame, problem: &Problem, headers: &HeaderMap) -> Response {
    let page = ErrorPage {
        frame,
        status: problem.status,
        what: problem
            .detail
            .clone()
            .unwrap_or_else(|| problem.title.clone()),
        hint: problem.hint.clone().unwrap_or_default(),
        error_id: String::new(),
    };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match super::html(&page) {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    *response.status_mut() = status;
    if let Some(wait) = headers.get(header::RETRY_AFTER) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, wait.clone());
    }
    response
}
