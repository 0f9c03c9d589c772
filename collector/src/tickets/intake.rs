//! Intake: what a new ticket says, and how it is created.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::model::{Audience, Happened, Impact, Priority, Status, Urgency};
use super::{Caller, append, event, key, one_line, text};
use crate::db::lifecycle::{self as lives, LifeRow};
use crate::db::tickets::{self as rows, TicketRow};
use crate::error::AppResult;
use crate::state::{AppState, new_id};

/// What a new ticket says: title and the intake questions.
#[derive(Debug, Clone, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// One line.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// Customer's name.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub customer: String,
    /// Whom to answer.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub contact: String,
    /// Customer's language: `en` or `zh-CN`.
    #[serde(default)]
    #[schema(max_length = 20)]
    pub language: String,
    /// How the customer is spoken to.
    #[serde(default)]
    pub audience: Option<Audience>,
    /// Product concerned.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub product: String,
    /// Part of the product, or kind of problem.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub category: String,
    /// Group that works on it.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub team: String,
    /// Login of the person in charge.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub owner: String,
    /// What was expected.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub expected: String,
    /// What happened.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub happened: String,
    /// Since when and how often.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub since: String,
    /// Exact text of the error.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub error_text: String,
    /// What changed before.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub changed: String,
    /// What was tried.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub tried: String,
    /// How many are hit.
    #[serde(default)]
    pub impact: Option<Impact>,
    /// How long it can wait.
    #[serde(default)]
    pub urgency: Option<Urgency>,
}

/// Creates a ticket with its first event.
pub async fn create(state: &AppState, caller: &Caller, new: &NewTicket) -> AppResult<TicketRow> {
    let mut tries = 0;
    loop {
        let mut tx = state.db.begin().await?;
        match create_on(&mut tx, state, caller, new).await {
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

/// The same in the caller's transaction. Its error is [`crate::error::AppError::is_taken`] when it has to be done again.
pub(crate) async fn create_on(
    conn: &mut AnyConnection,
    state: &AppState,
    caller: &Caller,
    new: &NewTicket,
) -> AppResult<TicketRow> {
    let mut row = checked(state, caller, new)?;
    let team = text("team", &new.team, 0, 80)?;
    let now = row.created_ms;
    if let Some((id, name)) = super::change::owner(conn, &new.owner).await? {
        (row.owner_id, row.owner_name) = (Some(id), Some(name));
    }
    row.number = rows::next_number(conn).await?;
    rows::insert(conn, &row).await?;
    let life = LifeRow {
        id: row.id.clone(),
        team,
        audience: new.audience.unwrap_or(Audience::Plain).word().to_owned(),
        running_ms: Some(now),
        ..LifeRow::default()
    };
    lives::update(conn, &life).await?;
    let created = event(now, &row.id, Happened::Created, true, &caller.actor, "");
    append(conn, &created).await?;
    caller
        .audit(conn, state, "ticket.create", &key(&row))
        .await?;
    Ok(row)
}

fn checked(state: &AppState, caller: &Caller, new: &NewTicket) -> AppResult<TicketRow> {
    let impact = new.impact.unwrap_or(Impact::Medium);
    let urgency = new.urgency.unwrap_or(Urgency::Medium);
    let long = |field: &str, value: &str| text(field, value, 0, 20_000);
    let short = |field: &str, value: &str| text(field, value, 0, 200);
    let now = state.now_ms();
    Ok(TicketRow {
        id: new_id(),
        title: one_line(&text("title", &new.title, 1, 200)?),
        status: Status::New.word().to_owned(),
        priority: Priority::of(impact, urgency).word().to_owned(),
        impact: impact.word().to_owned(),
        urgency: urgency.word().to_owned(),
        customer: short("customer", &new.customer)?,
        contact: short("contact", &new.contact)?,
        language: text("language", &new.language, 0, 20)?,
        product: short("product", &new.product)?,
        category: short("category", &new.category)?,
        expected: long("expected", &new.expected)?,
        happened: long("happened", &new.happened)?,
        since: long("since", &new.since)?,
        error_text: long("error_text", &new.error_text)?,
        changed: long("changed", &new.changed)?,
        tried: long("tried", &new.tried)?,
        created_by: caller.actor.name().to_owned(),
        created_ms: now,
        updated_ms: now,
        ..TicketRow::default()
    })
}
