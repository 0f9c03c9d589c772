//! Text modules: what is written to customers often, in both languages.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// One text module.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0501")]
pub struct MacroRow {
    pub id: String,
    pub title: String,
    pub body_en: String,
    pub body_zh: String,
    pub changed_by: String,
    pub changed_ms: i64,
}

/// Adds a text module, or puts it in the place of the one with its id.
pub async fn put(conn: &mut AnyConnection, row: &MacroRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO macros (id, title, body_en, body_zh, changed_by, changed_ms) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET title = $2, body_en = $3, body_zh = $4, changed_by = $5, changed_ms = $6",
    )
    .bind(row.id.clone())
    .bind(row.title.clone())
    .bind(row.body_en.clone())
    .bind(row.body_zh.clone())
    .bind(row.changed_by.clone())
    .bind(row.changed_ms)
    .execute(conn)
    .await
    .named("store a text module")
    .map(|_| ())
}

/// All text modules by title.
pub async fn list(conn: &mut AnyConnection) -> Result<Vec<MacroRow>, DbError> {
    sqlx::query_as(
        "SELECT id, title, body_en, body_zh, changed_by, changed_ms FROM macros ORDER BY title, id LIMIT 500",
    )
    .fetch_all(conn)
    .await
    .named("list text modules")
}

/// The text module with this id.
pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<MacroRow>, DbError> {
    sqlx::query_as(
        "SELECT id, title, body_en, body_zh, changed_by, changed_ms FROM macros WHERE id = $1",
    )
    .bind(id.to_owned())
    .fetch_optional(conn)
    .await
    .named("find a text module")
}

/// Removes a text module; says whether there was one.
pub async fn remove(conn: &mut AnyConnection, id: &str) -> Result<bool, DbError> {
    sqlx::query("DELETE FROM macros WHERE id = $1")
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("remove a text module")
        .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_text_module_is_replaced_by_its_id() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let mut row = MacroRow {
                id: "m".into(),
                title: "Ask".into(),
                body_zh: "请发送".into(),
                ..MacroRow::default()
            };
            put(&mut tx, &row).await.unwrap();
            row.title = "Ask for a bundle".into();
            put(&mut tx, &row).await.unwrap();
            assert_eq!(list(&mut tx).await.unwrap(), [row]);
            assert!(find(&mut tx, "m").await.unwrap().is_some());
            assert_eq!(find(&mut tx, "n").await.unwrap(), None);
            assert!(remove(&mut tx, "m").await.unwrap());
            assert!(!remove(&mut tx, "m").await.unwrap());
        })
        .await;
    }
}
