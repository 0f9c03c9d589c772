//! Articles of the knowledge base with their versions and texts.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named};

/// An article.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0503")]
pub struct ArticleRow {
    pub id: String,
    pub slug: String,
    pub state: String,
    pub version: i64,
    pub published: i64,
    pub ticket_id: Option<String>,
    pub created_by: String,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// A version of an article.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0503")]
pub struct VersionRow {
    pub article_id: String,
    pub version: i64,
    pub author: String,
    pub author_id: String,
    pub created_ms: i64,
    pub note: String,
    pub reviewed_by: Option<String>,
    pub reviewed_ms: Option<i64>,
}

/// The text of a version in one language.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0503")]
pub struct TextRow {
    pub article_id: String,
    pub version: i64,
    pub language: String,
    pub title: String,
    pub problem: String,
    pub affected: String,
    pub cause: String,
    pub fix_plain: String,
    pub fix_expert: String,
    pub verify: String,
    pub rollback: String,
    pub workaround: String,
}

const ARTICLE: &str = "SELECT a.id, a.slug, a.state, a.version, a.published, a.ticket_id, a.created_by, a.created_ms, \
    a.updated_ms FROM articles a";

/// Adds an article.
pub async fn insert(conn: &mut AnyConnection, row: &ArticleRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO articles (id, slug, state, version, published, ticket_id, created_by, created_ms, updated_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.id.clone())
    .bind(row.slug.clone())
    .bind(row.state.clone())
    .bind(row.version)
    .bind(row.published)
    .bind(row.ticket_id.clone())
    .bind(row.created_by.clone())
    .bind(row.created_ms)
    .bind(row.updated_ms)
    .execute(conn)
    .await
    .named("add an article")
    .map(|_| ())
}

/// Writes where an article stands, if it still stands where it was read: at that version and state.
pub async fn advance(
    conn: &mut AnyConnection,
    row: &ArticleRow,
    (version, state): (i64, &str),
) -> Result<bool, DbError> {
    sqlx::query(
        "UPDATE articles SET state = $1, version = $2, published = $3, updated_ms = $4 \
         WHERE id = $5 AND version = $6 AND state = $7",
    )
    .bind(row.state.clone())
    .bind(row.version)
    .bind(row.published)
    .bind(row.updated_ms)
    .bind(row.id.clone())
    .bind(version)
    .bind(state.to_owned())
    .execute(conn)
    .await
    .named("change an article")
    .map(|done| done.rows_affected() == 1)
}

/// Finds an article by its short name.
pub async fn find(conn: &mut AnyConnection, slug: &str) -> Result<Option<ArticleRow>, DbError> {
    sqlx::query_as(AssertSqlSafe(format!("{ARTICLE} WHERE a.slug = $1")))
        .bind(slug.to_owned())
        .fetch_optional(conn)
        .await
        .named("find an article")
}

/// Articles, last changed first; only of a state when one is given.
pub async fn list(
    conn: &mut AnyConnection,
    state: Option<&str>,
    limit: i64,
) -> Result<Vec<ArticleRow>, DbError> {
    let text = format!(
        "{ARTICLE} WHERE ($1 = '' OR a.state = $1) ORDER BY a.updated_ms DESC, a.id DESC LIMIT $2"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(state.unwrap_or_default().to_owned())
        .bind(limit)
        .fetch_all(conn)
        .await
        .named("list articles")
}

/// Articles of some ids, in no order.
pub async fn of_ids(conn: &mut AnyConnection, ids: &[String]) -> Result<Vec<ArticleRow>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places = (1..=ids.len())
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!("{ARTICLE} WHERE a.id IN ({places})");
    let mut query = sqlx::query_as::<_, ArticleRow>(AssertSqlSafe(text));
    for id in ids {
        query = query.bind(id.clone());
    }
    query.fetch_all(conn).await.named("read articles")
}

/// Published articles that explain a signature.
pub async fn of_signature(
    conn: &mut AnyConnection,
    signature_id: &str,
) -> Result<Vec<ArticleRow>, DbError> {
    let text = format!(
        "{ARTICLE} JOIN article_signatures s ON s.article_id = a.id WHERE s.signature_id = $1 AND a.published > 0 \
         AND a.state <> 'retired' ORDER BY a.updated_ms DESC, a.id LIMIT 20"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(signature_id.to_owned())
        .fetch_all(conn)
        .await
        .named("list the articles of a signature")
}

/// Adds a version.
pub async fn add_version(conn: &mut AnyConnection, row: &VersionRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO article_versions (article_id, version, author, author_id, created_ms, note) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(row.article_id.clone())
    .bind(row.version)
    .bind(row.author.clone())
    .bind(row.author_id.clone())
    .bind(row.created_ms)
    .bind(row.note.clone())
    .execute(conn)
    .await
    .named("add a version of an article")
    .map(|_| ())
}

/// Notes who reviewed a version.
pub async fn reviewed(
    conn: &mut AnyConnection,
    (article_id, version): (&str, i64),
    by: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE article_versions SET reviewed_by = $1, reviewed_ms = $2 WHERE article_id = $3 AND version = $4",
    )
    .bind(by.to_owned())
    .bind(now_ms)
    .bind(article_id.to_owned())
    .bind(version)
    .execute(conn)
    .await
    .named("note a review")
    .map(|_| ())
}

/// The versions of an article, newest first.
pub async fn versions(
    conn: &mut AnyConnection,
    article_id: &str,
) -> Result<Vec<VersionRow>, DbError> {
    sqlx::query_as(
        "SELECT article_id, version, author, author_id, created_ms, note, reviewed_by, reviewed_ms FROM article_versions \
         WHERE article_id = $1 ORDER BY version DESC LIMIT 200",
    )
    .bind(article_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list versions of an article")
}

/// Adds the text of a version in one language.
pub async fn add_text(conn: &mut AnyConnection, row: &TextRow) -> Result<(), DbError> {
    let mut query = sqlx::query(
        "INSERT INTO article_texts (article_id, version, language, title, problem, affected, cause, fix_plain, fix_expert, \
         verify, rollback, workaround) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(row.article_id.clone())
    .bind(row.version);
    for text in [
        &row.language,
        &row.title,
        &row.problem,
        &row.affected,
        &row.cause,
        &row.fix_plain,
        &row.fix_expert,
        &row.verify,
        &row.rollback,
        &row.workaround,
    ] {
        query = query.bind(text.clone());
    }
    query
        .execute(conn)
        .await
        .named("add the text of an article")
        .map(|_| ())
}

/// The texts of a version, by language.
pub async fn texts(
    conn: &mut AnyConnection,
    article_id: &str,
    version: i64,
) -> Result<Vec<TextRow>, DbError> {
    sqlx::query_as(
        "SELECT article_id, version, language, title, problem, affected, cause, fix_plain, fix_expert, verify, rollback, \
         workaround FROM article_texts WHERE article_id = $1 AND version = $2 ORDER BY language",
    )
    .bind(article_id.to_owned())
    .bind(version)
    .fetch_all(conn)
    .await
    .named("read the texts of an article")
}

/// Replaces the signatures that an article explains.
pub async fn set_signatures(
    conn: &mut AnyConnection,
    article_id: &str,
    ids: &[String],
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM article_signatures WHERE article_id = $1")
        .bind(article_id.to_owned())
        .execute(&mut *conn)
        .await
        .named("replace the signatures of an article")?;
    for id in ids {
        sqlx::query("INSERT INTO article_signatures (article_id, signature_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(article_id.to_owned())
            .bind(id.clone())
            .execute(&mut *conn)
            .await
            .named("link an article to a signature")?;
    }
    Ok(())
}

/// The signatures that an article explains.
pub async fn signatures(
    conn: &mut AnyConnection,
    article_id: &str,
) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar(
        "SELECT signature_id FROM article_signatures WHERE article_id = $1 ORDER BY signature_id",
    )
    .bind(article_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list the signatures of an article")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    fn article(id: &str, updated_ms: i64) -> ArticleRow {
        ArticleRow {
            id: id.into(),
            slug: format!("about-{id}"),
            state: "draft".into(),
            version: 1,
            updated_ms,
            ..ArticleRow::default()
        }
    }

    #[tokio::test]
    async fn an_article_goes_from_draft_to_published() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for (id, updated_ms) in [("a", 1), ("b", 2)] {
                insert(&mut tx, &article(id, updated_ms)).await.unwrap();
            }
            let ids = vec!["SIG-1".to_owned(), "SIG-2".to_owned(), "SIG-1".to_owned()];
            set_signatures(&mut tx, "a", &ids).await.unwrap();
            assert_eq!(signatures(&mut tx, "a").await.unwrap(), ids[..2]);
            assert!(of_signature(&mut tx, "SIG-1").await.unwrap().is_empty());
            let mut a = find(&mut tx, "about-a").await.unwrap().unwrap();
            (a.state, a.published, a.updated_ms) = ("published".into(), 1, 9);
            assert!(!advance(&mut tx, &a, (1, "review")).await.unwrap());
            assert!(advance(&mut tx, &a, (1, "draft")).await.unwrap());
            assert_eq!(of_signature(&mut tx, "SIG-2").await.unwrap(), [a.clone()]);
            let all = list(&mut tx, None, 10).await.unwrap();
            assert_eq!((all.len(), all[0].id.as_str()), (2, "a"));
            let drafts = list(&mut tx, Some("draft"), 10).await.unwrap();
            assert_eq!((drafts.len(), drafts[0].id.as_str()), (1, "b"));
            let some = of_ids(&mut tx, &["a".to_owned(), "x".to_owned()]).await;
            assert_eq!(some.unwrap(), [a]);
            assert!(of_ids(&mut tx, &[]).await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn versions_keep_their_texts() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            insert(&mut tx, &article("a", 1)).await.unwrap();
            for version in [1, 2] {
                let row = VersionRow {
                    article_id: "a".into(),
                    version,
                    author: "Lin".into(),
                    ..VersionRow::default()
                };
                add_version(&mut tx, &row).await.unwrap();
                for language in ["zh-CN", "en"] {
                    let text = TextRow {
                        article_id: "a".into(),
                        version,
                        language: language.into(),
                        title: format!("磁盘 {version}"),
                        ..TextRow::default()
                    };
                    add_text(&mut tx, &text).await.unwrap();
                }
            }
            reviewed(&mut tx, ("a", 1), "Chen", 7).await.unwrap();
            let all = versions(&mut tx, "a").await.unwrap();
            assert_eq!((all[0].version, &all[0].reviewed_by), (2, &None));
            assert_eq!(all[1].reviewed_by.as_deref(), Some("Chen"));
            let old = texts(&mut tx, "a", 1).await.unwrap();
            assert_eq!((old.len(), old[0].language.as_str()), (2, "en"));
            assert_eq!(old[1].title, "磁盘 1");
        })
        .await;
    }
}
