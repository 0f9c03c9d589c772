//! `signature replay`: what rules would find in bundles that are there as files, with their facts.

use std::fs::{self, File};
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use clap::Args;
use serde_json::Value;
use sitrep_shared::archive::{self, Entry, Kind, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reason, Reject};
use sitrep_shared::facts;
use sitrep_shared::signature::{Backtest, Catalogue, Engine, Run, RunOptions, Tally};
use sitrep_shared::time::UtcMs;

use super::files::{self, read_fault, walk};
use super::run::time;
use super::{Fault, Outcome, logs};

/// Where a bundle of ours keeps the facts.
const FACTS: &str = "meta/facts.json";
/// Facts of more bytes are none.
const MAX_FACTS_BYTES: u64 = 16 * 1024 * 1024;

/// Options of `sitrepctl signature replay`.
#[derive(Args)]
pub(super) struct Arguments {
    /// Rule files, or folders with rule files; without any, the built-in catalogue.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Bundles, sos reports and other archives, or folders of them.
    #[arg(long, num_args = 1.., value_name = "PATH", required = true)]
    bundles: Vec<PathBuf>,
    /// Run every rule on every file, whatever data source it names.
    #[arg(long)]
    ignore_source: bool,
    /// A source map of your own, added to the built-in one.
    #[arg(long, value_name = "PATH")]
    sources: Option<PathBuf>,
    /// When the bundles were made: decides the year of stamps without one. Default: each file's own time.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// One JSON object for each rule.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Outcome, Fault> {
    let catalogue = Catalogue {
        signatures: files::rules(&arguments.rules)?,
    };
    let sources = files::sources(arguments.sources.as_deref())?;
    let engine = Engine::new(&catalogue, &sources)?;
    let at = arguments
        .at
        .as_deref()
        .map(|at| time(Some(at)))
        .transpose()?;
    let mut backtest = Backtest::new(&catalogue);
    for path in bundles(&arguments.bundles)? {
        let made = at.unwrap_or_else(|| changed(&path));
        let options = RunOptions {
            bundle_time: made,
            ignore_source: arguments.ignore_source,
            ..RunOptions::default()
        };
        let mut bundle = Bundle {
            name: path.display().to_string(),
            run: engine.run(options),
            reader: facts::Reader::new(made.0),
            texts: 0,
            own: None,
            fault: None,
        };
        bundle.read(&path)?;
        let facts = bundle.facts()?;
        let Bundle { name, run, .. } = bundle;
        backtest.add(&name, &run.finish(facts.as_ref()));
    }
    for tally in backtest.finish() {
        if arguments.json {
            serde_json::to_writer(&mut *out, &tally).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            told(&tally, out)?;
        }
    }
    Ok(Outcome::Done)
}

/// One line for a signature that fired, with its places below.
fn told(tally: &Tally, out: &mut dyn Write) -> Result<(), Fault> {
    let Tally {
        id,
        bundles,
        fired,
        not_evaluated,
        hits,
        ..
    } = tally;
    writeln!(
        out,
        "{id}: fires in {fired} of {bundles} bundles, {hits} hits; not evaluated in {not_evaluated}"
    )?;
    for place in &tally.places {
        let text = place.text.lines().next().unwrap_or_default();
        let shown = format!("  {}: {}:{}: {text}", place.bundle, place.file, place.line);
        writeln!(out, "{}", sitrep_shared::escape::terminal(&shown))?;
    }
    Ok(())
}

/// The files that the arguments mean; of a folder all below it.
fn bundles(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

/// When a file was last changed.
fn changed(path: &Path) -> UtcMs {
    let changed = fs::metadata(path).and_then(|m| m.modified()).ok();
    let since = changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    UtcMs(since.map_or(0, |s| i64::try_from(s.as_millis()).unwrap_or(i64::MAX)))
}

/// One bundle being read.
struct Bundle<'e> {
    /// As it is shown.
    name: String,
    run: Run<'e>,
    reader: facts::Reader,
    /// Texts that the reader took.
    texts: u64,
    /// The facts that the bundle brings along.
    own: Option<Value>,
    fault: Option<Fault>,
}

impl Bundle<'_> {
    fn read(&mut self, path: &Path) -> Result<(), Fault> {
        let mut file = File::open(path).map_err(|source| read_fault(path, source))?;
        let report = archive::inspect(&mut file, &Limits::default(), self);
        match (self.fault.take(), report.verdict) {
            (Some(fault), _) => Err(fault),
            (None, Verdict::Reject) => Err(read_fault(
                path,
                std::io::Error::other(format!("{}: {}", report.reason, report.detail)),
            )),
            _ => Ok(()),
        }
    }

    fn facts(&mut self) -> Result<Option<Value>, Fault> {
        if self.own.is_some() || self.texts == 0 {
            return Ok(self.own.take());
        }
        let reader = std::mem::replace(&mut self.reader, facts::Reader::new(0));
        let facts = serde_json::to_value(reader.finish()).map_err(std::io::Error::from)?;
        Ok(Some(facts))
    }

    fn entry_of(&mut self, path: &str, data: &mut dyn BufRead) -> Result<(), Fault> {
        let fault = |source| read_fault(Path::new(path), source);
        if path == FACTS {
            let mut text = Vec::new();
            data.take(MAX_FACTS_BYTES)
                .read_to_end(&mut text)
                .map_err(fault)?;
            self.own = serde_json::from_slice(&text).ok();
            return Ok(());
        }
        let mut scan = self.run.file(path);
        if facts::wants(path) {
            let mut kept = Vec::new();
            let limit = facts::MAX_TEXT as u64;
            Read::take(&mut *data, limit)
                .read_to_end(&mut kept)
                .map_err(fault)?;
            scan.push(&kept);
            self.reader.add(path, &kept);
            self.texts += 1;
        }
        logs::feed(path, data, &mut scan)?;
        self.run.done(scan.finish());
        Ok(())
    }
}

impl Visitor for Bundle<'_> {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind != Kind::File {
            return Ok(());
        }
        // Bundles have one folder round everything; what a sos report has below it, ours have below `sos/`.
        let path = match entry.path.split_once('/') {
            Some((top, rest)) if top.starts_with("sosreport-") => format!("sos/{rest}"),
            Some((_, rest)) => rest.to_owned(),
            // A single compressed file is one log under its own name.
            None if entry.raw == b"content" => self.name.clone(),
            None => entry.path.to_owned(),
        };
        self.entry_of(&path, data).map_err(|fault| {
            self.fault = Some(fault);
            Reject::new(Reason::Empty, "stopped")
        })
    }
}
