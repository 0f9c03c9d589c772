//! Why a signature found something in a bundle, or why it did not: file by file, condition by condition, and the facts.

use std::io::Read;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use sitrep_shared::signature::{
    self, Catalogue, Engine, EngineError, RunOptions, Signature, SourceMap, Status,
};
use sitrep_shared::time::UtcMs;
use uuid::Uuid;

use super::sift::{SiftError, as_known};
use crate::bundles::browse::index::{BrowseIndex, FileEntry};
use crate::bundles::browse::read;
use crate::bundles::storage::{Derived, Store};
use crate::db::bundles::BundleRow;
use crate::error::{AppError, AppResult};
use crate::state::AppState;

/// Files that are explained.
const FILES_MAX: usize = 40;
/// Unpacked bytes that are looked at for it.
const BYTES_MAX: u64 = 256 << 20;
/// Bytes given to the engine at a time.
const PIECE_BYTES: usize = 256 << 10;

/// What is known about one signature on one bundle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Explained {
    /// The signature.
    pub signature_id: String,
    /// Whether a finding comes of it.
    pub found: bool,
    /// Where there is none: why, in one sentence.
    pub because: Option<String>,
    /// draft, shadow, live or retired.
    pub status: String,
    /// Its source, and how many files of the bundle that means.
    pub source: Option<String>,
    /// Files of the source in this bundle.
    pub files_of_source: usize,
    /// Of each: conditions, times, window, and what became of them.
    pub files: Vec<String>,
    /// Files that were not looked at, since they are too many or too long.
    pub files_left_out: usize,
    /// The condition on facts.
    pub requires: Option<String>,
    /// What it came to: true, false or unknown, with the reason.
    pub requires_is: Option<String>,
}

/// Explains a stored signature on a bundle.
///
/// # Errors
/// 404 when there is no such signature, or the bundle has no files to look at.
pub async fn explain(state: &AppState, row: &BundleRow, id: &str) -> AppResult<Explained> {
    let loaded = state.bundles.signatures.current().await?;
    let entry = loaded.find(id);
    let signature = entry
        .ok_or_else(|| AppError::not_found("signature"))?
        .signature
        .clone();
    let (store, sources) = (state.bundles.store(), loaded.sources.clone());
    let bundle = Uuid::parse_str(&row.id).map_err(AppError::internal)?;
    let time_ms = row.collected_ms.unwrap_or(row.received_ms);
    let about = About {
        store,
        bundle,
        time_ms,
        signature,
        sources,
    };
    let told = tokio::task::spawn_blocking(move || about.tell()).await;
    told.map_err(AppError::internal)?
        .map_err(|error| match error {
            ExplainError::Sift(SiftError::Storage(cause)) if cause.is_absent() => {
                AppError::not_found("content of this bundle")
            }
            other => AppError::internal(other),
        })
}

#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error("look into the bundle")]
    Sift(#[from] SiftError),
    #[error("compile the signature")]
    Engine(#[from] EngineError),
}

struct About {
    store: Arc<Store>,
    bundle: Uuid,
    time_ms: i64,
    signature: Signature,
    sources: SourceMap,
}

impl About {
    fn tell(&self) -> Result<Explained, ExplainError> {
        let extension = self.signature.extension.as_ref();
        let mut told = Explained {
            signature_id: self.signature.id.clone(),
            status: super::catalogue::word(self.signature.status()).to_owned(),
            source: self.signature.rule.as_ref().map(|r| r.source.clone()),
            requires: extension.and_then(|e| e.requires.clone()),
            ..Explained::default()
        };
        let facts = self.store.read_derived(self.bundle, Derived::Facts).ok();
        let facts: Option<Value> = facts.and_then(|json| serde_json::from_slice(&json).ok());
        let engine = self.engine(&self.signature)?;
        let derived = self.store.derived(self.bundle, Derived::Index);
        let index = derived.map_err(SiftError::from)?;
        let index = BrowseIndex::open(index).map_err(SiftError::from)?;
        let entries = index.entries().map_err(SiftError::from)?;
        let (foreign, files) = as_known(entries);
        let options = RunOptions {
            bundle_time: UtcMs(self.time_ms),
            ignore_source: foreign,
            ..RunOptions::default()
        };
        let mut run = engine.run(options);
        let mut left = BYTES_MAX;
        for (known_as, entry) in files {
            if self.signature.rule.is_none() || !engine.run(options).file(&known_as).is_read() {
                continue;
            }
            told.files_of_source += 1;
            if told.files.len() >= FILES_MAX || entry.size > left {
                told.files_left_out += 1;
                continue;
            }
            left -= entry.size;
            let mut scan = run.file(&known_as);
            self.feed(&index, &entry, &mut |piece| scan.push(piece))?;
            run.done(scan.finish());
            let text =
                signature::explain(&self.signature, &self.sources, options, &known_as, |s| {
                    self.feed(&index, &entry, &mut |piece| s.push(piece))
                });
            told.files.push(text??);
        }
        let report = run.finish(facts.as_ref());
        told.found = !report.findings.is_empty();
        let not_evaluated = report.not_evaluated.into_iter().next().map(|n| n.reason);
        if told.requires.is_some() {
            told.requires_is = Some(self.requires(facts.as_ref())?);
        }
        told.because = self.because(&told, not_evaluated);
        Ok(told)
    }

    /// One sentence for a signature that found nothing.
    fn because(&self, told: &Explained, not_evaluated: Option<String>) -> Option<String> {
        if told.found {
            let shadow = self.signature.status() == Status::Shadow;
            return shadow.then(|| "it is in shadow: for staff only".to_owned());
        }
        if let Some(reason) = not_evaluated {
            return Some(format!("not evaluated: {reason}"));
        }
        if let (Some(source), 0) = (&told.source, told.files_of_source) {
            return Some(format!("no file of its source {source} is in this bundle"));
        }
        match told.requires_is.as_deref() {
            Some("true") | None => Some("its conditions are not met; see the files".to_owned()),
            Some(other) => Some(format!("its condition on facts is {other}")),
        }
    }

    fn engine(&self, signature: &Signature) -> Result<Engine, EngineError> {
        let mut active = signature.clone();
        if !active.is_active() {
            active.extension.get_or_insert_default().status = Status::Live;
        }
        let signatures = vec![active];
        Engine::new(&Catalogue { signatures }, &self.sources)
    }

    /// What the facts alone come to.
    fn requires(&self, facts: Option<&Value>) -> Result<String, EngineError> {
        let alone = Signature {
            rule: None,
            ..self.signature.clone()
        };
        let engine = self.engine(&alone)?;
        let report = engine.run(RunOptions::default()).finish(facts);
        let unknown = report.not_evaluated.into_iter().next();
        Ok(match (report.findings.is_empty(), unknown) {
            (false, _) => "true".to_owned(),
            (true, Some(unknown)) => format!("unknown: {}", unknown.reason),
            (true, None) => "false".to_owned(),
        })
    }

    fn feed(
        &self,
        index: &BrowseIndex,
        entry: &FileEntry,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), SiftError> {
        let body = self.store.body(self.bundle)?;
        let mut reader = read::file_range(body, index, entry, 0, entry.size)?;
        let mut piece = vec![0u8; PIECE_BYTES];
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(()),
                n => take(&piece[..n]),
            }
        }
    }
}
