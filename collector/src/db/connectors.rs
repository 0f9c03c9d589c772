//! Connectors: how other systems are reached, and how they fare.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named};

/// One connector.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0800")]
pub struct ConnectorRow {
    pub id: String,
    pub kind: String,
    pub name: String,
    pub enabled: i64,
    pub url: String,
    pub settings: String,
    pub secret: String,
    pub cursor_ms: i64,
    pub failures: i64,
    pub fault: String,
    pub retry_ms: i64,
    pub changed_by: String,
    pub changed_ms: i64,
}

const SELECT: &str = "SELECT id, kind, name, enabled, url, settings, secret, cursor_ms, failures, fault, retry_ms, \
    changed_by, changed_ms FROM connectors";

/// Adds a connector, or changes the one with its id. How far it was read stays.
pub async fn put(conn: &mut AnyConnection, row: &ConnectorRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO connectors (id, kind, name, enabled, url, settings, secret, changed_by, changed_ms, cursor_ms, \
         failures, fault, retry_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '', 0) \
         ON CONFLICT (id) DO UPDATE SET name = $3, enabled = $4, url = $5, settings = $6, secret = $7, changed_by = $8, \
         changed_ms = $9, failures = 0, fault = '', retry_ms = 0",
    )
    .bind(row.id.clone())
    .bind(row.kind.clone())
    .bind(row.name.clone())
    .bind(row.enabled)
    .bind(row.url.clone())
    .bind(row.settings.clone())
    .bind(row.secret.clone())
    .bind(row.changed_by.clone())
    .bind(row.changed_ms)
    .bind(row.cursor_ms)
    .execute(conn)
    .await
    .named("store a connector")
    .map(|_| ())
}

/// All connectors by name.
pub async fn list(conn: &mut AnyConnection) -> Result<Vec<ConnectorRow>, DbError> {
    sqlx::query_as(AssertSqlSafe(format!("{SELECT} ORDER BY name LIMIT 200")))
        .fetch_all(conn)
        .await
        .named("list connectors")
}

/// One connector.
pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<ConnectorRow>, DbError> {
    sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE id = $1")))
        .bind(id.to_owned())
        .fetch_optional(conn)
        .await
        .named("find a connector")
}

/// Removes a connector with all that belongs to it; says whether there was one.
pub async fn remove(conn: &mut AnyConnection, id: &str) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM connectors WHERE id = $1")
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("remove a connector")
        .map(|done| done.rows_affected() == 1)
}

/// Notes that it did not answer, and when it is asked again.
pub async fn failed(
    conn: &mut AnyConnection,
    id: &str,
    (fault, retry_ms): (&str, i64),
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE connectors SET failures = failures + 1, fault = $1, retry_ms = $2 WHERE id = $3",
    )
    .bind(fault.to_owned())
    .bind(retry_ms)
    .bind(id.to_owned())
    .execute(conn)
    .await
    .named("note the fault of a connector")
    .map(|_| ())
}

/// Notes that it answered; says whether it had not before.
pub async fn answered(conn: &mut AnyConnection, id: &str) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE connectors SET failures = 0, fault = '', retry_ms = 0 WHERE id = $1 AND (failures > 0 OR fault <> '')",
    )
    .bind(id.to_owned())
    .execute(conn)
    .await
    .named("note the answer of a connector")
    .map(|done| done.rows_affected() == 1)
}

/// Turns a connector off, since the other side wants no more.
pub async fn turn_off(conn: &mut AnyConnection, id: &str, fault: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE connectors SET enabled = 0, fault = $1 WHERE id = $2")
        .bind(fault.to_owned())
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("turn a connector off")
        .map(|_| ())
}

/// Notes how far the other side was read.
pub async fn read_to(conn: &mut AnyConnection, id: &str, cursor_ms: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE connectors SET cursor_ms = $1 WHERE id = $2 AND cursor_ms < $1")
        .bind(cursor_ms)
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("note how far a connector was read")
        .map(|_| ())
}

/// Notes a message from outside; false when it was there already.
pub async fn take_message(
    conn: &mut AnyConnection,
    (id, message): (&str, &str),
    now_ms: i64,
) -> Result<bool, DbError> {
    sqlx::query(
        "INSERT INTO inbound_messages (connector_id, message_id, at_ms) VALUES ($1, $2, $3) \
         ON CONFLICT (connector_id, message_id) DO NOTHING",
    )
    .bind(id.to_owned())
    .bind(message.to_owned())
    .bind(now_ms)
    .execute(conn)
    .await
    .named("note a message")
    .map(|done| done.rows_affected() == 1)
}

/// Forgets messages that are too old to be taken again anyway.
pub async fn forget_messages(conn: &mut AnyConnection, before_ms: i64) -> Result<(), DbError> {
    sqlx::query("DELETE FROM inbound_messages WHERE at_ms < $1")
        .bind(before_ms)
        .execute(conn)
        .await
        .named("forget old messages")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_connector_is_changed_fails_and_comes_back() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let mut row = ConnectorRow {
                id: "c".into(),
                kind: "rt".into(),
                name: "Desk".into(),
                enabled: 1,
                ..ConnectorRow::default()
            };
            put(&mut tx, &row).await.unwrap();
            read_to(&mut tx, "c", 70).await.unwrap();
            read_to(&mut tx, "c", 60).await.unwrap();
            failed(&mut tx, "c", ("refused", 99)).await.unwrap();
            let ill = find(&mut tx, "c").await.unwrap().unwrap();
            assert_eq!(
                (
                    ill.failures,
                    ill.fault.as_str(),
                    ill.retry_ms,
                    ill.cursor_ms
                ),
                (1, "refused", 99, 70)
            );
            assert!(answered(&mut tx, "c").await.unwrap());
            assert!(!answered(&mut tx, "c").await.unwrap(), "it is well");
            row.name = "Help desk".into();
            put(&mut tx, &row).await.unwrap();
            turn_off(&mut tx, "c", "gone").await.unwrap();
            let listed = list(&mut tx).await.unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!((listed[0].enabled, listed[0].cursor_ms), (0, 70));
            assert!(take_message(&mut tx, ("c", "m1"), 5).await.unwrap());
            assert!(!take_message(&mut tx, ("c", "m1"), 6).await.unwrap());
            forget_messages(&mut tx, 6).await.unwrap();
            assert!(take_message(&mut tx, ("c", "m1"), 7).await.unwrap());
            assert!(remove(&mut tx, "c").await.unwrap());
            assert!(!remove(&mut tx, "c").await.unwrap());
        })
        .await;
    }
}
