//! Follow-ups: a new ticket that goes on from a closed one, linked both ways. It carries the customer and the product;
//! what the old one's bundles tell is a link away. Staff make them, and so does a customer who writes after the time in
//! which their answer opens the old one again.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::AnyConnection;

use super::intake::{self, NewTicket};
use super::model::{Audience, Happened, Impact, Status, Urgency};
use super::{Caller, Opened, append, event, key, with_data};
use crate::db::lifecycle as lives;
use crate::db::tickets::{self as rows, TicketRow};
use crate::error::{AppError, AppResult};
use crate::state::AppState;

/// What a follow-up says.
#[derive(Debug, Clone, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFollowUp {
    /// One line; that of the closed ticket when empty.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub title: String,
    /// What happened now.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub happened: String,
}

/// What a customer's words make of their ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It stays as it is: it is our turn already.
    Stays,
    /// It is opened.
    Opens,
    /// They begin a follow-up.
    Follows,
}

/// What a customer's words make of a ticket now.
pub(crate) fn answer(state: &AppState, row: &TicketRow) -> Answer {
    let within = state.config.resolved.duration("tickets.reopen");
    let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    let over = |closed: i64| state.now_ms().saturating_sub(closed) > within;
    match Status::parse(&row.status) {
        Some(Status::Closed) if row.closed_ms.is_some_and(over) => Answer::Follows,
        Some(Status::Closed | Status::Waiting | Status::Solved) => Answer::Opens,
        _ => Answer::Stays,
    }
}

/// Makes a follow-up of a closed ticket.
pub async fn create(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    new: &NewFollowUp,
) -> AppResult<TicketRow> {
    let mut tries = 0;
    loop {
        let mut tx = state.db.begin().await?;
        let old = Opened::load(&mut tx, ticket_key).await?;
        if old.row.status != Status::Closed.word() {
            let detail = "the ticket is not closed: go on in it, or close it first";
            return Err(AppError::conflict("not_closed", detail));
        }
        match create_on(&mut tx, state, caller, (&old, new)).await {
            // Another replica took the number between the two statements.
            Err(error) if error.is_taken() && tries < 20 => tries += 1,
            Err(error) => return Err(error),
            Ok(row) => {
                tx.commit().await?;
                return Ok(row);
            }
        }
    }
}

/// The same in the caller's transaction, of a ticket that is known to be closed.
pub(crate) async fn create_on(
    conn: &mut AnyConnection,
    state: &AppState,
    caller: &Caller,
    (old, new): (&Opened, &NewFollowUp),
) -> AppResult<TicketRow> {
    let Opened { row, life } = old;
    let title = match new.title.trim() {
        "" => row.title.clone(),
        title => title.to_owned(),
    };
    let carried = NewTicket {
        title,
        happened: new.happened.clone(),
        customer: row.customer.clone(),
        contact: row.contact.clone(),
        language: row.language.clone(),
        audience: Audience::parse(&life.audience),
        product: row.product.clone(),
        category: row.category.clone(),
        team: life.team.clone(),
        impact: Impact::parse(&row.impact),
        urgency: Urgency::parse(&row.urgency),
        ..NewTicket::default()
    };
    let made = intake::create_on(conn, state, caller, &carried).await?;
    lives::follow(conn, &made.id, &row.id).await?;
    let now = state.now_ms();
    for (of, other) in [(row, &made), (&made, row)] {
        let body = format!("{} {}", key(other), other.title);
        let happened = event(now, &of.id, Happened::FollowUp, true, &caller.actor, &body);
        let data = json!({"ticket": key(other), "follows": other.id == row.id});
        append(conn, &with_data(happened, &data)).await?;
    }
    rows::touch(conn, &row.id, now).await?;
    Ok(made)
}
