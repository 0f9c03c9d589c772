//! Links to the customer's page of a ticket, and who looked at a bundle.

use sqlx::{AnyConnection, FromRow};

use super::{DbError, Named};

/// A link; its secret is stored as an HMAC only.
#[derive(Debug, Clone, Default, FromRow)]
#[allow(missing_docs, reason = "the columns of migration 0502")]
pub struct LinkRow {
    pub id: String,
    pub ticket_id: String,
    pub selector: String,
    pub secret_hmac: String,
    pub created_by: String,
    pub created_ms: i64,
    pub expires_ms: i64,
    pub revoked_ms: Option<i64>,
}

/// Who looked at a bundle.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct ViewRow {
    /// The bundle.
    pub bundle_id: String,
    /// Name of the person.
    pub viewer: String,
    /// First time.
    pub first_ms: i64,
    /// Last time.
    pub last_ms: i64,
}

/// Adds a link.
pub async fn insert(conn: &mut AnyConnection, row: &LinkRow) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO ticket_links (id, ticket_id, selector, secret_hmac, created_by, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.id.clone())
    .bind(row.ticket_id.clone())
    .bind(row.selector.clone())
    .bind(row.secret_hmac.clone())
    .bind(row.created_by.clone())
    .bind(row.created_ms)
    .bind(row.expires_ms)
    .execute(conn)
    .await
    .named("add a link")
    .map(|_| ())
}

/// Finds a link by its selector.
pub async fn find_by_selector(
    conn: &mut AnyConnection,
    selector: &str,
) -> Result<Option<LinkRow>, DbError> {
    sqlx::query_as(
        "SELECT id, ticket_id, selector, secret_hmac, created_by, created_ms, expires_ms, revoked_ms FROM ticket_links \
         WHERE selector = $1",
    )
    .bind(selector.to_owned())
    .fetch_optional(conn)
    .await
    .named("find a link")
}

/// How many links of a ticket are valid.
pub async fn valid(conn: &mut AnyConnection, ticket_id: &str, now_ms: i64) -> Result<i64, DbError> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM ticket_links WHERE ticket_id = $1 AND revoked_ms IS NULL AND expires_ms > $2",
    )
    .bind(ticket_id.to_owned())
    .bind(now_ms)
    .fetch_one(conn)
    .await
    .named("count links")
}

/// Revokes all links of a ticket; gives how many there were.
pub async fn revoke(
    conn: &mut AnyConnection,
    ticket_id: &str,
    now_ms: i64,
) -> Result<u64, DbError> {
    sqlx::query(
        "UPDATE ticket_links SET revoked_ms = $1 WHERE ticket_id = $2 AND revoked_ms IS NULL",
    )
    .bind(now_ms)
    .bind(ticket_id.to_owned())
    .execute(conn)
    .await
    .named("revoke links")
    .map(|done| done.rows_affected())
}

/// Notes that somebody looks at a bundle; again within `fresh_ms` is no news and writes nothing.
pub async fn view(
    conn: &mut AnyConnection,
    (bundle_id, ticket_id, viewer): (&str, &str, &str),
    (now_ms, fresh_ms): (i64, i64),
) -> Result<bool, DbError> {
    sqlx::query(
        "INSERT INTO bundle_views (bundle_id, ticket_id, viewer, first_ms, last_ms) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (bundle_id, viewer) DO UPDATE SET last_ms = $4 WHERE bundle_views.last_ms <= $5",
    )
    .bind(bundle_id.to_owned())
    .bind(ticket_id.to_owned())
    .bind(viewer.to_owned())
    .bind(now_ms)
    .bind(now_ms - fresh_ms)
    .execute(conn)
    .await
    .named("note a view of a bundle")
    .map(|done| done.rows_affected() == 1)
}

/// When somebody last looked at a bundle.
pub async fn seen(
    conn: &mut AnyConnection,
    bundle_id: &str,
    viewer: &str,
) -> Result<Option<i64>, DbError> {
    sqlx::query_scalar("SELECT last_ms FROM bundle_views WHERE bundle_id = $1 AND viewer = $2")
        .bind(bundle_id.to_owned())
        .bind(viewer.to_owned())
        .fetch_optional(conn)
        .await
        .named("look for a view of a bundle")
}

/// Who looked at the bundles of a ticket, latest first.
pub async fn views(conn: &mut AnyConnection, ticket_id: &str) -> Result<Vec<ViewRow>, DbError> {
    sqlx::query_as(
        "SELECT bundle_id, viewer, first_ms, last_ms FROM bundle_views WHERE ticket_id = $1 \
         ORDER BY last_ms DESC, viewer LIMIT 500",
    )
    .bind(ticket_id.to_owned())
    .fetch_all(conn)
    .await
    .named("list views of bundles")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing::{add_ticket, on_both};

    #[tokio::test]
    async fn links_end_when_they_are_revoked() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            for (id, expires_ms) in [("1", 100), ("2", 200)] {
                let row = LinkRow {
                    id: id.into(),
                    ticket_id: "t".into(),
                    selector: format!("S{id}"),
                    expires_ms,
                    ..LinkRow::default()
                };
                insert(&mut tx, &row).await.unwrap();
            }
            assert_eq!(valid(&mut tx, "t", 100).await.unwrap(), 1);
            let found = find_by_selector(&mut tx, "S1").await.unwrap().unwrap();
            assert_eq!((found.id.as_str(), found.revoked_ms), ("1", None));
            assert_eq!(revoke(&mut tx, "t", 5).await.unwrap(), 2);
            assert_eq!(revoke(&mut tx, "t", 6).await.unwrap(), 0);
            assert_eq!(valid(&mut tx, "t", 50).await.unwrap(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_view_is_noted_once_in_a_while() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            for (now, noted) in [(100, true), (105, false), (120, true)] {
                let told = view(&mut tx, ("b", "t", "Lin"), (now, 10)).await.unwrap();
                assert_eq!(told, noted, "{now}");
            }
            assert_eq!(seen(&mut tx, "b", "Lin").await.unwrap(), Some(120));
            assert_eq!(seen(&mut tx, "b", "Chen").await.unwrap(), None);
            let all = views(&mut tx, "t").await.unwrap();
            assert_eq!((all.len(), all[0].first_ms, all[0].last_ms), (1, 100, 120));
        })
        .await;
    }
}
