//! The database: one SQL text for SQLite and PostgreSQL through `sqlx::Any`.
//!
//! This folder is the only one that holds SQL. Functions take a connection, so that the caller
//! decides about the transaction. Columns are TEXT, BIGINT and DOUBLE PRECISION only.

pub mod articles;
pub mod attempts;
pub mod audit;
pub mod bundle_list;
pub mod bundles;
pub mod codes;
pub mod connectors;
pub mod diagnosis;
pub mod dialect;
pub mod dump;
pub mod figures;
pub mod findings;
mod group;
pub mod holds;
pub mod idempotency;
pub mod jobs;
pub mod leftovers;
pub mod lifecycle;
pub mod links;
pub mod macros;
pub mod marks;
pub mod measures;
pub mod migrate;
pub mod outbox;
pub mod overview;
pub mod packs;
pub mod pieces;
pub mod quotas;
pub mod refusals;
pub mod retention;
pub mod retro;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod similar;
pub mod solutions;
pub mod stats;
pub mod suppressions;
pub mod tag_rules;
pub mod tags;
pub mod templates;
#[cfg(test)]
pub(crate) mod testing;
pub mod tickets;
pub mod timeline;
pub mod tokens;
pub mod undos;
pub mod uploads;
pub mod users;
pub mod words;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Transaction};

pub use dialect::Engine;

/// Longest wait for a connection; after that the answer is 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// What went wrong in the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// An operation failed.
    #[error("{operation}")]
    Operation {
        /// What was being done.
        operation: &'static str,
        /// Cause.
        #[source]
        source: sqlx::Error,
    },
    /// A change failed together with others that were to be committed with it.
    #[error(transparent)]
    Together(Arc<DbError>),
    /// The URL is for neither engine.
    #[error("the database URL must begin with sqlite: or postgres:")]
    Url,
    /// The folder for the database cannot be made.
    #[error("cannot create {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A migration that was applied differs from the one in this program.
    #[error(
        "migration {name} was applied with another content; this database belongs to another build"
    )]
    MigrationChanged {
        /// Name of the migration.
        name: String,
    },
    /// The database is newer than this program.
    #[error(
        "the database has migration {name}, which this program does not know: use a newer sitrepd"
    )]
    MigrationUnknown {
        /// Name of the migration.
        name: String,
    },
}

impl DbError {
    /// Whether a unique key refused the row.
    pub fn is_unique_violation(&self) -> bool {
        if let Self::Together(cause) = self {
            return cause.is_unique_violation();
        }
        let Self::Operation {
            source: sqlx::Error::Database(cause),
            ..
        } = self
        else {
            return false;
        };
        // SQLite reports PRIMARY KEY and UNIQUE under different extended codes; both are meant.
        cause.is_unique_violation() || matches!(cause.code().as_deref(), Some("1555" | "2067"))
    }

    /// Whether the database has no room on its disk: SQLITE_FULL, or PostgreSQL's disk_full.
    pub fn is_full(&self) -> bool {
        if let Self::Together(cause) = self {
            return cause.is_full();
        }
        let Self::Operation {
            source: sqlx::Error::Database(cause),
            ..
        } = self
        else {
            return false;
        };
        matches!(cause.code().as_deref(), Some("13" | "53100"))
    }

    /// Whether trying again later can help: the database is gone or too busy.
    pub fn is_unavailable(&self) -> bool {
        if let Self::Together(cause) = self {
            return cause.is_unavailable();
        }
        let Self::Operation { source, .. } = self else {
            return false;
        };
        match source {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            // SQLITE_BUSY and its kin; PostgreSQL's connection (08), resource (53) and shutdown (57) classes, and a lock
            // that somebody holds for too long, as a replica that is stopped.
            sqlx::Error::Database(cause) => cause.code().is_some_and(|code| {
                ["5", "261", "517", "13", "55P03"].contains(&code.as_ref())
                    || (code.len() == 5
                        && ["08", "53", "57"]
                            .iter()
                            .any(|class| code.starts_with(class)))
            }),
            _ => false,
        }
    }
}

/// Gives a failed query the name of what was being done.
pub trait Named<T> {
    /// Wraps the error.
    fn named(self, operation: &'static str) -> Result<T, DbError>;
}

impl<T> Named<T> for Result<T, sqlx::Error> {
    fn named(self, operation: &'static str) -> Result<T, DbError> {
        self.map_err(|source| DbError::Operation { operation, source })
    }
}

/// The pool and which engine it speaks to; cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pool: AnyPool,
    engine: Engine,
    /// SQLite has one writer: waiting here is fair, waiting in its busy handler is not.
    writer: Option<group::Writer>,
}

impl Db {
    /// Opens the pool; for SQLite the folder and the file are made.
    pub async fn open(url: &str, connections: u32) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of_url(url).ok_or(DbError::Url)?;
        if engine == Engine::Sqlite {
            make_folder(url)?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A connection to a server may have been cut while nobody used it; a file is always there.
            .test_before_acquire(engine == Engine::Postgres)
            .after_connect(move |connection, _| Box::pin(dialect::prepare(engine, connection)))
            .after_release(move |connection, _| Box::pin(dialect::is_usable(engine, connection)))
            .connect(url)
            .await
            .named("connect to the database")?;
        let writer = (engine == Engine::Sqlite).then(Arc::default);
        Ok(Self {
            pool,
            engine,
            writer,
        })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A connection for reading, outside of a transaction.
    pub async fn read(&self) -> Result<PoolConnection<Any>, DbError> {
        self.pool.acquire().await.named("get a database connection")
    }

    /// A transaction for writing. Dropping it rolls back.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        let gate = self.gate().await;
        let inner = self.pool.begin_with(self.engine.begin()).await;
        Ok(Tx(Inner::Own {
            tx: inner.named("begin a transaction")?,
            gate,
        }))
    }

    /// A transaction for a short change that many make at once: the engine with one writer commits them together.
    pub async fn join(&self) -> Result<Tx, DbError> {
        let Some(writer) = &self.writer else {
            return self.begin().await;
        };
        let (pool, begin) = (self.pool.clone(), self.engine.begin());
        let begin = async move { pool.begin_with(begin).await };
        Ok(Tx(Inner::Member(group::join(writer, begin).await?)))
    }

    /// The right to write, where only one may.
    async fn gate(&self) -> Option<group::Gate> {
        let gate = Arc::clone(self.writer.as_ref()?).lock_owned().await;
        Some(group::settle(gate).await)
    }

    /// A transaction that sees one moment, for reading only. It holds nobody up.
    pub async fn snapshot(&self) -> Result<Tx, DbError> {
        let inner = self.pool.begin_with(self.engine.begin_snapshot()).await;
        Ok(Tx(Inner::Own {
            tx: inner.named("begin a snapshot")?,
            gate: None,
        }))
    }

    /// The database's clock, UTC milliseconds.
    pub async fn now_ms(&self) -> Result<i64, DbError> {
        let mut connection = self.read().await?;
        let text = sqlx::AssertSqlSafe(format!("SELECT {}", self.engine.now_ms()));
        let now = sqlx::query_scalar(text).fetch_one(&mut *connection).await;
        now.named("ask for the time")
    }

    /// Makes the engine forget what its log still holds of deleted rows, as far as nobody is reading it.
    pub async fn forget_log(&self) -> Result<(), DbError> {
        let Some(text) = self.engine.forget_log() else {
            return Ok(());
        };
        let _gate = self.gate().await;
        dialect::run(&mut *self.read().await?, text).await
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        let mut connection = self.read().await?;
        let answer = sqlx::query_scalar::<_, i64>("SELECT CAST(1 AS BIGINT)");
        answer
            .fetch_one(&mut *connection)
            .await
            .named("ask the database")
            .map(|_| ())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn make_folder(url: &str) -> Result<(), DbError> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = PathBuf::from(path.split('?').next().unwrap_or_default());
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            std::fs::create_dir_all(folder).map_err(|source| DbError::Folder {
                path: folder.to_owned(),
                source,
            })
        }
        _ => Ok(()),
    }
}

/// A write transaction.
pub struct Tx(Inner);

enum Inner {
    Own {
        tx: Transaction<'static, Any>,
        gate: Option<group::Gate>,
    },
    Member(group::Member),
}

impl Tx {
    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.0 {
            Inner::Own { tx, gate } => {
                let done = tx.commit().await.named("commit the transaction");
                drop(gate);
                done
            }
            Inner::Member(member) => member.commit().await,
        }
    }

    /// Takes the changes back now.
    pub async fn rollback(self) -> Result<(), DbError> {
        match self.0 {
            Inner::Own { tx, .. } => tx.rollback().await.named("roll the transaction back"),
            Inner::Member(member) => {
                drop(member);
                Ok(())
            }
        }
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match &self.0 {
            Inner::Own { tx, .. } => tx,
            Inner::Member(member) => member.connection_ref(),
        }
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match &mut self.0 {
            Inner::Own { tx, .. } => tx,
            Inner::Member(member) => member.connection(),
        }
    }
}
