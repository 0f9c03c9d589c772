//! Nothing leaves this host before a person, or a flag a person set, says so.

mod selection;

pub use selection::{Selection, glob};
