//! The confined child: reads one stored file from its standard input, and says on its standard output what it holds.
//! What it trusts (the signatures) is prepared before it gives up its rights; what it does not trust is read after.

use std::fs::File;
use std::io::{self, BufRead, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use serde_json::Value;
use sitrep_shared::archive;
use sitrep_shared::bundle::layout;
use sitrep_shared::bundle::limits::{Limits, Reject};
use sitrep_shared::bundle::reader::{Entry, EntryKind, Index, Verified, Visitor, verify};
use sitrep_shared::signature::{Engine, Report, RunOptions};
use sitrep_shared::time::UtcMs;

use super::confine;
use super::foreign;
use super::frame::{self, Decision, Kind, Verdict};
use super::gather::Gatherer;
use super::indexer::Indexer;
use super::matcher::Matcher;
use super::process::Task;
use crate::signatures::catalogue::{CatalogueError, engine_of};

/// What ends a child without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum ChildFault {
    /// The signatures do not load.
    #[error("load the signatures")]
    Signatures(#[from] CatalogueError),
    /// It could not be confined.
    #[error("confine the reader")]
    Confine(#[from] confine::ConfineError),
    /// Input or output failed.
    #[error("use the pipes")]
    Io(#[from] io::Error),
    /// The answer could not be written as JSON.
    #[error("write the answer")]
    Json(#[from] serde_json::Error),
}

/// Reads the standard input and answers on the standard output. `task` is a [`Task`] in JSON.
///
/// # Errors
/// Only faults of our own; whatever is wrong with the input is a verdict.
pub fn run(task: &str) -> Result<(), ChildFault> {
    let task: Task = serde_json::from_str(task)?;
    let engine = engine_of(task.signatures.as_deref())?;
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    confine::confine(task.bytes, &task.limits)?;
    answer(input, &engine, &task, &mut output)
}

/// Reads a bundle to its end and writes all frames.
fn answer(
    mut input: File,
    engine: &Engine,
    task: &Task,
    output: &mut impl Write,
) -> Result<(), ChildFault> {
    let limits = &task.limits;
    let ours = archive::has_footer(&mut input, task.bytes)?;
    // The manifest says when the bundle was made, which decides the year of stamps without one. It is read again, and
    // checked, at the end.
    let created = Index::open(&mut input, limits)
        .ok()
        .and_then(|index| UtcMs::parse(&index.manifest.created).ok());
    input.seek(SeekFrom::Start(0))?;
    let options = RunOptions {
        bundle_time: created.unwrap_or_default(),
        ..RunOptions::default()
    };
    let verdict = std::thread::scope(|scope| {
        let matcher = Matcher::start(scope, engine, options);
        let mut look = Look {
            matcher,
            gatherer: Gatherer::start(scope),
            indexer: Indexer::new(created.map_or(task.received_ms, |time| time.0)),
            facts: None,
            manifest: None,
            limits,
        };
        match verify(&mut input, limits, &mut look) {
            Ok(verified) => look.write(&verified, output),
            // Other programs begin a gzip file as ours do; without our footer it is theirs, unless that is all it lacks.
            Err(_) if !ours && look.manifest.is_none() => {
                foreign::read(input, engine, task, output)
            }
            Err(reject) => Ok(Verdict::reject(reject.reason.as_str(), reject.detail)),
        }
    })?;
    frame::write(output, Kind::Verdict, &serde_json::to_vec(&verdict)?)?;
    Ok(())
}

/// Sees every entry once: index, signatures and facts in the same pass.
struct Look<'scope, 'e> {
    matcher: Matcher<'scope, 'e>,
    gatherer: Gatherer<'scope>,
    indexer: Indexer,
    facts: Option<Vec<u8>>,
    manifest: Option<Vec<u8>>,
    limits: &'e Limits,
}

impl<'scope, 'e: 'scope> Visitor for Look<'scope, 'e> {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind != EntryKind::File {
            return Ok(());
        }
        self.indexer.begin(entry.path, entry.offset);
        let keep = matches!(entry.path, layout::FACTS | layout::MANIFEST)
            && entry.size <= self.limits.manifest_bytes;
        let mut kept = Vec::new();
        let under_sos = entry
            .path
            .strip_prefix(layout::SOS_ROOT)
            .is_some_and(|rest| rest.starts_with('/'));
        if under_sos {
            self.matcher.file(entry.path);
            self.gatherer.file(entry.path, entry.offset);
        }
        loop {
            let chunk = data.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            self.indexer.feed(chunk);
            if under_sos {
                let chunk: Arc<[u8]> = chunk.into();
                self.matcher.push(Arc::clone(&chunk));
                self.gatherer.push(chunk);
            }
            if keep {
                kept.extend_from_slice(chunk);
            }
            let taken = chunk.len();
            data.consume(taken);
        }
        self.indexer.end();
        if under_sos {
            self.matcher.end();
            self.gatherer.end();
        }
        match entry.path {
            layout::FACTS if keep => self.facts = Some(kept),
            layout::MANIFEST if keep => self.manifest = Some(kept),
            _ => {}
        }
        Ok(())
    }
}

impl<'scope, 'e: 'scope> Look<'scope, 'e> {
    /// Writes what was seen of a bundle that holds what it says.
    fn write(self, verified: &Verified, output: &mut impl Write) -> Result<Verdict, ChildFault> {
        let files = self.indexer.files();
        frame::write(
            output,
            Kind::Index,
            &self.indexer.finish(&verified.manifest.blocks),
        )?;
        if let Some(manifest) = &self.manifest {
            frame::write(output, Kind::Manifest, manifest)?;
        }
        let facts: Option<Value> = self
            .facts
            .as_deref()
            .and_then(|json| serde_json::from_slice(json).ok());
        if let (Some(json), Some(_)) = (&self.facts, &facts) {
            frame::write(output, Kind::Facts, json)?;
        }
        learnt(self.matcher.finish(facts.as_ref()), self.gatherer, output)?;
        Ok(Verdict {
            verdict: Decision::Accept,
            reason: Some(archive::OK.to_owned()),
            detail: None,
            host: None,
            made_ms: None,
            format: "sitrep".to_owned(),
            sha256: Some(verified.sha256.to_string()),
            bytes: verified.bytes,
            unpacked_bytes: verified.unpacked_bytes,
            files,
            neutralised: Vec::new(),
        })
    }
}

/// Writes what the lines told: findings, templates of what is unknown, and where nothing need be looked for later.
pub(super) fn learnt(
    report: Report,
    gatherer: Gatherer<'_>,
    output: &mut impl Write,
) -> Result<(), ChildFault> {
    frame::write(output, Kind::Report, &serde_json::to_vec(&report)?)?;
    let (templates, filter) = gatherer.finish(&report);
    frame::write(output, Kind::Templates, &serde_json::to_vec(&templates)?)?;
    frame::write(output, Kind::Filter, &filter)?;
    Ok(())
}
