//! Gzip members as a bundle has them: compressed blocks, stored headers, the footer.

use libdeflater::{CompressionLvl, Compressor};

/// What every member of a bundle begins with: deflate, no flags, no time.
pub(crate) const MEMBER_START: [u8; 8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
/// What the footer begins with: the same with an extra field of 13 bytes, one subfield `SR` of 9.
const FOOTER_START: [u8; 17] = [
    0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 13, 0, b'S', b'R', 9, 0, 1,
];
/// An empty deflate stream, and CRC and length of nothing.
const FOOTER_END: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Bytes of the footer.
pub const FOOTER_BYTES: usize = FOOTER_START.len() + 8 + FOOTER_END.len();
/// Largest compressed size of a block of 1 MiB: stored deflate blocks and the gzip frame.
pub(crate) fn member_bound(block_bytes: u64) -> u64 {
    block_bytes + block_bytes / 1024 + 64
}

/// Makes the footer: an empty member that holds the compressed offset of the manifest's block.
pub(crate) fn footer(manifest_at: u64) -> [u8; FOOTER_BYTES] {
    let mut bytes = [0; FOOTER_BYTES];
    bytes[..17].copy_from_slice(&FOOTER_START);
    bytes[17..25].copy_from_slice(&manifest_at.to_le_bytes());
    bytes[25..].copy_from_slice(&FOOTER_END);
    bytes
}

/// Reads a footer; none when the bytes are no footer of version 1.
#[must_use]
pub fn parse_footer(bytes: &[u8]) -> Option<u64> {
    let bytes: &[u8; FOOTER_BYTES] = bytes.try_into().ok()?;
    if bytes[..17] != FOOTER_START || bytes[25..] != FOOTER_END {
        return None;
    }
    let mut at = [0; 8];
    at.copy_from_slice(&bytes[17..25]);
    Some(u64::from_le_bytes(at))
}

/// Whether bytes begin as a footer does, as far as they go; tells a cut-off footer from a foreign
/// member with flags.
pub(crate) fn starts_footer(bytes: &[u8]) -> bool {
    let seen = bytes.len().min(FOOTER_START.len());
    seen > 3 && bytes[..seen] == FOOTER_START[..seen]
}

/// One gzip member that holds bytes uncompressed, so that its size is known before its content.
pub(crate) fn stored_member(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a tar header is far below 64 KiB");
    let mut out = Vec::with_capacity(bytes.len() + 23);
    out.extend_from_slice(&MEMBER_START);
    out.extend_from_slice(&[0, 255, 1]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(&libdeflater::crc32(bytes).to_le_bytes());
    out.extend_from_slice(&u32::from(length).to_le_bytes());
    out
}

/// Compresses blocks with libdeflate, reusing one output buffer.
pub(crate) struct Packer {
    compressor: Compressor,
    out: Vec<u8>,
}

impl Packer {
    /// Level 1 to 12; others become the nearest.
    pub(crate) fn new(level: u8) -> Self {
        let level = CompressionLvl::new(i32::from(level.clamp(1, 12))).unwrap_or_default();
        Self {
            compressor: Compressor::new(level),
            out: Vec::new(),
        }
    }

    /// Makes one member of a block.
    pub(crate) fn member(&mut self, block: &[u8]) -> &[u8] {
        let bound = self.compressor.gzip_compress_bound(block.len());
        if self.out.len() < bound {
            // Zeroed by the system, page by page as it is used.
            self.out = vec![0; bound];
        }
        let size = self
            .compressor
            .gzip_compress(block, &mut self.out)
            .expect("the buffer has the size that libdeflate asked for");
        &self.out[..size]
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn footer_round_trips_and_is_a_gzip_member() {
        let bytes = footer(0x0102_0304_0506);
        assert_eq!(parse_footer(&bytes), Some(0x0102_0304_0506));
        assert_eq!(parse_footer(&bytes[1..]), None);
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut out)
            .unwrap();
        assert!(out.is_empty());
    }

    #[test]
    fn members_open_with_another_decoder() {
        let block = b"tar ".repeat(128);
        for member in [
            stored_member(&block),
            Packer::new(1).member(&block).to_vec(),
        ] {
            assert_eq!(member[..8], MEMBER_START);
            let mut out = Vec::new();
            flate2::read::GzDecoder::new(&member[..])
                .read_to_end(&mut out)
                .unwrap();
            assert_eq!(out, block);
        }
    }
}
