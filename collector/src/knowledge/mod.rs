//! The knowledge base: articles in versions, drafted, reviewed and published; found by their words, Chinese ones too;
//! and what is known that looks like the text of an error.

pub mod articles;
pub mod known;
pub mod words;

use sqlx::AnyConnection;

use crate::db::articles::{self as rows, ArticleRow, TextRow};
use crate::db::words::{self as index, Scope};
use crate::error::{AppError, AppResult};
use crate::tickets::model::Audience;
use crate::tickets::solution::Solution;

/// An article that was found.
#[derive(Debug, Clone, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Hit {
    /// Short name, as in its address.
    pub slug: String,
    /// Title in the reader's language, if there is one.
    pub title: String,
    /// `draft`, `review`, `published` or `retired`.
    pub state: String,
    /// How many of the words it has.
    pub hits: i64,
}

/// Articles with the words of a text, best first. Of a few words all are wanted, of many a good part.
///
/// # Errors
/// When the database does not answer.
pub async fn search(
    conn: &mut AnyConnection,
    scope: Scope,
    (text, language): (&str, &str),
    limit: usize,
) -> AppResult<Vec<Hit>> {
    let wanted = words::of_query(text);
    let found = index::search(conn, scope, &wanted, 50).await?;
    let enough = match wanted.len() {
        n @ 0..=3 => n,
        n if n > 12 => 4,
        n => n.div_ceil(2),
    };
    let found: Vec<_> = found
        .into_iter()
        .filter(|row| usize::try_from(row.hits).unwrap_or(0) >= enough)
        .take(limit)
        .collect();
    let ids: Vec<String> = found.iter().map(|row| row.article_id.clone()).collect();
    let articles = rows::of_ids(conn, &ids).await?;
    let mut hits = Vec::new();
    for row in found {
        let Some(article) = articles.iter().find(|a| a.id == row.article_id) else {
            continue;
        };
        let title = title(conn, article, scope, language).await?;
        hits.push(Hit {
            slug: article.slug.clone(),
            title,
            state: article.state.clone(),
            hits: row.hits,
        });
    }
    Ok(hits)
}

/// Title of an article in a language, or in the one it has.
pub async fn title(
    conn: &mut AnyConnection,
    article: &ArticleRow,
    scope: Scope,
    language: &str,
) -> AppResult<String> {
    let version = match scope {
        Scope::Published if article.published > 0 => article.published,
        _ => article.version,
    };
    let texts = rows::texts(conn, &article.id, version).await?;
    Ok(best(&texts, language).map_or_else(|| article.slug.clone(), |text| text.title.clone()))
}

/// The text in a language, or else in the one there is.
pub fn best<'a>(texts: &'a [TextRow], language: &str) -> Option<&'a TextRow> {
    let same = texts.iter().find(|text| text.language == language);
    same.or_else(|| texts.first())
}

/// What a published article offers a customer.
pub async fn offer(
    conn: &mut AnyConnection,
    slug: &str,
    language: &str,
    audience: Audience,
) -> AppResult<Solution> {
    let article = rows::find(conn, slug).await?;
    let article = article.filter(|a| a.published > 0 && a.state != "retired");
    let article = article.ok_or_else(|| AppError::not_found("published article"))?;
    let texts = rows::texts(conn, &article.id, article.published).await?;
    let text = best(&texts, language).ok_or_else(|| AppError::not_found("published article"))?;
    let (first, other) = match audience {
        Audience::Plain => (&text.fix_plain, &text.fix_expert),
        Audience::Expert => (&text.fix_expert, &text.fix_plain),
    };
    let steps = [first, other, &text.workaround];
    let steps = steps.into_iter().find(|steps| !steps.is_empty());
    Ok(Solution {
        source: format!("article:{slug}"),
        title: text.title.clone(),
        steps: steps.cloned().unwrap_or_default(),
        success: text.verify.clone(),
        rollback: text.rollback.clone(),
        to_all: false,
    })
}
