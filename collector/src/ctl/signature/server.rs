//! A collector, as the commands that need one reach it: over its public API alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::RequestBuilder;
use serde_json::Value;

use super::Fault;

/// One request takes no longer.
const REQUEST: Duration = Duration::from_secs(60);

/// Options of commands that need a collector.
#[derive(Args)]
pub(super) struct Server {
    /// Address of the collector, such as `https://support.example`.
    #[arg(long, value_name = "URL")]
    server: String,
    /// File with an API token of an engineer.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Certificate (PEM) to trust besides the usual ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// A collector, and the token for it.
pub(super) struct Open {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Server {
    /// Reads the files that it names.
    pub(super) fn open(&self) -> Result<Open, Fault> {
        Open::at(&self.server, &self.token_file, self.ca.as_deref())
    }
}

impl Open {
    /// The collector at an address, with the token of a file.
    pub(super) fn at(url: &str, token_file: &Path, ca: Option<&Path>) -> Result<Self, Fault> {
        let token = read(token_file)?;
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().timeout(REQUEST);
        if let Some(path) = ca {
            let fault =
                |error: reqwest::Error| Fault::Usage(format!("{}: {error}", path.display()));
            let certificate =
                reqwest::Certificate::from_pem(read(path)?.as_bytes()).map_err(fault)?;
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder
            .build()
            .map_err(|error| Fault::Usage(error.to_string()))?;
        Ok(Self {
            client,
            base: url.trim_end_matches('/').to_owned(),
            token: token.trim().to_owned(),
        })
    }

    /// A question.
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.get(url).bearer_auth(&self.token)
    }

    /// A question with a body.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.client.post(url).bearer_auth(&self.token)
    }
}

/// Reads a text file.
pub(super) fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|source| Fault::Read {
        path: path.display().to_string(),
        source,
    })
}

/// Sends a request; what the collector refuses is told with all its faults.
pub(super) async fn answer(request: RequestBuilder) -> Result<Value, Fault> {
    let fault =
        |error: reqwest::Error| Fault::Usage(format!("the collector does not answer: {error}"));
    let response = request.send().await.map_err(fault)?;
    let status = response.status();
    let text = response.text().await.map_err(fault)?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    let mut told = body["detail"]
        .as_str()
        .unwrap_or("no reason was given")
        .to_owned();
    for error in body["errors"].as_array().into_iter().flatten() {
        let word = |key: &str| error[key].as_str().unwrap_or_default();
        told.push_str(&format!("\n  {}: {}", word("field"), word("message")));
    }
    Err(Fault::Usage(format!("{status}: {told}")))
}
