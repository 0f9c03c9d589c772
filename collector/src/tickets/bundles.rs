//! What tickets do when a bundle is received or has its verdict: the other side of `bundles::tickets`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::model::Happened;
use super::{Caller, append, append_all, apply_findings, event, key, retract_findings, with_data};
use crate::auth::Actor;
use crate::bundles::tickets::{Soon, TicketName, Tickets, Told};
use crate::bundles::{self, now_ms};
use crate::db::DbError;
use crate::db::bundles::BundleRow;
use crate::db::findings;
use crate::db::timeline::EventRow;
use crate::db::uploads::UploadRow;
use crate::db::{codes, tickets};
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use sitrep_shared::size::format_bytes;

/// Somebody deletes a bundle for good; nothing of it stays but a line of the timeline and one of the audit log.
pub async fn delete(state: &AppState, caller: &Caller, bundle: &BundleRow) -> AppResult<()> {
    let none = || AppError::not_found("bundle");
    let id = Uuid::parse_str(&bundle.id).map_err(|_| none())?;
    let mut tx = state.db.begin().await?;
    if !bundles::mark(&mut tx, id).await? {
        return Err(none());
    }
    // A deletion that was begun before and broke off is told already.
    if bundle.state != "deleting" {
        deleted(&mut tx, state.now_ms(), &caller.actor, bundle).await?;
        caller
            .audit(&mut tx, state, "bundle.delete", &bundle.receipt)
            .await?;
    }
    tx.commit().await?;
    Ok(state.bundles.remove(id).await?)
}

/// A bundle is deleted: its findings and what they did to the ticket go with it, and the timeline keeps that it was
/// there.
///
/// # Errors
/// When the database refuses.
async fn deleted(
    tx: &mut AnyConnection,
    now: i64,
    actor: &Actor,
    bundle: &BundleRow,
) -> Result<(), DbError> {
    findings::delete(tx, &bundle.id).await?;
    let ticket_id = &bundle.ticket_id;
    let body = format!("{} · sha256 {}", bundle.receipt, bundle.sha256);
    let happened = event(now, ticket_id, Happened::Deleted, true, actor, &body);
    let data = json!({"bundle": bundle.id, "receipt": bundle.receipt});
    append(tx, &with_data(happened, &data)).await?;
    tickets::touch(tx, ticket_id, now).await?;
    retract_findings(tx, now, ticket_id).await.map(drop)
}

/// The event of an upload that is complete.
fn came(upload: &UploadRow, now: i64) -> EventRow {
    // A deferred length is known by now.
    let bytes = upload.length_bytes.unwrap_or(upload.offset_bytes);
    let (size, digest) = (
        format_bytes(bytes.unsigned_abs()),
        upload.sha256.as_deref().unwrap_or_default(),
    );
    let body = format!("{} · {size} · sha256 {digest}", upload.filename);
    let actor = Actor::Uploader {
        code_id: upload.code_id.clone(),
        ticket_id: upload.ticket_id.clone(),
    };
    let happened = Happened::Bundle;
    let event = event(now, &upload.ticket_id, happened, true, &actor, &body);
    let data = json!({"bundle": upload.bundle_id, "receipt": upload.receipt});
    with_data(event, &data)
}

/// The tickets of the database.
#[derive(Debug, Default)]
pub struct OwnTickets;

impl Tickets for OwnTickets {
    fn received<'a>(
        &'a self,
        tx: &'a mut AnyConnection,
        uploads: &'a [UploadRow],
    ) -> Soon<'a, bool> {
        Box::pin(async move {
            let now = now_ms();
            let (mut used, mut touched) = (BTreeMap::new(), BTreeSet::new());
            for upload in uploads {
                *used.entry(&*upload.code_id).or_default() += 1;
                touched.insert(&*upload.ticket_id);
            }
            for (code, bundles) in used {
                if !codes::consume(tx, code, bundles, now).await? {
                    return Ok(false);
                }
            }
            let events: Vec<EventRow> = uploads.iter().map(|upload| came(upload, now)).collect();
            append_all(tx, &events).await?;
            for ticket in touched {
                tickets::touch(tx, ticket, now).await?;
            }
            Ok(true)
        })
    }

    fn name<'a>(&'a self, db: &'a mut AnyConnection, ticket_id: &'a str) -> Soon<'a, TicketName> {
        Box::pin(async move {
            let found = tickets::find(db, ticket_id).await?;
            Ok(found
                .map(|row| TicketName {
                    key: key(&row),
                    title: row.title,
                })
                .unwrap_or_default())
        })
    }

    fn withdrawn<'a>(
        &'a self,
        tx: &'a mut AnyConnection,
        bundle: &'a BundleRow,
        code_id: &'a str,
    ) -> Soon<'a, ()> {
        Box::pin(async move {
            let actor = Actor::Uploader {
                code_id: code_id.to_owned(),
                ticket_id: bundle.ticket_id.clone(),
            };
            deleted(tx, now_ms(), &actor, bundle).await
        })
    }

    fn verdict<'a>(&'a self, tx: &'a mut AnyConnection, told: Told<'a>) -> Soon<'a, ()> {
        Box::pin(async move {
            let now = now_ms();
            let ticket_id = &told.bundle.ticket_id;
            if told.outcome.state != "ready" {
                let reason = told.outcome.reason.as_deref().unwrap_or_default();
                let body = format!("{} {reason}", told.outcome.state);
                let happened = event(
                    now,
                    ticket_id,
                    Happened::Bundle,
                    false,
                    &Actor::System,
                    &body,
                );
                let data = json!({"bundle": told.bundle.id, "state": told.outcome.state});
                append(tx, &with_data(happened, &data)).await?;
            }
            let found = findings::of_bundle(tx, &told.bundle.id, now).await?;
            apply_findings(tx, now, ticket_id, &found).await
        })
    }
}
