//! Which parts of a bundle a signature cannot match in, told from a small index instead of the bundle.
//!
//! The unpacked stream is cut into segments of about 1 MiB. For each one a table of bits (a Bloom filter with one hash)
//! holds the five bytes at every fourth place of its files, letters in lower case and digits all alike. A literal that
//! stands in a segment has its own five bytes there, at one of four alignments. The index may admit a segment too many,
//! never refuse one too few.
//!
//! Stored form, little-endian: magic, number of segments (u32), for each one: where it begins and ends in the unpacked
//! stream, where its table lies in this file (u64), size of the table as a power of two in bits (u32), 1 when nothing is
//! known of it (u32); then the tables.

mod build;
mod probe;

pub use build::FilterBuilder;
pub use probe::{Admitted, Probe};

use std::io;

/// First bytes of a stored index: the format and its version.
const MAGIC: &[u8; 4] = b"SGF2";
/// Bytes before the first segment's record.
const HEAD_BYTES: u64 = 8;
/// Bytes of a segment's record.
const RECORD_BYTES: usize = 32;
/// Segments that are read at most: far more than a bundle of the largest size has.
const SEGMENTS_MAX: u32 = 1 << 20;
/// Bytes of a text that are looked up together.
const GRAM_BYTES: usize = 5;
/// Places of a file at which they begin: multiples of this.
const STRIDE: usize = 4;

/// A byte as the index knows it: letters in one case, digits and their neighbours all alike. It need not be a known
/// letter's case: more bytes falling together only admits more.
fn folded(byte: u8) -> u8 {
    let byte = byte | 0x20;
    if byte & 0xF0 == 0x30 { 0x30 } else { byte }
}

/// Where five folded bytes have their bit in a table of this size.
fn place(gram: u64, log2: u32) -> usize {
    // Five bytes, moved to the top so that all of them reach the bits that are taken.
    ((gram << 24).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - log2)) as usize
}

/// A part of the unpacked stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    at: u64,
    log2: u32,
    /// Nothing is known of it.
    opaque: bool,
}

/// Reads bytes of a stored index at a place.
pub type ReadAt<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// The segments of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    segments: Vec<Segment>,
}

impl Filter {
    /// Reads the table of segments.
    ///
    /// # Errors
    /// The index cannot be read, or is none (`InvalidData`).
    pub fn open(read: &mut ReadAt<'_>) -> io::Result<Self> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "not an index of segments");
        let mut head = [0u8; HEAD_BYTES as usize];
        read(0, &mut head)?;
        let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if &head[..4] != MAGIC || count > SEGMENTS_MAX {
            return Err(bad());
        }
        let mut records = vec![0u8; count as usize * RECORD_BYTES];
        read(HEAD_BYTES, &mut records)?;
        let mut segments = Vec::with_capacity(count as usize);
        for record in records.chunks_exact(RECORD_BYTES) {
            let word = |at: usize| {
                let bytes = record[at..at + 8].iter().rev();
                bytes.fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte))
            };
            let segment = Segment {
                from: word(0),
                to: word(8),
                at: word(16),
                log2: (word(24) & 0xFFFF_FFFF) as u32,
                opaque: word(24) >> 32 != 0,
            };
            let sizes = build::LEAST_LOG2..=build::FULL_LOG2;
            if segment.from > segment.to || !(segment.opaque || sizes.contains(&segment.log2)) {
                return Err(bad());
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }

    /// The segments, in the order of the stream.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Catalogue;

    /// A stored index of files, cut into pieces of a size while it was made.
    fn index(files: &[&[u8]], piece: usize) -> Vec<u8> {
        let mut builder = FilterBuilder::default();
        let mut offset = 512;
        for file in files {
            builder.begin(offset);
            for piece in file.chunks(piece) {
                builder.push(piece);
            }
            builder.end();
            offset += file.len() as u64 + 512;
        }
        builder.finish()
    }

    fn probe(conditions: &str) -> Probe {
        let window = if conditions.contains("}, {") {
            "window: 5s"
        } else {
            ""
        };
        let yaml = format!(
            "rules:\n  - cre: {{id: CRE-1}}\n    rule:\n      set:\n        event: {{source: cre.log.x}}\n        \
             {window}\n        match: [{conditions}]\n"
        );
        Probe::of(&Catalogue::load([("x.yaml", yaml)]).unwrap().signatures[0])
    }

    /// Which of two files of 600 bytes and more may match.
    fn admitted(index: &[u8], conditions: &str, ends: [u64; 2]) -> [bool; 2] {
        let mut read = reader(index);
        let filter = Filter::open(&mut read).unwrap();
        let found = probe(conditions).admitted(&filter, &mut read).unwrap();
        [found.file(512, ends[0]), found.file(ends[0] + 512, ends[1])]
    }

    fn reader(index: &[u8]) -> impl FnMut(u64, &mut [u8]) -> io::Result<()> + '_ {
        |at, buffer: &mut [u8]| {
            let at = usize::try_from(at).unwrap();
            let bytes = index.get(at..at + buffer.len());
            buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    #[test]
    fn what_stands_in_a_file_is_admitted_and_what_does_not_is_refused() {
        let filler = b"nothing to see here at all\n".repeat(60_000);
        let first = [
            &filler[..],
            b"disk sda: I/O ERROR, sector 5512\nout of memory\n",
        ]
        .concat();
        let second = [&filler[..], b"a quiet night in port 80\n"].concat();
        let ends = [
            512 + first.len() as u64,
            1024 + (first.len() + second.len()) as u64,
        ];
        for piece in [7, 4096, 1 << 20] {
            let index = index(&[&first, &second], piece);
            for (conditions, expected) in [
                ("{value: 'I/O error, sector'}", [true, false]),
                ("{value: 'link is down now'}", [false, false]),
                ("{regex: 'i/o (error|timeout), sector \\d+'}", [true, false]),
                ("{regex: 'link (is|was) down'}", [false, false]),
                (
                    "{value: 'I/O error'}, {value: 'out of memory'}",
                    [true, false],
                ),
                (
                    "{value: 'I/O error'}, {value: 'link is down'}",
                    [false, false],
                ),
                ("{value: 'in port 80'}", [false, true]),
                ("{value: 'abc'}", [true, true]),
                ("{jq: '.a == 1'}", [true, true]),
            ] {
                assert_eq!(
                    admitted(&index, conditions, ends),
                    expected,
                    "{conditions} in pieces of {piece}"
                );
            }
        }
        assert!(!probe("{jq: '.a == 1'}").is_selective());
    }

    #[test]
    fn a_literal_is_found_at_every_place_also_where_segments_meet() {
        let literal = b"cannot renew the lease of shard";
        let filler = b"0123456789abcdef nothing ".repeat(90_000);
        for at in (build::SEGMENT_BYTES - 40..build::SEGMENT_BYTES + 40).chain(0..8) {
            let mut text = filler.clone();
            text.splice(at..at, literal.iter().copied());
            let stored = index(&[&text, b"short"], 64 << 10);
            let end = 512 + text.len() as u64;
            let found = admitted(
                &stored,
                "{value: 'cannot renew the lease of shard'}",
                [end, end + 517],
            );
            assert_eq!(found, [true, false], "at {at}");
        }
    }

    #[test]
    fn what_is_written_in_another_way_is_not_refused() {
        let json = br#"{"log":"say \"no space left\" \u003cnow\u003e\n","stream":"stdout"}"#;
        let wide: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain("no space left on it".bytes().flat_map(|b| [b, 0]))
            .collect();
        let index = index(&[json, &wide], 100);
        let ends = [
            512 + json.len() as u64,
            1024 + (json.len() + wide.len()) as u64,
        ];
        let found = |conditions: &str| admitted(&index, conditions, ends);
        // Both files are in one segment, of which nothing is known.
        assert_eq!(
            found(r#"{value: 'say "no space left" <now>'}"#),
            [true, true]
        );
        let one = self::index(&[json], 100);
        assert!(admitted(&one, r#"{value: 'say "no space left" <now>'}"#, ends)[0]);
        assert!(!admitted(&one, r#"{value: 'say "no room here" <now>'}"#, ends)[0]);
    }

    #[test]
    fn a_small_bundle_has_a_small_index_and_a_broken_one_is_none() {
        let small = index(&[b"nothing to see"], 5);
        assert!(small.len() < 128, "{}", small.len());
        for broken in [&small[1..], &small[..20], b"SGF2\xff\xff\xff\xff", &[]] {
            assert!(Filter::open(&mut reader(broken)).is_err());
        }
        for at in 0..small.len() {
            let mut lie = small.clone();
            lie[at] ^= 0xFF;
            let mut read = reader(&lie);
            // Whatever it says, it is an error or an answer, never a panic.
            if let Ok(filter) = Filter::open(&mut read) {
                let _ = probe("{value: 'link is down'}").admitted(&filter, &mut read);
            }
        }
    }
}
