//! Tags of tickets: their form, and adding and removing them.

use sqlx::AnyConnection;

use super::model::Happened;
use super::{Change, one_line};
use crate::db::DbError;
use crate::db::tickets as rows;
use crate::error::{AppError, AppResult};

/// Adds and removes the tags of a change, each with its event.
pub(super) async fn tag_events(
    conn: &mut AnyConnection,
    ticket_id: &str,
    change: &Change,
    now_ms: i64,
    events: &mut Vec<(Happened, String)>,
) -> AppResult<()> {
    for tag in change.add_tags.iter().flatten() {
        let tag = tag_word(tag)?;
        if rows::add_tag(conn, ticket_id, &tag, "person", now_ms).await? {
            events.push((Happened::Tags, format!("+{tag}")));
        }
    }
    for tag in change.remove_tags.iter().flatten() {
        let tag = tag_word(tag)?;
        if rows::remove_tag(conn, ticket_id, &tag).await? {
            events.push((Happened::Tags, format!("−{tag}")));
        }
    }
    Ok(())
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
