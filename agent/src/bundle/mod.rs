//! Bundles on this host: the spool file while it grows, what goes into `meta/`, and resealing.

mod spool;

pub use spool::{Spool, SpoolError, StateDir};
