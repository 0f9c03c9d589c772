//! The connection to one collector: TLS, proxy, time limits, the code as a bearer token.

use super::witness::{self, Met};
use super::{Destination, UploadError, Via, Way};
use crate::ui::Interrupt;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use sitrep_shared::protocol::{CodeInfo, Problem};
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// No name and no road after this: the network is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A collector that syncs to a slow disk may think for a while before it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// Servers close idle connections after some seconds; one that is about to go is not used again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// JSON answers are small; a larger one is an attack or another server.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How soon Ctrl-C is noticed while waiting.
const TICK: Duration = Duration::from_millis(100);

/// A collector that can be talked to. Calls block; the event loop inside runs on this thread only.
pub struct Collector {
    pub(super) runtime: Runtime,
    pub(super) http: reqwest::Client,
    pub(super) destination: Destination,
    pub(super) way: Way,
    pub(super) interrupt: Interrupt,
}

/// Whom a connection believes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The host's list and the given authorities.
    Host,
    /// The given authorities alone.
    Given,
}

impl Collector {
    /// Sets up the connection without talking yet.
    pub fn new(
        destination: Destination,
        way: Way,
        interrupt: Interrupt,
    ) -> Result<Self, UploadError> {
        // Installing twice is an error that changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let given = way.ca_file.as_deref().map(authorities).transpose()?;
        let given = given.unwrap_or_default();
        let client = |trust| build(&destination, &way, &given, trust);
        let http = match client(Trust::Host) {
            // A system without any certificates refuses; the given ones are then all there is.
            Err(UploadError::Setup(_)) if !given.is_empty() => client(Trust::Given)?,
            other => other?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| UploadError::Protocol(format!("no event loop: {error}")))?;
        Ok(Self {
            runtime,
            http,
            destination,
            way,
            interrupt,
        })
    }

    /// A connection that believes anybody, and notes whom it met.
    pub(super) fn credulous(&self) -> Result<(reqwest::Client, Met), UploadError> {
        let (tls, met) =
            witness::configuration().map_err(|error| UploadError::Protocol(error.to_string()))?;
        let client = builder(&self.way)?
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(UploadError::Setup)?;
        Ok((client, met))
    }

    /// Where this talks to.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Asks what the code is for.
    pub fn code_info(&self) -> Result<CodeInfo, UploadError> {
        let url = format!("{}/api/v1/upload-code", self.destination.base_url());
        let doing = format!("cannot reach {}", self.destination.host());
        self.runtime.block_on(async {
            let request = self.request(Method::GET, &url)?;
            let response = self.send_request(request, &doing).await?;
            json(response).await
        })
    }

    /// A request with the code in its header.
    pub(super) fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, UploadError> {
        let mut token = HeaderValue::try_from(format!("Bearer {}", self.destination.secret()))
            .map_err(|error| UploadError::Protocol(error.to_string()))?;
        token.set_sensitive(true);
        Ok(self.http.request(method, url).header(AUTHORIZATION, token))
    }

    /// Sends a request and turns every answer but success into an error.
    pub(super) async fn send_request(
        &self,
        request: RequestBuilder,
        doing: &str,
    ) -> Result<Response, UploadError> {
        let answer = self.unless_interrupted(request.send()).await?;
        let response = answer.map_err(|source| UploadError::Network {
            doing: doing.to_owned(),
            source: source.without_url(),
        })?;
        check(response).await
    }

    /// Waits for `work`, but not longer than until Ctrl-C.
    pub(super) async fn unless_interrupted<F: Future>(
        &self,
        work: F,
    ) -> Result<F::Output, UploadError> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                output = &mut work => return Ok(output),
                () = tokio::time::sleep(TICK) => {
                    if let Some(signal) = self.interrupt.signal() {
                        return Err(UploadError::Interrupted(signal.exit()));
                    }
                }
            }
        }
    }

    /// Pauses, but not longer than until Ctrl-C.
    pub(super) async fn pause(&self, duration: Duration) -> Result<(), UploadError> {
        self.unless_interrupted(tokio::time::sleep(duration)).await
    }
}

fn build(
    destination: &Destination,
    way: &Way,
    authorities: &[reqwest::Certificate],
    trust: Trust,
) -> Result<reqwest::Client, UploadError> {
    let mut builder = builder(way)?;
    if let Some(path) = &way.client_cert {
        builder = builder.identity(identity(path)?);
    }
    let plain = destination.base_url().starts_with("http://");
    let behind_tls = way
        .proxy
        .as_ref()
        .is_some_and(|via| via.url.starts_with("https:"));
    builder = match trust {
        Trust::Given => builder.tls_certs_only(authorities.iter().cloned()),
        Trust::Host if plain && !behind_tls => builder.tls_certs_only(authorities.iter().cloned()),
        Trust::Host if authorities.is_empty() => builder,
        Trust::Host => builder.tls_certs_merge(authorities.iter().cloned()),
    };
    builder.build().map_err(UploadError::Setup)
}

/// What every connection has.
fn builder(way: &Way) -> Result<reqwest::ClientBuilder, UploadError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("sitrep/", env!("CARGO_PKG_VERSION")))
        // A redirect would carry the code to where it was not meant to go.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ANSWER_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        // Which proxy there is was decided already, with what `NO_PROXY` excepts.
        .no_proxy();
    Ok(match &way.proxy {
        Some(via) => builder.proxy(proxy(via)?),
        None => builder,
    })
}

fn proxy(via: &Via) -> Result<reqwest::Proxy, UploadError> {
    reqwest::Proxy::all(&via.url).map_err(UploadError::Setup)
}

/// Certificate and key of this host, which nobody else may read.
fn identity(path: &Path) -> Result<reqwest::Identity, UploadError> {
    use std::os::unix::fs::MetadataExt;
    let fault = |source: Box<dyn std::error::Error + Send + Sync>| UploadError::ClientCert {
        path: path.to_path_buf(),
        source,
    };
    let meta = std::fs::metadata(path).map_err(|error| fault(error.into()))?;
    if meta.mode() & 0o007 != 0 {
        return Err(fault("everybody on this computer can read it".into()));
    }
    let pem = std::fs::read(path).map_err(|error| fault(error.into()))?;
    reqwest::Identity::from_pem(&pem).map_err(|error| fault(error.into()))
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, UploadError> {
    let fault = |source: Box<dyn std::error::Error + Send + Sync>| UploadError::CaFile {
        path: path.to_path_buf(),
        source,
    };
    let pem = std::fs::read(path).map_err(|error| fault(error.into()))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fault(error.into()))?;
    if found.is_empty() {
        Err(fault("no certificate in it".into()))
    } else {
        Ok(found)
    }
}

/// Success, or the error the collector meant.
pub(super) async fn check(response: Response) -> Result<Response, UploadError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let problem = body(response)
        .await
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Problem>(&bytes).ok())
        .map(Box::new);
    Err(match status {
        StatusCode::UNAUTHORIZED => UploadError::Code,
        StatusCode::GONE | StatusCode::NOT_FOUND => UploadError::Gone,
        _ => UploadError::Answer {
            status: status.as_u16(),
            problem,
            retry_after,
        },
    })
}

/// The answer as JSON of the agreed form.
pub(super) async fn json<T: DeserializeOwned>(response: Response) -> Result<T, UploadError> {
    let bytes = body(response).await?;
    serde_json::from_slice(&bytes).map_err(|error| UploadError::Protocol(error.to_string()))
}

async fn body(mut response: Response) -> Result<Vec<u8>, UploadError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|source| UploadError::Network {
            doing: "the answer broke off".to_owned(),
            source: source.without_url(),
        })?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(UploadError::Protocol("it is larger than 1 MiB".to_owned()));
        }
    }
    Ok(bytes)
}
