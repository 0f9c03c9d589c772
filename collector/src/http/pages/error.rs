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
    /// The page to go back to.
    back: String,
}

/// Where somebody goes on from an error on this page: a customer, who has no other page, to their own; empty when that is
/// the one that failed.
fn back(path: &str) -> String {
    let mut parts = path.splitn(4, '/').skip(1);
    let (area, secret) = (parts.next(), parts.next());
    match (area, secret, parts.next()) {
        (Some(area @ ("t" | "u")), Some(secret), Some(_)) => format!("/{area}/{secret}"),
        (Some("t" | "u"), Some(_), None) => String::new(),
        _ => "/".to_owned(),
    }
}

/// A problem as a page, with the request's id; `headers` are those of the problem's answer.
pub fn page(frame: Frame, problem: &Problem, headers: &HeaderMap, id: &str) -> Response {
    let page = ErrorPage {
        back: back(&frame.path),
        frame,
        status: problem.status,
        what: problem
            .detail
            .clone()
            .unwrap_or_else(|| problem.title.clone()),
        hint: problem.hint.clone().unwrap_or_default(),
        error_id: id.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_led_back_to_their_own_page() {
        for (path, expected) in [
            ("/t/CODE/reply", "/t/CODE"),
            ("/t/CODE", ""),
            ("/u/CODE/file", "/u/CODE"),
            ("/tickets/TKT-1/notes", "/"),
            ("/", "/"),
        ] {
            assert_eq!(back(path), expected, "{path}");
        }
    }
}
