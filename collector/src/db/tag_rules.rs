//! Rules about the tags that signatures ask for.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named};

/// The product of a rule for all.
pub const EVERY: &str = "*";

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0507")]
pub struct RuleRow {
    pub id: String,
    pub signature_id: String,
    pub product: String,
    pub tag: String,
    pub mode: String,
    pub learnt: i64,
    pub since_ms: i64,
    pub changed_by: String,
    pub changed_ms: i64,
}

const SELECT: &str = "SELECT id, signature_id, product, tag, mode, learnt, since_ms, changed_by, changed_ms FROM tag_rules";

/// Writes a rule, in the place of the one about the same tag, signature and product; the id that it has then.
pub async fn put(conn: &mut AnyConnection, row: &RuleRow) -> Result<String, DbError> {
    sqlx::query_scalar(
        "INSERT INTO tag_rules (id, signature_id, product, tag, mode, learnt, since_ms, changed_by, changed_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (signature_id, product, tag) DO UPDATE SET \
         mode = $5, learnt = $6, since_ms = $7, changed_by = $8, changed_ms = $9 RETURNING id",
    )
    .bind(row.id.clone())
    .bind(row.signature_id.clone())
    .bind(row.product.clone())
    .bind(row.tag.clone())
    .bind(row.mode.clone())
    .bind(row.learnt)
    .bind(row.since_ms)
    .bind(row.changed_by.clone())
    .bind(row.changed_ms)
    .fetch_one(conn)
    .await
    .named("write a rule about a tag")
}

/// Takes a rule out; what it was.
pub async fn remove(conn: &mut AnyConnection, id: &str) -> Result<Option<RuleRow>, DbError> {
    let row = sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE id = $1")))
        .bind(id.to_owned())
        .fetch_optional(&mut *conn)
        .await
        .named("find a rule about a tag")?;
    sqlx::query("DELETE FROM tag_rules WHERE id = $1")
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("take out a rule about a tag")?;
    Ok(row)
}

/// All rules, by signature.
pub async fn list(conn: &mut AnyConnection) -> Result<Vec<RuleRow>, DbError> {
    let order = "ORDER BY signature_id, tag, product LIMIT 5000";
    sqlx::query_as(AssertSqlSafe(format!("{SELECT} {order}")))
        .fetch_all(conn)
        .await
        .named("list the rules about tags")
}

/// The rules that can say something about a ticket of this product.
pub async fn of_product(conn: &mut AnyConnection, product: &str) -> Result<Vec<RuleRow>, DbError> {
    let text = format!("{SELECT} WHERE product = $1 OR product = $2");
    sqlx::query_as(AssertSqlSafe(text))
        .bind(product.to_owned())
        .bind(EVERY)
        .fetch_all(conn)
        .await
        .named("read the rules about tags")
}

/// Names of the products of the tickets that changed last.
pub async fn products(conn: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar(
        "SELECT DISTINCT product FROM (SELECT product FROM tickets ORDER BY updated_ms DESC LIMIT 500) recent \
         WHERE product <> '' ORDER BY product",
    )
    .fetch_all(conn)
    .await
    .named("list the products of tickets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn one_rule_stands_for_a_tag_of_a_signature_and_a_product() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let rule = |id: &str, product: &str, mode: &str| RuleRow {
                id: id.into(),
                signature_id: "SIG-1".into(),
                product: product.into(),
                tag: "disk".into(),
                mode: mode.into(),
                ..RuleRow::default()
            };
            for (id, product, mode, stays) in [
                ("a", EVERY, "set", "a"),
                ("b", "Exporter", "set", "b"),
                ("c", "Exporter", "never", "b"),
            ] {
                let known = put(&mut tx, &rule(id, product, mode)).await.unwrap();
                assert_eq!(known, stays);
            }
            assert_eq!(list(&mut tx).await.unwrap().len(), 2);
            for (product, expected) in [("Exporter", 2), ("Other", 1)] {
                let rules = of_product(&mut tx, product).await.unwrap();
                assert_eq!(rules.len(), expected, "{product}");
            }
            let gone = remove(&mut tx, "b").await.unwrap().unwrap();
            assert_eq!(
                (gone.mode.as_str(), gone.product.as_str()),
                ("never", "Exporter")
            );
            assert!(remove(&mut tx, "b").await.unwrap().is_none());
            add_ticket(&mut tx, "t").await;
            assert!(products(&mut tx).await.unwrap().is_empty(), "it names none");
        })
        .await;
    }
}
