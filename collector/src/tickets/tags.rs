//! Tags of tickets: their form, and adding and removing them.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::AnyConnection;

use super::model::Happened;
use super::tag_rules::{self, Asked};
use super::{Change, append, event, one_line, with_data};
use crate::auth::Actor;
use crate::db::findings::{self, FindingRow};
use crate::db::tag_rules::RuleRow;
use crate::db::tickets::{self as rows, TicketRow};
use crate::db::{DbError, refusals};
use crate::error::{AppError, AppResult};

/// What a change did to the tags of a ticket.
#[derive(Debug, Default)]
pub(super) struct Tagged {
    /// Tags that are new.
    pub added: Vec<String>,
    /// Tags that are gone, and who had set them.
    pub removed: Vec<(String, String)>,
    /// What signatures learnt from it.
    pub learnt: Vec<RuleRow>,
}

/// Adds and removes the tags of a change, each with its event.
pub(super) async fn tag_events(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    change: &Change,
    (by, now_ms): (&str, i64),
    events: &mut Vec<(Happened, String)>,
) -> AppResult<Tagged> {
    let mut done = Tagged::default();
    let id = ticket.id.as_str();
    for tag in change.add_tags.iter().flatten() {
        let tag = tag_word(tag)?;
        refusals::forgive(conn, id, &tag).await?;
        tag_rules::unlearn(conn, ticket, &tag).await?;
        if rows::add_tag(conn, id, &tag, "person", now_ms).await? {
            events.push((Happened::Tags, format!("+{tag}")));
            done.added.push(tag);
        }
    }
    for tag in change.remove_tags.iter().flatten() {
        let tag = tag_word(tag)?;
        let set = rows::tags(conn, id).await?;
        let set = set.into_iter().find(|(known, _)| *known == tag);
        let source = set.as_ref().map(|(_, source)| source.as_str());
        let learnt = refuse(conn, ticket, (&tag, source), (by, now_ms)).await?;
        done.learnt.extend(learnt);
        if rows::remove_tag(conn, id, &tag).await? {
            events.push((Happened::Tags, format!("−{tag}")));
            done.removed.extend(set);
        }
    }
    Ok(done)
}

/// A person takes off what findings set, or does not want what they propose: it is not set or proposed here again, and
/// counts against the signatures that asked for it.
async fn refuse(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    (tag, source): (&str, Option<&str>),
    (by, now_ms): (&str, i64),
) -> AppResult<Vec<RuleRow>> {
    if source == Some("person") {
        return Ok(Vec::new());
    }
    let asked = of_findings(conn, ticket, now_ms).await?;
    for signature in asked.by(tag) {
        refusals::refuse(conn, (&ticket.id, tag, signature), by, now_ms).await?;
    }
    let none = BTreeSet::new();
    let setting = asked.set.get(tag).unwrap_or(&none);
    let learnt = tag_rules::learn(conn, ticket, (tag, setting), now_ms).await?;
    for rule in &learnt {
        let body = format!("{} {tag}", rule.signature_id);
        let happened = event(
            now_ms,
            &ticket.id,
            Happened::Tags,
            false,
            &Actor::System,
            &body,
        );
        let data = json!({"rule": rule.id, "mode": rule.mode, "product": rule.product});
        append(conn, &with_data(happened, &data)).await?;
    }
    Ok(learnt)
}

/// What the findings of a ticket that stand ask for.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn of_findings(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    now_ms: i64,
) -> Result<Asked, DbError> {
    let all = findings::of_ticket(conn, &ticket.id, now_ms).await?;
    let stand: Vec<&FindingRow> = all.iter().filter(|row| row.stands()).collect();
    tag_rules::asked(conn, ticket, &stand).await
}

/// Tags that a signature asks for by itself, as its finding tells.
pub(super) fn own_tags(row: &FindingRow) -> Vec<String> {
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
