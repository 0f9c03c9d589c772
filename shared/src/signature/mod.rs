//! Signatures of known errors: the catalogue, the engine, and its findings.
//!
//! A signature file is a CRE document (Common Reliability Enumerations), so that the community's
//! rules run unchanged; what only Sitrep knows is under one extra key, `sitrep`. The matching is
//! that of the reference engine with these choices where it is ambiguous or wrong:
//!
//! - Late entries are sorted in, within a buffer of [`machine::REORDER`] matches for each rule;
//!   the reference drops them.
//! - Undated lines at the start of a dated file, and files without any stamp, are scanned; rules
//!   that need time are then *not evaluated*, which is never the same as passed.
//! - A sequence consumes its entries in order also after its first hit.
//! - A negative on an earlier line with the time of the only positive does not suppress it, whatever
//!   lines without a match lie around.
//! - Offsets in stamps are read; stamps without one are in the zone the caller gives, or UTC.
//! - Literals are looked for within lines: one that only the joining of an entry's lines makes is none.
//! - Each file is matched by itself; a hit never joins lines of two files.
//!
//! **Invariant:** `shared` has the one engine; agent and collector give the same findings for the
//! same bytes, however the bytes are cut into chunks.

mod backtest;
#[cfg(test)]
mod catalogue;
mod check;
mod condition;
#[cfg(test)]
mod conformance;
mod document;
mod duration;
mod embedded;
mod engine;
mod entry;
mod explain;
mod filter;
mod finding;
#[cfg(test)]
mod healthy;
#[cfg(feature = "jq")]
mod jq;
#[cfg(not(feature = "jq"))]
#[path = "jq/absent.rs"]
mod jq;
mod lint;
mod literal;
pub mod machine;
pub mod model;
mod parse;
mod pattern;
mod plan;
mod prefilter;
#[cfg(test)]
mod redacted;
mod rule;
mod run;
mod scan;
mod schema;
mod selftest;
mod source;
mod state;
mod templates;
mod term;
mod time;
mod version;

pub use backtest::{Backtest, Place, Tally};
pub use condition::Truth;
pub use engine::{Engine, EngineError};
pub use explain::explain;
pub use filter::{Admitted, Filter, FilterBuilder, Probe};
pub use finding::{Evidence, Finding, NotEvaluated, Report, SCHEMA};
pub use lint::lint;
pub use model::{Severity, Signature, Status};
pub use parse::{Catalogue, LoadError};
pub use run::{Outcome, Run, RunOptions};
pub use scan::{FileResult, FileScan, RuleHits};
pub use schema::schema;
pub use selftest::{TestFailure, test_signature};
pub use source::{SourceError, SourceMap};
pub use templates::{DraftError, Miner, Template, draft};
pub use time::{Dates, FORMATS, Format};
