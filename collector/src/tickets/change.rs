//! Changing a ticket: status, priority, person and group in charge, promise, tags. Each change is an event.

use serde::Deserialize;
use serde_json::json;
use sqlx::AnyConnection;

use super::model::{Audience, Cause, Happened, Priority, Resolution, Status};
use super::seen::{self, Seen};
use super::undo::{self, Fields, Reversal};
use super::{
    Caller, Opened, append, event, key, lifecycle, one_line, tag_rules, tags, text, with_data,
};
use crate::auth::{Role, Roles};
use crate::db::tickets::TicketRow;
use crate::db::timeline::EventRow;
use crate::db::{lifecycle as lives, users};
use crate::error::{AppError, AppResult};
use crate::state::AppState;

/// The kind of the event for a changed description. It is the desk's alone: since others never learn of it, it is not one
/// of [`Happened`].
pub(crate) const DESCRIBED: &str = "described";

/// What can be changed on a ticket; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// New status. `closed` needs a cause and a resolution.
    #[serde(default)]
    pub status: Option<Status>,
    /// New priority.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Login of the new owner; empty for nobody.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub owner: Option<String>,
    /// Group that works on it; empty for none.
    #[serde(default)]
    #[schema(max_length = 80)]
    pub team: Option<String>,
    /// Why it happened.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// How it ended.
    #[serde(default)]
    pub resolution: Option<Resolution>,
    /// Cause and resolution in words.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub closing_note: Option<String>,
    /// What the customer is told comes next.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub next_step: Option<String>,
    /// By when, UTC milliseconds; 0 for no promise.
    #[serde(default)]
    pub promised_ms: Option<i64>,
    /// How the customer is spoken to.
    #[serde(default)]
    pub audience: Option<Audience>,
    /// Customer's language: `en` or `zh-CN`.
    #[serde(default)]
    #[schema(max_length = 20)]
    pub language: Option<String>,
    /// Product concerned.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub product: Option<String>,
    /// Part of the product, or kind of problem.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub category: Option<String>,
    /// Whom to answer.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub contact: Option<String>,
    /// Tags to add.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub add_tags: Option<Vec<String>>,
    /// Tags to remove.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub remove_tags: Option<Vec<String>>,
}

/// Changes a ticket; each change is an event.
pub async fn change(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    change: &Change,
) -> AppResult<TicketRow> {
    change_seen(state, caller, ticket_key, (change, &[])).await
}

/// The same, unless one of these fields was changed by somebody else since it was seen.
pub async fn change_seen(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    (change, seen): (&Change, &[Seen]),
) -> AppResult<TicketRow> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_key).await?;
    seen::check(&mut tx, &ticket, seen).await?;
    let mut events = Vec::new();
    let before = Fields::of(&ticket);
    let was = described(&ticket);
    outcome(&mut ticket, change)?;
    people(&mut tx, &mut ticket, change, &mut events).await?;
    told(&mut ticket, change, now, &mut events)?;
    description(&mut tx, &mut ticket, change).await?;
    let id = ticket.row.id.clone();
    let by = (caller.actor.name(), now);
    let tagged = tags::tag_events(&mut tx, &ticket.row, change, by, &mut events).await?;
    for rule in &tagged.learnt {
        tag_rules::audit(&mut tx, state, caller, "tag_rule.learn", rule).await?;
    }
    tell(&mut tx, (caller, now), &ticket, &events).await?;
    let described = tell_described(&mut tx, (caller, now), &ticket, &was).await?;
    // Somebody took it: it is looked at.
    let taken = events.iter().any(|(kind, _)| *kind == Happened::Assigned)
        && ticket.row.owner_id.is_some()
        && ticket.row.status == Status::New.word();
    let to = match change.status {
        None | Some(Status::New) if taken => Some(Status::Open),
        status => status,
    };
    let mut moved = false;
    if let Some(status) = to {
        moved = lifecycle::move_to(&mut tx, &mut ticket, status, &caller.actor, now).await?;
    }
    if moved && change.status == Some(Status::Closed) {
        closed(&mut tx, &ticket, caller, now).await?;
    }
    let what = Reversal::of_fields(&before, &ticket).with_tags(&tagged);
    if !what.is_nothing() {
        let seen = moved || described || !events.is_empty();
        ticket.store(&mut tx, now).await?;
        undo::keep(&mut tx, caller, (&id, seen), &what, now).await?;
        caller
            .audit(&mut tx, state, "ticket.change", &key(&ticket.row))
            .await?;
    }
    tx.commit().await?;
    Ok(ticket.row)
}

async fn tell(
    conn: &mut AnyConnection,
    (caller, now): (&Caller, i64),
    ticket: &Opened,
    events: &[(Happened, String)],
) -> AppResult<()> {
    for (kind, body) in events {
        let public = *kind == Happened::Promise;
        let mut event = event(now, &ticket.row.id, *kind, public, &caller.actor, body);
        if public {
            let life = &ticket.life;
            let data = json!({"next_step": life.next_step, "promised_ms": life.promised_ms});
            event = with_data(event, &data);
        }
        append(conn, &event).await?;
    }
    Ok(())
}

/// What describes a ticket: names of fields, and what stands there.
fn described(Opened { row, life }: &Opened) -> [(&'static str, String); 5] {
    [
        ("product", row.product.clone()),
        ("category", row.category.clone()),
        ("contact", row.contact.clone()),
        ("language", row.language.clone()),
        ("audience", life.audience.clone()),
    ]
}

/// Tells the desk what was changed in a ticket's description; says whether anything was.
async fn tell_described(
    conn: &mut AnyConnection,
    (caller, now): (&Caller, i64),
    ticket: &Opened,
    was: &[(&'static str, String)],
) -> AppResult<bool> {
    let is = described(ticket);
    let changes: Vec<[&str; 3]> = was
        .iter()
        .zip(&is)
        .filter(|(was, is)| was.1 != is.1)
        .map(|(was, is)| [was.0, &*was.1, &*is.1])
        .collect();
    if changes.is_empty() {
        return Ok(false);
    }
    let lines = changes
        .iter()
        .map(|[field, from, to]| format!("{field}: {}", from_to(from, to)));
    let body = lines.collect::<Vec<_>>().join(" · ");
    let told = event(
        now,
        &ticket.row.id,
        Happened::Note,
        false,
        &caller.actor,
        &body,
    );
    let told = EventRow {
        kind: DESCRIBED.to_owned(),
        ..told
    };
    append(conn, &with_data(told, &json!({"changes": changes}))).await?;
    Ok(true)
}

/// `before → after`, with a dash for nothing.
pub(crate) fn from_to(from: &str, to: &str) -> String {
    let or_dash = |text: &str| if text.is_empty() { "–" } else { text }.to_owned();
    format!("{} → {}", or_dash(from), or_dash(to))
}

/// Cause and resolution, which closing needs.
fn outcome(ticket: &mut Opened, change: &Change) -> AppResult<()> {
    let life = &mut ticket.life;
    if let Some(cause) = change.cause {
        life.cause = cause.word().to_owned();
    }
    if let Some(resolution) = change.resolution {
        life.resolution = resolution.word().to_owned();
    }
    if let Some(note) = &change.closing_note {
        life.closing_note = text("closing_note", note, 0, 20_000)?;
    }
    if change.status == Some(Status::Closed) {
        for (field, value) in [("cause", &life.cause), ("resolution", &life.resolution)] {
            if value.is_empty() {
                return Err(AppError::invalid(field, "is required for closing a ticket"));
            }
        }
    }
    Ok(())
}

async fn closed(
    conn: &mut AnyConnection,
    ticket: &Opened,
    caller: &Caller,
    now: i64,
) -> AppResult<()> {
    let life = &ticket.life;
    let event = event(
        now,
        &ticket.row.id,
        Happened::Closed,
        false,
        &caller.actor,
        &life.closing_note,
    );
    let data = json!({"cause": life.cause, "resolution": life.resolution});
    append(conn, &with_data(event, &data)).await?;
    Ok(())
}

/// Priority, person and group in charge.
async fn people(
    conn: &mut AnyConnection,
    ticket: &mut Opened,
    change: &Change,
    events: &mut Vec<(Happened, String)>,
) -> AppResult<()> {
    let row = &mut ticket.row;
    if let Some(priority) = change.priority
        && row.priority != priority.word()
    {
        let body = format!("{} → {}", row.priority, priority.word());
        events.push((Happened::Priority, body));
        row.priority = priority.word().to_owned();
    }
    if let Some(login) = &change.owner {
        let owner = owner(conn, login).await?;
        let id = owner.as_ref().map(|o| o.0.clone());
        if id != row.owner_id {
            row.owner_id = id;
            row.owner_name = owner.map(|o| o.1);
            let name = row.owner_name.clone().unwrap_or_else(|| "–".to_owned());
            events.push((Happened::Assigned, name));
        }
    }
    if let Some(team) = &change.team {
        let team = one_line(&text("team", team, 0, 80)?);
        if team != ticket.life.team {
            let name = if team.is_empty() { "–" } else { &team };
            events.push((Happened::Team, name.to_owned()));
            ticket.life.team = team;
        }
    }
    Ok(())
}

/// What the customer is told comes next, and by when.
fn told(
    ticket: &mut Opened,
    change: &Change,
    now: i64,
    events: &mut Vec<(Happened, String)>,
) -> AppResult<()> {
    let life = &mut ticket.life;
    let before = (life.next_step.clone(), life.promised_ms);
    if let Some(step) = &change.next_step {
        life.next_step = one_line(&text("next_step", step, 0, 500)?);
    }
    if let Some(promised) = change.promised_ms {
        // A thousand years are no promise, and must not overflow a time.
        if promised < 0 || promised > now.saturating_add(31_536_000_000_000) {
            return Err(AppError::invalid("promised_ms", "must be a time, or 0"));
        }
        life.promised_ms = Some(promised).filter(|ms| *ms > 0);
    }
    if before != (life.next_step.clone(), life.promised_ms) {
        let until = life
            .promised_ms
            .map(|ms| sitrep_shared::time::UtcMs(ms).rfc3339());
        let parts = [Some(life.next_step.clone()), until];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|p| !p.is_empty())
            .collect();
        events.push((Happened::Promise, parts.join(" · ")));
    }
    if let Some(audience) = change.audience {
        life.audience = audience.word().to_owned();
    }
    Ok(())
}

async fn description(
    conn: &mut AnyConnection,
    ticket: &mut Opened,
    change: &Change,
) -> AppResult<()> {
    let row = &mut ticket.row;
    let fields = [
        ("language", &change.language, &mut row.language, 20),
        ("product", &change.product, &mut row.product, 200),
        ("category", &change.category, &mut row.category, 200),
        ("contact", &change.contact, &mut row.contact, 200),
    ];
    let mut any = false;
    for (field, new, old, max) in fields {
        if let Some(new) = new {
            *old = text(field, new, 0, max)?;
            any = true;
        }
    }
    if any {
        let values = [&*row.language, &*row.product, &*row.category, &*row.contact];
        lives::describe(conn, &row.id, values).await?;
    }
    Ok(())
}

/// Id and name of the engineer with this login; none for an empty one.
pub(super) async fn owner(
    conn: &mut AnyConnection,
    login: &str,
) -> AppResult<Option<(String, String)>> {
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
