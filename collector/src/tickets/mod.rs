//! Tickets: created, worked on, tagged by findings. Every step is on the timeline and in the audit log.

pub mod bundles;
pub mod codes;
pub mod findings;
pub mod model;
mod tags;

pub use findings::{apply_findings, retract_findings};
pub use tags::{add_tags, tag_word};

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::audit;
use crate::auth::{Actor, Role, Roles};
use crate::db::tickets::{self as rows, TicketRow};
use crate::db::timeline::{self, EventRow};
use crate::db::{DbError, users};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use model::{Impact, Priority, Status, Urgency};
use sitrep_shared::ids::TicketKey;

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
    /// Product concerned.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub product: String,
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
        let address = self.address.to_string();
        let event = audit::Event {
            actor: &self.actor,
            action,
            object,
            address: &address,
        };
        audit::record(conn, state.db.engine(), state.now_ms(), event).await
    }
}

/// Creates a ticket with its first event.
pub async fn create(state: &AppState, caller: &Caller, new: &NewTicket) -> AppResult<TicketRow> {
    let impact = new.impact.unwrap_or(Impact::Medium);
    let urgency = new.urgency.unwrap_or(Urgency::Medium);
    let long = |field: &str, value: &str| text(field, value, 0, 20_000);
    let short = |field: &str, value: &str| text(field, value, 0, 200);
    let now = state.now_ms();
    let mut row = TicketRow {
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
    };
    let mut tries = 0;
    loop {
        let mut tx = state.db.begin().await?;
        row.number = rows::next_number(&mut tx).await?;
        match rows::insert(&mut tx, &row).await {
            // Another replica took the number between the two statements.
            Err(error) if error.is_unique_violation() && tries < 20 => {
                tries += 1;
                continue;
            }
            other => other?,
        }
        append(
            &mut tx,
            &event(now, &row.id, "created", true, &caller.actor, ""),
        )
        .await?;
        caller
            .audit(&mut tx, state, "ticket.create", &key(&row))
            .await?;
        tx.commit().await?;
        return Ok(row);
    }
}

fn one_line(text: &str) -> String {
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

/// An event of the timeline, not yet stored.
pub fn event(
    now_ms: i64,
    ticket_id: &str,
    kind: &str,
    public: bool,
    actor: &Actor,
    body: &str,
) -> EventRow {
    EventRow {
        id: new_id(),
        ticket_id: ticket_id.to_owned(),
        at_ms: now_ms,
        kind: kind.to_owned(),
        public: i64::from(public),
        actor_kind: actor.kind().to_owned(),
        actor_name: actor.name().to_owned(),
        body: body.to_owned(),
        data: "{}".to_owned(),
    }
}

/// Appends an event to its ticket's timeline, within the caller's transaction.
pub async fn append(conn: &mut AnyConnection, event: &EventRow) -> Result<(), DbError> {
    timeline::insert(conn, event).await
}

/// Adds a note, internal or to the customer.
pub async fn note(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    body: &str,
    public: bool,
) -> AppResult<EventRow> {
    let body = text("body", body, 1, 20_000)?;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut row = load_on(&mut tx, ticket_key).await?;
    let event = event(now, &row.id, "note", public, &caller.actor, &body);
    append(&mut tx, &event).await?;
    row.updated_ms = now;
    rows::update(&mut tx, &row).await?;
    caller
        .audit(&mut tx, state, "ticket.note", &key(&row))
        .await?;
    tx.commit().await?;
    Ok(event)
}

/// What can be changed on a ticket; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// New status.
    #[serde(default)]
    pub status: Option<Status>,
    /// New priority.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Login of the new owner; empty for nobody.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub owner: Option<String>,
    /// Tags to add.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub add_tags: Option<Vec<String>>,
    /// Tags to remove.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub remove_tags: Option<Vec<String>>,
}

/// Changes status, priority, owner and tags; each change is an event.
pub async fn change(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    change: &Change,
) -> AppResult<TicketRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut row = load_on(&mut tx, ticket_key).await?;
    let mut events: Vec<(&str, String)> = Vec::new();
    if let Some(status) = change.status
        && row.status != status.word()
    {
        events.push(("status", format!("{} → {}", row.status, status.word())));
        row.status = status.word().to_owned();
        row.closed_ms = (status == Status::Closed).then_some(now);
    }
    if let Some(priority) = change.priority
        && row.priority != priority.word()
    {
        events.push((
            "priority",
            format!("{} → {}", row.priority, priority.word()),
        ));
        row.priority = priority.word().to_owned();
    }
    if let Some(login) = &change.owner {
        let owner = owner(&mut tx, login).await?;
        let name = owner
            .as_ref()
            .map_or_else(|| "–".to_owned(), |o| o.1.clone());
        row.owner_id = owner.as_ref().map(|o| o.0.clone());
        row.owner_name = owner.map(|o| o.1);
        events.push(("assigned", name));
    }
    tags::tag_events(&mut tx, &row.id, change, now, &mut events).await?;
    for (kind, body) in &events {
        append(
            &mut tx,
            &event(now, &row.id, kind, *kind == "status", &caller.actor, body),
        )
        .await?;
    }
    if !events.is_empty() {
        row.updated_ms = now;
        rows::update(&mut tx, &row).await?;
        caller
            .audit(&mut tx, state, "ticket.change", &key(&row))
            .await?;
    }
    tx.commit().await?;
    Ok(row)
}

async fn owner(conn: &mut AnyConnection, login: &str) -> AppResult<Option<(String, String)>> {
    let login = login.trim().to_lowercase();
    if login.is_empty() {
        return Ok(None);
    }
    let unknown = || AppError::invalid("owner", "is not the login of an engineer");
    if login.contains('\0') {
        return Err(unknown());
    }
    let user = users::find_by_login(conn, &login)
        .await?
        .ok_or_else(unknown)?;
    if user.disabled == 1 || !Roles::parse(&user.roles).allow(Role::Engineer) {
        return Err(unknown());
    }
    Ok(Some((user.id, user.name)))
}
