//! Layers around all routes: request id, log and metrics, security headers, error pages, time limits.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::extract::{ClientAddress, RequestId};
use super::pages;
use crate::error::{AppError, ShownError};
use crate::state::{AppState, new_id};

/// Largest body that extractors read; uploads stream and have limits of their own.
const BODY_LIMIT: usize = 256 * 1024;
/// Longest pause inside a request's body; longer than that of uploads, which have an answer of their own for it.
const BODY_IDLE: Duration = Duration::from_secs(60);

/// Everything from this origin only, nothing inline, no framing.
pub const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Puts the layers round the routes; the last one named is the outermost.
pub fn wrap(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    router
        .fallback(|| async { AppError::not_found("page") })
        .method_not_allowed_fallback(|| async {
            AppError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take this method",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyTimeoutLayer::new(BODY_IDLE))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), error_pages))
        .layer(from_fn(security_headers))
        .layer(from_fn_with_state(state.clone(), observe))
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    AppError::internal("a handler panicked").into_response()
}

/// Gives the request its id and address, measures and logs it. Paths are logged as their routes:
/// a path can hold an upload code.
async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = new_id();
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|c| c.0.ip());
    let address = client_address(peer, request.headers(), &state.config.trusted_proxies);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |m| m.as_str().to_owned());
    let method = request.method().clone();
    request.extensions_mut().insert(ClientAddress(address));
    request.extensions_mut().insert(RequestId(id.clone()));
    let frame = pages::Frame::of_request(&state, request.headers(), request.uri().path());
    request.extensions_mut().insert(frame);
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    let status = response.status().as_u16();
    let elapsed = begun.elapsed();
    state.metrics.add(
        "sitrepd_http_requests_total",
        format!("route=\"{route}\",method=\"{method}\",code=\"{status}\""),
        1.0,
    );
    state.metrics.add(
        "sitrepd_http_request_seconds_sum",
        format!("route=\"{route}\",method=\"{method}\""),
        elapsed.as_secs_f64(),
    );
    tracing::info!(request.id = %id, %method, %route, status, duration_ms = elapsed.as_millis() as u64, client = %address, "request");
    response
}

/// The socket's address, or the last hop of X-Forwarded-For that is not a trusted proxy.
fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
    if !trusted.contains(&peer) {
        return peer;
    }
    let hops = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','));
    let hops: Vec<&str> = hops.map(str::trim).collect();
    for hop in hops.iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(address) if trusted.contains(&address.to_canonical()) => {}
            Ok(address) => return address.to_canonical(),
            Err(_) => break,
        }
    }
    peer
}

async fn security_headers(request: Request, next: Next) -> Response {
    let cacheable = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut default = |name: header::HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(header::CONTENT_SECURITY_POLICY, CSP);
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::X_FRAME_OPTIONS, "DENY");
    default(header::REFERRER_POLICY, "same-origin");
    default(
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    default(
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    default(
        header::HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    );
    if !cacheable {
        default(header::CACHE_CONTROL, "no-store");
    }
    response
}

/// Shows a problem as a page when the address is a page's, and leads to the login when it is missing.
async fn error_pages(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/api/") || path == "/metrics" {
        return next.run(request).await;
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string);
    let get = request.method() == axum::http::Method::GET;
    let mut frame = pages::Frame::of_request(&state, request.headers(), &path);
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.map(|RequestId(id)| id).unwrap_or_default();
    let response = next.run(request).await;
    let Some(ShownError(problem)) = response.extensions().get::<ShownError>().cloned() else {
        return response;
    };
    if problem.status == 401 && get && problem.code == "unauthenticated" {
        return pages::login::redirect_here(&target);
    }
    frame.csrf.clear();
    pages::error::page(frame, &problem, response.headers(), &id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_behind_proxies() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let cases = [
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "198.51.100.7, 10.0.0.1", "198.51.100.7"),
            ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "rubbish", "10.0.0.1"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            let address = client_address(peer.parse().ok(), &headers, &[proxy]);
            assert_eq!(address.to_string(), expected);
        }
    }
}
