//! Connectors, the outbox, and the tickets of other systems that are ours.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Access;
use crate::connectors::Settings;
use crate::connectors::admin::{self, NewConnector};
use crate::connectors::inbound::{self, Envelope, Inbound, Taken};
use crate::db::connectors::{ConnectorRow, list as list_rows};
use crate::db::outbox as rows;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{ClientAddress, Json, Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::{self, Caller};

/// Letters of one page of the outbox.
const PAGE: i64 = 100;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/connectors", Access::Admin, list)
        .doc(Op::new("List connectors").returns::<ConnectorList>(200))
        .post("/api/v1/connectors", Access::Admin, add)
        .doc(Op::new("Set a connector up").body::<NewConnector>().returns::<ConnectorMade>(201))
        .patch("/api/v1/connectors/{id}", Access::Admin, change)
        .doc(Op::new("Change a connector").body::<NewConnector>().returns::<ConnectorMade>(200))
        .delete("/api/v1/connectors/{id}", Access::Admin, remove)
        .doc(Op::new("Remove a connector, with what it was still to be told").empty(204))
        .post("/api/v1/connectors/{id}/check", Access::Admin, check)
        .doc(Op::new("Ask whether a ticket system answers and takes the secret").returns::<Checked>(200))
        .post("/api/v1/connectors/{id}/replay", Access::Admin, replay_all)
        .doc(Op::new("Send all dead letters of a connector again").returns::<Replayed>(200))
        .post("/api/v1/connectors/{id}/messages", Access::Public, receive)
        .doc(Op::new("Take a signed message (Standard Webhooks) from another system; a message counts once")
            .body::<Inbound>().returns::<Taken>(200).fails(&[401, 404, 422]))
        .get("/api/v1/outbox", Access::Admin, outbox)
        .doc(Op::new("List what is and was to be told, the newest first").query::<OutboxQuery>().returns::<Outbox>(200).fails(&[404]))
        .post("/api/v1/outbox/{id}/replay", Access::Admin, replay)
        .doc(Op::new("Send a dead letter again").empty(204))
        .post("/api/v1/outbox/{id}/drop", Access::Admin, drop_letter)
        .doc(Op::new("Drop a dead letter, so that what stands behind it goes on").empty(204))
        .get("/api/v1/tickets/{ticket}/connections", Access::Viewer, connections)
        .doc(Op::new("List the tickets of other systems that are this one").returns::<Connections>(200))
        .post("/api/v1/tickets/{ticket}/connections", Access::Engineer, connect)
        .doc(Op::new("Connect a ticket with one of another system, or open one there").body::<NewConnection>().empty(202))
}

/// A connector, without its secret.
#[derive(Serialize, ToSchema)]
struct ConnectorView {
    id: String,
    kind: String,
    name: String,
    url: String,
    enabled: bool,
    settings: Settings,
    /// Faults in a row.
    failures: i64,
    /// The last fault; empty when all is well.
    fault: String,
    /// Letters that wait.
    waiting: i64,
    /// Dead letters.
    dead: i64,
    changed_by: String,
    changed_ms: i64,
}

/// Connectors by name.
#[derive(Serialize, ToSchema)]
struct ConnectorList {
    items: Vec<ConnectorView>,
}

/// A connector that was stored.
#[derive(Serialize, ToSchema)]
struct ConnectorMade {
    /// A signing secret that was made now, shown once.
    secret: Option<String>,
    info: ConnectorView,
}

/// What came of asking.
#[derive(Serialize, ToSchema)]
struct Checked {
    ok: bool,
    /// What is wrong, and what to do.
    fault: Option<String>,
}

/// What was sent again.
#[derive(Serialize, ToSchema)]
struct Replayed {
    letters: u64,
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OutboxQuery {
    /// `waiting`, `sent`, `dead` or `dropped`.
    #[serde(default)]
    state: String,
    /// `next_before` of the page before.
    #[serde(default)]
    before: String,
}

/// One letter.
#[derive(Serialize, ToSchema)]
struct Letter {
    id: String,
    connector: String,
    ticket: String,
    /// Kind of the event.
    event: String,
    /// `waiting`, `sent`, `dead` or `dropped`.
    state: String,
    tries: i64,
    /// The last fault.
    error: String,
    created_ms: i64,
    ended_ms: Option<i64>,
}

/// A page of the outbox.
#[derive(Serialize, ToSchema)]
struct Outbox {
    items: Vec<Letter>,
    next_before: Option<String>,
}

/// A ticket of another system.
#[derive(Serialize, ToSchema)]
struct Connection {
    connector: String,
    remote: String,
    url: String,
}

/// Where a ticket is known.
#[derive(Serialize, ToSchema)]
struct Connections {
    items: Vec<Connection>,
}

/// What to connect with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewConnection {
    /// Name of the connector.
    #[schema(min_length = 1, max_length = 80)]
    connector: String,
    /// Number of the ticket there; empty to open one.
    #[serde(default)]
    #[schema(max_length = 20)]
    remote: String,
}

fn view(row: ConnectorRow, counts: &[(String, String, i64)]) -> ConnectorView {
    let count = |state: &str| {
        let mut own = counts.iter();
        let found = own.find(|(id, known, _)| *id == row.id && known == state);
        found.map_or(0, |(_, _, count)| *count)
    };
    ConnectorView {
        waiting: count("waiting"),
        dead: count("dead"),
        settings: serde_json::from_str(&row.settings).unwrap_or_default(),
        enabled: row.enabled == 1,
        id: row.id,
        kind: row.kind,
        name: row.name,
        url: row.url,
        failures: row.failures,
        fault: row.fault,
        changed_by: row.changed_by,
        changed_ms: row.changed_ms,
    }
}

async fn list(State(state): State<AppState>) -> AppResult<axum::Json<ConnectorList>> {
    let mut conn = state.db.read().await?;
    let all = list_rows(&mut conn).await?;
    let counts = rows::counts(&mut conn).await?;
    let items = all.into_iter().map(|row| view(row, &counts)).collect();
    Ok(axum::Json(ConnectorList { items }))
}

async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Json(body): Json<NewConnector>,
) -> AppResult<(StatusCode, axum::Json<ConnectorMade>)> {
    let (row, secret) = admin::store(&state, &caller, None, &body).await?;
    let made = ConnectorMade {
        secret: secret.map(|secret| secret.reveal().to_owned()),
        info: view(row, &[]),
    };
    Ok((StatusCode::CREATED, axum::Json(made)))
}

async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<NewConnector>,
) -> AppResult<axum::Json<ConnectorMade>> {
    let id = super::id("connector", &id)?;
    let (row, secret) = admin::store(&state, &caller, Some(&id), &body).await?;
    let counts = rows::counts(&mut *state.db.read().await?).await?;
    Ok(axum::Json(ConnectorMade {
        secret: secret.map(|secret| secret.reveal().to_owned()),
        info: view(row, &counts),
    }))
}

async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    admin::remove(&state, &caller, &super::id("connector", &id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> AppResult<axum::Json<Checked>> {
    let told = admin::probe(&state, &super::id("connector", &id)?).await?;
    let fault = told
        .err()
        .map(|fault| sitrep_shared::error::chain(&fault).to_string());
    Ok(axum::Json(Checked {
        ok: fault.is_none(),
        fault,
    }))
}

async fn replay_all(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<axum::Json<Replayed>> {
    let id = super::id("connector", &id)?;
    let letters = admin::replay_all(&state, &caller, &id).await?;
    Ok(axum::Json(Replayed { letters }))
}

async fn receive(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> AppResult<axum::Json<Taken>> {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (message, time) = (text("webhook-id"), text("webhook-timestamp"));
    let signature = text("webhook-signature");
    let envelope = Envelope {
        id: &message,
        timestamp: &time,
        signature: &signature,
    };
    let id = super::id("connector", &id).unwrap_or_default();
    let taken = inbound::take(&state, address, &id, (&envelope, &body)).await?;
    Ok(axum::Json(taken))
}

async fn outbox(
    State(state): State<AppState>,
    Query(query): Query<OutboxQuery>,
) -> AppResult<axum::Json<Outbox>> {
    if !["", "waiting", "sent", "dead", "dropped"].contains(&&*query.state) {
        return Err(AppError::bad_request(
            "state must be waiting, sent, dead or dropped",
        ));
    }
    let before = match &*query.before {
        "" => String::new(),
        id => super::id("letter", id)
            .map_err(|_| AppError::bad_request("before must be a next_before of a page"))?,
    };
    let mut conn = state.db.read().await?;
    let all = rows::list(&mut conn, &query.state, &before, PAGE).await?;
    let full = i64::try_from(all.len()).is_ok_and(|count| count == PAGE);
    let next_before = all.last().filter(|_| full).map(|row| row.id.clone());
    let items = all.into_iter().map(|row| Letter {
        ticket: format!("TKT-{}", row.number),
        id: row.id,
        connector: row.connector,
        event: row.kind,
        state: row.state,
        tries: row.tries,
        error: row.error,
        created_ms: row.created_ms,
        ended_ms: row.ended_ms,
    });
    Ok(axum::Json(Outbox {
        items: items.collect(),
        next_before,
    }))
}

async fn replay(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    admin::revive(&state, &caller, &super::id("letter", &id)?, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn drop_letter(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> AppResult<StatusCode> {
    admin::revive(&state, &caller, &super::id("letter", &id)?, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn connections(
    State(state): State<AppState>,
    Path(key): Path<String>,
) -> AppResult<axum::Json<Connections>> {
    let ticket = tickets::load(&state, &key).await?;
    let links = rows::links_of(&mut *state.db.read().await?, &ticket.id).await?;
    let one = |(connector, remote, url)| Connection {
        connector,
        remote,
        url,
    };
    let items = links.into_iter().map(one).collect();
    Ok(axum::Json(Connections { items }))
}

async fn connect(
    State(state): State<AppState>,
    caller: Caller,
    Path(key): Path<String>,
    Json(body): Json<NewConnection>,
) -> AppResult<StatusCode> {
    let with = (&*body.connector, &*body.remote);
    admin::connect(&state, &caller, &key, with).await?;
    Ok(StatusCode::ACCEPTED)
}
