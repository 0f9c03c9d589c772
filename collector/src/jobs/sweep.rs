//! What is looked after from time to time: lost leases, bundles without a job, lapsed uploads, unfinished deletions.

use std::time::Duration;

use uuid::Uuid;

use crate::bundles::receive::ReceiveError;
use crate::bundles::{Bundles, DeleteError, INGEST, now_ms};
use crate::db::{DbError, bundles as rows, jobs};

/// A bundle may wait this long for its job before it counts as forgotten, in milliseconds.
const FORGOTTEN_MS: i64 = 60_000;

/// No reading takes this long: what is older belongs to a process that died.
const SCRATCH_AGE: Duration = Duration::from_secs(24 * 3600);

/// A sweep that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    /// The database failed.
    #[error("look after jobs")]
    Db(#[from] DbError),
    /// Uploads could not be ended.
    #[error("end lapsed uploads")]
    Receive(#[from] ReceiveError),
    /// A deletion could not be ended.
    #[error("end a deletion")]
    Delete(#[from] DeleteError),
}

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Jobs whose worker was lost.
    pub(super) reclaimed: u64,
    /// Bundles that had no job.
    pub(super) requeued: usize,
    /// Uploads that lapsed.
    pub(super) expired: usize,
    /// Deletions that were ended.
    pub(super) deleted: usize,
    /// Uploads whose end was made up for.
    pub(super) finished: usize,
    /// Scratch files of readers that died.
    pub(super) scratch: usize,
}

/// Looks after everything once.
pub(super) async fn sweep(bundles: &Bundles) -> Result<Swept, SweepError> {
    let mut swept = Swept::default();
    let db = bundles.db();
    let forgotten = rows::without_job(&mut *db.read().await?, now_ms() - FORGOTTEN_MS).await?;
    let deleting = rows::deleting(&mut *db.read().await?).await?;
    let mut tx = db.begin().await?;
    swept.reclaimed = jobs::reclaim(&mut tx, db.engine()).await?;
    for bundle in &forgotten {
        jobs::again(&mut tx, INGEST, bundle, now_ms()).await?;
    }
    tx.commit().await?;
    swept.requeued = forgotten.len();
    if swept.reclaimed > 0 || swept.requeued > 0 {
        for kind in super::SPECS.iter().map(|spec| spec.kind) {
            bundles.wake.call(kind);
        }
    }
    swept.expired = bundles.receiver.expire().await?;
    swept.finished = bundles.receiver.finish_rest().await?;
    swept.scratch = bundles.sweep_scratch(SCRATCH_AGE).await?;
    for bundle in deleting.iter().filter_map(|id| Uuid::parse_str(id).ok()) {
        bundles.delete(bundle).await?;
        swept.deleted += 1;
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bundles::ingest::process::Reader;
    use crate::bundles::tickets::AnyTicket;
    use crate::bundles::{Options, receive::Limits};
    use crate::db::bundles::NewBundle;

    #[tokio::test]
    async fn a_missed_job_is_made_and_a_begun_deletion_ended() {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::db::testing::test_db(folder.path()).await;
        let options = Options {
            folder: folder.path().to_path_buf(),
            objects: None,
            limits: Limits::default(),
            reader: Reader::default(),
            reader_limits: Default::default(),
            tasks: crate::tasks::Tasks::default(),
        };
        let bundles = Bundles::open(db.clone(), Arc::new(AnyTicket::default()), options).unwrap();
        let ids = [Uuid::now_v7().to_string(), Uuid::now_v7().to_string()];
        let mut tx = db.begin().await.unwrap();
        for id in &ids {
            let new = NewBundle {
                id,
                upload_id: id,
                ticket_id: "t",
                filename: "secret-name",
                bytes: 1,
                sha256: "",
                receipt: "r",
                received_ms: 1,
            };
            rows::insert(&mut tx, &new).await.unwrap();
        }
        rows::shift(&mut tx, &ids[1], &["stored"], "deleting")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let swept = sweep(&bundles).await.unwrap();
        assert_eq!((swept.requeued, swept.deleted), (1, 1));
        assert_eq!(sweep(&bundles).await.unwrap(), Swept::default());
        let mut conn = db.read().await.unwrap();
        assert_eq!(jobs::count(&mut conn, "queued").await.unwrap(), 1);
        assert!(
            rows::find(&mut conn, &ids[1]).await.unwrap().is_none(),
            "it is gone for every reader"
        );
    }
}
