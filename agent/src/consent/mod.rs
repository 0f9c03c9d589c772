//! Nothing leaves this host before a person, or a flag a person set, says so.

mod plan;
mod screen;
mod selection;

pub use plan::ask_plan;
pub use screen::{Decision, ask};
pub use selection::{Selection, glob};

#[cfg(test)]
mod tests;
