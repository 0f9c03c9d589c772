//! Bundles over all tickets, as a list that can be narrowed.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::measures::Bound;
use super::{DbError, Named};

/// A bundle in the list.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "columns of bundles and tickets")]
pub struct ListedRow {
    pub id: String,
    pub state: String,
    pub reason: Option<String>,
    pub host: Option<String>,
    pub filename: String,
    pub os: String,
    pub bytes: i64,
    pub items_asked: i64,
    pub items_complete: i64,
    pub received_ms: i64,
    pub number: i64,
    pub title: String,
    pub customer: String,
    pub product: String,
    /// Findings that are not in shadow and that nobody dismissed.
    pub findings: i64,
    /// Severity of the worst of them.
    pub worst: Option<String>,
}

/// What the list is narrowed to; empty texts narrow nothing.
#[derive(Debug, Clone, Default)]
pub struct Narrow {
    /// A part of the host's name.
    pub host: String,
    /// The customer.
    pub customer: String,
    /// A part of what the host runs.
    pub os: String,
    /// The state of the bundle.
    pub state: String,
    /// A signature that found something in it.
    pub signature: String,
    /// Bounds of the numbers of its host.
    pub bounds: Vec<Bound>,
    /// Only these, when given: what a search has found.
    pub ids: Option<Vec<String>>,
    /// The last bundle of the page before.
    pub before: String,
    /// Rows.
    pub limit: i64,
}

const COUNTED: &str = "FROM findings f WHERE f.bundle_id = b.id AND f.shadow = 0 AND (f.verdict IS NULL OR f.verdict <> 'dismissed')";

/// A page of bundles, the newest first.
pub async fn list(conn: &mut AnyConnection, narrow: &Narrow) -> Result<Vec<ListedRow>, DbError> {
    let (mut conditions, mut texts) = (vec!["b.state <> 'deleted'".to_owned()], Vec::new());
    let mut add = |condition: &str, value: String| {
        if !value.is_empty() {
            texts.push(value);
            conditions.push(condition.replace('?', &format!("${}", texts.len())));
        }
    };
    add("LOWER(b.host) LIKE ? ESCAPE '!'", part(&narrow.host));
    add("t.customer = ?", narrow.customer.clone());
    add("LOWER(b.os) LIKE ? ESCAPE '!'", part(&narrow.os));
    add("b.state = ?", narrow.state.clone());
    add(
        "EXISTS (SELECT 1 FROM findings f WHERE f.bundle_id = b.id AND f.signature_id = ?)",
        narrow.signature.clone(),
    );
    add("b.id < ?", narrow.before.clone());
    if let Some(ids) = &narrow.ids {
        let places: Vec<String> = ids
            .iter()
            .map(|id| {
                texts.push(id.clone());
                format!("${}", texts.len())
            })
            .collect();
        // An empty list is no SQL on SQLite's and PostgreSQL's common ground.
        conditions.push(match places.as_slice() {
            [] => "1 = 0".to_owned(),
            places => format!("b.id IN ({})", places.join(", ")),
        });
    }
    for bound in &narrow.bounds {
        texts.push(bound.name.to_owned());
        // All values go in as texts; `{:?}` writes one that reads back as the same number.
        texts.push(format!("{:?}", bound.value));
        conditions.push(format!(
            "EXISTS (SELECT 1 FROM bundle_measures m WHERE m.bundle_id = b.id AND m.name = ${} \
             AND m.value {} CAST(${} AS DOUBLE PRECISION))",
            texts.len() - 1,
            bound.sign,
            texts.len()
        ));
    }
    let text = format!(
        "SELECT b.id, b.state, b.reason, b.host, b.filename, b.os, b.bytes, b.items_asked, b.items_complete, b.received_ms, \
         t.number, t.title, t.customer, t.product, (SELECT COUNT(*) {COUNTED}) AS findings, \
         (SELECT f.severity {COUNTED} ORDER BY f.severity_rank LIMIT 1) AS worst \
         FROM bundles b JOIN tickets t ON t.id = b.ticket_id WHERE {} ORDER BY b.id DESC LIMIT ${}",
        conditions.join(" AND "),
        texts.len() + 1
    );
    let mut query = sqlx::query_as(AssertSqlSafe(text));
    for value in texts {
        query = query.bind(value);
    }
    query
        .bind(narrow.limit)
        .fetch_all(conn)
        .await
        .named("list bundles of all tickets")
}

/// The ready bundle of the same customer's host that came before this one.
pub async fn previous(conn: &mut AnyConnection, id: &str) -> Result<Option<String>, DbError> {
    sqlx::query_scalar(
        "SELECT p.id FROM bundles b JOIN tickets t ON t.id = b.ticket_id JOIN bundles p ON p.host = b.host \
         AND p.id < b.id AND p.state = 'ready' JOIN tickets o ON o.id = p.ticket_id AND o.customer = t.customer \
         WHERE b.id = $1 ORDER BY p.id DESC LIMIT 1",
    )
    .bind(id.to_owned())
    .fetch_optional(conn)
    .await
    .named("find the bundle before")
}

/// A pattern for texts that contain another; empty for an empty one.
fn part(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = text.to_lowercase();
    let escaped = text
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::{self, NewBundle, Outcome};
    use crate::db::findings::{self, NewFinding};
    use crate::db::testing::{add_ticket, on_both};

    async fn add(conn: &mut AnyConnection, id: &str, host: &str) {
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
        bundles::insert(conn, &new).await.unwrap();
        let end = Outcome {
            state: "ready",
            host: Some(host.into()),
            os: format!("Debian of {id}"),
            ..Outcome::default()
        };
        bundles::finish(conn, id, &end).await.unwrap();
    }

    type Change<'a> = &'a dyn Fn(&mut Narrow);

    #[tokio::test]
    async fn bundles_of_all_tickets_are_narrowed_and_paged() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            for (id, host) in [("a", "db_1"), ("b", "DBx1"), ("c", "web")] {
                add(&mut tx, id, host).await;
            }
            let found = |id: &str, rank, shadow| NewFinding {
                signature_id: id.into(),
                severity: format!("s{rank}"),
                severity_rank: rank,
                title: "T".into(),
                body: "{}".into(),
                shadow,
            };
            let found = [
                found("S1", 2, false),
                found("S2", 1, false),
                found("S3", 0, true),
            ];
            findings::replace(&mut tx, ("b", "t"), &found, 1)
                .await
                .unwrap();
            let all = Narrow {
                limit: 9,
                ..Narrow::default()
            };
            let ids = |list: &[&str]| Some(list.iter().map(|id| (*id).to_owned()).collect());
            let cases: [(Change, &str); 11] = [
                (&|_| (), "c b a"),
                (&|n| n.limit = 2, "c b"),
                (&|n| n.before = "b".into(), "a"),
                (&|n| n.host = "db_".into(), "a"),
                (&|n| n.host = "dB".into(), "b a"),
                (&|n| n.os = "OF C".into(), "c"),
                (&|n| n.customer = "nobody".into(), ""),
                (&|n| n.state = "rejected".into(), ""),
                (
                    &|n| (n.signature, n.state) = ("S3".into(), "ready".into()),
                    "b",
                ),
                (&|n| (n.ids, n.host) = (ids(&["a", "c"]), "web".into()), "c"),
                (&|n| n.ids = ids(&[]), ""),
            ];
            for (change, expected) in cases {
                let mut narrow = all.clone();
                change(&mut narrow);
                let rows = list(&mut tx, &narrow).await.unwrap();
                let told: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
                assert_eq!(told.join(" "), expected, "{narrow:?}");
            }
            add(&mut tx, "d", "web").await;
            for (id, before) in [("d", Some("c")), ("c", None), ("none", None)] {
                let found = previous(&mut tx, id).await.unwrap();
                assert_eq!(found.as_deref(), before, "{id}");
            }
            let rows = list(
                &mut tx,
                &Narrow {
                    before: "d".into(),
                    ..all
                },
            )
            .await
            .unwrap();
            assert_eq!(
                (rows[1].findings, rows[1].worst.as_deref()),
                (2, Some("s1"))
            );
            assert_eq!((rows[0].findings, rows[0].worst.as_deref()), (0, None));
            assert_eq!(
                (rows[0].number, rows[0].title.as_str()),
                (1001, "Title of t")
            );
        })
        .await;
    }
}
