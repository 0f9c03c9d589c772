//! The access check before every handler: credential → actor, right, and the CSRF check.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::extract::ClientAddress;
use crate::auth::sessions::{self, SessionInfo};
use crate::auth::{Access, Actor, tokens};
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use crate::tickets::codes;

/// State of the check of one route.
#[derive(Clone)]
pub struct Gate {
    /// The service.
    pub state: AppState,
    /// What the route asks for.
    pub access: Access,
}

/// Lets a request pass to its handler, with `Actor` (and session or code grant) as extensions.
pub async fn check(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match admit(&gate, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn admit(gate: &Gate, request: &mut Request) -> AppResult<()> {
    let address = request
        .extensions()
        .get::<ClientAddress>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |a| a.0);
    let actor = identify(gate, request, address).await?;
    if !actor.may(gate.access) {
        return Err(match actor {
            Actor::Nobody => AppError::unauthenticated(),
            _ => AppError::forbidden("this account or token has not the right to do this"),
        });
    }
    if let Some(session) = request.extensions().get::<SessionInfo>().cloned() {
        check_origin(request.method(), request.headers())?;
        if !safe(request.method()) && request.uri().path().starts_with("/api/") {
            // Forms carry the token in a field, which their extractor checks; scripts in a header.
            let sent = request
                .headers()
                .get("x-csrf-token")
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default();
            session.check_csrf(sent)?;
        }
    } else if !safe(request.method()) && !request.uri().path().starts_with("/api/") {
        check_origin(request.method(), request.headers())?;
    }
    request.extensions_mut().insert(actor);
    Ok(())
}

async fn identify(gate: &Gate, request: &mut Request, address: IpAddr) -> AppResult<Actor> {
    let bearer = bearer(request.headers()).map(str::to_owned);
    if gate.access == Access::Uploader {
        let grant =
            codes::authenticate(&gate.state, bearer.as_deref().unwrap_or_default(), address)
                .await?;
        return Ok(uploader(request, grant));
    }
    if let Some(bearer) = bearer {
        if gate.access == Access::Public {
            return Ok(Actor::Nobody);
        }
        return tokens::authenticate(&gate.state, &bearer).await;
    }
    let Some(id) = sessions::cookie(&gate.state, request.headers()) else {
        return Ok(Actor::Nobody);
    };
    match sessions::find(&gate.state, &id).await? {
        Some((person, session)) => {
            request.extensions_mut().insert(session);
            Ok(Actor::User(person))
        }
        None => Ok(Actor::Nobody),
    }
}

fn uploader(request: &mut Request, grant: codes::CodeGrant) -> Actor {
    let actor = Actor::Uploader {
        code_id: grant.code_id.clone(),
        ticket_id: grant.ticket_id.clone(),
    };
    request.extensions_mut().insert(grant);
    actor
}

/// The token of an Authorization header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest.trim())
}

fn safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses a change that another site's page has sent: by Sec-Fetch-Site, else by Origin.
fn check_origin(method: &Method, headers: &HeaderMap) -> AppResult<()> {
    if safe(method) {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let refused = || {
        Err(AppError::forbidden(
            "this change was sent by another site's page",
        ))
    };
    if let Some(site) = text("sec-fetch-site") {
        return if matches!(site, "same-origin" | "none") {
            Ok(())
        } else {
            refused()
        };
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else {
        return Ok(());
    };
    match origin.split_once("://") {
        Some((_, from)) if from.eq_ignore_ascii_case(host) => Ok(()),
        _ => refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_of_a_change() {
        let cases: [(&[(&str, &str)], bool); 6] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[("origin", "https://a.example"), ("host", "a.example")],
                true,
            ),
            (
                &[("origin", "https://b.example"), ("host", "a.example")],
                false,
            ),
            (&[("origin", "null"), ("host", "a.example")], false),
        ];
        for (pairs, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(
                    axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value.parse().unwrap(),
                );
            }
            assert_eq!(
                check_origin(&Method::POST, &headers).is_ok(),
                expected,
                "{pairs:?}"
            );
            assert!(check_origin(&Method::GET, &headers).is_ok());
        }
    }
}
