//! `signature backtest`: tries a signature file on the bundles that a collector stores, over its public API. Nothing is
//! kept there but the count.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Fault, Outcome};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(300);
/// One request takes no longer.
const REQUEST: Duration = Duration::from_secs(60);

/// Options of `signature backtest`.
#[derive(Args)]
pub(super) struct Arguments {
    /// File with one signature.
    file: PathBuf,
    /// Address of the collector, such as `https://support.example`.
    #[arg(long)]
    server: String,
    /// File with an API token of an engineer.
    #[arg(long)]
    token_file: PathBuf,
    /// Certificate (PEM) to trust besides the usual ones.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Only say what it would read.
    #[arg(long)]
    estimate: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(ask(arguments))?;
    if arguments.json {
        writeln!(out, "{done}")?;
        return Ok(Outcome::Done);
    }
    if arguments.estimate {
        writeln!(
            out,
            "{} bundles, {} bytes; it may match in {}, of which {} bytes would be read",
            done["bundles"], done["bytes"], done["candidates"], done["bytes_to_read"]
        )?;
        return Ok(Outcome::Done);
    }
    let hits = done["hits"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    writeln!(
        out,
        "{} of {} bundles looked at, {} read: {} match",
        done["bundles_done"],
        done["bundles"],
        done["bundles_read"],
        hits.len()
    )?;
    let word = |hit: &Value, key: &str| hit[key].as_str().unwrap_or_default().to_owned();
    for hit in hits {
        let file = sitrep_shared::escape::terminal(&word(hit, "file")).to_string();
        writeln!(
            out,
            "  bundle {} {file}:{} × {}",
            word(hit, "bundle_id"),
            hit["line"],
            hit["hits"]
        )?;
    }
    Ok(Outcome::Done)
}

async fn ask(arguments: &Arguments) -> Result<Value, Fault> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|source| Fault::Read {
            path: path.display().to_string(),
            source,
        })
    };
    let (yaml, token) = (read(&arguments.file)?, read(&arguments.token_file)?);
    // Another part of the program may have chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder().timeout(REQUEST);
    if let Some(path) = &arguments.ca {
        let fault = |error: reqwest::Error| Fault::Usage(format!("{}: {error}", path.display()));
        let certificate = reqwest::Certificate::from_pem(read(path)?.as_bytes()).map_err(fault)?;
        builder = builder.add_root_certificate(certificate);
    }
    let client = builder
        .build()
        .map_err(|error| Fault::Usage(error.to_string()))?;
    let base = arguments.server.trim_end_matches('/');
    let send =
        async |request: reqwest::RequestBuilder| answer(request.bearer_auth(token.trim())).await;
    let kind = ("content-type", "application/yaml");
    if arguments.estimate {
        let url = format!("{base}/api/v1/signature-estimates");
        return send(client.post(url).header(kind.0, kind.1).body(yaml)).await;
    }
    let url = format!("{base}/api/v1/signature-backtests");
    let started = send(client.post(url).header(kind.0, kind.1).body(yaml)).await?;
    let id = started["id"].as_str().unwrap_or_default();
    let url = format!("{base}/api/v1/retro-scans/{id}");
    loop {
        let seen = send(client.get(&url)).await?;
        match seen["state"].as_str() {
            Some("queued" | "running") => tokio::time::sleep(LOOK).await,
            Some("done") => return Ok(seen),
            other => {
                let why = seen["error"].as_str().unwrap_or("no reason was given");
                let state = other.unwrap_or("gone");
                return Err(Fault::Usage(format!("the back-test is {state}: {why}")));
            }
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Fault> {
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
