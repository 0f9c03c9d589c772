//! What happens to a ticket between intake and closing: the columns of `tickets` that only the lifecycle uses.

use std::collections::HashMap;

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named, marks};

/// A ticket's life.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0500")]
pub struct LifeRow {
    pub id: String,
    pub team: String,
    pub audience: String,
    pub next_step: String,
    pub promised_ms: Option<i64>,
    pub replied_ms: Option<i64>,
    pub solved_ms: Option<i64>,
    pub cause: String,
    pub resolution: String,
    pub closing_note: String,
    pub reopened: i64,
    pub satisfaction: Option<String>,
    pub satisfaction_note: String,
    pub worked_ms: i64,
    pub running_ms: Option<i64>,
    pub main_id: Option<String>,
    pub relation: Option<String>,
    pub follows_id: Option<String>,
}

/// A ticket that belongs to another one.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct RelatedRow {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: String,
    /// duplicate or problem.
    pub relation: String,
}

const COLUMNS: &str = "id, team, audience, next_step, promised_ms, replied_ms, solved_ms, cause, resolution, closing_note, \
    reopened, satisfaction, satisfaction_note, worked_ms, running_ms, main_id, relation, follows_id";

/// The life of a ticket.
pub async fn find(conn: &mut AnyConnection, ticket_id: &str) -> Result<Option<LifeRow>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM tickets WHERE id = $1");
    sqlx::query_as(AssertSqlSafe(text))
        .bind(ticket_id.to_owned())
        .fetch_optional(conn)
        .await
        .named("read the life of a ticket")
}

/// The lives of some tickets, by id.
pub async fn of_tickets(
    conn: &mut AnyConnection,
    ids: &[&str],
) -> Result<HashMap<String, LifeRow>, DbError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let places = (1..=ids.len())
        .map(|n| format!("${n}"))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!("SELECT {COLUMNS} FROM tickets WHERE id IN ({places})");
    let mut query = sqlx::query_as::<_, LifeRow>(AssertSqlSafe(text));
    for id in ids {
        query = query.bind((*id).to_owned());
    }
    let rows = query.fetch_all(conn).await.named("read lives of tickets")?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// Writes the life of a ticket.
pub async fn update(conn: &mut AnyConnection, life: &LifeRow) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE tickets SET team = $1, audience = $2, next_step = $3, promised_ms = $4, replied_ms = $5, solved_ms = $6, \
         cause = $7, resolution = $8, closing_note = $9, reopened = $10, satisfaction = $11, satisfaction_note = $12, \
         worked_ms = $13, running_ms = $14, main_id = $15, relation = $16 WHERE id = $17",
    )
    .bind(life.team.clone())
    .bind(life.audience.clone())
    .bind(life.next_step.clone())
    .bind(life.promised_ms)
    .bind(life.replied_ms)
    .bind(life.solved_ms)
    .bind(life.cause.clone())
    .bind(life.resolution.clone())
    .bind(life.closing_note.clone())
    .bind(life.reopened)
    .bind(life.satisfaction.clone())
    .bind(life.satisfaction_note.clone())
    .bind(life.worked_ms)
    .bind(life.running_ms)
    .bind(life.main_id.clone())
    .bind(life.relation.clone())
    .bind(life.id.clone())
    .execute(&mut *conn)
    .await
    .named("write the life of a ticket")?;
    marks::figures(conn, &life.id).await
}

/// Writes what the customer's language, product, category and contact are.
pub async fn describe(
    conn: &mut AnyConnection,
    ticket_id: &str,
    [language, product, category, contact]: [&str; 4],
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE tickets SET language = $1, product = $2, category = $3, contact = $4 WHERE id = $5",
    )
    .bind(language.to_owned())
    .bind(product.to_owned())
    .bind(category.to_owned())
    .bind(contact.to_owned())
    .bind(ticket_id.to_owned())
    .execute(&mut *conn)
    .await
    .named("describe a ticket")?;
    marks::figures(conn, ticket_id).await?;
    marks::words(conn, marks::Kind::Ticket, ticket_id).await
}

/// Tickets that belong to this one, oldest first.
pub async fn related(conn: &mut AnyConnection, main_id: &str) -> Result<Vec<RelatedRow>, DbError> {
    sqlx::query_as(
        "SELECT id, number, title, status, relation FROM tickets WHERE main_id = $1 ORDER BY number LIMIT 500",
    )
    .bind(main_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list what belongs to a ticket")
}

/// Notes that a ticket goes on from a closed one.
pub async fn follow(
    conn: &mut AnyConnection,
    ticket_id: &str,
    follows_id: &str,
) -> Result<(), DbError> {
    sqlx::query("UPDATE tickets SET follows_id = $1 WHERE id = $2")
        .bind(follows_id.to_owned())
        .bind(ticket_id.to_owned())
        .execute(conn)
        .await
        .named("note what a ticket follows")
        .map(|_| ())
}

/// Tickets that go on from this one, oldest first; their relation is `follow-up`.
pub async fn follow_ups(conn: &mut AnyConnection, id: &str) -> Result<Vec<RelatedRow>, DbError> {
    sqlx::query_as(
        "SELECT id, number, title, status, CAST('follow-up' AS TEXT) AS relation FROM tickets \
         WHERE follows_id = $1 ORDER BY number LIMIT 500",
    )
    .bind(id.to_owned())
    .fetch_all(conn)
    .await
    .named("list what follows a ticket")
}

/// Names of the groups that have tickets.
pub async fn teams(conn: &mut AnyConnection) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar("SELECT DISTINCT team FROM tickets WHERE team <> '' ORDER BY team LIMIT 200")
        .fetch_all(conn)
        .await
        .named("list the groups")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};
    use crate::db::tickets;

    #[tokio::test]
    async fn what_happens_to_a_ticket_is_kept_beside_it() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for id in ["a", "b"] {
                add_ticket(&mut tx, id).await;
            }
            let mut life = find(&mut tx, "a").await.unwrap().unwrap();
            assert_eq!((life.audience.as_str(), life.running_ms), ("plain", None));
            life.team = "storage".into();
            life.promised_ms = Some(50);
            life.running_ms = Some(7);
            life.satisfaction = Some("good".into());
            life.main_id = Some("b".into());
            life.relation = Some("duplicate".into());
            life.next_step = "升级".into();
            update(&mut tx, &life).await.unwrap();
            assert_eq!(find(&mut tx, "a").await.unwrap().unwrap(), life);
            assert!(find(&mut tx, "x").await.unwrap().is_none());
            let both = of_tickets(&mut tx, &["a", "b", "x"]).await.unwrap();
            assert_eq!((both.len(), &both["a"]), (2, &life));
            assert!(of_tickets(&mut tx, &[]).await.unwrap().is_empty());
            assert_eq!(teams(&mut tx).await.unwrap(), ["storage"]);
            let under = related(&mut tx, "b").await.unwrap();
            assert_eq!((under.len(), under[0].relation.as_str()), (1, "duplicate"));
            follow(&mut tx, "b", "a").await.unwrap();
            let after = follow_ups(&mut tx, "a").await.unwrap();
            assert_eq!((after.len(), after[0].relation.as_str()), (1, "follow-up"));
            let after = find(&mut tx, "b").await.unwrap().unwrap();
            assert_eq!(after.follows_id.as_deref(), Some("a"));
            describe(&mut tx, "a", ["zh-CN", "Exporter", "disk", "王"])
                .await
                .unwrap();
            let row = tickets::find(&mut tx, "a").await.unwrap().unwrap();
            assert_eq!(
                (row.contact.as_str(), row.category.as_str()),
                ("王", "disk")
            );
        })
        .await;
    }
}
