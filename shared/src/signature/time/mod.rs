//! Time stamps in log lines: which form a file uses, and what a line's stamp says.

mod civil;
mod dates;
mod detect;
mod formats;
mod reader;

pub use dates::Dates;
pub(super) use detect::{Envelope, Layout, SAMPLE_BYTES, Stamp, docker};
pub use formats::{FORMATS, Format};
pub(super) use reader::Clock;
