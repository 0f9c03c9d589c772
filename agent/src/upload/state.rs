//! What this host remembers of uploads: one private file each, on disk before the first byte goes out.
//!
//! An unfinished upload keeps its code here (0600, in a 0700 directory), because a resume after a
//! reboot needs it; a finished one forgets it. The code that takes a bundle back stays until it is used.

use super::UploadError;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A record larger than this is not one of ours.
const MAX_RECORD_BYTES: u64 = 1024 * 1024;

/// One upload, finished or not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Always `sitrep.upload-state/1`.
    pub schema: String,
    /// The bundle.
    pub file: PathBuf,
    /// Its sha256.
    pub sha256: String,
    /// Its length.
    pub length: u64,
    /// Collector.
    pub base_url: String,
    /// Upload code, while the upload is not finished.
    pub code: Option<String>,
    /// Where the collector takes the bytes.
    pub upload_url: Option<String>,
    /// Last offset the collector confirmed.
    pub offset: u64,
    /// Tries so far.
    pub attempts: u32,
    /// Ticket.
    pub ticket: Option<String>,
    /// Page of the ticket.
    pub ticket_url: Option<String>,
    /// When it began.
    pub created_ms: i64,
    /// How the person agreed: `interactive` or `policy`.
    pub basis: String,
    /// When the person agreed.
    pub agreed_ms: i64,
    /// All bytes are there.
    pub complete: bool,
    /// The collector's receipt.
    pub receipt: Option<String>,
    /// The collector's verdict.
    pub verdict: Option<String>,
    /// With this the bundle can be taken back.
    pub withdrawal_code: Option<String>,
    /// When it was taken back.
    pub withdrawn_ms: Option<i64>,
}

/// The directory of records.
#[derive(Clone, Debug)]
pub struct Records {
    dir: PathBuf,
}

impl Records {
    /// Uses a private directory that exists.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        let name: String = sha256
            .chars()
            .filter(char::is_ascii_hexdigit)
            .take(32)
            .collect();
        self.dir.join(format!("upload-{name}.json"))
    }

    /// Writes a record so that it survives a power cut.
    pub fn save(&self, record: &Record) -> Result<(), UploadError> {
        let path = self.path(&record.sha256);
        let temporary = path.with_extension(format!("json.{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            serde_json::to_writer(&mut file, record)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|source| {
            let _ = std::fs::remove_file(&temporary);
            UploadError::State {
                path: path.clone(),
                source,
            }
        })
    }

    /// The record of a bundle by its sha256.
    pub fn find(&self, sha256: &str) -> Option<Record> {
        read(&self.path(sha256))
    }

    /// Every record, oldest first.
    pub fn all(&self) -> Vec<Record> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let mut records: Vec<Record> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .filter_map(|path| read(&path))
            .collect();
        records.sort_by_key(|record| record.created_ms);
        records
    }
}

fn read(path: &Path) -> Option<Record> {
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(MAX_RECORD_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    let record: Record = serde_json::from_str(&text).ok()?;
    (record.schema == Record::SCHEMA).then_some(record)
}

impl Record {
    /// Name and version of the form.
    pub const SCHEMA: &'static str = "sitrep.upload-state/1";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_record_is_private_and_comes_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let records = Records::new(dir.path().to_path_buf());
        let mut record = Record {
            schema: Record::SCHEMA.to_owned(),
            sha256: "ab".repeat(32),
            offset: 7,
            ..Record::default()
        };
        records.save(&record).expect("saved");
        record.offset = 9;
        records.save(&record).expect("saved again");
        assert_eq!(
            records.find(&record.sha256).map(|record| record.offset),
            Some(9)
        );
        assert_eq!(records.all().len(), 1);
        let path = records.path(&record.sha256);
        let mode = std::fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_digest_cannot_name_another_place() {
        let records = Records::new(PathBuf::from("/state"));
        assert_eq!(
            records.path("../../etc/ab"),
            PathBuf::from("/state/upload-ecab.json")
        );
    }
}
