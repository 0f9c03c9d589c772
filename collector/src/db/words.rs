//! The words that articles are found by: the same index, and the same SQL, on both engines.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named};

/// An article that has some of the words.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct FoundRow {
    /// The article.
    pub article_id: String,
    /// How many of the words that were looked for it has.
    pub hits: i64,
    /// How much they weigh in it.
    pub weight: i64,
}

/// Which version is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The newest one: for staff.
    Latest,
    /// The published one.
    Published,
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Published => "published",
        }
    }
}

/// Replaces the words of an article in a scope.
pub async fn replace(
    conn: &mut AnyConnection,
    article_id: &str,
    scope: Scope,
    words: &[(String, i64)],
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM article_words WHERE article_id = $1 AND scope = $2")
        .bind(article_id.to_owned())
        .bind(scope.word())
        .execute(&mut *conn)
        .await
        .named("replace the words of an article")?;
    for chunk in words.chunks(200) {
        let places = (0..chunk.len())
            .map(|n| format!("($1, $2, ${}, ${})", n * 2 + 3, n * 2 + 4))
            .collect::<Vec<_>>()
            .join(", ");
        let text =
            format!("INSERT INTO article_words (article_id, scope, word, weight) VALUES {places}");
        let mut query = sqlx::query(AssertSqlSafe(text))
            .bind(article_id.to_owned())
            .bind(scope.word());
        for (word, weight) in chunk {
            query = query.bind(word.clone()).bind(*weight);
        }
        query
            .execute(&mut *conn)
            .await
            .named("index the words of an article")?;
    }
    Ok(())
}

/// Articles that have any of the words, those with most of them first.
pub async fn search(
    conn: &mut AnyConnection,
    scope: Scope,
    words: &[String],
    limit: i64,
) -> Result<Vec<FoundRow>, DbError> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let places = (0..words.len())
        .map(|n| format!("${}", n + 3))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!(
        "SELECT article_id, COUNT(*) AS hits, CAST(SUM(weight) AS BIGINT) AS weight FROM article_words \
         WHERE scope = $1 AND word IN ({places}) GROUP BY article_id \
         ORDER BY COUNT(*) DESC, SUM(weight) DESC, article_id LIMIT $2"
    );
    let mut query = sqlx::query_as(AssertSqlSafe(text))
        .bind(scope.word())
        .bind(limit);
    for word in words {
        query = query.bind(word.clone());
    }
    query.fetch_all(conn).await.named("search articles")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::articles::{self, ArticleRow};
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn articles_with_most_of_the_words_come_first() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for id in ["a", "b"] {
                let row = ArticleRow {
                    id: id.into(),
                    slug: id.into(),
                    state: "draft".into(),
                    ..ArticleRow::default()
                };
                articles::insert(&mut tx, &row).await.unwrap();
            }
            let of = |words: &[(&str, i64)]| -> Vec<(String, i64)> {
                words.iter().map(|(w, n)| ((*w).to_owned(), *n)).collect()
            };
            let many: Vec<_> = (0..450).map(|n| (format!("w{n}"), 1)).collect();
            replace(&mut tx, "a", Scope::Latest, &many).await.unwrap();
            let old = of(&[("磁盘", 5), ("old", 1)]);
            replace(&mut tx, "a", Scope::Latest, &old).await.unwrap();
            let new = of(&[("磁盘", 1), ("盘满", 1)]);
            replace(&mut tx, "b", Scope::Latest, &new).await.unwrap();
            let words = ["磁盘".to_owned(), "盘满".to_owned()];
            let found = search(&mut tx, Scope::Latest, &words, 5).await.unwrap();
            let told: Vec<_> = found
                .iter()
                .map(|f| (f.article_id.as_str(), f.hits, f.weight))
                .collect();
            assert_eq!(told, [("b", 2, 2), ("a", 1, 5)]);
            let none = search(&mut tx, Scope::Published, &words, 5).await;
            assert!(none.unwrap().is_empty());
            let gone = search(&mut tx, Scope::Latest, &["w7".to_owned()], 5).await;
            assert!(gone.unwrap().is_empty());
        })
        .await;
    }
}
