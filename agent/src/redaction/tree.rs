//! A folder tree, redacted file by file into another one of the same names.

use super::{Summary, pass};
use crate::error::Failure;
use sitrep_shared::redact::{Level, Redactor, RedactorBuilder};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Deepest folder that is followed.
const MAX_DEPTH: usize = 128;

/// One run over files.
pub struct Work<'a> {
    redactor: &'a Redactor,
    names: Redactor,
    /// What has been done.
    pub summary: Summary,
}

impl<'a> Work<'a> {
    /// Begins a run.
    pub fn new(redactor: &'a Redactor, level: Level) -> Result<Self, Failure> {
        Ok(Self {
            redactor,
            names: names(redactor, level)?,
            summary: Summary::default(),
        })
    }

    /// Walks the tree; every entry ends in the output, in `withheld` or in `skipped`.
    pub fn tree(&mut self, input: &Path, out: &Path) -> Result<(), Failure> {
        let outside = |e| Failure::usage(format!("cannot use {}", out.display())).because(e);
        std::fs::create_dir_all(out).map_err(outside)?;
        let inside = out
            .canonicalize()
            .map_err(outside)?
            .starts_with(input.canonicalize().map_err(outside)?);
        if inside {
            return Err(Failure::usage(
                "--out lies inside the folder that is redacted",
            ));
        }
        let mut folders = vec![(PathBuf::new(), PathBuf::new(), 0)];
        while let Some((from, to, depth)) = folders.pop() {
            let mut entries = match std::fs::read_dir(input.join(&from)) {
                Ok(entries) => entries.filter_map(Result::ok).collect::<Vec<_>>(),
                Err(error) => {
                    self.unreadable(&from, &error);
                    continue;
                }
            };
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let name = entry.file_name();
                let shown = name.to_string_lossy();
                let clean = self.names.name(&shown);
                let kept = if clean == shown {
                    name.clone()
                } else {
                    clean.into_owned().into()
                };
                let (from, to) = (from.join(&name), to.join(kept));
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                if kind.is_dir() && depth < MAX_DEPTH {
                    make_dir(&out.join(&to))?;
                    folders.push((from, to, depth + 1));
                } else if kind.is_file() {
                    let path = from.to_string_lossy().into_owned();
                    self.file(&input.join(&from), &out.join(&to), &path)?;
                } else if kind.is_symlink() {
                    self.link(&input.join(&from), &out.join(&to))?;
                } else {
                    self.summary.skipped.push((
                        from.to_string_lossy().into_owned(),
                        "neither file nor folder",
                    ));
                }
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, error: &dyn std::error::Error) {
        self.summary.unreadable += 1;
        let why = sitrep_shared::error::chain(error);
        self.summary
            .withheld
            .push((path.display().to_string(), why));
    }

    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let target = std::fs::read_link(from).unwrap_or_default();
        let clean = self.names.name(&target.to_string_lossy()).into_owned();
        let _ = std::fs::remove_file(to);
        std::os::unix::fs::symlink(clean, to).map_err(|e| cannot_write(to, e))
    }

    /// Redacts one file; what cannot be redacted is not written.
    pub fn file(&mut self, from: &Path, to: &Path, path: &str) -> Result<(), Failure> {
        let mut input = match File::open(from) {
            Ok(input) => input,
            Err(error) => {
                self.unreadable(Path::new(path), &error);
                return Ok(());
            }
        };
        let mut output = File::create(to).map_err(|e| cannot_write(to, e))?;
        let mut sink = |bytes: &[u8]| output.write_all(bytes).map_err(|e| cannot_write(to, e));
        match pass(self.redactor, &mut input, path, &mut sink)? {
            Ok((report, bytes)) => self.summary.count(&report, bytes),
            Err(why) => {
                drop(output);
                let _ = std::fs::remove_file(to);
                self.summary.withheld.push((path.to_owned(), why));
            }
        }
        Ok(())
    }
}

/// File names lose secrets only: with stand-ins in them nobody would find a file again.
fn names(redactor: &Redactor, level: Level) -> Result<Redactor, Failure> {
    if level != Level::Strict {
        return Ok(redactor.clone());
    }
    RedactorBuilder::new(Level::Standard, [0; 32])
        .build()
        .map_err(|error| Failure::usage("cannot use the redaction rules").because(error))
}

fn cannot_write(path: &Path, error: std::io::Error) -> Failure {
    Failure::internal(format!("cannot write {}", path.display()), error)
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|e| cannot_write(path, e))
}
