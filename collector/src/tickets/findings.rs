//! Auto-tagging: what the findings of a bundle do to its ticket, without anyone asking, and how it is taken back.
//!
//! Only findings that stand do anything: none of a signature in shadow, none that is suppressed, none that a person
//! dismissed.

use serde_json::json;
use sqlx::AnyConnection;

use super::model::{Happened, Priority};
use super::tag_rules;
use super::{add_tags, append, event, with_data};
use crate::auth::Actor;
use crate::db::DbError;
use crate::db::findings::{self, FindingRow};
use crate::db::tickets::{self as rows, TicketRow};

/// Tags the ticket, raises its priority, notes the worst finding, adds one event. Twice is as once.
///
/// # Errors
/// When the database refuses.
pub async fn apply_findings(
    conn: &mut AnyConnection,
    now: i64,
    ticket_id: &str,
    found: &[FindingRow],
) -> Result<(), DbError> {
    let Some(mut ticket) = rows::find(conn, ticket_id).await? else {
        return Ok(());
    };
    let found: Vec<&FindingRow> = found.iter().filter(|row| row.stands()).collect();
    let Some(worst) = found.iter().min_by_key(|row| row.severity_rank) else {
        return Ok(());
    };
    let asked = tag_rules::asked(conn, &ticket, &found).await?;
    let wanted: Vec<String> = asked.set.into_keys().collect();
    let new = add_tags(conn, ticket_id, &wanted, "finding", now).await?;
    let asked = found
        .iter()
        .filter_map(|row| Priority::for_severity(&row.severity))
        .min();
    let raised = asked.filter(|p| Priority::parse(&ticket.priority).is_none_or(|old| *p < old));
    let changed = note_worst(conn, &mut ticket, now).await?;
    if new.is_empty() && raised.is_none() && !changed {
        return Ok(());
    }
    let mut body = found
        .iter()
        .map(|row| format!("{} {}", row.signature_id, row.title))
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
        ticket.category = category(worst);
    }
    ticket.updated_ms = now;
    rows::update(conn, &ticket).await?;
    let ids: Vec<&str> = found.iter().map(|row| row.signature_id.as_str()).collect();
    let happened = event(
        now,
        ticket_id,
        Happened::Findings,
        false,
        &Actor::System,
        &body,
    );
    let data = json!({"signatures": ids, "tags": new});
    append(conn, &with_data(happened, &data)).await
}

/// Brings a ticket in line with the findings that still stand: tags that findings set and none asks for any more, not
/// even as a proposal, go, and the worst finding is noted anew. Tags that a person set stay. Gives the tags that went.
///
/// # Errors
/// When the database refuses.
pub async fn retract_findings(
    conn: &mut AnyConnection,
    now: i64,
    ticket_id: &str,
) -> Result<Vec<String>, DbError> {
    let Some(mut ticket) = rows::find(conn, ticket_id).await? else {
        return Ok(Vec::new());
    };
    let all = findings::of_ticket(conn, ticket_id, now).await?;
    let stand: Vec<&FindingRow> = all.iter().filter(|row| row.stands()).collect();
    let asked = tag_rules::asked(conn, &ticket, &stand).await?;
    let mut gone = Vec::new();
    for (tag, source) in rows::tags(conn, ticket_id).await? {
        if source == "finding" && !asked.has(&tag) {
            rows::remove_tag(conn, ticket_id, &tag).await?;
            gone.push(tag);
        }
    }
    if note_worst(conn, &mut ticket, now).await? || !gone.is_empty() {
        ticket.updated_ms = now;
        rows::update(conn, &ticket).await?;
    }
    Ok(gone)
}

/// Notes the worst finding of all its bundles on the ticket; says whether it is another one.
async fn note_worst(
    conn: &mut AnyConnection,
    ticket: &mut TicketRow,
    now: i64,
) -> Result<bool, DbError> {
    let all = findings::of_ticket(conn, &ticket.id, now).await?;
    let worst = all.iter().find(|row| row.stands());
    let top = worst.map(|row| format!("{} {}", row.signature_id, row.title));
    let changed = ticket.top_finding != top;
    ticket.top_finding = top;
    Ok(changed)
}

fn category(row: &FindingRow) -> String {
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
    body["category"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::super::tags::{of_findings, tag_events};
    use super::*;
    use crate::db::findings::{Judged, NewFinding};
    use crate::db::testing::{add_ticket, on_both};

    fn finding(id: &str, rank: i64, shadow: bool) -> NewFinding {
        NewFinding {
            signature_id: id.into(),
            severity: ["critical", "high"][rank as usize].into(),
            severity_rank: rank,
            title: format!("Title of {id}"),
            body: format!(
                r#"{{"auto_tag":["of-{}","all"],"category":"disk"}}"#,
                id.to_lowercase()
            ),
            shadow,
        }
    }

    async fn tags(conn: &mut AnyConnection) -> Vec<String> {
        let tags = rows::tags(conn, "t").await.unwrap();
        tags.into_iter().map(|(tag, _)| tag).collect()
    }

    #[tokio::test]
    async fn shadow_does_nothing_and_what_is_dismissed_is_taken_back() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            add_ticket(&mut tx, "t").await;
            rows::add_tag(&mut tx, "t", "by-hand", "person", 1)
                .await
                .unwrap();
            let hidden = [finding("SIG-9", 0, true)];
            findings::replace(&mut tx, ("b", "t"), &hidden, 1)
                .await
                .unwrap();
            let rows_of =
                async |conn: &mut AnyConnection| findings::of_bundle(conn, "b", 5).await.unwrap();
            let found = rows_of(&mut tx).await;
            apply_findings(&mut tx, 5, "t", &found).await.unwrap();
            let ticket = rows::find(&mut tx, "t").await.unwrap().unwrap();
            assert_eq!(
                (ticket.top_finding, ticket.priority.as_str()),
                (None, "normal")
            );
            assert_eq!(tags(&mut tx).await, ["by-hand"], "shadow tags nothing");
            let shown = [
                finding("SIG-1", 0, false),
                finding("SIG-2", 1, false),
                finding("SIG-9", 0, true),
            ];
            findings::replace(&mut tx, ("b", "t"), &shown, 1)
                .await
                .unwrap();
            let found = rows_of(&mut tx).await;
            apply_findings(&mut tx, 5, "t", &found).await.unwrap();
            assert_eq!(
                tags(&mut tx).await,
                ["all", "by-hand", "of-sig-1", "of-sig-2"]
            );
            let judged = Judged {
                verdict: Some("dismissed"),
                reason: Some("wrong_match"),
                note: "",
                by: "Ann",
                now_ms: 6,
            };
            findings::judge(&mut tx, &found[0].id, &judged)
                .await
                .unwrap();
            assert_eq!(found[0].signature_id, "SIG-1");
            let gone = retract_findings(&mut tx, 7, "t").await.unwrap();
            assert_eq!(gone, ["of-sig-1"]);
            let ticket = rows::find(&mut tx, "t").await.unwrap().unwrap();
            assert_eq!(ticket.top_finding.as_deref(), Some("SIG-2 Title of SIG-2"));
            assert_eq!(tags(&mut tx).await, ["all", "by-hand", "of-sig-2"]);
        })
        .await;
    }

    #[tokio::test]
    async fn what_people_take_off_is_not_set_again() {
        on_both(async |db| {
            let mut tx = db.begin().await.unwrap();
            let found = [finding("SIG-1", 0, false)];
            for ticket in ["t", "u", "v", "w"] {
                add_ticket(&mut tx, ticket).await;
                findings::replace(&mut tx, (&format!("b-{ticket}"), ticket), &found, 1)
                    .await
                    .unwrap();
            }
            let apply = async |conn: &mut AnyConnection, ticket: &str| {
                let rows = findings::of_ticket(conn, ticket, 5).await.unwrap();
                apply_findings(conn, 5, ticket, &rows).await.unwrap();
                let tags = rows::tags(conn, ticket).await.unwrap();
                tags.into_iter().map(|(tag, _)| tag).collect::<Vec<_>>()
            };
            let off = Change {
                remove_tags: Some(vec!["all".into()]),
                ..Change::default()
            };
            let change = async |conn: &mut AnyConnection, ticket: &str, change: &Change| {
                let row = rows::find(conn, ticket).await.unwrap().unwrap();
                let done = tag_events(conn, &row, change, ("Lin", 5), &mut Vec::new()).await;
                done.unwrap().learnt.len()
            };
            for (ticket, learnt) in [("t", 0), ("u", 0), ("v", 1)] {
                assert_eq!(
                    apply(&mut tx, ticket).await,
                    ["all", "of-sig-1"],
                    "{ticket}"
                );
                assert_eq!(change(&mut tx, ticket, &off).await, learnt, "{ticket}");
                assert_eq!(apply(&mut tx, ticket).await, ["of-sig-1"], "{ticket}");
            }
            assert_eq!(
                apply(&mut tx, "w").await,
                ["of-sig-1"],
                "the signature has learnt"
            );
            let row = rows::find(&mut tx, "w").await.unwrap().unwrap();
            let asked = of_findings(&mut tx, &row, 5).await.unwrap();
            assert!(asked.proposed.contains_key("all"), "it is proposed still");
            // Whoever sets it again takes the lesson back.
            let on = Change {
                add_tags: Some(vec!["all".into()]),
                ..Change::default()
            };
            change(&mut tx, "v", &on).await;
            assert_eq!(apply(&mut tx, "w").await, ["all", "of-sig-1"]);
        })
        .await;
    }
}
