//! Solutions: drafted from an article or a signature's fix in the customer's language and level, proposed, and what the
//! customer says about them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model::{Audience, Happened, Status, words};
use super::{Caller, Opened, append, event, key, lifecycle, merge, text, with_data};
use crate::db::findings;
use crate::db::solutions::{self as rows, SolutionRow};
use crate::error::{AppError, AppResult};
use crate::knowledge;
use crate::state::{AppState, new_id};

words! {
    /// What the customer says about a solution.
    Outcome {
        /// It worked.
        Worked = "worked",
        /// It did not.
        Failed = "failed",
    }
}

/// A solution as it is proposed, or drafted.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Solution {
    /// `article:<short name>` or `signature:<id>` it comes from; empty for none.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub source: String,
    /// One line.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// What to do, a step a line.
    #[schema(min_length = 1, max_length = 20_000)]
    pub steps: String,
    /// How to see that it worked.
    #[serde(default)]
    #[schema(max_length = 5_000)]
    pub success: String,
    /// How to undo it.
    #[serde(default)]
    #[schema(max_length = 5_000)]
    pub rollback: String,
    /// Also to the tickets that have the same problem.
    #[serde(default)]
    pub to_all: bool,
}

/// What a source offers this ticket's customer, in their language and for their level.
pub async fn draft(state: &AppState, ticket: &Opened, source: &str) -> AppResult<Solution> {
    let language = language_of(&ticket.row.language);
    let audience = Audience::parse(&ticket.life.audience).unwrap_or(Audience::Plain);
    match source.split_once(':') {
        Some(("article", slug)) => {
            let mut conn = state.db.read().await?;
            knowledge::offer(&mut conn, slug, language, audience).await
        }
        Some(("signature", id)) => {
            let mut conn = state.db.read().await?;
            let all = findings::of_ticket(&mut conn, &ticket.row.id, state.now_ms()).await?;
            let found = all.iter().find(|row| row.signature_id == id);
            let found = found.ok_or_else(|| AppError::not_found("finding on this ticket"))?;
            let body: Value = serde_json::from_str(&found.body).unwrap_or_default();
            let steps = fix(&body, language, audience).join("\n");
            Ok(Solution {
                source: source.to_owned(),
                title: found.title.clone(),
                steps,
                ..Solution::default()
            })
        }
        _ => Err(AppError::not_found("source of a solution")),
    }
}

/// The language of texts for a ticket's customer.
pub fn language_of(ticket: &str) -> &'static str {
    if ticket.starts_with("zh") {
        "zh-CN"
    } else {
        "en"
    }
}

/// The steps of a finding for a reader; other levels, then English, when there are none.
pub fn fix(body: &Value, language: &str, audience: Audience) -> Vec<String> {
    let short = if language.starts_with("zh") {
        "zh"
    } else {
        "en"
    };
    let other = match audience {
        Audience::Plain => Audience::Expert,
        Audience::Expert => Audience::Plain,
    };
    let order = [
        (audience, short),
        (other, short),
        (audience, "en"),
        (other, "en"),
    ];
    let steps = order
        .iter()
        .filter_map(|(who, lang)| body["fix"][who.word()][lang].as_array())
        .find(|steps| !steps.is_empty());
    let steps = steps.into_iter().flatten().filter_map(Value::as_str);
    let steps: Vec<String> = steps.map(str::to_owned).collect();
    match body["mitigation"].as_str() {
        Some(text) if steps.is_empty() => text.lines().map(str::to_owned).collect(),
        _ => steps,
    }
}

/// Proposes a solution to the customer; the ticket is solved until they say otherwise.
pub async fn propose(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    new: &Solution,
) -> AppResult<SolutionRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let main = Opened::load(&mut tx, ticket_key).await?;
    let mut tickets = vec![main];
    if new.to_all {
        let others = merge::open_parts(&mut tx, &tickets[0].row.id).await?;
        tickets.extend(others);
    }
    let mut first = None;
    for ticket in &mut tickets {
        let row = SolutionRow {
            id: new_id(),
            ticket_id: ticket.row.id.clone(),
            source: text("source", &new.source, 0, 200)?,
            title: text("title", &new.title, 1, 200)?,
            steps: text("steps", &new.steps, 1, 20_000)?,
            success: text("success", &new.success, 0, 5_000)?,
            rollback: text("rollback", &new.rollback, 0, 5_000)?,
            language: language_of(&ticket.row.language).to_owned(),
            audience: ticket.life.audience.clone(),
            proposed_by: caller.actor.name().to_owned(),
            created_ms: now,
            ..SolutionRow::default()
        };
        rows::insert(&mut tx, &row).await?;
        let body = format!("{}\n{}", row.title, row.steps);
        let happened = event(
            now,
            &row.ticket_id,
            Happened::Proposed,
            true,
            &caller.actor,
            &body,
        );
        let data = json!({"solution": row.id, "source": row.source});
        append(&mut tx, &with_data(happened, &data)).await?;
        ticket.life.replied_ms = ticket.life.replied_ms.or(Some(now));
        // What was promised is done; what comes next is the customer's.
        ticket.life.next_step.clear();
        ticket.life.promised_ms = None;
        if !lifecycle::move_to(&mut tx, ticket, Status::Solved, &caller.actor, now).await? {
            ticket.life.solved_ms = Some(now);
        }
        ticket.store(&mut tx, now).await?;
        caller
            .audit(&mut tx, state, "solution.propose", &key(&ticket.row))
            .await?;
        first.get_or_insert(row);
    }
    tx.commit().await?;
    first.ok_or_else(|| AppError::not_found("ticket"))
}

/// Notes what the customer says about a solution. What did not work opens the ticket again.
pub async fn judge(
    state: &AppState,
    caller: &Caller,
    (ticket_key, solution): (&str, &str),
    outcome: Outcome,
    note: &str,
) -> AppResult<()> {
    let note = text("note", note, 0, 5_000)?;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_key).await?;
    let names = (&*ticket.row.id, solution);
    if !rows::judge(&mut tx, names, (outcome.word(), &note), now).await? {
        return Err(AppError::not_found("solution of this ticket"));
    }
    let happened = event(
        now,
        &ticket.row.id,
        Happened::Outcome,
        true,
        &caller.actor,
        &note,
    );
    let data = json!({"solution": solution, "outcome": outcome.word()});
    append(&mut tx, &with_data(happened, &data)).await?;
    let to = match outcome {
        Outcome::Worked if ticket.row.status != Status::Closed.word() => Some(Status::Solved),
        Outcome::Worked => None,
        Outcome::Failed => Some(Status::Open),
    };
    if let Some(to) = to {
        lifecycle::move_to(&mut tx, &mut ticket, to, &caller.actor, now).await?;
    }
    ticket.store(&mut tx, now).await?;
    caller
        .audit(&mut tx, state, "solution.judge", &key(&ticket.row))
        .await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_told_in_the_readers_words_as_far_as_there_are_any() {
        let body = json!({"fix": {"plain": {"en": ["Make room"], "zh": ["腾出空间"]},
            "expert": {"en": ["rm", "df"]}}, "mitigation": "m"});
        for (language, audience, expected) in [
            ("en", Audience::Plain, &["Make room"][..]),
            ("zh-CN", Audience::Plain, &["腾出空间"]),
            ("zh-CN", Audience::Expert, &["腾出空间"]),
            ("en", Audience::Expert, &["rm", "df"]),
        ] {
            assert_eq!(fix(&body, language, audience), expected, "{language}");
        }
        let community = json!({"mitigation": "- restart\n- wait"});
        assert_eq!(
            fix(&community, "en", Audience::Plain),
            ["- restart", "- wait"]
        );
    }
}
