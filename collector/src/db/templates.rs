//! Rows of unknown errors: templates of error lines that no signature explains, and the bundles they stand in. How
//! unusual one is, is told by how many bundles have it.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Engine, Named};

/// Templates of one shape that a new one is compared with.
const COMPARED_MAX: i64 = 200;

/// A template as a bundle has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// Digest of its text.
    pub id: String,
    /// What its lines have in common.
    pub text: String,
    /// Number of words and the first one.
    pub shape: String,
    /// Lines in this bundle.
    pub count: i64,
    /// File of the first.
    pub file: String,
    /// Its line.
    pub line: i64,
    /// The line itself.
    pub example: String,
}

/// An unknown error of a bundle, and how common it is.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct UnknownRow {
    /// The template.
    pub id: String,
    /// Its text.
    pub text: String,
    /// The bundle.
    pub bundle_id: String,
    /// Its ticket.
    pub ticket_id: String,
    /// Lines in the bundle.
    pub count: i64,
    /// File of the first.
    pub file: String,
    /// Its line.
    pub line: i64,
    /// The line itself.
    pub example: String,
    /// Bundles that have it, this one included.
    pub bundles: i64,
    /// Tickets that have it.
    pub tickets: i64,
    /// Why nobody is to be bothered with it.
    pub ignored: Option<String>,
}

const SELECT: &str = "SELECT t.id, t.text, b.bundle_id, b.ticket_id, b.count, b.file, b.line, b.example, t.bundles, t.tickets, \
    t.ignored FROM bundle_templates b JOIN templates t ON t.id = b.template_id";
/// The templates that a bundle has.
const ITS: &str = "(SELECT template_id FROM bundle_templates WHERE bundle_id = $1)";

/// Templates of a shape: id and text, the oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_shape(
    db: &mut AnyConnection,
    shape: &str,
) -> Result<Vec<(String, String)>, DbError> {
    sqlx::query_as(
        "SELECT id, text FROM templates WHERE shape = $1 ORDER BY created_ms, id LIMIT $2",
    )
    .bind(shape)
    .bind(COMPARED_MAX)
    .fetch_all(db)
    .await
    .named("list templates of a shape")
}

/// Replaces the templates of a bundle. Their ids are those of templates that are known, or their own.
///
/// # Errors
/// When the database refuses.
pub async fn replace(
    db: &mut AnyConnection,
    (bundle_id, ticket_id): (&str, &str),
    templates: &[NewTemplate],
    now_ms: i64,
) -> Result<(), DbError> {
    clear(db, bundle_id).await?;
    let mut templates: Vec<&NewTemplate> = templates.iter().collect();
    templates.sort_by(|a, b| a.id.cmp(&b.id));
    for template in templates {
        // One that is there is held as well: nobody may forget it meanwhile.
        sqlx::query(
            "INSERT INTO templates (id, text, shape, created_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET created_ms = templates.created_ms",
        )
        .bind(&template.id)
        .bind(&template.text)
        .bind(&template.shape)
        .bind(now_ms)
        .execute(&mut *db)
        .await
        .named("add a template")?;
        sqlx::query(
            "INSERT INTO bundle_templates (bundle_id, template_id, ticket_id, count, file, line, example) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (bundle_id, template_id) DO UPDATE SET count = bundle_templates.count + excluded.count",
        )
        .bind(bundle_id)
        .bind(&template.id)
        .bind(ticket_id)
        .bind(template.count)
        .bind(&template.file)
        .bind(template.line)
        .bind(&template.example)
        .execute(&mut *db)
        .await
        .named("add a template of a bundle")?;
    }
    count(db, bundle_id, 1).await
}

/// Takes a bundle's templates away from it.
async fn clear(db: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    count(db, bundle_id, -1).await?;
    sqlx::query("DELETE FROM bundle_templates WHERE bundle_id = $1")
        .bind(bundle_id)
        .execute(db)
        .await
        .named("take away the templates of a bundle")
        .map(|_| ())
}

/// Counts a bundle in its templates, or takes it out again. One transaction after the other for each of them: two bundles
/// of a ticket that do not see each other would both count the ticket.
async fn count(db: &mut AnyConnection, bundle_id: &str, by: i64) -> Result<(), DbError> {
    let hold = Engine::of(db).for_update();
    let text = format!("SELECT id FROM templates WHERE id IN {ITS} ORDER BY id{hold}");
    sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(bundle_id)
        .fetch_all(&mut *db)
        .await
        .named("hold the templates of a bundle")?;
    let text = format!(
        "UPDATE templates SET bundles = bundles + $2, \
         lines = lines + $2 * (SELECT b.count FROM bundle_templates b WHERE b.bundle_id = $1 AND b.template_id = templates.id), \
         tickets = tickets + $2 * (SELECT CASE WHEN EXISTS (SELECT 1 FROM bundle_templates o \
           WHERE o.template_id = b.template_id AND o.ticket_id = b.ticket_id AND o.bundle_id <> $1) THEN 0 ELSE 1 END \
           FROM bundle_templates b WHERE b.bundle_id = $1 AND b.template_id = templates.id) \
         WHERE id IN {ITS}"
    );
    sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(bundle_id)
        .bind(by)
        .execute(db)
        .await
        .named("count a bundle in its templates")
        .map(|_| ())
}

/// Counts all anew, after rows came that nobody counted.
///
/// # Errors
/// When the database refuses.
pub async fn recount(db: &mut AnyConnection) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE templates SET \
         bundles = (SELECT COUNT(*) FROM bundle_templates b WHERE b.template_id = templates.id), \
         tickets = (SELECT COUNT(DISTINCT b.ticket_id) FROM bundle_templates b WHERE b.template_id = templates.id), \
         lines = (SELECT CAST(COALESCE(SUM(b.count), 0) AS BIGINT) FROM bundle_templates b \
           WHERE b.template_id = templates.id)",
    )
    .execute(db)
    .await
    .named("count the bundles of all templates")
    .map(|_| ())
}

/// Forgets what a deleted bundle said: its lines, and templates that no other bundle has.
///
/// # Errors
/// When the database refuses.
pub async fn forget(db: &mut AnyConnection, bundle_id: &str) -> Result<(), DbError> {
    clear(db, bundle_id).await?;
    // Looked at again: an older program that ends its work on this database does not count.
    let none = "bundles = 0 AND NOT EXISTS (SELECT 1 FROM bundle_templates b WHERE b.template_id = templates.id)";
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "DELETE FROM templates WHERE {none}"
    )))
    .execute(db)
    .await
    .named("forget templates without a bundle")
    .map(|_| ())
}

/// The unknown errors of a bundle, the most unusual first; among equally unusual ones the most frequent here.
///
/// # Errors
/// When the database does not answer.
pub async fn of_bundle(
    db: &mut AnyConnection,
    bundle_id: &str,
    limit: i64,
) -> Result<Vec<UnknownRow>, DbError> {
    let text = format!(
        "{SELECT} WHERE b.bundle_id = $1 AND t.ignored IS NULL ORDER BY bundles, b.count DESC, b.file, b.line LIMIT $2"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(bundle_id)
        .bind(limit)
        .fetch_all(db)
        .await
        .named("list the unknown errors of a bundle")
}

/// One unknown error of a bundle.
///
/// # Errors
/// When the database does not answer.
pub async fn find(
    db: &mut AnyConnection,
    bundle_id: &str,
    template_id: &str,
) -> Result<Option<UnknownRow>, DbError> {
    let text = format!("{SELECT} WHERE b.bundle_id = $1 AND t.id = $2");
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(bundle_id)
        .bind(template_id)
        .fetch_optional(db)
        .await
        .named("find an unknown error")
}

/// Notes why nobody is to be bothered with a template any more; says whether it counted.
///
/// # Errors
/// When the database refuses.
pub async fn ignore(
    db: &mut AnyConnection,
    template_id: &str,
    reason: &str,
) -> Result<bool, DbError> {
    sqlx::query("UPDATE templates SET ignored = $1 WHERE id = $2 AND ignored IS NULL")
        .bind(reason)
        .bind(template_id)
        .execute(db)
        .await
        .named("ignore an unknown error")
        .map(|done| done.rows_affected() == 1)
}

/// Bundles that templates were told of: those that were read.
///
/// # Errors
/// When the database does not answer.
pub async fn read_bundles(db: &mut AnyConnection) -> Result<i64, DbError> {
    sqlx::query_scalar("SELECT COUNT(*) FROM bundles WHERE state = 'ready'")
        .fetch_one(db)
        .await
        .named("count the bundles that were read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    fn new(id: &str, count: i64) -> NewTemplate {
        NewTemplate {
            id: id.into(),
            text: format!("error {id} <*>"),
            shape: "3 error".into(),
            count,
            file: "a.log".into(),
            line: 7,
            example: format!("error {id} 5"),
        }
    }

    #[tokio::test]
    async fn the_rarest_unknown_error_comes_first_and_a_deleted_bundle_is_forgotten() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            replace(
                &mut tx,
                ("b1", "t1"),
                &[new("common", 9), new("rare", 2), new("rare", 3)],
                1,
            )
            .await
            .unwrap();
            for (bundle, ticket) in [("b2", "t1"), ("b3", "t2")] {
                for _ in 0..2 {
                    replace(&mut tx, (bundle, ticket), &[new("common", 1)], 2)
                        .await
                        .unwrap();
                }
            }
            let rows = of_bundle(&mut tx, "b1", 20).await.unwrap();
            let told: Vec<_> = rows
                .iter()
                .map(|r| (r.id.as_str(), r.count, r.bundles, r.tickets))
                .collect();
            assert_eq!(told, [("rare", 5, 1, 1), ("common", 9, 3, 2)]);
            let known = of_shape(&mut tx, "3 error").await.unwrap();
            assert_eq!(known.len(), 2);
            assert_eq!(
                find(&mut tx, "b1", "rare").await.unwrap(),
                Some(rows[0].clone())
            );
            assert_eq!(find(&mut tx, "b2", "rare").await.unwrap(), None);
            let counts = async |tx: &mut AnyConnection| {
                let all = "SELECT id, bundles, tickets, lines FROM templates ORDER BY id";
                let all = sqlx::query_as::<_, (String, i64, i64, i64)>(all);
                all.fetch_all(tx).await.unwrap()
            };
            let both = [
                ("common".to_owned(), 3, 2, 11),
                ("rare".to_owned(), 1, 1, 5),
            ];
            assert_eq!(counts(&mut tx).await, both);
            let wrong = "UPDATE templates SET bundles = 7, tickets = 7, lines = 7";
            sqlx::query(wrong).execute(&mut *tx).await.unwrap();
            recount(&mut tx).await.unwrap();
            assert_eq!(counts(&mut tx).await, both);
            forget(&mut tx, "b1").await.unwrap();
            assert_eq!(of_bundle(&mut tx, "b1", 20).await.unwrap(), []);
            assert_eq!(counts(&mut tx).await, [("common".to_owned(), 2, 2, 2)]);
            forget(&mut tx, "b2").await.unwrap();
            assert_eq!(counts(&mut tx).await, [("common".to_owned(), 1, 1, 1)]);
            assert_eq!(read_bundles(&mut tx).await.unwrap(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_ignored_is_listed_no_more() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            replace(&mut tx, ("b", "t"), &[new("a", 1), new("c", 1)], 1)
                .await
                .unwrap();
            assert!(ignore(&mut tx, "a", "noise").await.unwrap());
            assert!(!ignore(&mut tx, "a", "again").await.unwrap());
            let left = of_bundle(&mut tx, "b", 9).await.unwrap();
            let ids: Vec<&str> = left.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids, ["c"]);
        })
        .await;
    }
}
