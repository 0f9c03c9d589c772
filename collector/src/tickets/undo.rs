//! Taking changes back: the one way for all that a person changes on a ticket and that can be undone.
//!
//! A change keeps what stood before and what it made of it. It is taken back only while that still stands, so that
//! nobody's later work is lost; what was learnt from it is forgotten as well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::model::{Happened, Status};
use super::tags::Tagged;
use super::{Caller, Opened, append, event, key, lifecycle, tag_rules, with_data};
use crate::db::diagnosis::{self, PinRow};
use crate::db::tickets::{self as rows, TicketRow};
use crate::db::undos::{self, UndoRow};
use crate::db::{DbError, lifecycle as lives, refusals, timeline};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// How long a change can be taken back.
pub const KEPT_MS: i64 = 24 * 3_600_000;

/// Fields that follow from others, which people do not hear of.
const SILENT: [&str; 5] = ["owner_id", "main_id", "reopened", "solved_ms", "closed_ms"];

/// What people set on a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fields {
    status: String,
    priority: String,
    owner_id: Option<String>,
    owner_name: Option<String>,
    language: String,
    product: String,
    category: String,
    contact: String,
    team: String,
    audience: String,
    next_step: String,
    promised_ms: Option<i64>,
    cause: String,
    resolution: String,
    closing_note: String,
    main_id: Option<String>,
    relation: Option<String>,
    // What the status brings with it.
    reopened: i64,
    solved_ms: Option<i64>,
    closed_ms: Option<i64>,
}

impl Fields {
    /// As they stand.
    pub(super) fn of(Opened { row, life }: &Opened) -> Self {
        Self {
            status: row.status.clone(),
            priority: row.priority.clone(),
            owner_id: row.owner_id.clone(),
            owner_name: row.owner_name.clone(),
            language: row.language.clone(),
            product: row.product.clone(),
            category: row.category.clone(),
            contact: row.contact.clone(),
            team: life.team.clone(),
            audience: life.audience.clone(),
            next_step: life.next_step.clone(),
            promised_ms: life.promised_ms,
            cause: life.cause.clone(),
            resolution: life.resolution.clone(),
            closing_note: life.closing_note.clone(),
            main_id: life.main_id.clone(),
            relation: life.relation.clone(),
            reopened: life.reopened,
            solved_ms: life.solved_ms,
            closed_ms: row.closed_ms,
        }
    }

    /// Sets them all but the status, which has a way of its own.
    fn put(self, Opened { row, life }: &mut Opened) {
        row.priority = self.priority;
        row.owner_id = self.owner_id;
        row.owner_name = self.owner_name;
        row.language = self.language;
        row.product = self.product;
        row.category = self.category;
        row.contact = self.contact;
        life.team = self.team;
        life.audience = self.audience;
        life.next_step = self.next_step;
        life.promised_ms = self.promised_ms;
        life.cause = self.cause;
        life.resolution = self.resolution;
        life.closing_note = self.closing_note;
        life.main_id = self.main_id;
        life.relation = self.relation;
        life.reopened = self.reopened;
        life.solved_ms = self.solved_ms;
        row.closed_ms = self.closed_ms;
    }

    fn map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }
}

/// What a change did, and so how it is taken back.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reversal {
    /// Name of a field: what stood there, and what stands there now.
    fields: BTreeMap<String, (Value, Value)>,
    /// Tags that were added.
    added: Vec<String>,
    /// Tags that were taken off, and who had set them.
    removed: Vec<(String, String)>,
    /// Id of the line that was pinned.
    pinned: Option<String>,
    /// The line that was taken off.
    unpinned: Option<PinRow>,
}

impl Reversal {
    /// Whether nothing was changed.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Of what differs on a ticket.
    pub(super) fn of_fields(before: &Fields, ticket: &Opened) -> Self {
        let after = Fields::of(ticket).map();
        let all = before.map().into_iter();
        let differ = all.filter_map(|(name, old)| {
            let new = after.get(&name).cloned().unwrap_or_default();
            (old != new).then_some((name, (old, new)))
        });
        Self {
            fields: differ.collect(),
            ..Self::default()
        }
    }

    /// With what was done to its tags.
    pub(super) fn with_tags(self, tagged: &Tagged) -> Self {
        Self {
            added: tagged.added.clone(),
            removed: tagged.removed.clone(),
            ..self
        }
    }

    /// Of a line that was pinned.
    pub(super) fn of_pin(row: &PinRow) -> Self {
        Self {
            pinned: Some(row.id.clone()),
            ..Self::default()
        }
    }

    /// Of a line that was taken off.
    pub(super) fn of_unpin(row: PinRow) -> Self {
        Self {
            unpinned: Some(row),
            ..Self::default()
        }
    }
}

/// Keeps how a change is taken back, under the id of its last event if it has one. A change that changed nothing is none.
///
/// # Errors
/// When the database refuses.
pub(super) async fn keep(
    conn: &mut AnyConnection,
    caller: &Caller,
    (ticket_id, has_event): (&str, bool),
    what: &Reversal,
    now: i64,
) -> Result<(), DbError> {
    if what.is_nothing() {
        return Ok(());
    }
    let last = match has_event {
        true => timeline::newest(conn, ticket_id).await?,
        false => None,
    };
    let row = UndoRow {
        id: last.unwrap_or_else(new_id),
        ticket_id: ticket_id.to_owned(),
        what: json!(what).to_string(),
        made_by: caller.actor.name().to_owned(),
        created_ms: now,
    };
    undos::keep(conn, &row, now - KEPT_MS).await
}

/// Takes a change of a ticket back.
///
/// # Errors
/// When there is none of this id, when it is too old, or when somebody has changed the same since.
pub async fn undo(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    id: &str,
) -> AppResult<TicketRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_key).await?;
    let all = undos::open(&mut tx, &ticket.row.id, now - KEPT_MS).await?;
    let found = all.into_iter().find(|row| row.id == id);
    let none = || {
        AppError::not_found("change that can be taken back").hint(
            "it was taken back already, or more than a day has gone by; change the ticket by hand",
        )
    };
    let found = found.ok_or_else(none)?;
    let what: Reversal = serde_json::from_str(&found.what).map_err(AppError::internal)?;
    if !undos::done(&mut tx, id, now).await? {
        return Err(none());
    }
    let target = before(&ticket, &what)?;
    let said = happened(&ticket, &what, id, caller, now);
    append(&mut tx, &said).await?;
    if let Some(status) = Status::parse(&target.status) {
        lifecycle::move_to(&mut tx, &mut ticket, status, &caller.actor, now).await?;
    }
    target.put(&mut ticket);
    let row = &ticket.row;
    let values = [&*row.language, &*row.product, &*row.category, &*row.contact];
    lives::describe(&mut tx, &row.id, values).await?;
    tags_and_pins(&mut tx, row, &what, now).await?;
    ticket.store(&mut tx, now).await?;
    caller
        .audit(&mut tx, state, "ticket.undo", &key(&ticket.row))
        .await?;
    tx.commit().await?;
    Ok(ticket.row)
}

/// The fields as they stood, if what was made of them still stands.
fn before(ticket: &Opened, what: &Reversal) -> AppResult<Fields> {
    let mut map = Fields::of(ticket).map();
    for (name, (old, new)) in &what.fields {
        if map.get(name) != Some(new) {
            let detail = format!("the ticket's {name} has been changed again since");
            return Err(AppError::conflict("changed_since", detail));
        }
        map.insert(name.clone(), old.clone());
    }
    serde_json::from_value(Value::Object(map)).map_err(AppError::internal)
}

fn happened(
    ticket: &Opened,
    what: &Reversal,
    id: &str,
    caller: &Caller,
    now: i64,
) -> timeline::EventRow {
    let added = what.added.iter().map(|tag| format!("−{tag}"));
    let removed = what.removed.iter().map(|(tag, _)| format!("+{tag}"));
    let body: Vec<String> = added.chain(removed).collect();
    let said = event(
        now,
        &ticket.row.id,
        Happened::Undone,
        false,
        &caller.actor,
        &body.join(" "),
    );
    let fields = what.fields.keys();
    let fields: Vec<&String> = fields
        .filter(|name| !SILENT.contains(&name.as_str()))
        .collect();
    let data = json!({"event": id, "fields": fields, "pin": what.pinned.is_some() || what.unpinned.is_some()});
    with_data(said, &data)
}

async fn tags_and_pins(
    conn: &mut AnyConnection,
    ticket: &TicketRow,
    what: &Reversal,
    now: i64,
) -> AppResult<()> {
    for tag in &what.added {
        rows::remove_tag(conn, &ticket.id, tag).await?;
    }
    for (tag, source) in &what.removed {
        refusals::forgive(conn, &ticket.id, tag).await?;
        tag_rules::unlearn(conn, ticket, tag).await?;
        rows::add_tag(conn, &ticket.id, tag, source, now).await?;
    }
    if let Some(pin) = &what.pinned {
        diagnosis::unpin(conn, &ticket.id, pin).await?;
    }
    if let Some(pin) = &what.unpinned {
        diagnosis::pin(conn, pin).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::lifecycle::LifeRow;

    fn ticket() -> Opened {
        Opened {
            row: TicketRow {
                status: "open".into(),
                priority: "normal".into(),
                ..TicketRow::default()
            },
            life: LifeRow::default(),
        }
    }

    #[test]
    fn what_differs_is_taken_back_while_it_stands() {
        let mut now = ticket();
        let old = Fields::of(&now);
        assert_eq!(Reversal::of_fields(&old, &now), Reversal::default());
        (now.row.status, now.life.promised_ms) = ("closed".into(), Some(5));
        let what = Reversal::of_fields(&old, &now);
        let names: Vec<_> = what.fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["promised_ms", "status"]);
        // Through the database, and with something else changed meanwhile.
        let what: Reversal = serde_json::from_str(&json!(what).to_string()).unwrap();
        now.row.priority = "high".into();
        let target = before(&now, &what).unwrap();
        assert_eq!(
            (&*target.status, target.promised_ms, &*target.priority),
            ("open", None, "high")
        );
        now.life.promised_ms = Some(6);
        assert!(before(&now, &what).is_err(), "somebody promised anew");
    }
}
