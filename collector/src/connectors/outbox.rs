//! The outbox: what happens to a ticket is noted for every connector in the transaction of the change, and told by a job,
//! in order for each connector and ticket. Nothing is lost: a letter that cannot be delivered stays at the head of its
//! lane, dead, until a person sends it again or drops it. Nothing is doubled, as far as the other side can tell us what
//! it knows: a try is noted before it is made.

use serde_json::Value;
use sqlx::AnyConnection;

use super::{Fault, Made, Message, carry, make};
use crate::db::connectors::{self, ConnectorRow};
use crate::db::outbox::{self as rows, OutboxRow};
use crate::db::timeline::{self, EventRow};
use crate::db::{DbError, jobs, tickets};
use crate::queue::backoff;
use crate::state::{AppState, new_id};
use crate::tickets::model::Happened;

/// The kind of the job that tells; its subject is a lane.
pub const JOB: &str = "deliver";
/// Tries of a lane before its letter is dead: about a day of waits of five minutes.
pub const TRIES: i64 = 300;

/// The subject of the job that tells one connector about one ticket.
fn lane(connector: &str, ticket: &str) -> String {
    format!("{connector}:{ticket}")
}

/// Notes an event for all connectors that hear of it, in the transaction of the change. Where an event comes from a
/// connector, that one knows it.
///
/// # Errors
/// When the database refuses.
pub async fn note(conn: &mut AnyConnection, events: &[EventRow]) -> Result<(), DbError> {
    let mut all = connectors::list(conn).await?;
    all.retain(|row| row.enabled != 0);
    if all.is_empty() {
        return Ok(());
    }
    for event in events {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let (from, only) = (data["from_connector"].as_str(), data["connector"].as_str());
        for row in &all {
            let meant = only.is_none_or(|id| id == row.id) && from != Some(&*row.id);
            if !meant || !hears(conn, row, event).await? {
                continue;
            }
            let names = (&*row.id, &*event.ticket_id, &*event.id);
            rows::insert(conn, &new_id(), names, event.at_ms).await?;
            jobs::nudge(conn, JOB, &lane(&row.id, &event.ticket_id), event.at_ms).await?;
        }
    }
    Ok(())
}

/// Whether a connector is told of this kind of event on this ticket.
async fn hears(
    conn: &mut AnyConnection,
    row: &ConnectorRow,
    event: &EventRow,
) -> Result<bool, DbError> {
    let Some(happened) = Happened::parse(&event.kind) else {
        return Ok(false);
    };
    let settings: super::Settings = serde_json::from_str(&row.settings).unwrap_or_default();
    if !super::has_tickets(&row.kind) {
        let chosen = &settings.events;
        return Ok(chosen.is_empty() || chosen.contains(&event.kind));
    }
    if happened == Happened::Connected {
        return Ok(true);
    }
    if !carry::heard(happened) {
        return Ok(false);
    }
    if settings.open {
        return Ok(true);
    }
    let names = (&*row.id, &*event.ticket_id);
    // Connected already, or about to be.
    Ok(rows::linked(conn, names).await?.is_some() || rows::head(conn, names).await?.is_some())
}

/// Tells everything of a lane, in order, until it is empty, something fails, or a dead letter stands in the way.
///
/// # Errors
/// When it has to be tried again.
pub async fn deliver(state: &AppState, subject: &str) -> Result<(), Fault> {
    let Some((connector, ticket)) = subject.split_once(':') else {
        return Ok(());
    };
    let row = connectors::find(&mut *state.db.read().await?, connector).await?;
    let Some(row) = row.filter(|row| row.enabled == 1) else {
        return Ok(());
    };
    if row.retry_ms > state.now_ms() {
        // Others have asked just now: not every ticket waits for the same silence.
        return Err(Fault::later(format!(
            "{} is left alone for a while: {}",
            row.name, row.fault
        )));
    }
    let mut made = None;
    loop {
        let head = rows::head(&mut *state.db.read().await?, (connector, ticket)).await?;
        let Some(head) = head.filter(|head| head.state == "waiting") else {
            return Ok(());
        };
        let mut tx = state.db.begin().await?;
        rows::begin(&mut tx, &head.id).await?;
        tx.commit().await?;
        let told = match &made {
            Some(made) => Ok(made),
            None => make(state, &row).map(|new| &*made.insert(new)),
        };
        let told = match told {
            Ok((made, settings)) => match made {
                Made::Hook(hook) => tell(state, &**hook, &head).await,
                Made::System(system) => {
                    carry::carry(state, (&row, settings, &**system), &head).await
                }
            },
            Err(fault) => Err(fault),
        };
        let done = told.is_ok();
        settle(state, &row, &head, told).await?;
        if !done {
            return Ok(());
        }
    }
}

/// Notes what came of a try. What may go well later is given back as a fault, for the queue to try again.
async fn settle(
    state: &AppState,
    row: &ConnectorRow,
    head: &OutboxRow,
    told: Result<(), Fault>,
) -> Result<(), Fault> {
    let now = state.now_ms();
    let result = if told.is_ok() { "sent" } else { "failed" };
    let labels = format!("kind=\"{}\",result=\"{result}\"", row.kind);
    state.metrics.add("sitrepd_deliveries_total", labels, 1.0);
    let mut tx = state.db.begin().await?;
    let fault = match told {
        Ok(()) => {
            rows::tried(&mut tx, &head.id, ("sent", ""), Some(now)).await?;
            if connectors::answered(&mut tx, &row.id).await? {
                // What waited for it does not wait any longer.
                jobs::hurry(&mut tx, JOB, &lane(&row.id, "")).await?;
            }
            tx.commit().await?;
            return Ok(());
        }
        Err(fault) => fault,
    };
    let why = sitrep_shared::error::chain(&fault).to_string();
    if fault.passes() {
        rows::tried(&mut tx, &head.id, ("waiting", &why), None).await?;
        if let Fault::Later { after_ms, .. } = &fault {
            let chance = u64::from(now.unsigned_abs() as u16);
            let wait = after_ms.unwrap_or_else(|| backoff::delay_ms(row.failures + 1, chance) / 2);
            connectors::failed(&mut tx, &row.id, (&why, now + wait)).await?;
        }
        tx.commit().await?;
        return Err(fault);
    }
    rows::tried(&mut tx, &head.id, ("dead", &why), Some(now)).await?;
    match fault {
        Fault::Gone(_) => connectors::turn_off(&mut tx, &row.id, &why).await?,
        _ => connectors::failed(&mut tx, &row.id, (&why, 0)).await?,
    }
    tx.commit().await?;
    tracing::error!(connector = %row.name, outbox.id = %head.id, error = %why, "a letter is dead");
    Ok(())
}

/// The lane was tried often enough: its first letter is dead, and a person decides.
///
/// # Errors
/// When the database refuses.
pub async fn give_up(state: &AppState, subject: &str, fault: &str) -> Result<(), Fault> {
    let Some((connector, ticket)) = subject.split_once(':') else {
        return Ok(());
    };
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    if let Some(head) = rows::head(&mut tx, (connector, ticket)).await? {
        rows::tried(&mut tx, &head.id, ("dead", fault), Some(now)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Wakes the lanes of a connector that have something to tell.
pub(super) async fn wake(
    conn: &mut AnyConnection,
    connector: &str,
    now_ms: i64,
) -> Result<(), DbError> {
    for ticket in rows::lanes(conn, connector).await? {
        jobs::nudge(conn, JOB, &lane(connector, &ticket), now_ms).await?;
    }
    jobs::hurry(conn, JOB, &lane(connector, "")).await
}

/// The event of a letter, with its ticket and tags.
pub(super) async fn contents(
    state: &AppState,
    head: &OutboxRow,
) -> Result<(EventRow, tickets::TicketRow, Vec<String>), Fault> {
    let mut conn = state.db.read().await?;
    let event = timeline::find(&mut conn, &head.event_id).await?;
    let ticket = tickets::find(&mut conn, &head.ticket_id).await?;
    let tags = tickets::tags(&mut conn, &head.ticket_id).await?;
    let (Some(event), Some(ticket)) = (event, ticket) else {
        return Err(Fault::Refused("the ticket was deleted meanwhile".into()));
    };
    Ok((
        event,
        ticket,
        tags.into_iter().map(|(tag, _)| tag).collect(),
    ))
}

async fn tell(state: &AppState, hook: &dyn super::Hook, head: &OutboxRow) -> Result<(), Fault> {
    let (event, ticket, tags) = contents(state, head).await?;
    let message = Message {
        url: super::page(state, &ticket),
        event: &event,
        ticket: &ticket,
        tags: &tags,
        now_ms: state.now_ms(),
    };
    hook.tell(state, &message).await
}
