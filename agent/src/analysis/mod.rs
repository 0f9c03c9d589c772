//! The collector's own signature engine on this host, before anything is sent.

use sitrep_shared::signature::{Catalogue, Engine, Run, RunOptions, SourceMap};
use sitrep_shared::time::UtcMs;
use thiserror::Error;

/// The catalogue in this program is broken, which its tests exclude.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// A signature cannot be read.
    #[error("cannot read the signatures in this program: {0}")]
    Catalogue(String),
    /// A signature cannot be compiled.
    #[error("cannot prepare the signatures in this program: {0}")]
    Engine(String),
}

/// The compiled catalogue of this program.
pub struct Analysis {
    engine: Engine,
}

impl Analysis {
    /// Compiles the catalogue.
    pub fn new() -> Result<Self, AnalysisError> {
        let catalogue = Catalogue::embedded().map_err(|errors| {
            let first = errors
                .first()
                .map_or(String::new(), |error| error.to_string());
            AnalysisError::Catalogue(first)
        })?;
        let sources =
            SourceMap::embedded().map_err(|error| AnalysisError::Catalogue(error.to_string()))?;
        let engine = Engine::new(&catalogue, &sources)
            .map_err(|error| AnalysisError::Engine(sitrep_shared::error::chain(&error)))?;
        Ok(Self { engine })
    }

    /// Begins the analysis of one collection.
    pub fn begin(&self, now: UtcMs) -> Run<'_> {
        self.engine.run(RunOptions {
            bundle_time: now,
            ..RunOptions::default()
        })
    }
}
