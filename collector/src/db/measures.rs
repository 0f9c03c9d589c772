//! Numbers of hosts by which bundles are found.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{DbError, Named};

/// A bound of a number, such as `memory.total < 8 GiB`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Name of the number.
    pub name: &'static str,
    /// `<`, `<=`, `>`, `>=` or `=`.
    pub sign: &'static str,
    /// In the number's own unit.
    pub value: f64,
}

/// Bundles whose facts have not been read yet, the newest first.
pub async fn pending(conn: &mut AnyConnection, limit: i64) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar(
        "SELECT id FROM bundles WHERE state = 'ready' AND measured = 0 ORDER BY id DESC LIMIT $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await
    .named("list the bundles that are not measured")
}

/// Writes the numbers of a bundle, in the place of those before.
pub async fn put(
    conn: &mut AnyConnection,
    bundle_id: &str,
    numbers: &[(&str, f64)],
) -> Result<(), DbError> {
    forget(conn, bundle_id).await?;
    let marked = sqlx::query("UPDATE bundles SET measured = 1 WHERE id = $1 AND state = 'ready'")
        .bind(bundle_id.to_owned())
        .execute(&mut *conn)
        .await
        .named("note that a bundle is measured")?;
    // One that is being deleted gets none.
    if marked.rows_affected() == 0 || numbers.is_empty() {
        return Ok(());
    }
    let places = (0..numbers.len())
        .map(|n| format!("($1, ${}, ${})", n * 2 + 2, n * 2 + 3))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!("INSERT INTO bundle_measures (bundle_id, name, value) VALUES {places}");
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(bundle_id.to_owned());
    for (name, value) in numbers {
        query = query.bind((*name).to_owned()).bind(*value);
    }
    query
        .execute(conn)
        .await
        .named("write the numbers of a bundle")
        .map(|_| ())
}

/// Takes the numbers of a bundle away.
pub async fn forget(conn: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM bundle_measures WHERE bundle_id = $1")
        .bind(bundle_id.to_owned())
        .execute(conn)
        .await
        .named("forget the numbers of a bundle")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundle_list::{self, Narrow};
    use crate::db::bundles::{self, NewBundle, Outcome};
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn bundles_are_found_by_their_numbers() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            for id in ["a", "b"] {
                let new = NewBundle {
                    id,
                    upload_id: id,
                    ticket_id: "t",
                    filename: "f",
                    bytes: 1,
                    sha256: "",
                    receipt: "",
                    received_ms: 1,
                };
                bundles::insert(&mut tx, &new).await.unwrap();
                let end = Outcome {
                    state: "ready",
                    ..Outcome::default()
                };
                bundles::finish(&mut tx, id, &end).await.unwrap();
            }
            assert_eq!(pending(&mut tx, 9).await.unwrap(), ["b", "a"]);
            let numbers = [("memory.total", 8e9), ("disk.free", 3.5)];
            put(&mut tx, "a", &numbers).await.unwrap();
            put(&mut tx, "a", &numbers).await.unwrap();
            put(&mut tx, "b", &[("memory.total", 16e9)]).await.unwrap();
            assert!(pending(&mut tx, 9).await.unwrap().is_empty());
            for (name, sign, value, expected) in [
                ("memory.total", "<", 8.5e9, &["a"][..]),
                ("memory.total", ">=", 8e9, &["b", "a"]),
                ("memory.total", "=", 16e9, &["b"]),
                ("disk.free", "<", 5.0, &["a"]),
                ("disk.free", ">", 3.5, &[]),
            ] {
                let narrow = Narrow {
                    bounds: vec![Bound { name, sign, value }],
                    limit: 9,
                    ..Narrow::default()
                };
                let rows = bundle_list::list(&mut tx, &narrow).await.unwrap();
                let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
                assert_eq!(ids, expected, "{name} {sign} {value}");
            }
            forget(&mut tx, "b").await.unwrap();
            let narrow = Narrow {
                bounds: vec![Bound {
                    name: "memory.total",
                    sign: ">",
                    value: 0.0,
                }],
                limit: 9,
                ..Narrow::default()
            };
            assert_eq!(bundle_list::list(&mut tx, &narrow).await.unwrap().len(), 1);
        })
        .await;
    }
}
