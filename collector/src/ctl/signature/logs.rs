//! The logs that arguments mean: files, those of folders, what compressed files and archives hold, and
//! standard input as `-`.

use std::fs::{self, File};
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use sitrep_shared::archive::{self, Entry, Kind, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reason, Reject};
use sitrep_shared::signature::FileScan;

use super::Fault;
use super::files::{is_yaml, read_fault, walk};

/// Bytes read at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes that tell what a file is.
const HEAD_BYTES: u64 = 262;
/// Where a tar archive says that it is one.
const TAR_AT: usize = 257;

/// A log's name as shown, and the path that data sources know it by.
pub(super) struct Log<'a> {
    pub name: &'a str,
    pub path: &'a str,
}

/// Hands every log to `take`, in order.
pub(super) fn each(
    paths: &[PathBuf],
    take: &mut dyn FnMut(&Log<'_>, &mut dyn Read) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for path in paths {
        if path.as_os_str() == "-" {
            take(
                &Log {
                    name: "-",
                    path: "-",
                },
                &mut io::stdin().lock(),
            )?;
        } else if path.is_dir() {
            let mut found = Vec::new();
            walk(path, &mut found)?;
            for path in found.iter().filter(|f| !is_yaml(f)) {
                file(path, take)?;
            }
        } else {
            file(path, take)?;
        }
    }
    Ok(())
}

fn file(
    path: &Path,
    take: &mut dyn FnMut(&Log<'_>, &mut dyn Read) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let fault = |source| read_fault(path, source);
    let mut head = Vec::new();
    let file = File::open(path).map_err(fault)?;
    file.take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(fault)?;
    let mut file = File::open(path).map_err(fault)?;
    let name = path.display().to_string();
    let log = Log {
        name: &name,
        path: &name,
    };
    if !is_packed(&head) || !fs::metadata(path).is_ok_and(|m| m.is_file()) {
        return take(&log, &mut file);
    }
    let mut unpack = Unpack {
        name: &name,
        take,
        fault: None,
    };
    let report = archive::inspect(&mut file, &Limits::default(), &mut unpack);
    match (unpack.fault, report.verdict) {
        (Some(fault), _) => Err(fault),
        (None, Verdict::Reject) => Err(read_fault(
            path,
            io::Error::other(format!("{}: {}", report.reason, report.detail)),
        )),
        _ => Ok(()),
    }
}

/// Whether the first bytes are those of a compressed file or an archive.
fn is_packed(head: &[u8]) -> bool {
    const MAGIC: [&[u8]; 5] = [
        b"\x1f\x8b\x08",
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
    ];
    MAGIC.iter().any(|magic| head.starts_with(magic))
        || head.get(TAR_AT..).is_some_and(|h| h.starts_with(b"ustar"))
}

struct Unpack<'a> {
    name: &'a str,
    take: &'a mut dyn FnMut(&Log<'_>, &mut dyn Read) -> Result<(), Fault>,
    fault: Option<Fault>,
}

impl Visitor for Unpack<'_> {
    fn entry(&mut self, entry: &Entry<'_>, mut data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind != Kind::File {
            return Ok(());
        }
        // A single compressed file is one log under its own name, without the ending.
        let alone = entry.raw == b"content";
        let name = if alone {
            self.name.to_owned()
        } else {
            format!("{}/{}", self.name, entry.path)
        };
        let path = match entry.path.split_once('/') {
            _ if alone => self
                .name
                .rsplit_once('.')
                .map_or(self.name, |(stem, _)| stem),
            // Bundles and sos reports have one folder round everything.
            Some((_, inner)) => inner,
            None => entry.path,
        };
        let log = Log { name: &name, path };
        (self.take)(&log, &mut data).map_err(|fault| {
            self.fault = Some(fault);
            Reject::new(Reason::Empty, "stopped")
        })
    }
}

/// Feeds a log to a scan.
pub(super) fn feed(name: &str, data: &mut dyn Read, scan: &mut FileScan<'_>) -> Result<(), Fault> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match data.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => scan.push(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_fault(Path::new(name), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Names, paths and texts of the logs below a folder.
    fn seen(paths: &[PathBuf]) -> Vec<(String, String, String)> {
        let mut seen = Vec::new();
        let mut take = |log: &Log<'_>, data: &mut dyn Read| {
            let mut text = String::new();
            data.read_to_string(&mut text)
                .map_err(|e| read_fault(Path::new(log.name), e))?;
            seen.push((log.name.to_owned(), log.path.to_owned(), text));
            Ok(())
        };
        each(paths, &mut take).unwrap();
        seen
    }

    #[test]
    fn folders_and_compressed_files_are_read_and_rules_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("sub/a.log"), "AAA\n").unwrap();
        fs::write(path("empty.log"), "").unwrap();
        fs::write(path("rule.yaml"), "rules: []\n").unwrap();
        let gz = File::create(path("z.log.gz")).unwrap();
        let mut gz = flate2::write::GzEncoder::new(gz, flate2::Compression::fast());
        gz.write_all(b"ZZZ\n").unwrap();
        gz.finish().unwrap();
        let prefix = format!("{}/", folder.path().display());
        let seen: Vec<(String, String)> = seen(&[folder.path().to_path_buf()])
            .into_iter()
            .map(|(name, _, text)| (name.replace(&prefix, ""), text))
            .collect();
        let expected = [
            ("empty.log", ""),
            ("sub/a.log", "AAA\n"),
            ("z.log.gz", "ZZZ\n"),
        ];
        assert_eq!(seen, expected.map(|(n, t)| (n.to_owned(), t.to_owned())));
    }

    #[test]
    fn a_compressed_file_that_is_cut_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.gz");
        fs::write(&path, b"\x1f\x8b\x08\0\0\0\0\0\0\x03KL").unwrap();
        let fault = each(&[path], &mut |log, data| feed_nothing(log, data));
        assert!(fault.is_err());
    }

    fn feed_nothing(log: &Log<'_>, data: &mut dyn Read) -> Result<(), Fault> {
        io::copy(data, &mut io::sink()).map_err(|e| read_fault(Path::new(log.name), e))?;
        Ok(())
    }
}
