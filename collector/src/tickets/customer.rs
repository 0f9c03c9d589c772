//! The customer's side of a ticket: a link with a secret, a conversation, a say in what worked, and their bundles.
//!
//! The link is to one ticket and nothing else. It is stored as upload codes are, and as slow to guess.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sitrep_shared::ids::UploadCode;
use uuid::Uuid;

use super::follow_up::{self, Answer, NewFollowUp};
use super::model::{Happened, Status, words};
use super::{Caller, Opened, append, event, key, lifecycle, text, with_data};
use crate::auth::limits::{self, CODE_IN_ALL, CODE_PER_HOUR, CODE_PER_MINUTE, CODE_PER_SELECTOR};
use crate::auth::{Actor, random, same};
use crate::db::links::{self as rows, LinkRow};
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// How long a link lives.
const LINK_MS: i64 = 180 * 24 * 3_600_000;
/// How long a view of a bundle is the same one.
const VIEW_MS: i64 = 10 * 60_000;

words! {
    /// How content the customer is.
    Satisfaction {
        /// Content.
        Good = "good",
        /// Not content.
        Bad = "bad",
    }
}

/// Makes the link to a ticket's page for its customer; the secret is known this once.
pub async fn link(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
) -> AppResult<(LinkRow, UploadCode)> {
    let ticket = super::load(state, ticket_key).await?;
    let now = state.now_ms();
    let mut tries = 0;
    loop {
        let code = UploadCode::generate(&random::<10>());
        let row = LinkRow {
            id: new_id(),
            ticket_id: ticket.id.clone(),
            selector: code.selector().to_owned(),
            secret_hmac: state.pepper.seal(code.secret()),
            created_by: caller.actor.name().to_owned(),
            created_ms: now,
            expires_ms: now + LINK_MS,
            revoked_ms: None,
        };
        let mut tx = state.db.begin().await?;
        match rows::insert(&mut tx, &row).await {
            // There are a million selectors; another try finds a free one.
            Err(error) if error.is_unique_violation() && tries < 50 => {
                tries += 1;
                continue;
            }
            other => other?,
        }
        let body = format!("{}-…", row.selector);
        let happened = event(now, &ticket.id, Happened::Link, false, &caller.actor, &body);
        append(&mut tx, &happened).await?;
        caller
            .audit(&mut tx, state, "link.create", &key(&ticket))
            .await?;
        tx.commit().await?;
        return Ok((row, code));
    }
}

/// Revokes all links to a ticket's page.
pub async fn revoke_links(state: &AppState, caller: &Caller, ticket_key: &str) -> AppResult<u64> {
    let ticket = super::load(state, ticket_key).await?;
    let mut tx = state.db.begin().await?;
    let gone = rows::revoke(&mut tx, &ticket.id, state.now_ms()).await?;
    caller
        .audit(&mut tx, state, "link.revoke", &key(&ticket))
        .await?;
    tx.commit().await?;
    Ok(gone)
}

/// The holder of a link: who they are, and the id of their ticket.
pub async fn authenticate(
    state: &AppState,
    token: &str,
    address: IpAddr,
) -> AppResult<(Caller, String)> {
    let now = state.now_ms();
    let subject = limits::subject(address);
    let mut keys = vec![
        (CODE_PER_MINUTE, subject.clone()),
        (CODE_PER_HOUR, subject),
        (CODE_IN_ALL, limits::ALL.to_owned()),
    ];
    let code = UploadCode::parse(token).ok();
    if let Some(code) = &code {
        keys.push((CODE_PER_SELECTOR, format!("link:{}", code.selector())));
    }
    let turn = limits::admit(&state.db, keys, now).await?;
    let found = match &code {
        Some(code) => rows::find_by_selector(&mut *state.db.read().await?, code.selector()).await?,
        None => None,
    };
    // The same work for unknown selectors, so that time does not tell them apart.
    let sealed = state.pepper.seal(code.as_ref().map_or("", |c| c.secret()));
    let stored = found.as_ref().map_or("", |row| row.secret_hmac.as_str());
    let fits = same(&sealed, stored);
    match found {
        Some(row) if fits && row.revoked_ms.is_none() && row.expires_ms > now => {
            let actor = Actor::Customer {
                link_id: row.id,
                ticket_id: row.ticket_id.clone(),
            };
            Ok((Caller { actor, address }, row.ticket_id))
        }
        _ => {
            turn.failed(&state.db).await?;
            Err(AppError::not_found("page").hint("ask your support contact for a new link"))
        }
    }
}

/// The customer writes. What waited for them, or was thought done with, is our turn again; what was closed long ago goes
/// on in a follow-up, the link to whose page is given then.
pub async fn reply(
    state: &AppState,
    caller: &Caller,
    ticket_id: &str,
    body: &str,
) -> AppResult<Option<UploadCode>> {
    let body = text("body", body, 1, 20_000)?;
    speak(state, caller, ticket_id, Happened::Reply, &body).await
}

/// The customer opens a ticket again, or begins a follow-up of what was closed long ago.
pub async fn reopen(
    state: &AppState,
    caller: &Caller,
    ticket_id: &str,
    body: &str,
) -> AppResult<Option<UploadCode>> {
    let body = text("body", body, 1, 20_000)?;
    speak(state, caller, ticket_id, Happened::Reopened, &body).await
}

async fn speak(
    state: &AppState,
    caller: &Caller,
    ticket_id: &str,
    what: Happened,
    body: &str,
) -> AppResult<Option<UploadCode>> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_id).await?;
    let turn = follow_up::answer(state, &ticket.row);
    if turn == Answer::Follows {
        drop(tx);
        let new = NewFollowUp {
            happened: body.to_owned(),
            ..NewFollowUp::default()
        };
        let made = follow_up::create(state, caller, ticket_id, &new).await?;
        return Ok(Some(link(state, caller, &made.id).await?.1));
    }
    let happened = event(now, ticket_id, what, true, &caller.actor, body);
    append(&mut tx, &happened).await?;
    if turn == Answer::Opens || what == Happened::Reopened {
        lifecycle::move_to(&mut tx, &mut ticket, Status::Open, &caller.actor, now).await?;
    }
    ticket.store(&mut tx, now).await?;
    caller
        .audit(&mut tx, state, "customer.write", &key(&ticket.row))
        .await?;
    tx.commit().await?;
    Ok(None)
}

/// The customer says how content they are; the last word counts.
pub async fn rate(
    state: &AppState,
    caller: &Caller,
    ticket_id: &str,
    how: Satisfaction,
    note: &str,
) -> AppResult<()> {
    let note = text("note", note, 0, 5_000)?;
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let mut ticket = Opened::load(&mut tx, ticket_id).await?;
    ticket.life.satisfaction = Some(how.word().to_owned());
    ticket.life.satisfaction_note = note.clone();
    let happened = event(
        now,
        ticket_id,
        Happened::Satisfaction,
        false,
        &caller.actor,
        &note,
    );
    let data = json!({"satisfaction": how.word()});
    append(&mut tx, &with_data(happened, &data)).await?;
    ticket.store(&mut tx, now).await?;
    caller
        .audit(&mut tx, state, "customer.rate", &key(&ticket.row))
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The customer deletes one of their bundles; nothing of it stays.
pub async fn delete_bundle(
    state: &AppState,
    caller: &Caller,
    ticket_id: &str,
    bundle: Uuid,
) -> AppResult<()> {
    let found = state.bundles.find(bundle).await?;
    let found = found.filter(|row| row.ticket_id == ticket_id);
    let found = found.ok_or_else(|| AppError::not_found("bundle"))?;
    super::bundles::delete(state, caller, &found).await
}

/// Notes that somebody of the staff looks at a bundle: the customer sees it, and the audit log has it.
pub async fn viewed(
    state: &AppState,
    caller: &Caller,
    bundle_id: &str,
    ticket_id: &str,
) -> AppResult<()> {
    let Some(person) = caller.actor.person() else {
        return Ok(());
    };
    let now = state.now_ms();
    let seen = rows::seen(&mut *state.db.read().await?, bundle_id, &person.name).await?;
    if seen.is_some_and(|last| last > now - VIEW_MS) {
        return Ok(());
    }
    let mut tx = state.db.begin().await?;
    let who = (bundle_id, ticket_id, &*person.name);
    rows::view(&mut tx, who, (now, VIEW_MS)).await?;
    caller
        .audit(&mut tx, state, "bundle.view", bundle_id)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that somebody of the staff takes a bundle, or files of it, away.
pub async fn downloaded(
    state: &AppState,
    caller: &Caller,
    bundle_id: &str,
    ticket_id: &str,
) -> AppResult<()> {
    viewed(state, caller, bundle_id, ticket_id).await?;
    let mut tx = state.db.begin().await?;
    caller
        .audit(&mut tx, state, "bundle.download", bundle_id)
        .await?;
    tx.commit().await?;
    Ok(())
}
