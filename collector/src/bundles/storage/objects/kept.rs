//! Files without a name that were fetched from the object store, kept open for a minute: the pages of one bundle are
//! asked for one after the other. They go by themselves, so that a deletion elsewhere leaves nothing here.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::StorageError;

/// How long something is kept.
const AGE: Duration = Duration::from_secs(60);
/// Files kept at most.
const FILES: usize = 64;
/// Sizes kept at most.
const SIZES: usize = 4_096;

/// What is kept, by key.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    files: HashMap<String, (Instant, File)>,
    /// None: there is no such object.
    sizes: HashMap<String, (Instant, Option<u64>)>,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A kept file, opened anew: whoever reads it has a place of their own in it.
    pub(super) fn file(&self, name: &str) -> Result<File, StorageError> {
        let inner = self.lock();
        let kept = inner
            .files
            .get(name)
            .filter(|(since, _)| since.elapsed() < AGE);
        let opened = match kept {
            Some((_, file)) => File::open(format!("/proc/self/fd/{}", file.as_raw_fd())),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        opened.map_err(|source| StorageError::Open {
            path: name.into(),
            source,
        })
    }

    /// Keeps a file; gives it back opened anew.
    pub(super) fn keep_file(&self, name: String, file: File) -> File {
        self.let_go();
        let again = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let Ok(again) = again else {
            return file;
        };
        let mut inner = self.lock();
        if inner.files.len() < FILES {
            inner.files.insert(name, (Instant::now(), file));
        }
        again
    }

    /// A kept size; the inner one is none when the object was not there.
    pub(super) fn size(&self, key: &str) -> Option<Option<u64>> {
        let inner = self.lock();
        let kept = inner
            .sizes
            .get(key)
            .filter(|(since, _)| since.elapsed() < AGE);
        kept.map(|(_, size)| *size)
    }

    pub(super) fn keep_size(&self, key: &str, size: Option<u64>) {
        let mut inner = self.lock();
        if inner.sizes.len() < SIZES {
            inner.sizes.insert(key.to_owned(), (Instant::now(), size));
        }
    }

    pub(super) fn forget(&self, key: &str) {
        let mut inner = self.lock();
        inner.files.remove(key);
        inner.sizes.remove(key);
    }

    /// Forgets everything whose name holds a word.
    pub(super) fn forget_all(&self, word: &str) {
        let mut inner = self.lock();
        inner.files.retain(|name, _| !name.contains(word));
        inner.sizes.retain(|name, _| !name.contains(word));
    }

    /// Forgets what is old.
    pub(super) fn let_go(&self) {
        let mut inner = self.lock();
        inner.files.retain(|_, (since, _)| since.elapsed() < AGE);
        inner.sizes.retain(|_, (since, _)| since.elapsed() < AGE);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn every_reader_has_a_place_of_its_own_and_what_is_forgotten_is_gone() {
        let kept = Kept::default();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let text = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(text(kept.keep_file("k/1".to_owned(), file)), "abc");
        assert_eq!(text(kept.file("k/1").unwrap()), "abc");
        assert_eq!(text(kept.file("k/1").unwrap()), "abc");
        kept.forget_all("k/");
        assert!(kept.file("k/1").unwrap_err().is_absent());
    }
}
