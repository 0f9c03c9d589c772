//! The runner: carries out a plan on a host and hands every item's bytes to a [`Sink`].
//!
//! It names no source. Sources describe their items ([`PlannedItem`]); the runner reads them in a worker
//! thread, with byte limits, time limits and a cancel token, and ends every item with an [`Outcome`].
//! Nothing that was asked for goes unreported, and nothing here can fail as a whole: a missing file, a
//! missing right, a hung mount or a panic in a source are outcomes.

pub mod allowed;
mod cache;
pub mod cancel;
mod caught;
pub mod certificate;
pub mod cgroup;
pub mod command;
pub mod cost;
pub mod deny;
pub mod execute;
pub mod folder;
pub mod glob;
pub mod host;
pub mod journal;
pub mod logs;
pub mod logtime;
pub mod miss;
mod moment;
pub mod mounts;
pub mod netlink;
pub mod open;
pub mod out;
pub mod planner;
mod pressure;
pub mod programs;
pub mod rights;
pub mod runner;
pub mod sink;
pub mod source;
pub mod summary;
pub mod sys;
pub mod unpack;

pub use cancel::Cancel;
pub use host::Host;
pub use miss::Miss;
pub use moment::Moment;
pub use out::Out;
pub use planner::Planner;
pub use runner::run;
pub use sink::{ItemEnd, ItemStart, Progress, Sink, Truncated};
pub use source::{Ctx, Kind, Outcome, Params, PlannedItem, Read, Source, Tier};
pub use summary::{RunSummary, SourceSummary};

#[cfg(test)]
mod tests;
