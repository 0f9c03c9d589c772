//! Signatures in the service: which are in force, what they found and what people say about it, what no signature
//! explains, and running one over bundles that were stored before.

pub mod catalogue;
pub mod explain;
pub mod feedback;
pub mod files;
pub mod folder;
pub mod intake;
pub mod overview;
pub mod packs;
pub mod retro;
pub mod sift;
pub mod similar;
pub mod unknown;

pub use catalogue::Signatures;
