//! What agent and collector share: the bundle format, redaction, signatures, facts and the wire
//! protocol. Pure and synchronous: no environment, clock, network or printing; bytes come and go
//! only through the `Read`, `Write` and `Seek` that a caller gives.

pub mod age;
pub mod archive;
pub mod bundle;
mod data;
pub mod error;
pub mod escape;
pub mod facts;
pub mod hash;
pub mod ids;
pub mod protocol;
pub mod redact;
pub mod signature;
pub mod size;
pub mod time;
