//! `signature backtest`: tries a signature file on the bundles that a collector stores, over its public API. Nothing is
//! kept there but the count.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::server::{Server, answer, read};
use super::{Fault, Outcome};

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(300);

/// Options of `signature backtest`.
#[derive(Args)]
pub(super) struct Arguments {
    /// File with one signature.
    file: PathBuf,
    #[command(flatten)]
    server: Server,
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
    let yaml = read(&arguments.file)?;
    let server = arguments.server.open()?;
    let kind = ("content-type", "application/yaml");
    if arguments.estimate {
        let asked = server.post("/api/v1/signature-estimates");
        return answer(asked.header(kind.0, kind.1).body(yaml)).await;
    }
    let asked = server.post("/api/v1/signature-backtests");
    let started = answer(asked.header(kind.0, kind.1).body(yaml)).await?;
    let id = started["id"].as_str().unwrap_or_default();
    loop {
        let seen = answer(server.get(&format!("/api/v1/retro-scans/{id}"))).await?;
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
