//! The words that tickets and bundles are found by: the same index, and the same SQL, on both engines. A document's
//! number rises with time, so that the newest come first without sorting.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::marks::Kind;
use super::{DbError, Named};

/// Documents of a word that are counted, to begin with the rarest word.
const COUNTED_MAX: i64 = 2_000;

/// Replaces the words of a document. Those that are the same as before are left alone.
pub async fn replace(
    conn: &mut AnyConnection,
    (kind, id): (Kind, &str),
    words: &[String],
) -> Result<(), DbError> {
    let digest = crate::auth::sha256_hex(words.join(" ").as_bytes());
    let known: Option<(i64, String)> =
        sqlx::query_as("SELECT number, digest FROM search_documents WHERE kind = $1 AND id = $2")
            .bind(kind.word())
            .bind(id.to_owned())
            .fetch_optional(&mut *conn)
            .await
            .named("find a document of the search")?;
    if known.as_ref().is_some_and(|(_, same)| *same == digest) {
        return Ok(());
    }
    // Only one transaction at a time derives words, so the next number is free.
    let number: i64 = match known {
        Some((number, _)) => number,
        None => sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) + 1 FROM search_documents")
            .fetch_one(&mut *conn)
            .await
            .named("number a document of the search")?,
    };
    sqlx::query(
        "INSERT INTO search_documents (number, kind, id, digest) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (number) DO UPDATE SET digest = excluded.digest",
    )
    .bind(number)
    .bind(kind.word())
    .bind(id.to_owned())
    .bind(digest)
    .execute(&mut *conn)
    .await
    .named("add a document to the search")?;
    sqlx::query("DELETE FROM search_terms WHERE document = $1")
        .bind(number)
        .execute(&mut *conn)
        .await
        .named("replace the words of a document")?;
    for chunk in words.chunks(400) {
        let places = (0..chunk.len())
            .map(|n| format!("(${}, $2, $1)", n + 3))
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!(
            "INSERT INTO search_terms (word, kind, document) VALUES {places} ON CONFLICT (word, kind, document) DO NOTHING"
        );
        let mut query = sqlx::query(AssertSqlSafe(text))
            .bind(number)
            .bind(kind.word());
        for word in chunk {
            query = query.bind(word.clone());
        }
        let done = query.execute(&mut *conn).await;
        done.named("index the words of a document")?;
    }
    Ok(())
}

/// Takes a document and its words away.
pub async fn forget(conn: &mut AnyConnection, kind: Kind, id: &str) -> Result<(), DbError> {
    for text in [
        "DELETE FROM search_terms WHERE document = (SELECT number FROM search_documents WHERE kind = $1 AND id = $2)",
        "DELETE FROM search_documents WHERE kind = $1 AND id = $2",
    ] {
        sqlx::query(text)
            .bind(kind.word())
            .bind(id.to_owned())
            .execute(&mut *conn)
            .await
            .named("take a document out of the search")?;
    }
    Ok(())
}

/// Ids of documents of a kind that have all of the words, the newest first.
pub async fn find(
    conn: &mut AnyConnection,
    kind: Kind,
    words: &[String],
    limit: i64,
) -> Result<Vec<String>, DbError> {
    let mut counted = Vec::new();
    for word in words {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 FROM search_terms WHERE word = $1 AND kind = $2 LIMIT $3) AS some_of_them",
        )
        .bind(word.clone())
        .bind(kind.word())
        .bind(COUNTED_MAX)
        .fetch_one(&mut *conn)
        .await
        .named("count the documents of a word")?;
        counted.push((count, word));
    }
    counted.sort();
    // A word that is nowhere is in no document; no word at all finds nothing.
    if counted.first().is_none_or(|(count, _)| *count == 0) {
        return Ok(Vec::new());
    }
    let others: String = (1..counted.len())
        .map(|n| {
            format!(
                " AND EXISTS (SELECT 1 FROM search_terms o WHERE o.word = ${} AND o.kind = $1 AND o.document = w.document)",
                n + 3
            )
        })
        .collect();
    let text = format!(
        "SELECT d.id FROM search_terms w JOIN search_documents d ON d.number = w.document \
         WHERE w.word = $3 AND w.kind = $1{others} ORDER BY w.document DESC LIMIT $2"
    );
    let mut query = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(kind.word())
        .bind(limit);
    for (_, word) in counted {
        query = query.bind(word.clone());
    }
    query.fetch_all(conn).await.named("search documents")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::on_both;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn documents_that_have_all_words_are_found_newest_first() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for (kind, id, text) in [
                (Kind::Ticket, "a", "disk full export"),
                (Kind::Bundle, "a", "disk"),
                (Kind::Ticket, "b", "disk 磁盘 export"),
                (Kind::Ticket, "a", "disk full"),
                (Kind::Ticket, "a", "disk full"),
            ] {
                replace(&mut tx, (kind, id), &words(text)).await.unwrap();
            }
            let many: Vec<String> = (0..900).map(|n| format!("w{n}")).collect();
            replace(&mut tx, (Kind::Ticket, "many"), &many)
                .await
                .unwrap();
            for (kind, query, expected) in [
                (Kind::Ticket, "disk", &["b", "a"][..]),
                (Kind::Bundle, "disk", &["a"]),
                (Kind::Ticket, "full disk", &["a"]),
                (Kind::Ticket, "export", &["b"]),
                (Kind::Ticket, "磁盘 disk", &["b"]),
                (Kind::Ticket, "disk nowhere", &[]),
                (Kind::Ticket, "w0 w899", &["many"]),
            ] {
                let found = find(&mut tx, kind, &words(query), 9).await.unwrap();
                assert_eq!(found, expected, "{query}");
            }
            assert_eq!(
                find(&mut tx, Kind::Ticket, &words("disk"), 1)
                    .await
                    .unwrap(),
                ["b"]
            );
            assert!(
                find(&mut tx, Kind::Ticket, &[], 9)
                    .await
                    .unwrap()
                    .is_empty()
            );
            forget(&mut tx, Kind::Ticket, "b").await.unwrap();
            assert_eq!(
                find(&mut tx, Kind::Ticket, &words("disk"), 9)
                    .await
                    .unwrap(),
                ["a"]
            );
        })
        .await;
    }
}
