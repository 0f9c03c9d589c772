//! Files of another maker on their way into blocks, so that they can be read by range like those of a bundle: each
//! file's bytes one behind the other, with the index that browsing reads. The original is kept beside it, untouched.

use std::io::{self, Write};

use sitrep_shared::bundle::BlockStream;

use super::frame::{self, Kind};
use super::indexer::Indexer;

/// libdeflate's level for blocks: they can be made again, so speed goes first.
const LEVEL: u8 = 1;

/// Writes blocks as frames.
struct Frames<'o, O>(&'o mut O);

impl<O: Write> Write for Frames<'_, O> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        frame::write(self.0, Kind::Block, data)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The normal form being written.
pub(super) struct Normal<'o, O: Write> {
    blocks: BlockStream<Frames<'o, O>>,
    indexer: Indexer,
}

impl<'o, O: Write> Normal<'o, O> {
    /// Of files that were collected at this time, UTC milliseconds.
    pub(super) fn new(output: &'o mut O, collected_ms: i64) -> Self {
        Self {
            blocks: BlockStream::new(Frames(output), LEVEL),
            indexer: Indexer::new(collected_ms),
        }
    }

    /// Where the next byte lies in the unpacked blocks.
    pub(super) fn position(&self) -> u64 {
        self.blocks.position()
    }

    /// Begins a file.
    pub(super) fn file(&mut self, path: &str) {
        self.indexer.begin(path, self.blocks.position());
    }

    /// Takes the next bytes of the file.
    pub(super) fn push(&mut self, data: &[u8]) -> io::Result<()> {
        self.indexer.feed(data);
        self.blocks.push(data)
    }

    /// Ends it: files, and the index.
    pub(super) fn finish(mut self) -> io::Result<(u64, Vec<u8>)> {
        self.indexer.end();
        let files = self.indexer.files();
        Ok((files, self.indexer.finish(&self.blocks.finish()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::bundles::browse::index::BrowseIndex;
    use crate::bundles::browse::read;
    use crate::bundles::storage::Source;

    #[test]
    fn every_line_of_every_file_is_found_again() {
        let mut wire = Vec::new();
        let mut normal = Normal::new(&mut wire, 0);
        let text = |name: &str, lines: u64| -> String {
            (1..=lines).map(|n| format!("{name} line {n}\n")).collect()
        };
        let files = [
            ("a/empty", String::new()),
            ("a/one", text("one", 90_000)),
            ("two", text("two", 5)),
        ];
        for (path, content) in &files {
            normal.file(path);
            for piece in content.as_bytes().chunks(10_000) {
                normal.push(piece).unwrap();
            }
        }
        let (count, index) = normal.finish().unwrap();
        assert_eq!(count, 3);
        let store = |data: &[u8]| -> File {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(data).unwrap();
            file
        };
        let mut blocks = Vec::new();
        frame::read(&mut wire.as_slice(), &mut blocks, u64::MAX).unwrap();
        let (body, index) = (store(&blocks), BrowseIndex::open(store(&index)).unwrap());
        for (path, line, expected) in [
            ("a/one", 1, "one line 1"),
            ("a/one", 89_999, "one line 89999"),
            ("two", 5, "two line 5"),
        ] {
            let entry = index.find(path).unwrap();
            let body = Source::file(body.try_clone().unwrap());
            let page = read::page(body, &index, &entry, line, 1).unwrap();
            assert_eq!(page.lines[0].s, expected);
        }
        assert_eq!(index.find("a/empty").unwrap().lines, 0);
    }
}
