//! Tags of tickets: their form, and adding and removing them.

use sqlx::AnyConnection;

use super::model::Happened;
use super::{Change, one_line};
use crate::db::findings::{self, FindingRow};
use crate::db::tickets as rows;
use crate::db::{DbError, refusals};
use crate::error::{AppError, AppResult};

/// Adds and removes the tags of a change, each with its event.
pub(super) async fn tag_events(
    conn: &mut AnyConnection,
    ticket_id: &str,
    change: &Change,
    (by, now_ms): (&str, i64),
    events: &mut Vec<(Happened, String)>,
) -> AppResult<()> {
    for tag in change.add_tags.iter().flatten() {
        let tag = tag_word(tag)?;
        refusals::forgive(conn, ticket_id, &tag).await?;
        if rows::add_tag(conn, ticket_id, &tag, "person", now_ms).await? {
            events.push((Happened::Tags, format!("+{tag}")));
        }
    }
    for tag in change.remove_tags.iter().flatten() {
        let tag = tag_word(tag)?;
        learn(conn, (ticket_id, &tag), by, now_ms).await?;
        if rows::remove_tag(conn, ticket_id, &tag).await? {
            events.push((Happened::Tags, format!("−{tag}")));
        }
    }
    Ok(())
}

/// A person takes off what findings set: it is not set here again, and counts against the signatures that asked for it.
async fn learn(
    conn: &mut AnyConnection,
    (ticket_id, tag): (&str, &str),
    by: &str,
    now_ms: i64,
) -> AppResult<()> {
    let set = rows::tags(conn, ticket_id).await?;
    if !set
        .iter()
        .any(|(known, source)| known == tag && source == "finding")
    {
        return Ok(());
    }
    for row in findings::of_ticket(conn, ticket_id, now_ms).await? {
        if row.stands() && asks_for(&row).iter().any(|asked| asked == tag) {
            let what = (ticket_id, tag, row.signature_id.as_str());
            refusals::refuse(conn, what, by, now_ms).await?;
        }
    }
    Ok(())
}

/// Tags that a finding asks for.
pub(super) fn asks_for(row: &FindingRow) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
    let tags = body["auto_tag"].as_array().into_iter().flatten();
    tags.filter_map(|tag| tag_word(tag.as_str()?).ok())
        .collect()
}

/// The stored form of a tag.
pub fn tag_word(tag: &str) -> AppResult<String> {
    let tag = one_line(tag).to_lowercase().replace(' ', "-");
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    if tag.is_empty() || tag.chars().count() > 60 || !tag.chars().all(plain) {
        return Err(AppError::invalid(
            "tag",
            "use 1 to 60 letters, digits and - _ . : /",
        ));
    }
    Ok(tag)
}

/// Adds tags in the caller's transaction; returns those that are new.
pub async fn add_tags(
    conn: &mut AnyConnection,
    ticket_id: &str,
    tags: &[String],
    source: &str,
    now_ms: i64,
) -> Result<Vec<String>, DbError> {
    let mut new = Vec::new();
    for tag in tags {
        if rows::add_tag(conn, ticket_id, tag, source, now_ms).await? {
            new.push(tag.clone());
        }
    }
    Ok(new)
}
