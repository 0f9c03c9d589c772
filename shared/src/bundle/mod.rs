//! The bundle, format 1.

pub mod layout;
pub mod limits;
pub mod manifest;
