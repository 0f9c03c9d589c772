//! Tickets and their tags.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::marks::Kind;
pub use super::tags::{add_tag, remove_tag, tags};
use super::{DbError, Named, marks};

/// A ticket's row.
#[derive(Debug, Clone, Default, FromRow)]
#[allow(
    missing_docs,
    reason = "the columns of migration 0002, described by the API's schema"
)]
pub struct TicketRow {
    pub id: String,
    pub number: i64,
    pub title: String,
    pub status: String,
    pub priority: String,
    pub impact: String,
    pub urgency: String,
    pub customer: String,
    pub contact: String,
    pub language: String,
    pub product: String,
    pub category: String,
    pub expected: String,
    pub happened: String,
    pub since: String,
    pub error_text: String,
    pub changed: String,
    pub tried: String,
    pub owner_id: Option<String>,
    pub owner_name: Option<String>,
    pub created_by: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub closed_ms: Option<i64>,
    pub top_finding: Option<String>,
}

const SELECT: &str = "SELECT t.id, t.number, t.title, t.status, t.priority, t.impact, t.urgency, t.customer, t.contact, \
    t.language, t.product, t.category, t.expected, t.happened, t.since, t.error_text, t.changed, t.tried, t.owner_id, \
    u.name AS owner_name, t.created_by, t.created_ms, t.updated_ms, t.closed_ms, t.top_finding \
    FROM tickets t LEFT JOIN users u ON u.id = t.owner_id";

/// What a list of tickets is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Status.
    pub status: Option<String>,
    /// Tag.
    pub tag: Option<String>,
    /// Owner's id; empty for tickets that are nobody's.
    pub owner_id: Option<String>,
    /// Group that works on it.
    pub team: Option<String>,
    /// Only those that are not closed.
    pub open: bool,
    /// Words in title, customer or error text.
    pub text: Option<String>,
    /// Last row of the page before: time of change and number.
    pub after: Option<(i64, i64)>,
    /// Rows.
    pub limit: i64,
}

/// The next free number. Within a transaction: the unique key refuses a second user of it.
pub async fn next_number(conn: &mut AnyConnection) -> Result<i64, DbError> {
    sqlx::query_scalar("SELECT COALESCE(MAX(number), 1000) + 1 FROM tickets")
        .fetch_one(conn)
        .await
        .named("find the next ticket number")
}

/// Adds a ticket.
pub async fn insert(conn: &mut AnyConnection, t: &TicketRow) -> Result<(), DbError> {
    let mut query = sqlx::query(
        "INSERT INTO tickets (id, title, status, priority, impact, urgency, customer, contact, language, product, category, \
         expected, happened, since, error_text, changed, tried, created_by, number, created_ms, updated_ms, owner_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
    );
    for text in [
        &t.id,
        &t.title,
        &t.status,
        &t.priority,
        &t.impact,
        &t.urgency,
        &t.customer,
        &t.contact,
        &t.language,
        &t.product,
        &t.category,
        &t.expected,
        &t.happened,
        &t.since,
        &t.error_text,
        &t.changed,
        &t.tried,
        &t.created_by,
    ] {
        query = query.bind(text.clone());
    }
    query
        .bind(t.number)
        .bind(t.created_ms)
        .bind(t.updated_ms)
        .bind(t.owner_id.clone())
        .execute(&mut *conn)
        .await
        .named("add a ticket")?;
    marks::figures(conn, &t.id).await?;
    marks::words(conn, Kind::Ticket, &t.id).await
}

/// Finds a ticket by its number.
pub async fn find_by_number(
    conn: &mut AnyConnection,
    number: i64,
) -> Result<Option<TicketRow>, DbError> {
    sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE t.number = $1")))
        .bind(number)
        .fetch_optional(conn)
        .await
        .named("find a ticket by its number")
}

/// Finds a ticket by its id.
pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<TicketRow>, DbError> {
    sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE t.id = $1")))
        .bind(id.to_owned())
        .fetch_optional(conn)
        .await
        .named("find a ticket")
}

/// The tickets of some ids, in the order of the ids; those that are not there are left out.
pub async fn of_ids(conn: &mut AnyConnection, ids: &[String]) -> Result<Vec<TicketRow>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
    let text = format!("{SELECT} WHERE t.id IN ({})", places.join(", "));
    let mut query = sqlx::query_as(AssertSqlSafe(text));
    for id in ids {
        query = query.bind(id.clone());
    }
    let mut rows: Vec<TicketRow> = query.fetch_all(conn).await.named("read some tickets")?;
    rows.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    Ok(rows)
}

/// A page of tickets, latest change first.
pub async fn list(conn: &mut AnyConnection, filter: &Filter) -> Result<Vec<TicketRow>, DbError> {
    let mut conditions: Vec<String> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    let mut add = |condition: &str, value: &str, texts: &mut Vec<String>| {
        texts.push(value.to_owned());
        conditions.push(condition.replace('?', &format!("${}", texts.len())));
    };
    if let Some(status) = &filter.status {
        add("t.status = ?", status, &mut texts);
    }
    if let Some(tag) = &filter.tag {
        add(
            "EXISTS (SELECT 1 FROM ticket_tags g WHERE g.ticket_id = t.id AND g.tag = ?)",
            tag,
            &mut texts,
        );
    }
    if let Some(owner) = &filter.owner_id {
        add("COALESCE(t.owner_id, '') = ?", owner, &mut texts);
    }
    if let Some(team) = &filter.team {
        add("t.team = ?", team, &mut texts);
    }
    if filter.open {
        add("t.status <> ?", "closed", &mut texts);
    }
    if let Some(text) = &filter.text {
        let escaped = text
            .to_lowercase()
            .replace('!', "!!")
            .replace('%', "!%")
            .replace('_', "!_");
        add(
            "LOWER(t.title || ' ' || t.customer || ' ' || t.error_text || ' ' || COALESCE(t.top_finding, '')) LIKE ? ESCAPE '!'",
            &format!("%{escaped}%"),
            &mut texts,
        );
    }
    if filter.after.is_some() {
        let n = texts.len();
        conditions.push(format!(
            "(t.updated_ms < ${0} OR (t.updated_ms = ${0} AND t.number < ${1}))",
            n + 1,
            n + 2
        ));
    }
    let clause = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let last = texts.len() + if filter.after.is_some() { 3 } else { 1 };
    let text = format!("{SELECT}{clause} ORDER BY t.updated_ms DESC, t.number DESC LIMIT ${last}");
    let mut query = sqlx::query_as(AssertSqlSafe(text));
    for value in texts {
        query = query.bind(value);
    }
    if let Some((updated_ms, number)) = filter.after {
        query = query.bind(updated_ms).bind(number);
    }
    query
        .bind(filter.limit)
        .fetch_all(conn)
        .await
        .named("list tickets")
}

/// Writes what can change on a ticket.
pub async fn update(conn: &mut AnyConnection, t: &TicketRow) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE tickets SET status = $1, priority = $2, category = $3, owner_id = $4, updated_ms = $5, closed_ms = $6, \
         top_finding = $7, title = $8 WHERE id = $9",
    )
    .bind(t.status.clone())
    .bind(t.priority.clone())
    .bind(t.category.clone())
    .bind(t.owner_id.clone())
    .bind(t.updated_ms)
    .bind(t.closed_ms)
    .bind(t.top_finding.clone())
    .bind(t.title.clone())
    .bind(t.id.clone())
    .execute(&mut *conn)
    .await
    .named("change a ticket")?;
    marks::figures(conn, &t.id).await?;
    marks::words(conn, Kind::Ticket, &t.id).await
}

/// Notes that something happened on a ticket.
pub async fn touch(conn: &mut AnyConnection, id: &str, now_ms: i64) -> Result<(), DbError> {
    sqlx::query("UPDATE tickets SET updated_ms = $1 WHERE id = $2")
        .bind(now_ms)
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("note a change on a ticket")
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, add_user, on_both};

    async fn numbers(conn: &mut AnyConnection, filter: &Filter) -> Vec<i64> {
        let rows = list(conn, filter).await.unwrap();
        rows.iter().map(|row| row.number).collect()
    }

    #[tokio::test]
    async fn tickets_are_found_by_what_they_are_narrowed_to() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_user(&mut tx, "lin").await;
            for id in ["a", "b", "c"] {
                add_ticket(&mut tx, id).await;
            }
            let mut b = find(&mut tx, "b").await.unwrap().unwrap();
            assert_eq!((b.number, b.owner_name.as_deref()), (1002, None));
            (b.status, b.owner_id) = ("open".into(), Some("lin".into()));
            (b.title, b.updated_ms) = ("Disk 100%_full".into(), 50);
            update(&mut tx, &b).await.unwrap();
            let b = find_by_number(&mut tx, 1002).await.unwrap().unwrap();
            assert_eq!(b.owner_name.as_deref(), Some("Name of lin"));
            assert!(add_tag(&mut tx, "c", "disk", "finding", 1).await.unwrap());
            touch(&mut tx, "c", 60).await.unwrap();
            let all = Filter {
                limit: 10,
                ..Filter::default()
            };
            for (filter, expected) in [
                (Filter { ..all.clone() }, &[1003, 1002, 1001][..]),
                (
                    Filter {
                        status: Some("open".into()),
                        ..all.clone()
                    },
                    &[1002],
                ),
                (
                    Filter {
                        tag: Some("disk".into()),
                        team: Some(String::new()),
                        ..all.clone()
                    },
                    &[1003],
                ),
                (
                    Filter {
                        owner_id: Some(String::new()),
                        open: true,
                        ..all.clone()
                    },
                    &[1003, 1001],
                ),
                (
                    Filter {
                        owner_id: Some("lin".into()),
                        ..all.clone()
                    },
                    &[1002],
                ),
                (
                    Filter {
                        text: Some("100%_F".into()),
                        ..all.clone()
                    },
                    &[1002],
                ),
                (
                    Filter {
                        text: Some("disk".into()),
                        tag: Some("disk".into()),
                        ..all.clone()
                    },
                    &[],
                ),
                (
                    Filter {
                        after: Some((60, 1003)),
                        limit: 1,
                        ..Filter::default()
                    },
                    &[1002],
                ),
                (
                    Filter {
                        text: Some("title".into()),
                        after: Some((60, 1003)),
                        ..all
                    },
                    &[1001],
                ),
            ] {
                assert_eq!(numbers(&mut tx, &filter).await, expected, "{filter:?}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn some_tickets_come_in_the_order_they_are_asked_for() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for id in ["a", "b", "c"] {
                add_ticket(&mut tx, id).await;
            }
            let some = ["c".to_owned(), "none".to_owned(), "a".to_owned()];
            let some = of_ids(&mut tx, &some).await.unwrap();
            let told: Vec<_> = some.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(told, ["c", "a"]);
            assert!(of_ids(&mut tx, &[]).await.unwrap().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_number_is_taken_once() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let ticket = add_ticket(&mut tx, "a").await;
            assert_eq!(next_number(&mut tx).await.unwrap(), 1002);
            tx.commit().await.unwrap();
            let mut tx = db.begin().await.unwrap();
            let twice = TicketRow {
                id: "b".into(),
                ..ticket
            };
            let refused = insert(&mut tx, &twice).await.unwrap_err();
            assert!(refused.is_unique_violation(), "{refused:?}");
        })
        .await;
    }
}
