//! Tickets that belong together: duplicates of one, and many with one problem.

use serde_json::json;

use super::model::{Happened, Resolution, Status, words};
use super::undo::{self, Fields, Reversal};
use super::{Caller, Opened, append, event, key, lifecycle, with_data};
use crate::db::DbError;
use crate::db::lifecycle as lives;
use crate::db::tickets::{self as rows, TicketRow};
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

words! {
    /// What a ticket is to the one it belongs to.
    Relation {
        /// The same customer's same problem: it is closed, work goes on in the other one.
        Duplicate = "duplicate",
        /// Another customer's: it stays open and gets its solution from the other one.
        Problem = "problem",
    }
}

/// Puts a ticket under another one.
pub async fn relate(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    main_key: &str,
    relation: Relation,
) -> AppResult<TicketRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_key).await?;
    let main = Opened::load(&mut tx, main_key)
        .await
        .map_err(|_| AppError::invalid("main", "is not a ticket"))?;
    if main.row.id == ticket.row.id {
        return Err(AppError::invalid("main", "is the ticket itself"));
    }
    // One level: what belongs to something has nothing under it.
    let under = lives::related(&mut tx, &ticket.row.id).await?;
    if main.life.main_id.is_some() || !under.is_empty() {
        let detail =
            "one of the two belongs to a third ticket, or has others under it: name that one";
        return Err(AppError::conflict("already_related", detail));
    }
    let before = Fields::of(&ticket);
    ticket.life.main_id = Some(main.row.id.clone());
    ticket.life.relation = Some(relation.word().to_owned());
    let pairs = [(&ticket.row, &main.row), (&main.row, &ticket.row)];
    for (of, other) in pairs {
        let body = format!("{} {}", key(other), other.title);
        let happened = event(now, &of.id, Happened::Merged, false, &caller.actor, &body);
        let data = json!({"ticket": key(other), "relation": relation.word()});
        append(&mut tx, &with_data(happened, &data)).await?;
    }
    if relation == Relation::Duplicate {
        if ticket.life.cause.is_empty() {
            ticket.life.cause = if main.life.cause.is_empty() {
                "unknown".to_owned()
            } else {
                main.life.cause.clone()
            };
        }
        ticket.life.resolution = Resolution::Duplicate.word().to_owned();
        lifecycle::move_to(&mut tx, &mut ticket, Status::Closed, &caller.actor, now).await?;
    }
    ticket.store(&mut tx, now).await?;
    keep(&mut tx, caller, (&before, &ticket), now).await?;
    rows::touch(&mut tx, &main.row.id, now).await?;
    let object = format!("{} {}", key(&ticket.row), key(&main.row));
    caller
        .audit(&mut tx, state, "ticket.merge", &object)
        .await?;
    tx.commit().await?;
    Ok(ticket.row)
}

/// Takes a ticket out again; a closed duplicate stays closed until somebody opens it.
pub async fn part(state: &AppState, caller: &Caller, ticket_key: &str) -> AppResult<TicketRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_key).await?;
    let before = Fields::of(&ticket);
    if ticket.life.main_id.take().is_some() {
        ticket.life.relation = None;
        let happened = event(
            now,
            &ticket.row.id,
            Happened::Merged,
            false,
            &caller.actor,
            "–",
        );
        append(&mut tx, &happened).await?;
        ticket.store(&mut tx, now).await?;
        keep(&mut tx, caller, (&before, &ticket), now).await?;
        caller
            .audit(&mut tx, state, "ticket.part", &key(&ticket.row))
            .await?;
    }
    tx.commit().await?;
    Ok(ticket.row)
}

async fn keep(
    conn: &mut AnyConnection,
    caller: &Caller,
    (before, ticket): (&Fields, &Opened),
    now: i64,
) -> Result<(), DbError> {
    let what = Reversal::of_fields(before, ticket);
    undo::keep(conn, caller, (&ticket.row.id, true), &what, now).await
}

/// The tickets that have a ticket's problem and are not closed.
pub(super) async fn open_parts(conn: &mut AnyConnection, main_id: &str) -> AppResult<Vec<Opened>> {
    let mut parts = Vec::new();
    for other in lives::related(conn, main_id).await? {
        if other.relation == Relation::Problem.word() && other.status != Status::Closed.word() {
            parts.push(Opened::load(conn, &other.id).await?);
        }
    }
    Ok(parts)
}
