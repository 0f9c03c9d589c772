//! Diagnosis: attempts with what came of them, pinned lines, and what a bundle does not hold and how to get it.

use serde::{Deserialize, Serialize};
use sitrep_shared::bundle::manifest::{Item, Manifest, Outcome};

use super::model::{Happened, words};
use super::undo::{self, Reversal};
use super::{Caller, append, event, key, load_on, text};
use crate::db::diagnosis::{self as rows, AttemptRow, PinRow};
use crate::db::tickets;
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// Longest pinned line, in characters.
const LINE_MAX: usize = 2_000;
/// Things that are missing and named.
const MISSING_MAX: usize = 8;

words! {
    /// What came of a hypothesis.
    Verdict {
        /// Nothing yet.
        Open = "open",
        /// It was so.
        Confirmed = "confirmed",
        /// It was not so.
        Refuted = "refuted",
    }
}

/// An attempt as it is written down.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// What is thought to be wrong.
    #[schema(min_length = 1, max_length = 2_000)]
    pub hypothesis: String,
    /// What was done to find out.
    #[serde(default)]
    #[schema(max_length = 5_000)]
    pub action: String,
    /// What came of it.
    #[serde(default)]
    #[schema(max_length = 5_000)]
    pub result: String,
    /// Whether it was so.
    #[serde(default)]
    pub state: Option<Verdict>,
}

/// Notes an attempt, or, with its id, what came of it.
pub async fn note_attempt(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    id: Option<&str>,
    attempt: &Attempt,
) -> AppResult<AttemptRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let ticket = load_on(&mut tx, ticket_key).await?;
    let row = AttemptRow {
        id: id.map_or_else(new_id, str::to_owned),
        ticket_id: ticket.id.clone(),
        hypothesis: text("hypothesis", &attempt.hypothesis, 1, 2_000)?,
        action: text("action", &attempt.action, 0, 5_000)?,
        result: text("result", &attempt.result, 0, 5_000)?,
        state: attempt.state.unwrap_or(Verdict::Open).word().to_owned(),
        made_by: caller.actor.name().to_owned(),
        created_ms: now,
        updated_ms: now,
    };
    if id.is_none() {
        rows::add_attempt(&mut tx, &row).await?;
    } else if !rows::change_attempt(&mut tx, &row).await? {
        return Err(AppError::not_found("attempt"));
    }
    let parts = [&row.hypothesis, &row.action, &row.result];
    let body: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|p| !p.is_empty())
        .collect();
    let happened = event(
        now,
        &ticket.id,
        Happened::Attempt,
        false,
        &caller.actor,
        &body.join(" → "),
    );
    append(&mut tx, &happened).await?;
    tickets::touch(&mut tx, &ticket.id, now).await?;
    caller
        .audit(&mut tx, state, "ticket.attempt", &key(&ticket))
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// A line to be pinned.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPin {
    /// Id of the bundle.
    pub bundle: String,
    /// Path of the file in it.
    #[schema(min_length = 1, max_length = 4_000)]
    pub file: String,
    /// The line, from 1.
    #[schema(minimum = 1)]
    pub line: i64,
    /// Its text.
    #[serde(default)]
    pub text: String,
    /// Why it counts.
    #[serde(default)]
    #[schema(max_length = 2_000)]
    pub note: String,
}

/// Pins a line of a bundle of the ticket. Twice is as once.
pub async fn pin(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    new: &NewPin,
) -> AppResult<PinRow> {
    let now = state.now_ms();
    let bundle = uuid::Uuid::parse_str(&new.bundle).map_err(|_| AppError::not_found("bundle"))?;
    let found = state.bundles.find(bundle).await?;
    let mut tx = state.db.begin().await?;
    let ticket = load_on(&mut tx, ticket_key).await?;
    let found = found.filter(|row| row.ticket_id == ticket.id);
    let found = found.ok_or_else(|| AppError::not_found("bundle of this ticket"))?;
    if new.line < 1 {
        return Err(AppError::invalid("line", "counts from 1"));
    }
    let line = new.text.replace('\0', "\u{fffd}");
    let row = PinRow {
        id: new_id(),
        ticket_id: ticket.id.clone(),
        bundle_id: found.id,
        file: text("file", &new.file, 1, 4_000)?,
        line: new.line,
        text: line.chars().take(LINE_MAX).collect(),
        note: text("note", &new.note, 0, 2_000)?,
        pinned_by: caller.actor.name().to_owned(),
        created_ms: now,
    };
    if rows::pin(&mut tx, &row).await? {
        // Without the line's text, which goes when its bundle goes.
        let body = format!("{}:{}", row.file, row.line);
        let happened = event(now, &ticket.id, Happened::Pin, false, &caller.actor, &body);
        append(&mut tx, &happened).await?;
        tickets::touch(&mut tx, &ticket.id, now).await?;
        let what = Reversal::of_pin(&row);
        undo::keep(&mut tx, caller, (&ticket.id, true), &what, now).await?;
    }
    tx.commit().await?;
    Ok(row)
}

/// Takes a pin off.
pub async fn unpin(state: &AppState, caller: &Caller, ticket_key: &str, id: &str) -> AppResult<()> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let ticket = load_on(&mut tx, ticket_key).await?;
    let row = rows::find_pin(&mut tx, &ticket.id, id).await?;
    let row = row.ok_or_else(|| AppError::not_found("pin"))?;
    rows::unpin(&mut tx, &ticket.id, id).await?;
    let body = format!("− {}:{}", row.file, row.line);
    let happened = event(now, &ticket.id, Happened::Pin, false, &caller.actor, &body);
    append(&mut tx, &happened).await?;
    tickets::touch(&mut tx, &ticket.id, now).await?;
    let what = Reversal::of_unpin(row);
    undo::keep(&mut tx, caller, (&ticket.id, true), &what, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Something that a bundle does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Missing {
    /// What was asked for.
    pub what: String,
    /// The outcome: `denied`, `timed_out` …
    pub outcome: String,
    /// Why it did not come.
    pub why: String,
    /// How it would come: `root`, `time`, `ask` or empty.
    pub remedy: String,
}

/// What did not come and could: sorted by what would get it.
pub fn missing(manifest: &Manifest) -> Vec<Missing> {
    let mut all: Vec<Missing> = manifest.items.iter().filter_map(lack).collect();
    all.sort_by(|a, b| a.remedy.cmp(&b.remedy).then_with(|| a.what.cmp(&b.what)));
    all.dedup();
    all.truncate(MISSING_MAX);
    all
}

fn lack(item: &Item) -> Option<Missing> {
    let root = item.needs.as_deref() == Some("root");
    let remedy = match item.outcome {
        Outcome::Denied => "root",
        Outcome::Skipped | Outcome::Partial | Outcome::Failed if root => "root",
        Outcome::TimedOut => "time",
        Outcome::Refused => "ask",
        Outcome::Failed => "",
        // What is not there, or not meant to be there, is not missing.
        _ => return None,
    };
    let word = serde_json::to_value(item.outcome).ok()?;
    Some(Missing {
        what: item.origin.clone(),
        outcome: word.as_str()?.to_owned(),
        why: item.reason.clone().unwrap_or_default(),
        remedy: remedy.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_how_it_would_come() {
        let item = |origin: &str, outcome, needs: Option<&str>| Item {
            origin: origin.into(),
            outcome,
            needs: needs.map(str::to_owned),
            ..Item::default()
        };
        let manifest = Manifest {
            items: vec![
                item("/var/log/kern.log", Outcome::Denied, Some("root")),
                item("dmesg", Outcome::Skipped, Some("root")),
                item("lsof", Outcome::TimedOut, None),
                item("/etc/nginx", Outcome::Absent, None),
                item("/etc/hosts", Outcome::Collected, None),
                item("/var/log/big", Outcome::Partial, None),
            ],
            ..Manifest::default()
        };
        let told: Vec<_> = missing(&manifest)
            .into_iter()
            .map(|m| (m.what, m.remedy))
            .collect();
        let expected = [
            ("/var/log/kern.log", "root"),
            ("dmesg", "root"),
            ("lsof", "time"),
        ];
        assert_eq!(told, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
