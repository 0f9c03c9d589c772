//! Applies the migrations, in order, once, forward only. New ones are one file and one line here.

use sqlx::AssertSqlSafe;

use super::{Db, DbError, Named};

/// All migrations: name and text, in the order of their numbers.
#[rustfmt::skip]
pub const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_accounts", include_str!("../../migrations/0001_accounts.sql")),
    ("0002_tickets", include_str!("../../migrations/0002_tickets.sql")),
    ("0010_ingest", include_str!("../../migrations/0010_ingest.sql")),
    ("0100_storage", include_str!("../../migrations/0100_storage.sql")),
    ("0101_promised", include_str!("../../migrations/0101_promised.sql")),
    ("0102_holds", include_str!("../../migrations/0102_holds.sql")),
    ("0200_feedback", include_str!("../../migrations/0200_feedback.sql")),
    ("0201_templates", include_str!("../../migrations/0201_templates.sql")),
    ("0202_signatures", include_str!("../../migrations/0202_signatures.sql")),
    ("0203_retro", include_str!("../../migrations/0203_retro.sql")),
    ("0204_template_counts", include_str!("../../migrations/0204_template_counts.sql")),
    ("0500_lifecycle", include_str!("../../migrations/0500_lifecycle.sql")),
    ("0501_diagnosis", include_str!("../../migrations/0501_diagnosis.sql")),
    ("0502_customer", include_str!("../../migrations/0502_customer.sql")),
    ("0503_knowledge", include_str!("../../migrations/0503_knowledge.sql")),
    ("0504_lessons", include_str!("../../migrations/0504_lessons.sql")),
    ("0505_created", include_str!("../../migrations/0505_created.sql")),
    ("0506_lanes", include_str!("../../migrations/0506_lanes.sql")),
    ("0507_tag_rules", include_str!("../../migrations/0507_tag_rules.sql")),
    ("0508_undo", include_str!("../../migrations/0508_undo.sql")),
    ("0509_follow_ups", include_str!("../../migrations/0509_follow_ups.sql")),
    ("0510_without_cause", include_str!("../../migrations/0510_without_cause.sql")),
    ("0700_derived", include_str!("../../migrations/0700_derived.sql")),
    ("0701_terms", include_str!("../../migrations/0701_terms.sql")),
    ("0702_measures", include_str!("../../migrations/0702_measures.sql")),
    ("0800_connectors", include_str!("../../migrations/0800_connectors.sql")),
];

/// Brings the database to this program's schema; returns the names that were applied now.
pub async fn run(db: &Db, now_ms: i64) -> Result<Vec<&'static str>, DbError> {
    create_table(db).await?;
    let mut tx = db.begin().await?;
    if let Some(lock) = db.engine().lock_migrations() {
        sqlx::raw_sql(lock)
            .execute(&mut *tx)
            .await
            .named("lock the migrations")?;
    }
    let applied = applied(&mut tx).await?;
    check(&applied)?;
    let mut done = Vec::new();
    for (name, text) in MIGRATIONS {
        if applied.iter().any(|(known, _)| known == name) {
            continue;
        }
        sqlx::raw_sql(AssertSqlSafe(*text))
            .execute(&mut *tx)
            .await
            .named("apply a migration")?;
        sqlx::query("INSERT INTO schema_migrations (name, sha256, applied_ms) VALUES ($1, $2, $3)")
            .bind(*name)
            .bind(crate::auth::sha256_hex(text.as_bytes()))
            .bind(now_ms)
            .execute(&mut *tx)
            .await
            .named("record a migration")?;
        done.push(*name);
    }
    tx.commit().await?;
    Ok(done)
}

/// The migrations that this database still needs.
pub async fn pending(db: &Db) -> Result<Vec<&'static str>, DbError> {
    create_table(db).await?;
    let mut connection = db.read().await?;
    let applied = applied(&mut connection).await?;
    check(&applied)?;
    let known = |name: &str| applied.iter().any(|(n, _)| n == name);
    Ok(MIGRATIONS
        .iter()
        .map(|(n, _)| *n)
        .filter(|n| !known(n))
        .collect())
}

async fn create_table(db: &Db) -> Result<(), DbError> {
    const TEXT: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
        (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms BIGINT NOT NULL)";
    let mut connection = db.read().await?;
    let first = sqlx::raw_sql(TEXT).execute(&mut *connection).await;
    if first.is_err() {
        // PostgreSQL can refuse when two replicas create it at the same moment: it exists now.
        sqlx::raw_sql(TEXT)
            .execute(&mut *connection)
            .await
            .named("create the migrations table")?;
    }
    Ok(())
}

async fn applied(connection: &mut sqlx::AnyConnection) -> Result<Vec<(String, String)>, DbError> {
    sqlx::query_as("SELECT name, sha256 FROM schema_migrations ORDER BY name")
        .fetch_all(connection)
        .await
        .named("read the migrations")
}

fn check(applied: &[(String, String)]) -> Result<(), DbError> {
    for (name, sha256) in applied {
        let Some((_, text)) = MIGRATIONS.iter().find(|(known, _)| known == name) else {
            return Err(DbError::MigrationUnknown { name: name.clone() });
        };
        if crate::auth::sha256_hex(text.as_bytes()) != *sha256 {
            return Err(DbError::MigrationChanged { name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn migrations_are_applied_once_and_a_foreign_one_is_refused() {
        on_both(async |db| {
            assert_eq!(pending(&db).await.unwrap(), [""; 0]);
            assert_eq!(run(&db, 2).await.unwrap(), [""; 0]);
            let mut tx = db.begin().await.unwrap();
            let text = "INSERT INTO schema_migrations (name, sha256, applied_ms) VALUES ('9999_later', 'x', 1)";
            sqlx::query(text).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
            let newer = run(&db, 2).await.unwrap_err();
            assert!(matches!(newer, DbError::MigrationUnknown { .. }), "{newer:?}");
            let mut tx = db.begin().await.unwrap();
            for text in [
                "DELETE FROM schema_migrations WHERE name = '9999_later'",
                "UPDATE schema_migrations SET sha256 = 'x' WHERE name = '0001_accounts'",
            ] {
                sqlx::query(text).execute(&mut *tx).await.unwrap();
            }
            tx.commit().await.unwrap();
            let other = pending(&db).await.unwrap_err();
            assert!(matches!(other, DbError::MigrationChanged { .. }), "{other:?}");
        })
        .await;
    }
}
