//! Auto-tagging: what the findings of a bundle do to its ticket, without anyone asking.

use std::collections::BTreeSet;

use sqlx::AnyConnection;

use super::model::{Priority, severity_rank};
use super::{add_tags, append, event};
use crate::auth::Actor;
use crate::db::DbError;
use crate::db::tickets as rows;

/// What the ticket needs to know of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Signature, such as `SIG-0001`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// `critical`, `high`, `medium`, `low` or `info`.
    pub severity: String,
    /// Category; the worst finding's becomes the ticket's when it has none.
    pub category: String,
    /// Tags that the signature asks for.
    pub auto_tag: Vec<String>,
}

/// Tags the ticket, raises its priority, notes the worst finding, adds one event. Twice is as once.
pub async fn apply_findings(
    conn: &mut AnyConnection,
    now: i64,
    ticket_id: &str,
    found: &[Found],
) -> Result<(), DbError> {
    let Some(mut ticket) = rows::find(conn, ticket_id).await? else {
        return Ok(());
    };
    let Some(worst) = found.iter().min_by_key(|f| severity_rank(&f.severity)) else {
        return Ok(());
    };
    let wanted: BTreeSet<String> = found
        .iter()
        .flat_map(|f| f.auto_tag.iter().cloned())
        .collect();
    let wanted: Vec<String> = wanted.into_iter().collect();
    let new = add_tags(conn, ticket_id, &wanted, "finding", now).await?;
    let top = format!("{} {}", worst.id, worst.title);
    let asked = found
        .iter()
        .filter_map(|f| Priority::for_severity(&f.severity))
        .min();
    let raised = asked.filter(|p| Priority::parse(&ticket.priority).is_none_or(|old| *p < old));
    if new.is_empty() && raised.is_none() && ticket.top_finding.as_deref() == Some(&top) {
        return Ok(());
    }
    let mut body = found
        .iter()
        .map(|f| format!("{} {}", f.id, f.title))
        .collect::<Vec<_>>()
        .join("\n");
    if !new.is_empty() {
        body.push_str(&format!("\n+{}", new.join(" +")));
    }
    if let Some(priority) = raised {
        body.push_str(&format!("\n{} → {}", ticket.priority, priority.word()));
        ticket.priority = priority.word().to_owned();
    }
    if ticket.category.is_empty() {
        ticket.category = worst.category.clone();
    }
    ticket.top_finding = Some(top);
    ticket.updated_ms = now;
    rows::update(conn, &ticket).await?;
    append(
        conn,
        &event(now, ticket_id, "findings", false, &Actor::System, &body),
    )
    .await
}
