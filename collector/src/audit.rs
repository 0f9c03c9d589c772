//! The audit log: who did what, written in the transaction of the change, in a hash chain.
//!
//! Records never hold content of tickets or bundles, so that deleting those leaves them alone.

use serde_json::{Map, Value};
use sqlx::AnyConnection;

use crate::auth::{Actor, sha256_hex};
use crate::db::audit::{AuditRow, after, head, insert};
use crate::db::{Db, DbError, Engine};

/// What is written about a change.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// Dotted word such as `ticket.create`.
    pub action: &'a str,
    /// Id or key of what was changed.
    pub object: &'a str,
    /// Client address, empty for jobs.
    pub address: &'a str,
}

/// Appends an event to the chain, within the caller's transaction.
pub async fn record(
    conn: &mut AnyConnection,
    engine: Engine,
    now_ms: i64,
    event: Event<'_>,
) -> Result<(), DbError> {
    record_with(conn, engine, now_ms, event, &Value::Object(Map::new())).await
}

/// Appends an event with further values.
pub async fn record_with(
    conn: &mut AnyConnection,
    engine: Engine,
    now_ms: i64,
    event: Event<'_>,
    detail: &Value,
) -> Result<(), DbError> {
    if let Some(lock) = engine.lock_audit() {
        // Two transactions that append at once would both continue from the same head.
        crate::db::dialect::run(conn, lock).await?;
    }
    let (seq, previous) = head(conn).await?;
    let mut row = AuditRow {
        seq: seq + 1,
        at_ms: now_ms,
        actor: event.actor.label(),
        action: event.action.to_owned(),
        object: event.object.to_owned(),
        address: event.address.to_owned(),
        detail: detail.to_string(),
        hash: String::new(),
    };
    row.hash = chain_hash(&previous, &row);
    insert(conn, &row).await
}

fn chain_hash(previous: &str, row: &AuditRow) -> String {
    let record = serde_json::json!([
        previous,
        row.seq,
        row.at_ms,
        row.actor,
        row.action,
        row.object,
        row.address,
        row.detail
    ]);
    sha256_hex(record.to_string().as_bytes())
}

/// Walks the whole chain; returns the place of the first record that does not fit, if any.
pub async fn verify(db: &Db) -> Result<Option<i64>, DbError> {
    let mut conn = db.read().await?;
    let (mut seq, mut previous) = (0, String::new());
    loop {
        let rows = after(&mut conn, seq, 1000).await?;
        let Some(last) = rows.last() else {
            return Ok(None);
        };
        let end = last.seq;
        for row in rows {
            if row.seq != seq + 1 || chain_hash(&previous, &row) != row.hash {
                return Ok(Some(row.seq));
            }
            seq = row.seq;
            previous = row.hash;
        }
        debug_assert_eq!(seq, end);
    }
}
