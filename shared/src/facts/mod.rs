//! Typed facts about a host, and how they are read from the texts of files and commands.
//!
//! Agent and collector read facts the same way, from the same texts: [`Reader`] takes bundle paths and
//! bytes and gives [`Facts`]. So a foreign sos report yields the same facts as a bundle of ours. Each group
//! names the item that it came from. The JSON Schema is `shared/src/facts/schema.json`.

mod inventory;
mod model;
mod network;
mod process;
pub mod read;
mod storage;
mod system;

pub use model::*;
pub use read::{MAX_TEXT, Reader, wants};

/// Value of [`Facts::schema`].
pub const SCHEMA: &str = "sitrep.facts/1";
/// The JSON Schema of the facts.
pub const JSON_SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests;
