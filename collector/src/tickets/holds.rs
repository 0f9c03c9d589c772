//! Legal holds: what is on hold is deleted by nobody, neither by retention nor by its sender, until a lead lifts it.

use serde_json::json;

use super::{Caller, key, load, text};
use crate::db::bundles;
use crate::db::holds::{self as rows, HoldRow};
use crate::error::{AppError, AppResult};
use crate::state::AppState;

/// What is held.
#[derive(Debug, Clone, Copy)]
pub enum Held<'a> {
    /// All bundles of a ticket, those to come too, by its key or id.
    Ticket(&'a str),
    /// One bundle, by its id.
    Bundle(&'a str),
}

/// A held thing as rows and people name it: the subject, its ticket, its name.
async fn subject(state: &AppState, held: Held<'_>) -> AppResult<(String, String, String)> {
    match held {
        Held::Ticket(ticket) => {
            let row = load(state, ticket).await?;
            Ok((format!("ticket:{}", row.id), row.id.clone(), key(&row)))
        }
        Held::Bundle(id) => {
            let row = bundles::find(&mut *state.db.read().await?, id).await?;
            let row = row.ok_or_else(|| AppError::not_found("bundle"))?;
            Ok((format!("bundle:{}", row.id), row.ticket_id, row.receipt))
        }
    }
}

/// Places a hold. Why is kept with it, and in the audit log.
///
/// # Errors
/// When there is no such thing, it is on hold already, or no reason is given.
pub async fn place(
    state: &AppState,
    caller: &Caller,
    held: Held<'_>,
    reason: &str,
) -> AppResult<HoldRow> {
    let reason = text("reason", reason, 1, 1_000)?;
    let (subject, ticket_id, name) = subject(state, held).await?;
    let row = HoldRow {
        subject,
        ticket_id,
        reason,
        placed_by: caller.actor.name().to_owned(),
        placed_ms: state.now_ms(),
    };
    let mut tx = state.db.begin().await?;
    if !rows::place(&mut tx, &row).await? {
        return Err(AppError::conflict("on_hold", "it is on hold already"));
    }
    let why = json!({"reason": row.reason});
    caller
        .audit_with(&mut tx, state, ("hold.place", &name), &why)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// Lifts a hold. Why is in the audit log.
///
/// # Errors
/// When it is not on hold, or no reason is given.
pub async fn lift(
    state: &AppState,
    caller: &Caller,
    held: Held<'_>,
    reason: &str,
) -> AppResult<()> {
    let reason = text("reason", reason, 1, 1_000)?;
    let (subject, _, name) = subject(state, held).await?;
    let mut tx = state.db.begin().await?;
    if !rows::lift(&mut tx, &subject).await? {
        return Err(AppError::not_found("hold"));
    }
    let why = json!({"reason": reason});
    caller
        .audit_with(&mut tx, state, ("hold.lift", &name), &why)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The holds on a ticket and its bundles, oldest first.
///
/// # Errors
/// When there is no such ticket.
pub async fn list(state: &AppState, ticket: &str) -> AppResult<Vec<HoldRow>> {
    let row = load(state, ticket).await?;
    Ok(rows::of_ticket(&mut *state.db.read().await?, &row.id).await?)
}
