//! `sitrepd verify`: every stored bundle is read again and hashed; what differs from what was received is named.

use std::io::Read;
use std::sync::Arc;

use uuid::Uuid;

use super::OperateError;
use crate::bundles::storage::{HashState, StorageError, Store};
use crate::db::Db;
use crate::db::bundles::{self, BundleRow};

/// Bundles asked for at once.
const PAGE: i64 = 200;

/// Reads all bundles; `tell` hears of every one that is wrong. Returns how many were read.
///
/// # Errors
/// When database or store do not answer, or [`OperateError::Bad`] at the end.
pub async fn verify(
    db: &Db,
    store: &Arc<Store>,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<u64, OperateError> {
    let (mut all, mut bad, mut before) = (0, 0, None::<String>);
    loop {
        let page = bundles::page(&mut *db.read().await?, before.as_deref(), PAGE).await?;
        before = page.last().map(|row| row.id.clone());
        if page.is_empty() {
            break;
        }
        for row in page.iter().filter(|row| row.state != "deleting") {
            all += 1;
            if let Some(fault) = look(db, store, row).await? {
                bad += 1;
                tell(&format!(
                    "bundle {} (receipt {}): {fault}",
                    row.id, row.receipt
                ));
            }
        }
    }
    if bad > 0 {
        return Err(OperateError::Bad { bad, all });
    }
    Ok(all)
}

/// What is wrong with a bundle, if anything.
async fn look(
    db: &Db,
    store: &Arc<Store>,
    row: &BundleRow,
) -> Result<Option<String>, OperateError> {
    let Ok(id) = Uuid::parse_str(&row.id) else {
        return Ok(Some("its id is none".to_owned()));
    };
    let store = Arc::clone(store);
    let read = tokio::task::spawn_blocking(move || digest(&store, id)).await?;
    let fault = match read {
        Ok((sha256, bytes)) if sha256 == row.sha256 && bytes == row.bytes.unsigned_abs() => None,
        Ok((sha256, bytes)) => Some(format!(
            "{bytes} bytes with sha256 {sha256} are stored, {} bytes with {} were received",
            row.bytes, row.sha256
        )),
        Err(error) if error.is_unavailable() => return Err(error.into()),
        Err(error) => Some(sitrep_shared::error::chain(&error)),
    };
    if fault.is_some()
        && bundles::find(&mut *db.read().await?, &row.id)
            .await?
            .is_none()
    {
        // Deleted meanwhile.
        return Ok(None);
    }
    Ok(fault)
}

/// Digest and length of a stored blob.
pub(super) fn digest(store: &Store, bundle: Uuid) -> Result<(String, u64), StorageError> {
    copy(store, bundle, &mut std::io::sink())
}

/// Copies a stored blob out; its digest and length.
pub(super) fn copy(
    store: &Store,
    bundle: Uuid,
    out: &mut dyn std::io::Write,
) -> Result<(String, u64), StorageError> {
    let mut source = store.blob_source(bundle)?;
    let (mut hash, mut bytes, mut piece) = (HashState::default(), 0, vec![0; 1 << 20]);
    let fault = |source| StorageError::Derived {
        path: bundle.to_string().into(),
        source,
    };
    loop {
        match source.read(&mut piece).map_err(fault)? {
            0 => return Ok((hash.digest(), bytes)),
            n => {
                hash.update(&piece[..n]);
                out.write_all(&piece[..n]).map_err(fault)?;
                bytes += n as u64;
            }
        }
    }
}
