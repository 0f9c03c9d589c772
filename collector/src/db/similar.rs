//! What tickets share: signatures that found something in both, and unknown errors that stand in both.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// Something that more tickets than this one have is no sign of anything.
const COMMON_MAX: i64 = 500;
/// Pairs of a ticket and what it shares that are looked at, those of the rarest first.
const ROWS_MAX: i64 = 1000;

/// One thing that another ticket has too.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct SharedRow {
    /// The other ticket.
    pub ticket_id: String,
    /// Its number.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: String,
    /// finding or template.
    pub kind: String,
    /// Id of the signature or the template.
    pub what: String,
    /// Title of the finding, text of the template.
    pub text: String,
    /// Tickets that have it.
    pub tickets: i64,
}

/// What other tickets have in common with this one, the rarest first. Findings in shadow and dismissed ones do not
/// count, nor do unknown errors that are ignored.
///
/// # Errors
/// When the database does not answer.
pub async fn shared(db: &mut AnyConnection, ticket_id: &str) -> Result<Vec<SharedRow>, DbError> {
    let stands = |name: &str| {
        format!("{name}.shadow = 0 AND ({name}.verdict IS NULL OR {name}.verdict <> 'dismissed')")
    };
    // Of each thing only the index is read. For a join of many rows SQLite would read the whole table first, and for a choice
    // from few signatures as well: hence a choice of templates, and a join of findings.
    let text = format!(
        "WITH own AS MATERIALIZED (\
           SELECT 'finding' AS kind, f.signature_id AS what, MIN(f.title) AS text, \
             (SELECT COUNT(*) FROM (SELECT DISTINCT g.ticket_id FROM findings g \
               WHERE g.signature_id = f.signature_id AND {others} LIMIT $2 + 1) counted) AS tickets \
             FROM findings f WHERE f.ticket_id = $1 AND {own} GROUP BY f.signature_id \
           UNION ALL \
           SELECT 'template', t.id, t.text, t.tickets FROM templates t WHERE t.ignored IS NULL \
             AND t.id IN (SELECT template_id FROM bundle_templates WHERE ticket_id = $1)), \
         rare AS MATERIALIZED (\
           SELECT kind, what, text, tickets FROM (\
             SELECT own.*, SUM(tickets) OVER (ORDER BY tickets, kind, what ROWS UNBOUNDED PRECEDING) AS rows_so_far \
               FROM own WHERE tickets BETWEEN 2 AND $2) ranked WHERE rows_so_far <= $3), \
         others AS (\
           SELECT DISTINCT rare.kind, rare.what, g.ticket_id FROM rare CROSS JOIN findings g \
             WHERE rare.kind = 'finding' AND g.signature_id = rare.what AND g.ticket_id <> $1 AND {others} \
           UNION ALL \
           SELECT DISTINCT 'template', b.template_id, b.ticket_id FROM bundle_templates b \
             WHERE b.template_id IN (SELECT what FROM rare WHERE kind = 'template') AND b.ticket_id <> $1) \
         SELECT k.id AS ticket_id, k.number, k.title, k.status, rare.kind, rare.what, rare.text, rare.tickets FROM others \
         JOIN rare ON rare.kind = others.kind AND rare.what = others.what \
         JOIN tickets k ON k.id = others.ticket_id \
         ORDER BY rare.tickets, rare.kind, rare.what, k.number DESC",
        own = stands("f"),
        others = stands("g"),
    );
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(ticket_id)
        .bind(COMMON_MAX)
        .bind(ROWS_MAX)
        .fetch_all(db)
        .await
        .named("look for similar tickets")
}

/// Tickets in whose bundles lines of a template stand: number, title and status, the latest first.
///
/// # Errors
/// When the database does not answer.
pub async fn with_template(
    db: &mut AnyConnection,
    template_id: &str,
    limit: i64,
) -> Result<Vec<(i64, String, String)>, DbError> {
    sqlx::query_as(
        "SELECT number, title, status FROM tickets WHERE id IN \
         (SELECT ticket_id FROM bundle_templates WHERE template_id = $1) ORDER BY number DESC LIMIT $2",
    )
    .bind(template_id)
    .bind(limit)
    .fetch_all(db)
    .await
    .named("list the tickets of a template")
}

/// How many tickets there are.
///
/// # Errors
/// When the database does not answer.
pub async fn tickets(db: &mut AnyConnection) -> Result<i64, DbError> {
    sqlx::query_scalar("SELECT COUNT(*) FROM tickets")
        .fetch_one(db)
        .await
        .named("count tickets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::findings::{self, NewFinding};
    use crate::db::templates::{self, NewTemplate};
    use crate::db::testing::{add_ticket, on_both};

    fn finding(id: &str, shadow: bool) -> NewFinding {
        NewFinding {
            signature_id: id.into(),
            severity: "high".into(),
            severity_rank: 1,
            title: format!("Title of {id}"),
            body: "{}".into(),
            shadow,
        }
    }

    #[tokio::test]
    async fn tickets_share_findings_and_unknown_errors() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for id in ["a", "b", "c"] {
                add_ticket(&mut tx, id).await;
            }
            let template = NewTemplate {
                id: "x".into(),
                text: "error x".into(),
                shape: "2 error".into(),
                count: 1,
                file: "f".into(),
                line: 1,
                example: "error x".into(),
            };
            let (one, two, hidden) = (
                finding("SIG-1", false),
                finding("SIG-2", false),
                finding("SIG-3", true),
            );
            for (ticket, found, has) in [
                ("a", &[one.clone(), two.clone(), hidden.clone()][..], true),
                ("b", &[one.clone(), hidden.clone()], true),
                ("c", &[one, hidden], false),
            ] {
                let names = (&*format!("bundle of {ticket}"), ticket);
                findings::replace(&mut tx, names, found, 1).await.unwrap();
                let list = std::slice::from_ref(&template);
                let list = if has { list } else { &[] };
                templates::replace(&mut tx, names, list, 1).await.unwrap();
            }
            let rows = shared(&mut tx, "a").await.unwrap();
            let told: Vec<_> = rows
                .iter()
                .map(|r| (r.ticket_id.as_str(), r.what.as_str(), r.tickets))
                .collect();
            assert_eq!(told, [("b", "x", 2), ("c", "SIG-1", 3), ("b", "SIG-1", 3)]);
            assert_eq!(rows[1].text, "Title of SIG-1");
            assert_eq!(tickets(&mut tx).await.unwrap(), 3);
            let with = with_template(&mut tx, "x", 5).await.unwrap();
            assert_eq!((with.len(), with[0].0), (2, 1002));
        })
        .await;
    }
}
