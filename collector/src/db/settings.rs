//! Single values that belong to the installation.

use sqlx::AnyConnection;

use super::{DbError, Named};

/// A value.
pub async fn find(conn: &mut AnyConnection, name: &str) -> Result<Option<String>, DbError> {
    sqlx::query_scalar("SELECT value FROM settings WHERE name = $1")
        .bind(name.to_owned())
        .fetch_optional(conn)
        .await
        .named("find a stored setting")
}

/// Sets a value.
pub async fn set(conn: &mut AnyConnection, name: &str, value: &str) -> Result<(), DbError> {
    sqlx::query("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name.to_owned())
        .bind(value.to_owned())
        .execute(conn)
        .await
        .named("store a setting")
        .map(|_| ())
}

/// Removes a value.
pub async fn delete(conn: &mut AnyConnection, name: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM settings WHERE name = $1")
        .bind(name.to_owned())
        .execute(conn)
        .await
        .named("remove a stored setting")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_value_is_set_replaced_and_removed() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            assert_eq!(find(&mut tx, "a").await.unwrap(), None);
            for value in ["1", "2"] {
                set(&mut tx, "a", value).await.unwrap();
                assert_eq!(find(&mut tx, "a").await.unwrap().as_deref(), Some(value));
            }
            delete(&mut tx, "a").await.unwrap();
            assert_eq!(find(&mut tx, "a").await.unwrap(), None);
        })
        .await;
    }
}
