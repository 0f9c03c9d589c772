//! What a developer can work from: facts, evidence and steps of a ticket as Markdown; and handing it to another group.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::model::{Happened, Status};
use super::undo::{self, Fields, Reversal};
use super::{Caller, Opened, append, event, key, lifecycle, one_line, text, with_data};
use crate::db::diagnosis;
use crate::db::findings;
use crate::db::tickets::TicketRow;
use crate::error::AppResult;
use crate::state::AppState;
use sitrep_shared::time::UtcMs;

/// Lines of evidence of a finding.
const EVIDENCE_MAX: usize = 3;

/// The summary of a ticket. English: it is for developers, and names and lines are not translated anyway.
pub async fn of_ticket(state: &AppState, row: &TicketRow) -> AppResult<String> {
    let mut out = format!("# {} {}\n\n", key(row), row.title);
    let since = UtcMs(row.created_ms).rfc3339();
    let facts = [
        ("Customer", &row.customer),
        ("Product", &row.product),
        ("Category", &row.category),
        ("Priority", &row.priority),
        ("Opened", &since),
    ];
    list(&mut out, "Facts", &facts);
    let problem = [
        ("Happened", &row.happened),
        ("Expected", &row.expected),
        ("Since", &row.since),
        ("Changed before", &row.changed),
        ("Tried by the customer", &row.tried),
    ];
    list(&mut out, "Problem", &problem);
    if !row.error_text.is_empty() {
        fenced(&mut out, &row.error_text);
    }
    let bundles = state.bundles.list_for_ticket(&row.id).await?;
    if !bundles.is_empty() {
        out.push_str("## Bundles\n\n");
        for bundle in &bundles {
            let host = bundle.host.as_deref().unwrap_or(&bundle.filename);
            let received = UtcMs(bundle.received_ms).rfc3339();
            let _ = writeln!(
                out,
                "- {host}, {received}, {}/{} items, sha256 {}: {}/bundles/{}",
                bundle.items_complete, bundle.items_asked, bundle.sha256, state.base_url, bundle.id
            );
        }
        out.push('\n');
    }
    let mut conn = state.db.read().await?;
    let found = findings::of_ticket(&mut conn, &row.id, state.now_ms()).await?;
    let pins = diagnosis::pins(&mut conn, &row.id).await?;
    let attempts = diagnosis::attempts(&mut conn, &row.id).await?;
    drop(conn);
    evidence(&mut out, &found);
    if !pins.is_empty() {
        out.push_str("## Pinned lines\n\n");
        for pin in &pins {
            let _ = writeln!(out, "`{}:{}` {}\n", pin.file, pin.line, pin.note);
            fenced(&mut out, &pin.text);
        }
    }
    if !attempts.is_empty() {
        out.push_str("## Steps so far\n\n");
        for (n, attempt) in attempts.iter().enumerate() {
            let _ = writeln!(
                out,
                "{}. {} ({}): {} → {}",
                n + 1,
                one_line(&attempt.hypothesis),
                attempt.state,
                one_line(&attempt.action),
                one_line(&attempt.result)
            );
        }
    }
    Ok(out.trim_end().to_owned() + "\n")
}

fn list(out: &mut String, title: &str, values: &[(&str, &String)]) {
    if values.iter().all(|(_, value)| value.is_empty()) {
        return;
    }
    let _ = writeln!(out, "## {title}\n");
    for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "- {name}: {}", one_line(value));
    }
    out.push('\n');
}

/// A text as a block whose fence it cannot end.
fn fenced(out: &mut String, text: &str) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "{fence}\n{}\n{fence}\n", text.trim_end());
}

fn evidence(out: &mut String, found: &[findings::FindingRow]) {
    let mut seen = std::collections::HashSet::new();
    let stand = found.iter().filter(|row| row.stands());
    let first: Vec<_> = stand.filter(|row| seen.insert(&row.signature_id)).collect();
    if first.is_empty() {
        return;
    }
    out.push_str("## Findings\n\n");
    for row in first {
        let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
        let _ = writeln!(
            out,
            "### {} {} ({})\n",
            row.signature_id, row.title, row.severity
        );
        for item in body["evidence"]
            .as_array()
            .into_iter()
            .flatten()
            .take(EVIDENCE_MAX)
        {
            let (file, line) = (item["file"].as_str().unwrap_or_default(), &item["line"]);
            let _ = writeln!(out, "`{file}:{line}`\n");
            fenced(out, item["text"].as_str().unwrap_or_default());
        }
    }
}

/// Hands a ticket to another group, with the question that they are to answer.
pub async fn escalate(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    (team, question): (&str, &str),
) -> AppResult<TicketRow> {
    let team = one_line(&text("team", team, 1, 80)?);
    let question = text("question", question, 1, 5_000)?;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_key).await?;
    let before = Fields::of(&ticket);
    let body = format!("{team}: {question}");
    let happened = event(
        now,
        &ticket.row.id,
        Happened::Escalated,
        false,
        &caller.actor,
        &body,
    );
    let data = json!({"team": team, "from": ticket.life.team});
    append(&mut tx, &with_data(happened, &data)).await?;
    ticket.life.team = team;
    // The other group decides who of them it is.
    (ticket.row.owner_id, ticket.row.owner_name) = (None, None);
    lifecycle::move_to(&mut tx, &mut ticket, Status::Open, &caller.actor, now).await?;
    ticket.store(&mut tx, now).await?;
    let what = Reversal::of_fields(&before, &ticket);
    undo::keep(&mut tx, caller, (&ticket.row.id, true), &what, now).await?;
    caller
        .audit(&mut tx, state, "ticket.escalate", &key(&ticket.row))
        .await?;
    tx.commit().await?;
    Ok(ticket.row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_block() {
        let mut out = String::new();
        fenced(&mut out, "a ```` b\n");
        assert_eq!(out, "`````\na ```` b\n`````\n\n");
    }
}
