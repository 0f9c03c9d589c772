//! `sitrepd backup`: all rows as they stand at one moment, the bytes of all bundles, and the key of upload codes, in a
//! folder. The service may run meanwhile. Works the same for every pair of database and store.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::{BUNDLES, OperateError, PEPPER, ROWS, SEAL, Seal, file_fault, verify};
use crate::bundles::storage::{Derived, HashState, Store};
use crate::db::{Db, bundles, dump, migrate};

/// What is backed up.
#[derive(Debug)]
pub struct Backup<'a> {
    /// The database.
    pub db: &'a Db,
    /// The store.
    pub store: &'a Arc<Store>,
    /// The key of upload codes.
    pub pepper: &'a Path,
    /// Where to.
    pub into: &'a Path,
    /// Now.
    pub now_ms: i64,
}

/// What a backup holds.
#[derive(Debug)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Bundles.
    pub bundles: u64,
}

/// Writes everything.
///
/// # Errors
/// When the folder is not empty, or something cannot be read or written; a bundle whose bytes are not what was
/// received ends it, too.
pub async fn backup(of: Backup<'_>) -> Result<Written, OperateError> {
    let into = of.into;
    make_folder(into)?;
    if fs::read_dir(into)
        .map_err(file_fault(into))?
        .next()
        .is_some()
    {
        return Err(OperateError::NotEmpty {
            path: into.to_path_buf(),
        });
    }
    make_folder(&into.join(BUNDLES))?;
    let (rows, rows_sha256, ids) = write_rows(&of).await?;
    let mut copied = 0;
    for id in ids {
        copied += u64::from(copy_bundle(&of, &id).await?);
    }
    let pepper = fs::read(of.pepper).map_err(file_fault(of.pepper))?;
    write(&into.join(PEPPER), &pepper)?;
    let applied = migrate::MIGRATIONS
        .iter()
        .map(|(name, _)| (*name).to_owned());
    let seal = Seal {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_ms: of.now_ms,
        migrations: applied.collect(),
        rows,
        rows_sha256,
        bundles: copied,
    };
    let seal = serde_json::to_vec_pretty(&seal).unwrap_or_default();
    write(&into.join(SEAL), &seal)?;
    sync(into)?;
    Ok(Written {
        rows,
        bundles: copied,
    })
}

/// All rows of one moment; how many, their digest, and the ids of bundles that have bytes.
async fn write_rows(of: &Backup<'_>) -> Result<(u64, String, Vec<String>), OperateError> {
    let path = of.into.join(ROWS);
    let mut out = BufWriter::new(create(&path)?);
    let (mut count, mut hash, mut ids, mut fault) = (0, HashState::default(), Vec::new(), None);
    let mut tx = of.db.snapshot().await?;
    for table in dump::tables() {
        let mut take = |row: serde_json::Map<String, serde_json::Value>| {
            let text = |key: &str| row.get(key).and_then(|value| value.as_str());
            if table == "bundles" && !matches!(text("state"), Some("deleting" | "deleted")) {
                ids.extend(text("id").map(str::to_owned));
            }
            let line = format!("{}\n", json!({"table": table, "row": row}));
            hash.update(line.as_bytes());
            fault = out.write_all(line.as_bytes()).err();
            fault.is_none()
        };
        count += dump::read(&mut tx, table, &mut take).await?;
        if let Some(source) = fault.take() {
            return Err(OperateError::File { path, source });
        }
    }
    tx.rollback().await?;
    out.flush().map_err(file_fault(&path))?;
    out.get_ref().sync_all().map_err(file_fault(&path))?;
    Ok((count, hash.digest(), ids))
}

/// Copies blob and derived files. False when the bundle was deleted meanwhile.
async fn copy_bundle(of: &Backup<'_>, id: &str) -> Result<bool, OperateError> {
    let Some(row) = bundles::find(&mut *of.db.read().await?, id).await? else {
        return Ok(false);
    };
    let Ok(bundle) = Uuid::parse_str(id) else {
        return Ok(false);
    };
    let (store, folder) = (Arc::clone(of.store), of.into.join(BUNDLES));
    let copied = tokio::task::spawn_blocking(move || copy_files(&store, bundle, &folder)).await?;
    match copied {
        Ok((sha256, bytes)) if sha256 == row.sha256 && bytes == row.bytes.unsigned_abs() => {
            Ok(true)
        }
        other => {
            if bundles::find(&mut *of.db.read().await?, id)
                .await?
                .is_none()
            {
                return Ok(false);
            }
            other?;
            Err(OperateError::Bad { bad: 1, all: 1 })
        }
    }
}

fn copy_files(store: &Store, bundle: Uuid, folder: &Path) -> Result<(String, u64), OperateError> {
    let path = folder.join(bundle.to_string());
    let mut file = create(&path)?;
    let copied = verify::copy(store, bundle, &mut file)?;
    file.sync_all().map_err(file_fault(&path))?;
    for kind in Derived::ALL {
        let mut derived = match store.derived(bundle, kind) {
            Err(error) if error.is_absent() => continue,
            other => other?,
        };
        let path = derived_path(folder, bundle, kind);
        let mut file = create(&path)?;
        let written = std::io::copy(&mut derived, &mut file).and_then(|_| file.sync_all());
        written.map_err(file_fault(&path))?;
    }
    Ok(copied)
}

/// Where a derived file lies in a backup.
pub(super) fn derived_path(folder: &Path, bundle: Uuid, kind: Derived) -> PathBuf {
    folder.join(format!("{bundle}.{}", kind.suffix()))
}

fn make_folder(path: &Path) -> Result<(), OperateError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(file_fault(path))
}

fn create(path: &Path) -> Result<File, OperateError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.map_err(file_fault(path))
}

fn write(path: &Path, data: &[u8]) -> Result<(), OperateError> {
    let mut file = create(path)?;
    let written = file.write_all(data).and_then(|()| file.sync_all());
    written.map_err(file_fault(path))
}

fn sync(folder: &Path) -> Result<(), OperateError> {
    for folder in [folder.join(BUNDLES), folder.to_path_buf()] {
        let synced = File::open(&folder).and_then(|file| file.sync_all());
        synced.map_err(file_fault(&folder))?;
    }
    Ok(())
}
