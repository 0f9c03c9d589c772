//! What whoever runs the service does by hand: look whether it can run, keep a copy, bring it back, read everything
//! again. Commands of the command line; the service itself is in `serve`.

pub mod backup;
pub mod check;
pub mod restore;
pub mod verify;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bundles::storage::StorageError;
use crate::db::DbError;

/// Rows, one line of JSON each.
const ROWS: &str = "rows.jsonl";
/// What was written, made last: without it a backup is none.
const SEAL: &str = "backup.json";
/// Blobs and derived files, by bundle.
const BUNDLES: &str = "bundles";
/// The key of stored upload codes.
const PEPPER: &str = "pepper";

/// A command that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// The database failed.
    #[error("use the database")]
    Db(#[from] DbError),
    /// The store failed.
    #[error("use the store of bundles")]
    Storage(#[from] StorageError),
    /// A file of the backup could not be written or read.
    #[error("use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder is not empty.
    #[error("{} is not empty: a backup needs a folder of its own", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds no whole backup.
    #[error("{} holds no whole backup: {reason}", path.display())]
    NoBackup {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is something in the database already.
    #[error(
        "this database is in use: restore into an empty one (another data_dir or database_url)"
    )]
    InUse,
    /// Some bundles are not what was received.
    #[error("{bad} of {all} bundles are not what was received")]
    Bad {
        /// How many.
        bad: u64,
        /// Of how many.
        all: u64,
    },
    /// A blocking task did not end.
    #[error("run the work")]
    Task(#[from] tokio::task::JoinError),
}

/// The seal of a backup.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    /// Version of the program that made it.
    version: String,
    /// When, UTC milliseconds.
    made_ms: i64,
    /// Migrations of its database.
    migrations: Vec<String>,
    /// Rows.
    rows: u64,
    /// Digest of the rows' file.
    rows_sha256: String,
    /// Bundles whose bytes are in it.
    bundles: u64,
}

fn file_fault(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> OperateError + '_ {
    move |source| OperateError::File {
        path: path.to_path_buf(),
        source,
    }
}
