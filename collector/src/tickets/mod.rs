//! Tickets: created, worked on, tagged by findings. Every step is on the timeline and in the audit log.
//!
//! [`append`] is the one way onto the timeline: whoever must know what happens to tickets, connectors among them, learns
//! it there, in the transaction of the change, as one of [`model::Happened`].

pub mod bundles;
pub mod change;
pub mod codes;
pub mod customer;
pub mod diagnosis;
pub mod figures;
pub mod findings;
pub mod follow_up;
pub mod holds;
pub mod intake;
pub mod lifecycle;
pub mod macros;
pub mod merge;
pub mod model;
pub mod seen;
pub mod solution;
pub mod stats;
pub mod summary;
pub mod tag_rules;
pub(crate) mod tags;
pub mod undo;

pub use change::{Change, change};
pub use findings::{apply_findings, retract_findings};
pub use intake::{NewTicket, create};
pub use tags::{add_tags, tag_word};

use std::net::IpAddr;

use serde_json::Value;
use sqlx::AnyConnection;

use crate::audit;
use crate::auth::Actor;
use crate::connectors::outbox;
use crate::db::DbError;
use crate::db::lifecycle::{self as lives, LifeRow};
use crate::db::tickets::{self as rows, TicketRow};
use crate::db::timeline::{self, EventRow};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use model::{Happened, Status};
use sitrep_shared::ids::TicketKey;

/// Trims a text and checks its length in characters; NUL cannot be stored.
pub fn text(field: &str, value: &str, min: usize, max: usize) -> AppResult<String> {
    let value = value.trim();
    if value.contains('\0') {
        return Err(AppError::invalid(field, "must not contain NUL"));
    }
    let length = value.chars().count();
    if length < min {
        return Err(AppError::invalid(field, "must not be empty"));
    }
    if length > max {
        return Err(AppError::invalid(
            field,
            format!("must be at most {max} characters"),
        ));
    }
    Ok(value.to_owned())
}

/// Who calls, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The actor.
    pub actor: Actor,
    /// The client's address.
    pub address: IpAddr,
}

impl Caller {
    /// Appends to the audit log what this caller did.
    pub async fn audit(
        &self,
        conn: &mut AnyConnection,
        state: &AppState,
        action: &str,
        object: &str,
    ) -> Result<(), DbError> {
        let none = serde_json::json!({});
        self.audit_with(conn, state, (action, object), &none).await
    }

    /// Appends what this caller did, and further values.
    pub async fn audit_with(
        &self,
        conn: &mut AnyConnection,
        state: &AppState,
        (action, object): (&str, &str),
        detail: &serde_json::Value,
    ) -> Result<(), DbError> {
        let address = self.address.to_string();
        let event = audit::Event {
            actor: &self.actor,
            action,
            object,
            address: &address,
        };
        audit::record_with(conn, state.db.engine(), state.now_ms(), event, detail).await
    }
}

/// A text without line breaks and double spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `TKT-1042`.
pub fn key(row: &TicketRow) -> String {
    TicketKey::of_number(row.number.unsigned_abs()).to_string()
}

/// The ticket of a key such as `TKT-1042`, or of its id; 404 when there is none.
pub async fn load(state: &AppState, key: &str) -> AppResult<TicketRow> {
    load_on(&mut *state.db.read().await?, key).await
}

async fn load_on(conn: &mut AnyConnection, key: &str) -> AppResult<TicketRow> {
    let none = || AppError::not_found("ticket");
    if let Ok(id) = uuid::Uuid::parse_str(key) {
        return rows::find(conn, &id.to_string()).await?.ok_or_else(none);
    }
    let key = TicketKey::parse(key).map_err(|_| none())?;
    if !key.as_str().starts_with("TKT-") {
        return Err(none());
    }
    let number = i64::try_from(key.number()).map_err(|_| none())?;
    rows::find_by_number(conn, number).await?.ok_or_else(none)
}

/// A ticket and its life, to be changed in a transaction.
pub struct Opened {
    /// The ticket.
    pub row: TicketRow,
    /// Its life.
    pub life: LifeRow,
}

impl Opened {
    /// Reads a ticket to change it.
    pub(crate) async fn load(conn: &mut AnyConnection, key: &str) -> AppResult<Self> {
        let row = load_on(conn, key).await?;
        let life = lives::find(conn, &row.id).await?;
        Ok(Self {
            life: life.ok_or_else(|| AppError::not_found("ticket"))?,
            row,
        })
    }

    /// Writes it back.
    pub(crate) async fn store(
        &mut self,
        conn: &mut AnyConnection,
        now: i64,
    ) -> Result<(), DbError> {
        self.row.updated_ms = now;
        rows::update(conn, &self.row).await?;
        lives::update(conn, &self.life).await
    }
}

/// An event of the timeline, not yet stored.
pub fn event(
    now_ms: i64,
    ticket_id: &str,
    happened: Happened,
    public: bool,
    actor: &Actor,
    body: &str,
) -> EventRow {
    EventRow {
        id: new_id(),
        ticket_id: ticket_id.to_owned(),
        at_ms: now_ms,
        kind: happened.word().to_owned(),
        public: i64::from(public),
        actor_kind: actor.kind().to_owned(),
        actor_name: actor.name().to_owned(),
        body: body.to_owned(),
        data: "{}".to_owned(),
    }
}

/// The same event with values for programs.
pub fn with_data(event: EventRow, data: &Value) -> EventRow {
    EventRow {
        data: data.to_string(),
        ..event
    }
}

/// Appends an event to its ticket's timeline, within the caller's transaction.
pub async fn append(conn: &mut AnyConnection, event: &EventRow) -> Result<(), DbError> {
    append_all(conn, std::slice::from_ref(event)).await
}

/// Appends events to their tickets' timelines.
pub async fn append_all(conn: &mut AnyConnection, events: &[EventRow]) -> Result<(), DbError> {
    timeline::insert_all(conn, events).await?;
    outbox::note(conn, events).await
}

/// What is written on a ticket.
#[derive(Debug, Clone, Copy, Default)]
pub struct Words<'a> {
    /// The text.
    pub body: &'a str,
    /// Whether it is to the customer.
    pub public: bool,
    /// The status that goes with it.
    pub then: Option<Status>,
    /// Also to the customers of the tickets that have this one's problem and are not closed.
    pub to_all: bool,
}

/// Writes on a ticket, internally or to its customer.
pub async fn note(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    words: Words<'_>,
) -> AppResult<EventRow> {
    let body = text("body", words.body, 1, 20_000)?;
    if words.then == Some(Status::Closed) {
        return Err(AppError::invalid(
            "status",
            "closing needs a cause and a resolution",
        ));
    }
    if words.to_all && !words.public {
        return Err(AppError::invalid(
            "to_all",
            "is for replies to customers; a note stands on one ticket",
        ));
    }
    let mut tx = state.db.begin().await?;
    let mut tickets = vec![Opened::load(&mut tx, ticket_key).await?];
    if words.to_all {
        let others = merge::open_parts(&mut tx, &tickets[0].row.id).await?;
        tickets.extend(others);
    }
    let mut first = None;
    for ticket in &mut tickets {
        let event = write(&mut tx, state, caller, ticket, (&body, words)).await?;
        first.get_or_insert(event);
    }
    tx.commit().await?;
    first.ok_or_else(|| AppError::not_found("ticket"))
}

async fn write(
    conn: &mut AnyConnection,
    state: &AppState,
    caller: &Caller,
    ticket: &mut Opened,
    (body, words): (&str, Words<'_>),
) -> AppResult<EventRow> {
    let now = state.now_ms();
    let event = event(
        now,
        &ticket.row.id,
        Happened::Note,
        words.public,
        &caller.actor,
        body,
    );
    append(conn, &event).await?;
    if words.public && ticket.life.replied_ms.is_none() {
        ticket.life.replied_ms = Some(now);
    }
    let answered = words.public && ticket.row.status == Status::New.word();
    if let Some(status) = words.then.or(answered.then_some(Status::Open)) {
        lifecycle::move_to(conn, ticket, status, &caller.actor, now).await?;
    }
    ticket.store(conn, now).await?;
    caller
        .audit(conn, state, "ticket.note", &key(&ticket.row))
        .await?;
    Ok(event)
}
