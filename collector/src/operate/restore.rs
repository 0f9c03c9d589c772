//! `sitrepd restore`: a backup into an empty database and store, which may be another pair than it was made on. The
//! bytes come first and the rows last, in one transaction: a restore that broke off is begun anew.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::backup::{Written, derived_path};
use super::{BUNDLES, OperateError, PEPPER, ROWS, SEAL, Seal, file_fault, verify};
use crate::bundles::storage::{Derived, HashState, Store};
use crate::db::{Db, dump, migrate, templates};

/// A line of the rows' file.
#[derive(serde::Deserialize)]
struct Line {
    table: String,
    row: Map<String, Value>,
}

/// Brings a backup back. The database has this program's schema already.
///
/// # Errors
/// When the backup is not whole, the database is in use, or something cannot be read or written.
pub async fn restore(
    db: &Db,
    store: &Arc<Store>,
    pepper: &Path,
    from: &Path,
) -> Result<Written, OperateError> {
    let seal = check(from)?;
    if !dump::is_unused(&mut *db.read().await?).await? {
        return Err(OperateError::InUse);
    }
    let folder = from.join(BUNDLES);
    let mut copied = 0;
    for entry in fs::read_dir(&folder).map_err(file_fault(&folder))? {
        let name = entry.map_err(file_fault(&folder))?.file_name();
        let Some(bundle) = name.to_str().and_then(|name| Uuid::parse_str(name).ok()) else {
            continue;
        };
        let (store, folder) = (Arc::clone(store), folder.clone());
        tokio::task::spawn_blocking(move || put_bundle(&store, bundle, &folder)).await??;
        copied += 1;
    }
    let rows = put_rows(db, &from.join(ROWS)).await?;
    if rows != seal.rows || copied != seal.bundles {
        return Err(no_backup(
            from,
            "it has other rows or bundles than its seal says",
        ));
    }
    let kept = fs::read(from.join(PEPPER)).map_err(file_fault(from))?;
    crate::serve::tls::write_private(pepper, &kept).map_err(file_fault(pepper))?;
    Ok(Written {
        rows,
        bundles: copied,
    })
}

fn no_backup(path: &Path, reason: &str) -> OperateError {
    OperateError::NoBackup {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}

/// Reads the seal and holds the rows against it.
fn check(from: &Path) -> Result<Seal, OperateError> {
    let path = from.join(SEAL);
    let text =
        fs::read(&path).map_err(|_| no_backup(from, "backup.json is missing: it was not ended"))?;
    let seal: Seal =
        serde_json::from_slice(&text).map_err(|_| no_backup(from, "backup.json cannot be read"))?;
    let known = |name: &String| migrate::MIGRATIONS.iter().any(|(known, _)| known == name);
    if !seal.migrations.iter().all(known) {
        let reason = format!(
            "it was made by sitrepd {}, which is newer than this one",
            seal.version
        );
        return Err(no_backup(from, &reason));
    }
    let rows = from.join(ROWS);
    let mut file = File::open(&rows).map_err(file_fault(&rows))?;
    let (mut hash, mut piece) = (HashState::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).map_err(file_fault(&rows))? {
            0 => break,
            n => hash.update(&piece[..n]),
        }
    }
    if hash.digest() != seal.rows_sha256 {
        return Err(no_backup(from, "rows.jsonl is not what was written"));
    }
    Ok(seal)
}

fn put_bundle(store: &Store, bundle: Uuid, folder: &Path) -> Result<(), OperateError> {
    let path = folder.join(bundle.to_string());
    let mut file = File::open(&path).map_err(file_fault(&path))?;
    let length = file.metadata().map_err(file_fault(&path))?.len();
    if verify::digest(store, bundle).is_ok_and(|(_, stored)| stored == length) {
        // From a restore that broke off.
        return Ok(());
    }
    let mut part = store.create_part(Uuid::now_v7(), bundle, Some(length))?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).map_err(file_fault(&path))? {
            0 => break,
            n => part.write(&piece[..n])?,
        }
    }
    part.sync()?;
    store.seal(bundle, &mut part)?;
    part.clear();
    for kind in Derived::ALL {
        let path = derived_path(folder, bundle, kind);
        let Ok(mut file) = File::open(&path) else {
            continue;
        };
        let mut scratch = store.scratch()?;
        std::io::copy(&mut file, &mut scratch).map_err(file_fault(&path))?;
        store.keep(bundle, kind, &scratch)?;
    }
    Ok(())
}

/// All rows in one transaction; how many.
async fn put_rows(db: &Db, path: &Path) -> Result<u64, OperateError> {
    let file = File::open(path).map_err(file_fault(path))?;
    let (tables, mut count) = (dump::tables(), 0);
    let mut tx = db.begin().await?;
    dump::clear(&mut tx).await?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(file_fault(path))?;
        let line: Line =
            serde_json::from_str(&line).map_err(|_| no_backup(path, "a line cannot be read"))?;
        count += 1;
        if let Some(table) = tables.iter().find(|table| **table == line.table) {
            dump::write(&mut tx, table, &line.row).await?;
        }
    }
    dump::end_uploads(&mut tx).await?;
    // A backup of an older schema has no counts.
    templates::recount(&mut tx).await?;
    tx.commit().await?;
    Ok(count)
}
