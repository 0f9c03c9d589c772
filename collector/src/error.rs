//! The collector's edge: every failure becomes a status and a problem document, or an error page.
//!
//! Handlers return `AppError`; a layer turns the problem into a page when the client is a browser
//! on a page's address. Causes are logged once, here, and never shown to the client.

use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sitrep_shared::protocol::problem::FieldError;
use sitrep_shared::protocol::{PROBLEM_JSON, Problem};

use crate::db::DbError;
use crate::tasks::TaskError;

/// A failure of a request; boxed, since results are passed through many hands.
#[derive(Debug)]
pub struct AppError(Box<Failure>);

#[derive(Debug)]
struct Failure {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<String>,
    fields: Vec<FieldError>,
    retry_after_s: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Result of services and handlers.
pub type AppResult<T> = Result<T, AppError>;

impl AppError {
    /// Any failure: `code` is the stable word that programs compare.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            status,
            code,
            detail: detail.into(),
            hint: None,
            fields: Vec::new(),
            retry_after_s: None,
            source: None,
        }))
    }

    /// 400: the request cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// 401: no or wrong credential.
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "sign in or send a valid API token",
        )
    }

    /// 403: the credential does not allow this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: it does not exist, or not for this caller.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }

    /// 409: the state does not allow this.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: a field is wrong.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            format!("{field}: {message}"),
        );
        error.0.fields.push(FieldError {
            field: field.to_owned(),
            message,
        });
        error
    }

    /// 422: several things are wrong, each at its place.
    pub fn faults(
        code: &'static str,
        detail: impl Into<String>,
        faults: Vec<(String, String)>,
    ) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        let fields = faults.into_iter();
        error.0.fields = fields
            .map(|(field, message)| FieldError { field, message })
            .collect();
        error
    }

    /// Names a field that it is about.
    pub fn at(mut self, field: &str, message: &str) -> Self {
        self.0.fields.push(FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        });
        self
    }

    /// What is wrong at which place.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// 429: too many tries.
    pub fn too_many(retry_after_s: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "too many tries; wait before the next one",
        )
        .retry_after(retry_after_s)
    }

    /// 500: our fault; the cause goes to the log.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong here; it was logged under this request's id",
        );
        error.0.source = Some(source.into());
        error
    }

    /// 503: try again later.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the service cannot answer right now; try again",
        );
        error.0.source = Some(source.into());
        error.retry_after(2)
    }

    /// Adds what the caller can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a Retry-After header.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds.max(1));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable word.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// Whether a unique key refused a row: somebody else took the same at the same time.
    pub fn is_taken(&self) -> bool {
        let cause = self.0.source.as_ref();
        let cause = cause.and_then(|source| source.downcast_ref::<DbError>());
        cause.is_some_and(DbError::is_unique_violation)
    }

    /// What a person reads.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    fn problem(&self) -> Problem {
        let mut problem = Problem::new(
            self.0.status.as_u16(),
            self.0.code,
            self.0.status.canonical_reason().unwrap_or("Error"),
        );
        problem.detail = Some(self.0.detail.clone());
        problem.hint = self.0.hint.clone();
        problem.errors = self.0.fields.clone();
        problem
    }
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.detail)
    }
}

impl Error for AppError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|s| &**s as &(dyn Error + 'static))
    }
}

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        if error.is_unavailable() {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<TaskError> for AppError {
    fn from(error: TaskError) -> Self {
        Self::internal(error)
    }
}

/// What an error page needs; travels as an extension of the response.
#[derive(Debug, Clone)]
pub struct ShownError(pub Problem);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        if let Some(source) = &self.0.source {
            let cause = sitrep_shared::error::chain(source.as_ref());
            tracing::error!(status = self.0.status.as_u16(), code = self.0.code, %cause, "request failed");
        }
        let problem = self.problem();
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(ShownError(problem));
        response
    }
}
