//! A database for tests of the services.

use std::path::Path;

use super::Db;

/// A migrated SQLite database in a folder.
pub(crate) async fn test_db(folder: &Path) -> Db {
    let url = format!("sqlite://{}/sitrep.db?mode=rwc", folder.display());
    let db = Db::open(&url, 4).await.expect("open database");
    let mut tx = db.begin().await.expect("begin");
    sqlx::raw_sql(include_str!("../../migrations/0010_ingest.sql"))
        .execute(&mut *tx)
        .await
        .expect("migrate");
    tx.commit().await.expect("commit");
    db
}
