//! What tickets do when a bundle is received or has its verdict: the other side of `bundles::tickets`.

use sqlx::AnyConnection;

use super::{Found, append, apply_findings, event, key};
use crate::auth::Actor;
use crate::bundles::now_ms;
use crate::bundles::tickets::{Soon, TicketName, Tickets, Told};
use crate::db::findings::NewFinding;
use crate::db::uploads::UploadRow;
use crate::db::{codes, tickets};
use sitrep_shared::size::format_bytes;

/// The tickets of the database.
#[derive(Debug, Default)]
pub struct OwnTickets;

impl Tickets for OwnTickets {
    fn received<'a>(
        &'a self,
        tx: &'a mut AnyConnection,
        upload: &'a UploadRow,
        sha256: &'a str,
    ) -> Soon<'a, bool> {
        Box::pin(async move {
            let now = now_ms();
            if !codes::consume(tx, &upload.code_id, now).await? {
                return Ok(false);
            }
            // The row is from before the last bytes were counted; a complete upload knows its length.
            let bytes = upload.length_bytes.unwrap_or(upload.offset_bytes);
            let size = format_bytes(bytes.unsigned_abs());
            let body = format!("{} · {size} · sha256 {sha256}", upload.filename);
            let actor = Actor::Uploader {
                code_id: upload.code_id.clone(),
                ticket_id: upload.ticket_id.clone(),
            };
            append(
                tx,
                &event(now, &upload.ticket_id, "bundle", true, &actor, &body),
            )
            .await?;
            tickets::touch(tx, &upload.ticket_id, now).await?;
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

    fn verdict<'a>(&'a self, tx: &'a mut AnyConnection, told: Told<'a>) -> Soon<'a, ()> {
        Box::pin(async move {
            let now = now_ms();
            let ticket_id = &told.bundle.ticket_id;
            if told.outcome.state != "ready" {
                let reason = told.outcome.reason.as_deref().unwrap_or_default();
                let body = format!("{} {reason}", told.outcome.state);
                append(
                    tx,
                    &event(now, ticket_id, "bundle", false, &Actor::System, &body),
                )
                .await?;
            }
            let found: Vec<Found> = told.findings.iter().map(found).collect();
            apply_findings(tx, now, ticket_id, &found).await
        })
    }
}

/// The part of a stored finding that the ticket needs.
fn found(finding: &NewFinding) -> Found {
    let body: serde_json::Value = serde_json::from_str(&finding.body).unwrap_or_default();
    let tags = body["auto_tag"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    Found {
        id: finding.signature_id.clone(),
        title: finding.title.clone(),
        severity: finding.severity.clone(),
        category: body["category"].as_str().unwrap_or_default().to_owned(),
        auto_tag: tags
            .iter()
            .filter_map(|t| super::tag_word(t.as_str()?).ok())
            .collect(),
    }
}
