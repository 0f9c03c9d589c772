//! The way back: what happens to connected tickets in other systems comes to ours, status and comments. Read from time to
//! time; each comment is taken once, and what we wrote there ourselves is not taken at all.

use serde_json::json;
use sqlx::AnyConnection;

use super::carry::Seen;
use super::{Fault, Made, News, Said, Settings, System, fields, make};
use crate::auth::Actor;
use crate::db::connectors::{self, ConnectorRow};
use crate::db::outbox::{self as rows, LinkRow};
use crate::error::AppResult;
use crate::queue::backoff;
use crate::state::AppState;
use crate::tickets::model::{Happened, Status};
use crate::tickets::{Opened, append, event, lifecycle, with_data};

/// The kind of the job that reads; its subject is a connector.
pub const JOB: &str = "mirror";
/// What changed so long before the last reading is looked at again: clocks differ.
const OVERLAP_MS: i64 = 10 * 60_000;

/// Connectors that are to be read.
///
/// # Errors
/// When the database does not answer.
pub async fn readable(conn: &mut AnyConnection) -> Result<Vec<String>, crate::db::DbError> {
    let all = connectors::list(conn).await?;
    let some = all
        .into_iter()
        .filter(|row| row.enabled == 1 && super::kind(&row.kind).is_some_and(|kind| kind.reads));
    Ok(some.map(|row| row.id).collect())
}

/// Reads what changed in one system. What it does not answer is noted; the next reading makes up for it.
///
/// # Errors
/// When the database refuses.
pub async fn mirror(state: &AppState, connector: &str) -> Result<(), Fault> {
    let began = state.now_ms();
    let row = connectors::find(&mut *state.db.read().await?, connector).await?;
    let Some(row) = row.filter(|row| row.enabled == 1 && row.retry_ms <= began) else {
        return Ok(());
    };
    match read(state, &row).await {
        Ok(()) => {
            let labels = format!("kind=\"{}\"", row.kind);
            state.metrics.add("sitrepd_readings_total", labels, 1.0);
            let mut tx = state.db.begin().await?;
            connectors::read_to(&mut tx, &row.id, began).await?;
            if connectors::answered(&mut tx, &row.id).await? {
                super::outbox::wake(&mut tx, &row.id, began).await?;
            }
            Ok(tx.commit().await?)
        }
        Err(fault @ (Fault::Db(_) | Fault::Own(_))) => Err(fault),
        Err(fault) => {
            let why = sitrep_shared::error::chain(&fault).to_string();
            tracing::warn!(connector = %row.name, error = %why, "not read");
            let wait = backoff::delay_ms(row.failures + 1, began.unsigned_abs());
            let mut tx = state.db.begin().await?;
            connectors::failed(&mut tx, &row.id, (&why, began + wait)).await?;
            Ok(tx.commit().await?)
        }
    }
}

async fn read(state: &AppState, row: &ConnectorRow) -> Result<(), Fault> {
    let (system, settings) = match make(state, row)? {
        (Made::System(system), settings) => (system, settings),
        (Made::Hook(hook), _) => return hook.pick_up(state, row).await,
    };
    // Some systems answer a wrong secret as they answer a stranger: with nothing new.
    system.check().await?;
    for id in system.changed(row.cursor_ms - OVERLAP_MS).await? {
        let mut conn = state.db.read().await?;
        let link = rows::linked_to(&mut conn, (&row.id, &id)).await?;
        drop(conn);
        if let Some(link) = link {
            take(state, (row, &settings, &*system), &link).await?;
        }
    }
    Ok(())
}

async fn take(
    state: &AppState,
    (row, settings, system): (&ConnectorRow, &Settings, &dyn System),
    link: &LinkRow,
) -> Result<(), Fault> {
    let before = Seen::of(link);
    let news = system.news(&link.remote_id, Some(before.comment)).await?;
    if news.said.is_empty() && news.status == before.status {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    let Some(mut link) = rows::linked(&mut tx, (&link.connector_id, &link.ticket_id)).await? else {
        return Ok(());
    };
    let mut seen = Seen::of(&link);
    let now = state.now_ms();
    let mut ticket = Opened::load(&mut tx, &link.ticket_id).await?;
    let mut changed = false;
    for said in &news.said {
        let message = format!("comment {} {}", link.remote_id, said.id);
        let new = connectors::take_message(&mut tx, (&row.id, &message), now).await?;
        if new && !own(&mut tx, &row.id, &said.body).await? {
            write(&mut tx, (row, settings), &mut ticket, said, now).await?;
            changed = true;
        }
        seen.comment = seen.comment.max(said.id);
    }
    // What was read before somebody here moved the ticket is no news any more.
    if news.status != seen.status && seen.status == before.status {
        changed |= follow(&mut tx, (row, settings), &mut ticket, &news, now).await?;
        seen.status.clone_from(&news.status);
    }
    if changed {
        ticket.store(&mut tx, now).await?;
    }
    link.seen = seen.text();
    rows::link(&mut tx, &link).await?;
    Ok(tx.commit().await?)
}

/// Whether a comment there is one that we wrote.
async fn own(conn: &mut AnyConnection, connector: &str, body: &str) -> Result<bool, Fault> {
    let Some(mark) = fields::marked(body) else {
        return Ok(false);
    };
    let event = mark.split('/').next().unwrap_or_default();
    Ok(rows::knows(conn, connector, event).await?)
}

async fn write(
    conn: &mut AnyConnection,
    (row, settings): (&ConnectorRow, &Settings),
    ticket: &mut Opened,
    said: &Said,
    now: i64,
) -> AppResult<()> {
    let body = fields::taken(&said.body);
    if body.is_empty() {
        return Ok(());
    }
    let actor = Actor::Connector {
        id: row.id.clone(),
        name: format!("{} ({})", said.author, row.name),
    };
    let (happened, public) = match said.by_customer {
        true => (Happened::Reply, true),
        false => (Happened::Note, said.public && settings.publish),
    };
    let new = event(now, &ticket.row.id, happened, public, &actor, &body);
    let data = json!({"from_connector": row.id, "remote": said.id});
    append(conn, &with_data(new, &data)).await?;
    if happened == Happened::Note && public {
        ticket.life.replied_ms = ticket.life.replied_ms.or(Some(now));
    }
    let waited = [Status::Waiting.word(), Status::Solved.word()].contains(&&*ticket.row.status);
    if said.by_customer && waited {
        lifecycle::move_to(conn, ticket, Status::Open, &actor, now).await?;
    }
    Ok(())
}

/// Moves our ticket to what the status there means, if it means something. What is closed here stays so until it is opened
/// again there.
async fn follow(
    conn: &mut AnyConnection,
    (row, settings): (&ConnectorRow, &Settings),
    ticket: &mut Opened,
    news: &News,
    now: i64,
) -> AppResult<bool> {
    let mut map = fields::pairs(&settings.statuses);
    let means = map.find(|(theirs, _)| *theirs == news.status);
    let Some(to) = means.and_then(|(_, ours)| Status::parse(ours)) else {
        return Ok(false);
    };
    if to == Status::Closed || (ticket.row.status == Status::Closed.word() && !to.is_ours()) {
        return Ok(false);
    }
    let actor = Actor::Connector {
        id: row.id.clone(),
        name: row.name.clone(),
    };
    Ok(lifecycle::move_to(conn, ticket, to, &actor, now).await?)
}
