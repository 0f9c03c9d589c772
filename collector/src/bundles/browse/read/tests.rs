//! Pages and ranges of files in blocks, and indexes that lie.

use std::fs::File;
use std::io::Write;

use std::io::{Seek, SeekFrom};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use super::*;
use crate::bundles::ingest::indexer::Indexer;

/// A stand-in for a bundle: two files one after the other, in blocks of `block` bytes.
fn bundle(files: &[(&str, &[u8])], block: usize) -> (File, BrowseIndex) {
    let (mut unpacked, mut indexer) = (Vec::new(), Indexer::new(1_795_500_000_000));
    for (path, data) in files {
        indexer.begin(path, unpacked.len() as u64);
        for piece in data.chunks(1000) {
            indexer.feed(piece);
        }
        unpacked.extend_from_slice(data);
    }
    let (mut packed, mut blocks) = (Vec::new(), Vec::new());
    for (n, piece) in unpacked.chunks(block).enumerate() {
        blocks.push([packed.len() as u64, (n * block) as u64]);
        let mut encoder: GzEncoder<_> = GzBuilder::new().write(&mut packed, Compression::fast());
        encoder.write_all(piece).unwrap();
        encoder.finish().unwrap();
    }
    let store = |data: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(data).unwrap();
        file
    };
    (
        store(&packed),
        BrowseIndex::open(store(&indexer.finish(&blocks))).unwrap(),
    )
}

fn log(lines: u64) -> Vec<u8> {
    (1..=lines)
        .flat_map(|n| format!("line {n} of the log\n").into_bytes())
        .collect()
}

#[test]
fn any_page_of_any_file() {
    let text = log(10_000);
    let (blob, index) = bundle(
        &[("a", b"first\nsecond"), ("sos/var/log/syslog", &text)],
        4096,
    );
    let again = || Source::file(blob.try_clone().unwrap());
    assert_eq!(index.entry(0).unwrap().lines, 2);
    let entry = index.find("sos/var/log/syslog").unwrap();
    assert_eq!(
        (entry.fid, entry.lines, entry.size),
        (1, 10_000, text.len() as u64)
    );
    for from in [1, 2, 1023, 1024, 1025, 1026, 2049, 9_999, 10_000] {
        let page = page(again(), &index, &entry, from, 3).unwrap();
        assert_eq!(page.lines.len() as u64, 3.min(10_001 - from));
        for (place, line) in page.lines.iter().enumerate() {
            assert_eq!(line.n, from + place as u64);
            assert_eq!(line.s, format!("line {} of the log", line.n));
            assert!(text[usize::try_from(line.o).unwrap()..].starts_with(line.s.as_bytes()));
            assert_eq!(
                line_at(again(), &index, &entry, line.o + 3).unwrap(),
                line.n
            );
        }
    }
    assert!(
        page(again(), &index, &entry, 10_001, 3)
            .unwrap()
            .lines
            .is_empty()
    );
    let mut part = Vec::new();
    file_range(again(), &index, &entry, 5000, 9000)
        .unwrap()
        .read_to_end(&mut part)
        .unwrap();
    assert_eq!(part, text[5000..14_000]);
}

#[test]
fn long_and_broken_lines_are_bounded() {
    let mut text = vec![b'x'; LINE_MAX_BYTES + 10];
    text.extend_from_slice(b"\n\xff\xfe ERROR bad\r\n\n");
    let (blob, index) = bundle(&[("a", &text)], 512);
    let lines = page(Source::file(blob), &index, &index.entry(0).unwrap(), 1, 10)
        .unwrap()
        .lines;
    assert_eq!(lines.len(), 3);
    assert!(lines[0].cut && lines[0].s.len() == LINE_MAX_BYTES);
    assert_eq!(
        (lines[1].s.as_str(), lines[1].l),
        ("\u{fffd}\u{fffd} ERROR bad", Some("error"))
    );
    assert_eq!(lines[2].s, "");
}

#[test]
fn very_many_lines_widen_the_stride_and_stay_right() {
    let text: Vec<u8> = (0..70_000u64 * 1024).map(|_| b'\n').collect();
    let (blob, index) = bundle(&[("a", &text)], 1 << 20);
    let entry = index.entry(0).unwrap();
    assert_eq!(entry.lines, 70_000 * 1024);
    let page = page(Source::file(blob), &index, &entry, 69_999 * 1024 + 7, 1).unwrap();
    assert_eq!(page.lines[0].o, 69_999 * 1024 + 6);
}

#[test]
fn an_index_that_lies_is_refused() {
    let (_, index) = bundle(&[("a", &log(3_000))], 512);
    let mut raw = Vec::new();
    let mut file = index.file_for_tests();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut raw).unwrap();
    for at in 0..raw.len() {
        let mut lie = raw.clone();
        lie[at] ^= 0xff;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&lie).unwrap();
        // Whatever it says, it is an error or an answer, never a panic.
        if let Ok(index) = BrowseIndex::open(file) {
            let _ = index.entries();
            if let Ok(entry) = index.entry(0) {
                let _ = index.within(&entry, (0, 9));
                let _ = index.lines_around(&entry, 9);
            }
            let _ = index.blocks_of(0..9);
        }
    }
}
