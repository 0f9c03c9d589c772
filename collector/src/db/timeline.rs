//! Events on a ticket's timeline.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named, dialect, marks};

/// One event.
#[derive(Debug, Clone, FromRow)]
pub struct EventRow {
    /// Id.
    pub id: String,
    /// Ticket.
    pub ticket_id: String,
    /// When.
    pub at_ms: i64,
    /// `created`, `note`, `status`, `assigned`, `code`, `bundle`, `findings`, `tags` …
    pub kind: String,
    /// 1 when the customer may see it.
    pub public: i64,
    /// Kind of actor.
    pub actor_kind: String,
    /// Name of the actor.
    pub actor_name: String,
    /// Text.
    pub body: String,
    /// JSON object with further values.
    pub data: String,
}

/// Adds an event.
pub async fn insert(conn: &mut AnyConnection, event: &EventRow) -> Result<(), DbError> {
    insert_all(conn, std::slice::from_ref(event)).await
}

/// Adds events.
pub async fn insert_all(conn: &mut AnyConnection, events: &[EventRow]) -> Result<(), DbError> {
    let text = format!(
        "INSERT INTO ticket_events (id, ticket_id, at_ms, kind, public, actor_kind, actor_name, body, data) VALUES {}",
        dialect::values(conn, events.len(), 9)
    );
    let mut query = dialect::over(text, events.len());
    for event in events {
        query = query
            .bind(&event.id)
            .bind(&event.ticket_id)
            .bind(event.at_ms)
            .bind(&event.kind)
            .bind(event.public)
            .bind(&event.actor_kind)
            .bind(&event.actor_name)
            .bind(&event.body)
            .bind(&event.data);
    }
    query
        .execute(&mut *conn)
        .await
        .named("add to the timeline")?;
    let tickets: BTreeSet<&str> = events.iter().map(|event| &*event.ticket_id).collect();
    let tickets: Vec<&str> = tickets.into_iter().collect();
    marks::words_all(conn, marks::Kind::Ticket, &tickets).await
}

/// One event.
pub async fn find(conn: &mut AnyConnection, id: &str) -> Result<Option<EventRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, at_ms, kind, public, actor_kind, actor_name, body, data FROM ticket_events WHERE id = $1",
    )
    .bind(id.to_owned())
    .fetch_optional(conn)
    .await
    .named("find an event")
}

/// Id of the last event of a ticket.
pub async fn newest(conn: &mut AnyConnection, ticket_id: &str) -> Result<Option<String>, DbError> {
    sqlx::query_scalar(
        "SELECT id FROM ticket_events WHERE ticket_id = $1 ORDER BY at_ms DESC, id DESC LIMIT 1",
    )
    .bind(ticket_id.to_owned())
    .fetch_optional(conn)
    .await
    .named("find the last event of a ticket")
}

/// The last events of a ticket, oldest first.
pub async fn list(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<EventRow>, DbError> {
    sqlx::query_as(
        "SELECT * FROM (SELECT id, ticket_id, at_ms, kind, public, actor_kind, actor_name, body, data \
         FROM ticket_events WHERE ticket_id = $1 ORDER BY at_ms DESC, id DESC LIMIT 2000) AS last ORDER BY at_ms, id",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("read the timeline")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn events_of_a_ticket_come_in_the_order_of_their_times() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t1").await;
            let event = |(id, at_ms): (&str, i64)| EventRow {
                id: id.into(),
                ticket_id: "t1".into(),
                at_ms,
                kind: "note".into(),
                public: 1,
                actor_kind: "user".into(),
                actor_name: "Lin".into(),
                body: "磁盘满 ✓".into(),
                data: "{}".into(),
            };
            insert(&mut tx, &event(("e1", 20))).await.unwrap();
            let more = [("e2", 10), ("e3", 20)].map(event);
            insert_all(&mut tx, &more).await.unwrap();
            let events = list(&mut tx, "t1").await.unwrap();
            let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids, ["e2", "e1", "e3"]);
            assert_eq!((events[0].body.as_str(), events[0].public), ("磁盘满 ✓", 1));
            assert!(list(&mut tx, "t2").await.unwrap().is_empty());
            let last = newest(&mut tx, "t1").await.unwrap();
            assert_eq!(last.as_deref(), Some("e3"));
            let one = find(&mut tx, "e2").await.unwrap().unwrap();
            assert_eq!((one.ticket_id.as_str(), one.at_ms), ("t1", 10));
            assert!(find(&mut tx, "e9").await.unwrap().is_none());
        })
        .await;
    }
}
