//! What differs between SQLite and PostgreSQL; nothing else may know which engine is used.

use sqlx::AnyConnection;

use super::{DbError, Named};

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, embedded.
    Sqlite,
    /// A server, for several replicas.
    Postgres,
}

impl Engine {
    /// The engine that a URL names.
    pub fn of_url(url: &str) -> Option<Self> {
        match url.split(':').next() {
            Some("sqlite") => Some(Self::Sqlite),
            Some("postgres" | "postgresql") => Some(Self::Postgres),
            _ => None,
        }
    }

    /// Begins a write transaction. SQLite takes the write lock at once: a transaction that reads
    /// first and is upgraded later fails when another has written in between.
    pub fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Locks the migrations table against a second replica that starts now.
    pub fn lock_migrations(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE"),
        }
    }

    /// Locks the audit log for appending, until the end of the transaction.
    pub fn lock_audit(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("LOCK TABLE audit IN EXCLUSIVE MODE"),
        }
    }

    /// Ends a `SELECT` that claims rows: workers skip what others hold. SQLite has one writer.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The database's clock in UTC milliseconds: leases must not depend on each replica's own.
    pub fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS BIGINT)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// Ends a `SELECT` of one row that this transaction will change.
    pub fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }
}

/// Sets a new connection up: an acknowledged change survives power loss on both engines.
pub async fn prepare(engine: Engine, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let text = match engine {
        Engine::Sqlite => {
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; \
             PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON"
        }
        Engine::Postgres => {
            "SET synchronous_commit = on; SET timezone = 'UTC'; SET lock_timeout = '10s'"
        }
    };
    sqlx::raw_sql(text).execute(connection).await.map(|_| ())
}

/// Runs a statement of this module.
pub async fn run(connection: &mut AnyConnection, text: &'static str) -> Result<(), DbError> {
    sqlx::raw_sql(text)
        .execute(connection)
        .await
        .named("prepare the transaction")
        .map(|_| ())
}
