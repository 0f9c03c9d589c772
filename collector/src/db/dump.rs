//! All rows of all tables as lines of JSON, and back: the same for both engines, so that a backup of one can be
//! restored into the other. Only the columns that hold something are written, so that a newer schema takes them too.

use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AnyConnection, AssertSqlSafe, Column, Row, ValueRef};

use super::migrate::MIGRATIONS;
use super::{DbError, Named};

/// Table of the migrations, which a restored database has of its own.
const OWN: &str = "schema_migrations";

/// The tables of this program's schema, so that those that are pointed at come first.
pub fn tables() -> Vec<&'static str> {
    let mut tables = Vec::new();
    for line in MIGRATIONS.iter().flat_map(|(_, text)| text.lines()) {
        let name = |rest: &'static str| rest.split([' ', '(', ';']).next().unwrap_or_default();
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            tables.push(name(rest));
        } else if let Some(rest) = line.strip_prefix("DROP TABLE ") {
            tables.retain(|table| *table != name(rest));
        }
    }
    tables.retain(|table| *table != OWN);
    tables
}

/// Gives every row of a table to `take`, which ends it by false. Returns how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn read(
    db: &mut AnyConnection,
    table: &'static str,
    take: &mut (dyn FnMut(Map<String, Value>) -> bool + Send),
) -> Result<u64, DbError> {
    let mut rows = sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch(db);
    let mut count = 0;
    while let Some(row) = rows.try_next().await.named("read a table")? {
        count += 1;
        if !take(values(&row)?) {
            break;
        }
    }
    Ok(count)
}

fn values(row: &AnyRow) -> Result<Map<String, Value>, DbError> {
    let mut values = Map::new();
    for (place, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(place).named("read a value")?;
        if raw.is_null() {
            continue;
        }
        let value = match raw.type_info().kind() {
            AnyTypeInfoKind::BigInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::SmallInt => {
                Value::from(row.try_get::<i64, _>(place).named("read a value")?)
            }
            AnyTypeInfoKind::Double | AnyTypeInfoKind::Real => {
                Value::from(row.try_get::<f64, _>(place).named("read a value")?)
            }
            _ => Value::from(row.try_get::<String, _>(place).named("read a value")?),
        };
        values.insert(column.name().to_owned(), value);
    }
    Ok(values)
}

/// Adds a row. Names of columns come from a backup, so only plain words are taken.
///
/// # Errors
/// When the database refuses.
pub async fn write(
    db: &mut AnyConnection,
    table: &'static str,
    row: &Map<String, Value>,
) -> Result<(), DbError> {
    let plain = |name: &&String| {
        name.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let columns: Vec<&String> = row.keys().filter(plain).collect();
    let names = columns
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let marks = (1..=columns.len())
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ");
    let sql = format!("INSERT INTO {table} ({names}) VALUES ({marks})");
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for name in columns {
        query = match &row[name] {
            Value::Number(number) => match number.as_i64() {
                Some(whole) => query.bind(whole),
                None => query.bind(number.as_f64()),
            },
            Value::String(text) => query.bind(text.clone()),
            other => query.bind(other.to_string()),
        };
    }
    query.execute(db).await.named("restore a row").map(|_| ())
}

/// Whether nobody has used this database yet: it has no accounts and no tickets.
///
/// # Errors
/// When the database does not answer.
pub async fn is_unused(db: &mut AnyConnection) -> Result<bool, DbError> {
    let sql = "SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM tickets)";
    let count: i64 = sqlx::query_scalar(sql)
        .fetch_one(db)
        .await
        .named("look whether the database is unused")?;
    Ok(count == 0)
}

/// Empties the tables that a fresh database fills by itself, before a restore.
///
/// # Errors
/// When the database refuses.
pub async fn clear(db: &mut AnyConnection) -> Result<(), DbError> {
    for table in tables().into_iter().rev() {
        let sql = AssertSqlSafe(format!("DELETE FROM {table}"));
        sqlx::query(sql)
            .execute(&mut *db)
            .await
            .named("empty a table")?;
    }
    Ok(())
}

/// Open uploads of a backup have no bytes here: their clients are told 410 and begin anew.
///
/// # Errors
/// When the database refuses.
pub async fn end_uploads(db: &mut AnyConnection) -> Result<(), DbError> {
    for sql in [
        "UPDATE uploads SET state = 'failed', reason = 'restored', reserved_bytes = 0, multipart_id = NULL, \
         hash_state = NULL WHERE state IN ('created', 'receiving')",
        "DELETE FROM upload_pieces",
        "UPDATE jobs SET state = 'queued', owner = NULL WHERE state = 'leased'",
    ] {
        sqlx::query(sql)
            .execute(&mut *db)
            .await
            .named("end open uploads")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, add_user, on_both};
    use crate::db::uploads::{self, UploadRow};

    #[tokio::test]
    async fn every_row_comes_back() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            assert!(is_unused(&mut tx).await.unwrap());
            add_user(&mut tx, "u1").await;
            add_ticket(&mut tx, "t1").await;
            let upload = UploadRow {
                id: "up".into(),
                receipt: "r".into(),
                state: "receiving".into(),
                length_bytes: Some(9),
                ..UploadRow::default()
            };
            uploads::insert(&mut tx, &upload).await.unwrap();
            assert!(!is_unused(&mut tx).await.unwrap());
            let mut all = Vec::new();
            for table in tables() {
                let mut take = |row| {
                    all.push((table, row));
                    true
                };
                read(&mut tx, table, &mut take).await.unwrap();
            }
            assert!(all.len() >= 3);
            clear(&mut tx).await.unwrap();
            assert!(is_unused(&mut tx).await.unwrap());
            for (table, row) in &all {
                write(&mut tx, table, row).await.unwrap();
            }
            let back = uploads::find(&mut tx, "up").await.unwrap().unwrap();
            assert_eq!((back.length_bytes, back.sha256), (Some(9), None));
            end_uploads(&mut tx).await.unwrap();
            let ended = uploads::find(&mut tx, "up").await.unwrap().unwrap();
            assert_eq!(ended.reason.as_deref(), Some("restored"));
        })
        .await;
    }

    #[test]
    fn what_is_pointed_at_comes_first() {
        let tables = tables();
        let place = |name: &str| tables.iter().position(|table| *table == name).unwrap();
        assert!(place("users") < place("tickets") && place("tickets") < place("ticket_tags"));
        assert!(!tables.contains(&OWN));
    }
}
