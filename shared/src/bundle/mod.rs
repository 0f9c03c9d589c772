//! The bundle, format 1. This is the specification.
//!
//! A bundle is an ordinary `.tar.gz` that any tool opens, made so that one file in it is read
//! without reading the rest.
//!
//! # The tar
//! - One top directory, `<ticket or local>-<host>-<time>`; paths in the manifest are below it
//!   ([`layout`]).
//! - Entries are regular files and symbolic links only, each written in exactly one way: ustar with
//!   names up to 100 bytes, otherwise one PAX header with `path` and `linkpath`; mode 644 (links
//!   777), owner root; sizes from 8 GiB on in base 256. A reader writes the header again and
//!   compares, so there is no second reading of it. Links are relative and stay inside.
//! - Names ([`path`]): UTF-8, no `.`/`..`/empty components, no control, bidirectional or invisible
//!   characters, no name twice, none below a file or link.
//! - `README.txt` comes first, `meta/manifest.json` last; two records of zeros end the archive.
//! - Every other entry has one item in the [`manifest`], which has its digest, size and the offset
//!   of its data in the uncompressed tar. Items that gave nothing have no path.
//!
//! # The gzip stream
//! - A series of members ("blocks") of at most 1 MiB of tar bytes, each beginning
//!   `1f 8b 08 00 00 00 00 00`. An entry of 64 KiB or more begins a block (its header may be a
//!   block of its own, stored), the manifest always does.
//! - The manifest's `blocks` has the compressed and the uncompressed offset of each block before
//!   the manifest's own.
//! - The last member is empty, 35 bytes long, and has one extra subfield `SR` of 9 bytes: version
//!   1, then the compressed offset of the manifest's block, little-endian. Nothing follows.
//!
//! # Reading
//! [`reader::Index`] reads the footer and the manifest, then single blocks. [`reader::verify`]
//! reads everything once and rejects what differs from this text by a code of [`limits::Reason`].

mod blocks;
mod gzip;
mod header;
mod inflate;
pub mod layout;
pub mod limits;
pub mod manifest;
pub mod path;
pub mod reader;
mod reseal;
mod reserve;
#[cfg(test)]
mod tests;
mod writer;

pub use blocks::{BlockStream, tar_end, tar_header, tar_padding};
pub use reseal::{DESELECTED, Edit, REPLACED, reseal};
pub use reserve::Reserved;
pub use writer::{
    BLOCK_BYTES, BundleWriter, EntryWriter, OWN_BLOCK_BYTES, Sealed, Stored, WriteError,
    WriterOptions,
};
