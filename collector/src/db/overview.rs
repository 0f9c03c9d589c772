//! What the queue shows of each ticket's bundles: the worst finding and how complete the newest is.

use std::collections::HashMap;

use sqlx::AnyConnection;

use super::{DbError, Named};

/// A ticket's bundles in two words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brief {
    /// Severity and title of the worst finding.
    pub finding: Option<(String, String)>,
    /// Items that came whole of those asked for, `41/44`, in the newest bundle that was read.
    pub completeness: Option<String>,
}

/// The briefs of some tickets; those without bundles are absent.
pub async fn of_tickets(
    conn: &mut AnyConnection,
    ids: &[&str],
) -> Result<HashMap<String, Brief>, DbError> {
    let mut all: HashMap<String, Brief> = HashMap::new();
    if ids.is_empty() {
        return Ok(all);
    }
    let places = (1..=ids.len())
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!(
        "SELECT ticket_id, severity, title FROM findings WHERE ticket_id IN ({places}) AND shadow = 0 \
         AND (verdict IS NULL OR verdict <> 'dismissed') ORDER BY severity_rank, created_ms, id"
    );
    let mut query = sqlx::query_as::<_, (String, String, String)>(sqlx::AssertSqlSafe(text));
    for id in ids {
        query = query.bind((*id).to_owned());
    }
    for (ticket, severity, title) in query
        .fetch_all(&mut *conn)
        .await
        .named("read the findings of the queue")?
    {
        all.entry(ticket)
            .or_default()
            .finding
            .get_or_insert((severity, title));
    }
    let text = format!(
        "SELECT ticket_id, items_complete, items_asked FROM bundles WHERE ticket_id IN ({places}) AND state = 'ready' \
         ORDER BY received_ms DESC, id DESC"
    );
    let mut query = sqlx::query_as::<_, (String, i64, i64)>(sqlx::AssertSqlSafe(text));
    for id in ids {
        query = query.bind((*id).to_owned());
    }
    for (ticket, complete, asked) in query
        .fetch_all(&mut *conn)
        .await
        .named("read the bundles of the queue")?
    {
        if asked > 0 {
            all.entry(ticket)
                .or_default()
                .completeness
                .get_or_insert(format!("{complete}/{asked}"));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::bundles::{self, NewBundle, Outcome};
    use crate::db::findings::{self, NewFinding};
    use crate::db::testing::on_both;

    #[tokio::test]
    async fn a_ticket_shows_its_worst_finding_and_its_newest_bundle() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let found = |id: &str, rank: i64, severity: &str| NewFinding {
                signature_id: id.to_owned(),
                severity: severity.to_owned(),
                severity_rank: rank,
                title: format!("Title of {id}"),
                body: "{}".to_owned(),
                shadow: id == "SIG-0",
            };
            let both = [
                found("SIG-0", 0, "critical"),
                found("SIG-1", 2, "medium"),
                found("SIG-2", 0, "critical"),
            ];
            findings::replace(&mut tx, ("b1", "t1"), &both, 1)
                .await
                .unwrap();
            for (id, received_ms, complete) in [("b1", 1, 40), ("b2", 2, 41)] {
                let new = NewBundle {
                    id,
                    upload_id: id,
                    ticket_id: "t1",
                    filename: "",
                    bytes: 1,
                    sha256: "",
                    receipt: "",
                    received_ms,
                };
                bundles::insert(&mut tx, &new).await.unwrap();
                let end = Outcome {
                    state: "ready",
                    items_asked: 44,
                    items_complete: complete,
                    ..Outcome::default()
                };
                bundles::finish(&mut tx, id, &end).await.unwrap();
            }
            assert!(of_tickets(&mut tx, &[]).await.unwrap().is_empty());
            let all = of_tickets(&mut tx, &["t1", "t2"]).await.unwrap();
            let expected = Brief {
                finding: Some(("critical".into(), "Title of SIG-2".into())),
                completeness: Some("41/44".into()),
            };
            assert_eq!(all, HashMap::from([("t1".to_owned(), expected)]));
        })
        .await;
    }
}
