//! The agent: collects a host's diagnostics, removes secrets, asks, and sends one sealed bundle.
//!
//! [`run`] is the whole program with its surroundings as arguments, so that a test can run it with a
//! terminal, environment and clock of its own. Commands call plan, consent, collect, bundle, analysis
//! and upload; only [`ui`] writes to the terminal and only [`upload`] opens sockets to the collector.

pub mod analysis;
pub mod bundle;
pub mod cli;
pub mod collect;
pub mod config;
pub mod consent;
pub mod error;
pub mod plan;
pub mod profile;
pub mod redaction;
pub mod sources;
pub mod ui;
pub mod upload;

use std::ffi::OsString;

/// Runs the program and returns its exit code (see [`error::Exit`]).
pub fn run(args: impl IntoIterator<Item = OsString>, io: ui::Io) -> u8 {
    cli::dispatch(args, io).code()
}
