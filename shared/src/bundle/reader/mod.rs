//! Reads bundles that strangers made: at random through the index, or whole and strictly.

mod blocks;
mod index;
mod tar;
mod verify;

pub use super::gzip::{FOOTER_BYTES, parse_footer};
pub use super::header::EntryKind;
pub use index::{BlockDecoder, BlockRange, Index, ItemReader, decode_block};
pub use verify::{Entry, Verified, Visitor, verify};
