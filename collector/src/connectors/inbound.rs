//! Signed webhooks that come in: another system opens a ticket, or writes on one. The signature is that of Standard
//! Webhooks under the connector's secret; a message counts once, and not when it is old.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::webhook::{TOLERANCE_MS, key, verify};
use super::{fields, setup};
use crate::auth::Actor;
use crate::db::connectors::{self, ConnectorRow};
use crate::error::{AppError, AppResult};
use crate::state::AppState;
use crate::tickets::model::{Happened, Status};
use crate::tickets::{self, Caller, NewTicket, Opened, append, event, lifecycle, with_data};

/// A message from another system.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", content = "data")]
pub enum Inbound {
    /// Opens a ticket.
    #[serde(rename = "ticket.open")]
    Open(Box<NewTicket>),
    /// Writes on a ticket.
    #[serde(rename = "ticket.comment")]
    Comment(InboundComment),
    /// Moves a ticket to a status; not to `closed`, which needs a cause.
    #[serde(rename = "ticket.status")]
    Status(InboundStatus),
}

/// A comment from another system.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundComment {
    /// `TKT-1042`.
    #[schema(max_length = 60)]
    ticket: String,
    #[schema(min_length = 1, max_length = 20_000)]
    body: String,
    /// Who wrote it.
    #[serde(default)]
    #[schema(max_length = 200)]
    author: String,
    /// Whether the customer may see it.
    #[serde(default)]
    public: bool,
}

/// A status from another system.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundStatus {
    /// `TKT-1042`.
    #[schema(max_length = 60)]
    ticket: String,
    status: Status,
}

/// What became of a message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Taken {
    /// The ticket; none for a message that was taken before.
    ticket: Option<String>,
}

/// The headers of a message.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

fn refused() -> AppError {
    AppError::new(
        StatusCode::UNAUTHORIZED,
        "signature_invalid",
        "the message is not signed as Standard Webhooks asks, with this connector's secret and a time of now",
    )
    .hint("check the secret, and the clocks of both hosts")
}

/// Takes a message.
pub async fn take(
    state: &AppState,
    address: std::net::IpAddr,
    connector: &str,
    (envelope, body): (&Envelope<'_>, &[u8]),
) -> AppResult<Taken> {
    let row = connectors::find(&mut *state.db.read().await?, connector).await?;
    let row = row.filter(|row| row.kind == super::webhook::KIND.word && row.enabled == 1);
    let now = state.now_ms();
    // The same answer whatever is wrong, so that nobody learns which connectors there are.
    let row = row.ok_or_else(refused)?;
    let key = setup(state, &row).ok().and_then(|setup| key(&setup.secret));
    let seconds: i64 = envelope.timestamp.parse().map_err(|_| refused())?;
    let late = now.abs_diff(seconds.saturating_mul(1000)) > TOLERANCE_MS.unsigned_abs();
    let good = key.is_some_and(|key| verify(&key, envelope.id, seconds, body, envelope.signature));
    if late || !good || envelope.id.is_empty() || envelope.id.len() > 200 {
        return Err(refused());
    }
    let message: Inbound = serde_json::from_slice(body)
        .map_err(|error| AppError::invalid("body", error.to_string()))?;
    let first = async |conn: &mut sqlx::AnyConnection| {
        connectors::take_message(conn, (&row.id, envelope.id), now).await
    };
    let caller = |name: &str| Caller {
        actor: Actor::Connector {
            id: row.id.clone(),
            name: match name.is_empty() {
                true => row.name.clone(),
                false => format!("{name} ({})", row.name),
            },
        },
        address,
    };
    let key = match message {
        Inbound::Open(new) => {
            // A ticket has a transaction of its own; its number is given once even if the message comes twice at once.
            let mut tx = state.db.begin().await?;
            if !first(&mut tx).await? {
                return Ok(Taken { ticket: None });
            }
            let made = tickets::intake::create_on(&mut tx, state, &caller(""), &new).await?;
            tx.commit().await?;
            tickets::key(&made)
        }
        Inbound::Comment(said) => {
            let body = tickets::text("body", &fields::taken(&said.body), 1, 20_000)?;
            let author = tickets::text("author", &said.author, 0, 200)?;
            let mut tx = state.db.begin().await?;
            if !first(&mut tx).await? {
                return Ok(Taken { ticket: None });
            }
            let mut ticket = Opened::load(&mut tx, &said.ticket).await?;
            let caller = caller(&fields::one_line(&author));
            let new = event(
                now,
                &ticket.row.id,
                Happened::Note,
                said.public,
                &caller.actor,
                &body,
            );
            append(&mut tx, &with_data(new, &from(&row))).await?;
            ticket.store(&mut tx, now).await?;
            tx.commit().await?;
            tickets::key(&ticket.row)
        }
        Inbound::Status(set) => {
            if set.status == Status::Closed {
                return Err(AppError::invalid(
                    "status",
                    "closing needs a cause and a resolution",
                ));
            }
            let mut tx = state.db.begin().await?;
            if !first(&mut tx).await? {
                return Ok(Taken { ticket: None });
            }
            let mut ticket = Opened::load(&mut tx, &set.ticket).await?;
            let actor = caller("").actor;
            lifecycle::move_to(&mut tx, &mut ticket, set.status, &actor, now).await?;
            ticket.store(&mut tx, now).await?;
            tx.commit().await?;
            tickets::key(&ticket.row)
        }
    };
    Ok(Taken { ticket: Some(key) })
}

fn from(row: &ConnectorRow) -> serde_json::Value {
    json!({"from_connector": row.id})
}
