//! What differs between SQLite and PostgreSQL; nothing else may know which engine is used.

use sqlx::{AnyConnection, Connection};

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

    /// The engine of a connection.
    pub fn of(connection: &AnyConnection) -> Self {
        match connection.backend_name() {
            "SQLite" => Self::Sqlite,
            _ => Self::Postgres,
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

    /// Begins a transaction that reads one moment. SQLite's does so from its first read on.
    pub fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// Empties the log of old pages. PostgreSQL recycles its own.
    pub fn forget_log(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("PRAGMA wal_checkpoint(TRUNCATE)"),
            Self::Postgres => None,
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

    /// Lets one transaction after the other count what is used, until its end. The number is ours alone.
    pub fn lock_quotas(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7301)"),
        }
    }

    /// Lets one transaction after the other derive what is marked, until its end.
    pub fn lock_derived(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7302)"),
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

/// Whether a connection can go back to the pool. A full disk makes SQLite roll back by itself; the driver goes on
/// counting that transaction, and would refuse every later one.
pub async fn is_usable(
    engine: Engine,
    connection: &mut AnyConnection,
) -> Result<bool, sqlx::Error> {
    if engine != Engine::Sqlite || !connection.is_in_transaction() {
        return Ok(true);
    }
    // The rollback of a transaction that was dropped may be on its way.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// What is inserted as so many rows of so many columns: `($1, $2), ($3, $4)`. SQLite looks a place up by its name among
/// all others, unless it has none.
pub fn values(connection: &AnyConnection, rows: usize, columns: usize) -> String {
    places(Engine::of(connection), rows, columns)
}

fn places(engine: Engine, rows: usize, columns: usize) -> String {
    let place = |n: usize| match engine {
        Engine::Sqlite => "?".to_owned(),
        Engine::Postgres => format!("${n}"),
    };
    let row = |row: usize| {
        let places = (1..=columns).map(|column| place(row * columns + column));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A statement over so many rows. One that has another text for each number of them is not kept prepared.
pub fn over<'q>(
    text: String,
    rows: usize,
) -> sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments> {
    sqlx::query(sqlx::AssertSqlSafe(text)).persistent(rows == 1)
}

/// Runs a statement of this module.
pub async fn run(connection: &mut AnyConnection, text: &'static str) -> Result<(), DbError> {
    sqlx::raw_sql(text)
        .execute(connection)
        .await
        .named("prepare the transaction")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn what_differs_is_understood_by_its_engine() {
        on_both(async |db| {
            let engine = db.engine();
            let mut conn = db.read().await.unwrap();
            prepare(engine, &mut conn).await.unwrap();
            assert_eq!(Engine::of(&conn), engine);
            let text = format!("SELECT {}", engine.now_ms());
            let now: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
                .fetch_one(&mut *conn)
                .await
                .unwrap();
            let here = crate::bundles::now_ms();
            assert!((now - here).abs() < 60_000, "{now} against {here}");
            drop(conn);
            let mut tx = db.begin().await.unwrap();
            let locks = [
                engine.lock_migrations(),
                engine.lock_audit(),
                engine.lock_quotas(),
                engine.lock_derived(),
            ];
            for lock in locks.into_iter().flatten() {
                run(&mut tx, lock).await.unwrap();
            }
            for end in [engine.for_update(), engine.skip_locked()] {
                let text = format!("SELECT id FROM jobs LIMIT 1{end}");
                let found: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
                    .fetch_optional(&mut *tx)
                    .await
                    .unwrap();
                assert_eq!(found, None);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn whoever_waits_too_long_for_a_lock_hears_that_later_may_be_better() {
        on_both(async |db| {
            let Some(lock) = db.engine().lock_quotas() else {
                return;
            };
            let mut holder = db.begin().await.unwrap();
            run(&mut holder, lock).await.unwrap();
            let mut tx = db.begin().await.unwrap();
            run(&mut tx, "SET LOCAL lock_timeout = '20ms'")
                .await
                .unwrap();
            let late = run(&mut tx, lock).await.unwrap_err();
            assert!(late.is_unavailable(), "{late:?}");
        })
        .await;
    }

    #[test]
    fn places_of_many_rows_are_counted_through() {
        let three = places(Engine::Postgres, 3, 2);
        assert_eq!(three, "($1, $2), ($3, $4), ($5, $6)");
        assert_eq!(places(Engine::Sqlite, 2, 2), "(?, ?), (?, ?)");
    }

    #[test]
    fn an_engine_is_known_by_its_url() {
        for (url, expected) in [
            ("sqlite://x.db", Some(Engine::Sqlite)),
            ("postgres://h/d", Some(Engine::Postgres)),
            ("postgresql://h/d", Some(Engine::Postgres)),
            ("mysql://h/d", None),
        ] {
            assert_eq!(Engine::of_url(url), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn a_transaction_that_the_database_ended_by_itself_spoils_no_connection() {
        on_both(async |db| {
            for _ in 0..4 {
                let mut tx = db.begin().await.unwrap();
                let twice = match db.engine() {
                    Engine::Sqlite => "INSERT OR ROLLBACK INTO t VALUES (1), (1)",
                    Engine::Postgres => "INSERT INTO t VALUES (1), (1)",
                };
                run(&mut tx, "CREATE TABLE t (n BIGINT PRIMARY KEY)")
                    .await
                    .unwrap();
                run(&mut tx, twice).await.unwrap_err();
            }
            let (engine, mut conn) = (db.engine(), db.read().await.unwrap());
            assert!(is_usable(engine, &mut conn).await.unwrap());
        })
        .await;
    }
}
