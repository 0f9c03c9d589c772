//! Requests to the hosts that an administrator named, and to no other: redirects are not followed, answers and waits are
//! limited, and `guard` decides about addresses. Knows no system.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use serde_json::Value;

use super::guard::{Guard, WEB, address};
use super::{Fault, Setup};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for a whole answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Largest answer that is read: a page of a history is far smaller.
const ANSWER_MAX_BYTES: usize = 4 << 20;
/// What is quoted of an answer that refuses, in characters.
const QUOTE_MAX: usize = 300;
/// Longest pause that another side can ask for: an hour.
const PAUSE_MAX_MS: i64 = 3_600_000;

/// What one connector sends its requests with.
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
    name: String,
    headers: HeaderMap,
}

/// An answer that is no fault.
#[derive(Debug)]
pub(super) struct Answer {
    /// The entity tag.
    pub(super) etag: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Ask<'a> {
    /// Path below the address, with its parameters.
    pub(super) path: &'a str,
    /// Parameters.
    pub(super) query: &'a [(&'a str, &'a str)],
    /// Body and its type.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// Further headers.
    pub(super) headers: &'a [(&'static str, String)],
}

impl Http {
    /// For the host of a connector, with headers that hold its secret.
    pub(super) fn new(setup: &Setup, secret: &[(&'static str, String)]) -> Result<Self, Fault> {
        let Setup { name, settings, .. } = setup;
        let refused = |what: String| Fault::Refused(format!("the address of {name} {what}"));
        let mut base = address(&setup.url, settings.private, WEB).map_err(refused)?;
        if !base.path().ends_with('/') && !secret.is_empty() {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut headers = HeaderMap::new();
        for (header, value) in secret {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Fault::Refused(format!(
                    "the secret of {name} has characters that no header takes"
                ))
            })?;
            value.set_sensitive(true);
            headers.insert(*header, value);
        }
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("sitrepd/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A proxy would resolve the name a second time, behind the guard.
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .dns_resolver(Guard {
                private: settings.private,
            })
            .build()
            .map_err(|error| Fault::Refused(format!("cannot speak TLS to {name}: {error}")))?;
        Ok(Self {
            client,
            base,
            name: name.clone(),
            headers,
        })
    }

    /// The page of something there.
    pub(super) fn page(&self, path: &str) -> String {
        self.base
            .join(path)
            .map_or_else(|_| self.base.to_string(), |url| url.to_string())
    }

    /// GET.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Fault> {
        let ask = Ask {
            path,
            query,
            ..Ask::default()
        };
        self.ask(Method::GET, ask).await
    }

    /// A request with JSON.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, Fault> {
        let ask = Ask {
            path,
            body: Some(("application/json", body.to_string().into_bytes())),
            ..Ask::default()
        };
        self.ask(method, ask).await
    }

    /// Any request. Answers that are no success are faults.
    pub(super) async fn ask(&self, method: Method, ask: Ask<'_>) -> Result<Answer, Fault> {
        let mut url = if ask.path.is_empty() {
            self.base.clone()
        } else {
            let joined = self.base.join(ask.path);
            joined.map_err(|error| Fault::Refused(format!("{}: {error}", ask.path)))?
        };
        if url.origin() != self.base.origin() {
            return Err(Fault::Refused(format!("{} names another host", ask.path)));
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let mut request = self
            .client
            .request(method, url)
            .headers(self.headers.clone());
        for (name, value) in ask.headers {
            request = request.header(*name, value);
        }
        if let Some((media, body)) = ask.body {
            request = request.header("content-type", media).body(body);
        }
        let response = request.send().await.map_err(|error| self.silent(&error))?;
        let status = response.status().as_u16();
        let header = |name| {
            let value = response.headers().get(name);
            value.and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        let (etag, pause) = (header(reqwest::header::ETAG), header(RETRY_AFTER));
        let body = self.body(response).await?;
        if (200..300).contains(&status) {
            return Ok(Answer { etag, body });
        }
        Err(self.refused(status, pause.as_deref(), &String::from_utf8_lossy(&body)))
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.silent(&e))? {
            if body.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(Fault::Refused(format!(
                    "{} answered with more than {ANSWER_MAX_BYTES} bytes: is the address the right one?",
                    self.name
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn silent(&self, error: &reqwest::Error) -> Fault {
        let mut why = String::new();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            why = error.to_string();
            cause = error.source();
        }
        let what = if error.is_timeout() {
            "did not answer in time"
        } else {
            "cannot be reached"
        };
        Fault::later(format!("{} {what}: {why}", self.name))
    }

    fn refused(&self, status: u16, pause: Option<&str>, body: &str) -> Fault {
        let name = &self.name;
        let said: String = super::fields::one_line(body)
            .chars()
            .take(QUOTE_MAX)
            .collect();
        let told = format!("{name} answered {status}: {said}");
        match status {
            300..=399 => Fault::Refused(format!(
                "{name} answered {status}, which points elsewhere: give the address that it points to"
            )),
            401 => Fault::Refused(format!(
                "{name} does not take the secret (401): enter a valid one, then send again. It said: {said}"
            )),
            403 => Fault::Refused(format!(
                "{name} does not allow this (403): give its account the right, then send again. It said: {said}"
            )),
            410 => Fault::Gone(format!("{name} wants no more (410), so it was turned off")),
            409 | 412 => Fault::Conflict(told),
            413 => Fault::TooLarge(told),
            422 => Fault::Invalid(told),
            408 | 425 | 429 | 500..=599 => Fault::Later {
                why: told,
                after_ms: pause
                    .and_then(|text| text.trim().parse::<i64>().ok())
                    .map(|seconds| seconds.saturating_mul(1000).clamp(0, PAUSE_MAX_MS)),
            },
            _ => Fault::Refused(told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str, private: bool) -> Result<Http, Fault> {
        let setup = Setup {
            name: "Desk".into(),
            url: url.into(),
            secret: crate::config::Secret::new("s"),
            settings: super::super::Settings {
                private,
                ..Default::default()
            },
        };
        Http::new(&setup, &[])
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_where_it_is_resolved() {
        let http = http("https://localhost:1/", false).unwrap();
        let fault = http.get("", &[]).await.unwrap_err();
        assert!(fault.to_string().contains("private"), "{fault}");
    }

    #[test]
    fn statuses_say_what_to_do() {
        let http = http("https://desk.example.com", false).unwrap();
        let told = |status| http.refused(status, Some("7"), "no\n way");
        assert!(matches!(told(401), Fault::Refused(text) if text.contains("valid one")));
        assert!(matches!(told(302), Fault::Refused(_)));
        assert!(matches!(told(410), Fault::Gone(_)));
        assert!(matches!(told(412), Fault::Conflict(_)));
        assert!(matches!(told(413), Fault::TooLarge(_)));
        let busy = told(503);
        assert!(busy.passes());
        assert!(
            matches!(busy, Fault::Later { why, after_ms: Some(7000) } if why.contains("no way"))
        );
        assert!(!told(404).passes());
    }
}
