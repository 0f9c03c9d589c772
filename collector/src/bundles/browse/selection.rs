//! Some files of a bundle as one `.tar.gz`. The same files always give the same bytes, so that a broken download goes on
//! by range; it is made once and kept beside the bundle for a while.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use sitrep_shared::bundle::{BlockStream, tar_end, tar_header, tar_padding};
use sitrep_shared::hash::sha256;
use uuid::Uuid;

use super::BrowseError;
use super::index::BrowseIndex;
use super::read;
use crate::bundles::storage::Store;

/// libdeflate's level.
const LEVEL: u8 = 1;

/// The name of a selection: which files, in which order.
pub(super) fn name(files: &[u64]) -> String {
    let text: Vec<String> = files.iter().map(u64::to_string).collect();
    sha256(text.join(",").as_bytes()).to_string()[..32].to_owned()
}

/// Opens the archive of a selection, and makes it when it is not there.
pub(super) fn open(
    (store, bundle): (&Store, Uuid),
    index: &BrowseIndex,
    files: &[u64],
) -> Result<File, BrowseError> {
    let name = name(files);
    match store.selection(bundle, &name) {
        Err(error) if error.is_absent() => {}
        other => return Ok(other?),
    }
    let mut scratch = store.scratch()?;
    write((store, bundle), index, files, &mut scratch)?;
    Ok(store.keep_selection(bundle, &name, &scratch)?)
}

fn write(
    (store, bundle): (&Store, Uuid),
    index: &BrowseIndex,
    files: &[u64],
    out: &mut impl Write,
) -> Result<(), BrowseError> {
    let mut blocks = BlockStream::new(out, LEVEL);
    let mut piece = vec![0; 256 << 10];
    for fid in files {
        let entry = index.entry(*fid)?;
        blocks.push(&tar_header(&entry.path, entry.size))?;
        let mut reader = read::file_range(store.body(bundle)?, index, &entry, 0, entry.size)?;
        let mut left = entry.size;
        while left > 0 {
            let given = reader.read(&mut piece)?;
            if given == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            blocks.push(&piece[..given])?;
            left = left.saturating_sub(given as u64);
        }
        blocks.push(tar_padding(entry.size))?;
    }
    blocks.push(tar_end())?;
    blocks.finish()?;
    Ok(())
}

/// A reader over a range of an open archive.
pub(crate) fn range(mut archive: File, from: u64, bytes: u64) -> io::Result<Box<dyn Read + Send>> {
    archive.seek(SeekFrom::Start(from))?;
    Ok(Box::new(archive.take(bytes)))
}
