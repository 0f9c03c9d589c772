//! What is still to be told to other systems, what was, and which of their tickets is which of ours.

use sqlx::{AnyConnection, AssertSqlSafe, FromRow};

use super::{DbError, Named};

/// One thing to tell, or told.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0800")]
pub struct OutboxRow {
    pub id: String,
    pub connector_id: String,
    pub ticket_id: String,
    pub event_id: String,
    pub state: String,
    pub tries: i64,
    pub error: String,
    pub created_ms: i64,
    pub ended_ms: Option<i64>,
}

/// One thing to tell, as people look at it.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Shown {
    /// Id.
    pub id: String,
    /// Name of the connector.
    pub connector: String,
    /// Number of the ticket.
    pub number: i64,
    /// Kind of the event.
    pub kind: String,
    /// waiting, sent, dead or dropped.
    pub state: String,
    /// How often it was tried.
    pub tries: i64,
    /// The last fault.
    pub error: String,
    /// When it happened.
    pub created_ms: i64,
    /// When it was told, or given up.
    pub ended_ms: Option<i64>,
}

/// A ticket of another system that is one of ours.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0800")]
pub struct LinkRow {
    pub connector_id: String,
    pub ticket_id: String,
    pub remote_id: String,
    pub url: String,
    pub seen: String,
    pub created_ms: i64,
}

const SELECT: &str = "SELECT id, connector_id, ticket_id, event_id, state, tries, error, created_ms, ended_ms FROM outbox";
const LINKS: &str =
    "SELECT connector_id, ticket_id, remote_id, url, seen, created_ms FROM connector_links";

/// Adds something to tell.
pub async fn insert(
    conn: &mut AnyConnection,
    id: &str,
    (connector_id, ticket_id, event_id): (&str, &str, &str),
    now_ms: i64,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO outbox (id, connector_id, ticket_id, event_id, state, tries, error, created_ms) \
         VALUES ($1, $2, $3, $4, 'waiting', 0, '', $5)",
    )
    .bind(id.to_owned())
    .bind(connector_id.to_owned())
    .bind(ticket_id.to_owned())
    .bind(event_id.to_owned())
    .bind(now_ms)
    .execute(conn)
    .await
    .named("add to the outbox")
    .map(|_| ())
}

/// What has to be told next to a connector about a ticket; nothing else goes before it, also when it is dead.
pub async fn head(
    conn: &mut AnyConnection,
    (connector_id, ticket_id): (&str, &str),
) -> Result<Option<OutboxRow>, DbError> {
    let text = format!(
        "{SELECT} WHERE connector_id = $1 AND ticket_id = $2 AND state IN ('waiting', 'dead') ORDER BY id LIMIT 1"
    );
    sqlx::query_as(AssertSqlSafe(text))
        .bind(connector_id.to_owned())
        .bind(ticket_id.to_owned())
        .fetch_optional(conn)
        .await
        .named("look into the outbox")
}

/// Notes that it is about to be told, before it is: after a crash the other side is asked whether it knows already.
pub async fn begin(conn: &mut AnyConnection, id: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE outbox SET tries = tries + 1 WHERE id = $1")
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("begin to tell")
        .map(|_| ())
}

/// Notes what came of a try: the state that follows, and the fault.
pub async fn tried(
    conn: &mut AnyConnection,
    id: &str,
    (state, error): (&str, &str),
    ended_ms: Option<i64>,
) -> Result<(), DbError> {
    sqlx::query("UPDATE outbox SET state = $1, error = $2, ended_ms = $3 WHERE id = $4 AND state = 'waiting'")
        .bind(state.to_owned())
        .bind(error.to_owned())
        .bind(ended_ms)
        .bind(id.to_owned())
        .execute(conn)
        .await
        .named("note what came of telling")
        .map(|_| ())
}

/// Brings a dead one back, or drops it. Gives its connector and ticket; none when it is not dead.
pub async fn revive(
    conn: &mut AnyConnection,
    id: &str,
    state: &str,
) -> Result<Option<(String, String)>, DbError> {
    sqlx::query_as(
        "UPDATE outbox SET state = $1 WHERE id = $2 AND state = 'dead' RETURNING connector_id, ticket_id",
    )
    .bind(state.to_owned())
    .bind(id.to_owned())
    .fetch_optional(conn)
    .await
    .named("revive a dead letter")
}

/// Brings all dead ones of a connector back; how many they were.
pub async fn revive_all(conn: &mut AnyConnection, connector_id: &str) -> Result<u64, DbError> {
    sqlx::query("UPDATE outbox SET state = 'waiting' WHERE connector_id = $1 AND state = 'dead'")
        .bind(connector_id.to_owned())
        .execute(conn)
        .await
        .named("revive all dead letters")
        .map(|done| done.rows_affected())
}

/// Tickets about which a connector has still to be told something.
pub async fn lanes(conn: &mut AnyConnection, connector_id: &str) -> Result<Vec<String>, DbError> {
    sqlx::query_scalar(
        "SELECT DISTINCT ticket_id FROM outbox WHERE connector_id = $1 AND state = 'waiting' ORDER BY ticket_id",
    )
    .bind(connector_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list what waits for a connector")
}

/// Counts by connector and state.
pub async fn counts(conn: &mut AnyConnection) -> Result<Vec<(String, String, i64)>, DbError> {
    sqlx::query_as(
        "SELECT connector_id, state, COUNT(*) FROM outbox WHERE state IN ('waiting', 'dead') GROUP BY connector_id, state",
    )
    .fetch_all(conn)
    .await
    .named("count the outbox")
}

/// Those in a state (all for an empty one) that came before `before`, the newest first.
pub async fn list(
    conn: &mut AnyConnection,
    state: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<Shown>, DbError> {
    sqlx::query_as(
        "SELECT o.id, c.name AS connector, t.number, e.kind, o.state, o.tries, o.error, o.created_ms, o.ended_ms \
         FROM outbox o JOIN connectors c ON c.id = o.connector_id JOIN tickets t ON t.id = o.ticket_id \
         JOIN ticket_events e ON e.id = o.event_id \
         WHERE ($1 = '' OR o.state = $1) AND ($2 = '' OR o.id < $2) ORDER BY o.id DESC LIMIT $3",
    )
    .bind(state.to_owned())
    .bind(before.to_owned())
    .bind(limit)
    .fetch_all(conn)
    .await
    .named("list the outbox")
}

/// Whether a connector was told of this event, or will be.
pub async fn knows(
    conn: &mut AnyConnection,
    connector_id: &str,
    event_id: &str,
) -> Result<bool, DbError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM outbox WHERE connector_id = $1 AND event_id = $2")
            .bind(connector_id.to_owned())
            .bind(event_id.to_owned())
            .fetch_one(conn)
            .await
            .named("look for an event in the outbox")?;
    Ok(count > 0)
}

/// Forgets what was told or dropped long ago.
pub async fn forget(conn: &mut AnyConnection, before_ms: i64) -> Result<u64, DbError> {
    sqlx::query("DELETE FROM outbox WHERE state IN ('sent', 'dropped') AND created_ms < $1")
        .bind(before_ms)
        .execute(conn)
        .await
        .named("forget what was told")
        .map(|done| done.rows_affected())
}

/// Notes which ticket there is ours, and what we know of it.
pub async fn link(conn: &mut AnyConnection, row: &LinkRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO connector_links (connector_id, ticket_id, remote_id, url, seen, created_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (connector_id, ticket_id) DO UPDATE SET remote_id = $3, url = $4, \
         seen = $5",
    )
    .bind(row.connector_id.clone())
    .bind(row.ticket_id.clone())
    .bind(row.remote_id.clone())
    .bind(row.url.clone())
    .bind(row.seen.clone())
    .bind(row.created_ms)
    .execute(conn)
    .await
    .named("link a ticket")
    .map(|_| ())
}

/// The ticket there that is this one of ours.
pub async fn linked(
    conn: &mut AnyConnection,
    (connector_id, ticket_id): (&str, &str),
) -> Result<Option<LinkRow>, DbError> {
    let text = format!("{LINKS} WHERE connector_id = $1 AND ticket_id = $2");
    sqlx::query_as(AssertSqlSafe(text))
        .bind(connector_id.to_owned())
        .bind(ticket_id.to_owned())
        .fetch_optional(conn)
        .await
        .named("find the link of a ticket")
}

/// Our ticket that is this one there.
pub async fn linked_to(
    conn: &mut AnyConnection,
    (connector_id, remote_id): (&str, &str),
) -> Result<Option<LinkRow>, DbError> {
    let text = format!("{LINKS} WHERE connector_id = $1 AND remote_id = $2");
    sqlx::query_as(AssertSqlSafe(text))
        .bind(connector_id.to_owned())
        .bind(remote_id.to_owned())
        .fetch_optional(conn)
        .await
        .named("find the ticket of a link")
}

/// Where a ticket is known: name of the connector, the id there, and its address.
pub async fn links_of(
    conn: &mut AnyConnection,
    ticket_id: &str,
) -> Result<Vec<(String, String, String)>, DbError> {
    sqlx::query_as(
        "SELECT c.name, l.remote_id, l.url FROM connector_links l JOIN connectors c ON c.id = l.connector_id \
         WHERE l.ticket_id = $1 ORDER BY c.name",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list the links of a ticket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::connectors::{self, ConnectorRow};
    use crate::db::testing::{add_ticket, on_both};
    use crate::db::timeline::{self, EventRow};

    async fn world(conn: &mut AnyConnection) {
        let row = ConnectorRow {
            id: "c".into(),
            name: "Desk".into(),
            enabled: 1,
            ..ConnectorRow::default()
        };
        connectors::put(conn, &row).await.unwrap();
        add_ticket(conn, "t").await;
        for id in ["e1", "e2"] {
            let event = EventRow {
                id: id.into(),
                ticket_id: "t".into(),
                at_ms: 1,
                kind: "note".into(),
                public: 1,
                actor_kind: "user".into(),
                actor_name: "Lin".into(),
                body: "x".into(),
                data: "{}".into(),
            };
            timeline::insert(conn, &event).await.unwrap();
        }
        for n in ["1", "2"] {
            let names = ("c", "t", &*format!("e{n}"));
            insert(conn, &format!("o{n}"), names, 1).await.unwrap();
        }
    }

    #[tokio::test]
    async fn nothing_goes_before_what_comes_first() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            world(&mut tx).await;
            let lane = ("c", "t");
            let first = head(&mut tx, lane).await.unwrap().unwrap();
            assert_eq!((first.id.as_str(), first.tries), ("o1", 0));
            begin(&mut tx, "o1").await.unwrap();
            tried(&mut tx, "o1", ("dead", "no"), Some(9)).await.unwrap();
            let first = head(&mut tx, lane).await.unwrap().unwrap();
            assert_eq!((first.id.as_str(), first.state.as_str()), ("o1", "dead"));
            assert_eq!(revive(&mut tx, "o2", "waiting").await.unwrap(), None);
            assert_eq!(revive_all(&mut tx, "c").await.unwrap(), 1);
            tried(&mut tx, "o1", ("dead", "no"), Some(9)).await.unwrap();
            let lane_of = revive(&mut tx, "o1", "dropped").await.unwrap();
            assert_eq!(lane_of, Some(("c".into(), "t".into())));
            let first = head(&mut tx, lane).await.unwrap().unwrap();
            assert_eq!(first.id, "o2");
            assert_eq!(lanes(&mut tx, "c").await.unwrap(), ["t"]);
            let waiting = counts(&mut tx).await.unwrap();
            assert_eq!(waiting, [("c".to_owned(), "waiting".to_owned(), 1)]);
            let listed = list(&mut tx, "", "", 10).await.unwrap();
            let seen: Vec<_> = listed.iter().map(|row| (&*row.id, row.tries)).collect();
            assert_eq!(seen, [("o2", 0), ("o1", 1)]);
            assert_eq!(list(&mut tx, "dead", "", 9).await.unwrap(), []);
            assert_eq!(list(&mut tx, "", "o2", 9).await.unwrap().len(), 1);
            assert!(knows(&mut tx, "c", "e2").await.unwrap());
            assert!(!knows(&mut tx, "c", "e3").await.unwrap());
            assert_eq!(forget(&mut tx, 2).await.unwrap(), 1, "the dropped one");
        })
        .await;
    }

    #[tokio::test]
    async fn a_ticket_there_is_one_of_ours() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            world(&mut tx).await;
            let mut row = LinkRow {
                connector_id: "c".into(),
                ticket_id: "t".into(),
                remote_id: "7".into(),
                url: "https://desk.example/7".into(),
                ..LinkRow::default()
            };
            link(&mut tx, &row).await.unwrap();
            row.seen = "{}".into();
            link(&mut tx, &row).await.unwrap();
            assert_eq!(
                linked(&mut tx, ("c", "t")).await.unwrap().as_ref(),
                Some(&row)
            );
            assert_eq!(linked_to(&mut tx, ("c", "7")).await.unwrap(), Some(row));
            assert_eq!(linked_to(&mut tx, ("c", "8")).await.unwrap(), None);
            let links = links_of(&mut tx, "t").await.unwrap();
            assert_eq!((links.len(), links[0].0.as_str()), (1, "Desk"));
        })
        .await;
    }
}
