//! The way to the collector: ask what a code is for, send a sealed bundle, wait for the verdict.
//!
//! The only place of the agent that opens sockets to the collector. A bundle that got this far is
//! already agreed to; nothing here asks or decides. The upload code goes into one header and into the
//! private state file of an unfinished upload, and nowhere else.

pub mod client;
mod destination;
mod error;
mod probe;
mod retry;
mod send;
mod state;
mod stream;
mod tus;
mod verdict;
mod way;
mod withdraw;
mod witness;

pub use client::Collector;
pub use destination::Destination;
pub use error::UploadError;
pub use probe::{Level, Step};
pub use send::{Outgoing, Sent};
pub use state::{Record, Records};
pub use stream::{Arrived, Outbound};
pub use verdict::word as verdict_word;
pub use way::{Via, Way, from_environment};
pub use withdraw::code as withdrawal_code;
