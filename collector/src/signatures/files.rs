//! The files of signature packs: out of an archive, which a stranger made, or out of a folder.

use std::io::{BufRead, Cursor, Read};
use std::path::Path;

use sitrep_shared::archive::{self, Entry, Kind, Verdict, Visitor};
use sitrep_shared::bundle::limits::{Limits, Reject};

use crate::error::{AppError, AppResult};

/// Files of a pack.
const FILES_MAX: usize = 5_000;
/// Longest signature file, in bytes.
const FILE_MAX_BYTES: u64 = 512 << 10;
/// All files of a pack, in bytes.
const PACK_MAX_BYTES: usize = 32 << 20;

/// Path and text of the files of a pack.
pub type Files = Vec<(String, String)>;

/// The files of an archive, or of a single file.
///
/// # Errors
/// 422 when it is no archive, damaged, or too large.
pub fn unpack(upload: &[u8], single: &str) -> AppResult<Files> {
    let is_archive = upload.starts_with(b"\x1f\x8b")
        || upload.starts_with(b"PK")
        || upload.starts_with(b"\xfd7zXZ")
        || upload.starts_with(b"\x28\xb5\x2f\xfd")
        || upload.get(257..262) == Some(b"ustar");
    if !is_archive {
        let text = String::from_utf8(upload.to_vec());
        let text = text.map_err(|_| AppError::invalid("body", "is neither YAML nor an archive"))?;
        return Ok(vec![(single.to_owned(), text)]);
    }
    let mut taken = Taken::default();
    let report = archive::inspect(&mut Cursor::new(upload), &Limits::default(), &mut taken);
    if report.verdict == Verdict::Reject {
        let detail = format!(
            "the archive is not taken: {} {}",
            report.reason, report.detail
        );
        return Err(AppError::invalid("body", detail));
    }
    if taken.too_much {
        let detail = format!("more than {FILES_MAX} files or {PACK_MAX_BYTES} bytes");
        return Err(AppError::invalid("body", detail));
    }
    Ok(taken.files)
}

/// The signature files in one file of a form: an archive's, or the file itself. Files that only lie beside the rules give
/// none.
///
/// # Errors
/// As [`unpack`].
pub fn of_form(upload: &[u8], name: &str) -> AppResult<Files> {
    let mut files = unpack(upload, name)?;
    let itself = files.len() == 1 && files[0].0 == name;
    if itself && !(is_yaml(name) && has_rules(&files[0].1)) {
        files.clear();
    }
    Ok(files)
}

/// Takes the signature files of an archive.
#[derive(Default)]
struct Taken {
    files: Files,
    bytes: usize,
    too_much: bool,
}

impl Visitor for Taken {
    fn entry(&mut self, entry: &Entry<'_>, data: &mut dyn BufRead) -> Result<(), Reject> {
        if entry.kind != Kind::File || !is_yaml(entry.path) {
            return Ok(());
        }
        let mut text = Vec::new();
        data.take(FILE_MAX_BYTES + 1).read_to_end(&mut text)?;
        self.bytes += text.len();
        self.too_much |= self.files.len() >= FILES_MAX || self.bytes > PACK_MAX_BYTES;
        if !self.too_much && text.len() as u64 <= FILE_MAX_BYTES {
            let text = String::from_utf8_lossy(&text).into_owned();
            // Lists of tags and the like lie beside the rules of some packs.
            if has_rules(&text) {
                self.files.push((entry.path.to_owned(), text));
            }
        }
        Ok(())
    }
}

fn is_yaml(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

fn has_rules(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("rules:"))
}

/// Reads the files of a pack's folder.
///
/// # Errors
/// When a folder cannot be read.
pub fn read_folder(folder: &Path) -> std::io::Result<Files> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&next)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let name = name.to_string_lossy().into_owned();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && is_yaml(&name) && files.len() < FILES_MAX {
                let mut text = String::new();
                let file = std::fs::File::open(&path)?;
                file.take(FILE_MAX_BYTES).read_to_string(&mut text)?;
                if has_rules(&text) {
                    files.push((name, text));
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What a pack's maker says about it in `pack.toml`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct About {
    /// Version.
    pub version: String,
    /// Licence.
    pub licence: String,
}

/// Reads `pack.toml` of a pack's folder; one that is not there says nothing.
///
/// # Errors
/// When it is there and cannot be read.
pub fn about(folder: &Path) -> std::io::Result<About> {
    match std::fs::read_to_string(folder.join("pack.toml")) {
        Ok(text) => toml::from_str(&text).map_err(std::io::Error::other),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(About::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_file_and_an_archive_are_told_apart() {
        let yaml = "rules:\n  - cre: {id: CRE-1}\n";
        assert_eq!(
            unpack(yaml.as_bytes(), "one.yaml").unwrap(),
            [("one.yaml".to_owned(), yaml.to_owned())]
        );
        assert!(unpack(b"\x1f\x8b nonsense", "x").is_err());
        assert!(unpack(b"\xff\xfe", "x").is_err());
    }
}
