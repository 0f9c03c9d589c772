//! Setting connectors up, looking after the outbox, and connecting tickets. Secrets go in and never come out again.

use serde::Deserialize;
use serde_json::json;

use super::guard::address;
use super::{Fault, Kind, Made, SecretForm, Settings, fields, kind, make, outbox, webhook};
use crate::config::Secret;
use crate::db::DbError;
use crate::db::connectors::{self as rows, ConnectorRow};
use crate::db::outbox as letters;
use crate::error::{AppError, AppResult};
use crate::locale::Locale;
use crate::state::{AppState, new_id};
use crate::tickets::model::{Happened, Status};
use crate::tickets::{self, Caller, append, event, text, with_data};

/// A connector as it is set up.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnector {
    /// `webhook`, `chat`, `mail`, `rt`, `redmine` or `zammad`; it cannot be changed.
    #[serde(default)]
    #[schema(max_length = 20)]
    pub kind: String,
    /// What people call it.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Where it is. The address of a chat holds a secret, and only its host is shown again.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub url: String,
    /// Token, key or signing secret. Empty: the one it has, or for a webhook a new one.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub secret: String,
    /// Whether anything is told.
    #[serde(default)]
    pub enabled: bool,
    /// The rest.
    #[serde(default)]
    pub settings: Settings,
}

/// Adds a connector, or changes the one with this id. Gives the row, and the secret if one was made now.
pub async fn store(
    state: &AppState,
    caller: &Caller,
    id: Option<&str>,
    new: &NewConnector,
) -> AppResult<(ConnectorRow, Option<Secret>)> {
    let old = match id {
        Some(id) => Some(load(state, id).await?),
        None => None,
    };
    let word = old.as_ref().map_or(&*new.kind, |row| &*row.kind);
    let kind = kind(word).ok_or_else(|| {
        let known: Vec<&str> = super::KINDS.iter().map(|kind| kind.word).collect();
        AppError::invalid("kind", format!("must be one of {}", known.join(", ")))
    })?;
    let id = old.as_ref().map_or_else(new_id, |row| row.id.clone());
    check(kind, &new.settings)?;
    let (url, given) = reach(kind, new, old.as_ref())?;
    let lock = |secret: &Secret| state.pepper.lock(&id, secret);
    let (secret, made) = match (given, &old, kind.secret) {
        (Some(secret), _, _) => (lock(&secret), None),
        (None, Some(row), _) if host(&row.url) == host(&url) => (row.secret.clone(), None),
        (None, None, SecretForm::Made) => {
            let secret = webhook::new_secret();
            (lock(&secret), Some(secret))
        }
        (None, None, SecretForm::Optional) => (lock(&Secret::new("")), None),
        // A secret is not sent to a host that it was not given for.
        _ => {
            let what = "enter it: it belongs to this address";
            return Err(AppError::invalid("secret", what));
        }
    };
    let now = state.now_ms();
    let row = ConnectorRow {
        kind: kind.word.to_owned(),
        name: fields::one_line(&text("name", &new.name, 1, 80)?),
        enabled: i64::from(new.enabled),
        url,
        settings: serde_json::to_string(&new.settings).map_err(AppError::internal)?,
        secret,
        cursor_ms: now,
        changed_by: caller.actor.name().to_owned(),
        changed_ms: now,
        id,
        ..ConnectorRow::default()
    };
    make(state, &row).map_err(|fault| AppError::invalid("settings", fault.to_string()))?;
    let mut tx = state.db.begin().await?;
    match rows::put(&mut tx, &row).await {
        Err(error) if error.is_unique_violation() => {
            return Err(AppError::invalid("name", "another connector has this name"));
        }
        other => other?,
    }
    outbox::wake(&mut tx, &row.id, now).await?;
    caller
        .audit(&mut tx, state, "connector.store", &row.name)
        .await?;
    tx.commit().await?;
    Ok((row, made))
}

/// The address that is shown, and the secret if one was given.
fn reach(
    kind: &Kind,
    new: &NewConnector,
    old: Option<&ConnectorRow>,
) -> AppResult<(String, Option<Secret>)> {
    let given = text("url", &new.url, 0, 500)?;
    let secret = Some(new.secret.trim()).filter(|text| !text.is_empty());
    let secret = secret.map(|text| text.to_owned());
    if kind.secret != SecretForm::Address {
        let url = address(&given, new.settings.private, kind.schemes)
            .map_err(|what| AppError::invalid("url", what))?;
        return Ok((url.to_string(), secret.map(Secret::new)));
    }
    // The whole address is what one may post with.
    match old {
        Some(row) if given.is_empty() || given == row.url => Ok((row.url.clone(), None)),
        _ => {
            let url = address(&given, new.settings.private, kind.schemes)
                .map_err(|what| AppError::invalid("url", what))?;
            let shown = url.origin().ascii_serialization();
            Ok((shown, Some(Secret::new(url.to_string()))))
        }
    }
}

/// Whom a secret was given for.
fn host(url: &str) -> Option<(String, String, Option<u16>)> {
    let url = reqwest::Url::parse(url).ok()?;
    let name = url.host_str()?.to_owned();
    Some((url.scheme().to_owned(), name, url.port_or_known_default()))
}

fn check(kind: &Kind, settings: &Settings) -> AppResult<()> {
    for event in &settings.events {
        if Happened::parse(event).is_none() {
            return Err(AppError::invalid(
                "events",
                format!("{event} is no kind of event"),
            ));
        }
    }
    let pairs = |field: &str, lines: &[String], known: &dyn Fn(&str) -> bool| {
        for line in lines {
            let line = text(field, line, 1, 200)?;
            let good = line
                .rsplit_once('=')
                .is_some_and(|(theirs, ours)| !theirs.trim().is_empty() && known(ours.trim()));
            if !good {
                let hint =
                    format!("{line:?} is not of the form theirs = ours, with one of our words");
                return Err(AppError::invalid(field, hint));
            }
        }
        Ok(())
    };
    pairs("fields", &settings.fields, &|word| {
        fields::VALUES.contains(&word)
    })?;
    pairs("statuses", &settings.statuses, &|word| {
        Status::parse(word).is_some()
    })?;
    text("place", &settings.place, 0, 200)?;
    text("tags_field", &settings.tags_field, 0, 200)?;
    if !settings.language.is_empty() && Locale::by_code(&settings.language).is_none() {
        return Err(AppError::invalid("language", "must be en or zh-CN"));
    }
    if kind.tickets && settings.open && settings.place.trim().is_empty() {
        return Err(AppError::invalid("place", "say where tickets are opened"));
    }
    Ok(())
}

/// A connector; 404 when there is none.
pub async fn load(state: &AppState, id: &str) -> AppResult<ConnectorRow> {
    let row = rows::find(&mut *state.db.read().await?, id).await?;
    row.ok_or_else(|| AppError::not_found("connector"))
}

/// Removes a connector with what it was still to be told.
pub async fn remove(state: &AppState, caller: &Caller, id: &str) -> AppResult<()> {
    let row = load(state, id).await?;
    let mut tx = state.db.begin().await?;
    rows::remove(&mut tx, id).await?;
    caller
        .audit(&mut tx, state, "connector.remove", &row.name)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Whether the other side answers and takes the secret; what it says otherwise. A hook is only asked when something
/// happens.
pub async fn probe(state: &AppState, id: &str) -> AppResult<Result<(), Fault>> {
    let row = load(state, id).await?;
    Ok(match make(state, &row) {
        Ok((Made::System(system), _)) => system.check().await,
        Ok((Made::Hook(_), _)) => Ok(()),
        Err(fault) => Err(fault),
    })
}

/// Sends all dead letters of a connector again; how many they are.
pub async fn replay_all(state: &AppState, caller: &Caller, id: &str) -> AppResult<u64> {
    let row = load(state, id).await?;
    let mut tx = state.db.begin().await?;
    let count = letters::revive_all(&mut tx, id).await?;
    rows::answered(&mut tx, id).await?;
    outbox::wake(&mut tx, id, state.now_ms()).await?;
    caller
        .audit(&mut tx, state, "outbox.replay", &row.name)
        .await?;
    tx.commit().await?;
    state.bundles.wake.call(outbox::JOB);
    Ok(count)
}

/// Sends a dead letter again, or drops it, so that what stands behind it goes on.
pub async fn revive(state: &AppState, caller: &Caller, id: &str, drop_it: bool) -> AppResult<()> {
    let (to, action) = match drop_it {
        true => ("dropped", "outbox.drop"),
        false => ("waiting", "outbox.replay"),
    };
    let mut tx = state.db.begin().await?;
    let lane = letters::revive(&mut tx, id, to).await?;
    let (connector, _) = lane.ok_or_else(|| AppError::not_found("dead letter"))?;
    rows::answered(&mut tx, &connector).await?;
    outbox::wake(&mut tx, &connector, state.now_ms()).await?;
    caller.audit(&mut tx, state, action, id).await?;
    tx.commit().await?;
    state.bundles.wake.call(outbox::JOB);
    Ok(())
}

/// Names of the connectors that a ticket can be connected with.
///
/// # Errors
/// When the database does not answer.
pub async fn with_tickets(conn: &mut sqlx::AnyConnection) -> Result<Vec<String>, DbError> {
    let all = rows::list(conn).await?.into_iter();
    let some = all.filter(|row| row.enabled == 1 && super::has_tickets(&row.kind));
    Ok(some.map(|row| row.name).collect())
}

/// Connects a ticket with one of another system, or opens one there.
pub async fn connect(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    (connector, remote): (&str, &str),
) -> AppResult<()> {
    let ticket = tickets::load(state, ticket_key).await?;
    let all = rows::list(&mut *state.db.read().await?).await?;
    let row = all.into_iter().find(|row| {
        (row.name == connector || row.id == connector)
            && row.enabled == 1
            && super::has_tickets(&row.kind)
    });
    let row = row.ok_or_else(|| {
        AppError::invalid("connector", "is not one that is turned on and has tickets")
    })?;
    let remote = remote.trim().trim_start_matches('#');
    if !remote.is_empty() {
        fields::number(remote).map_err(|fault| AppError::invalid("remote", fault.to_string()))?;
    }
    let now = state.now_ms();
    let body = match remote {
        "" => row.name.clone(),
        id => format!("{} {id}", row.name),
    };
    let happened = event(
        now,
        &ticket.id,
        Happened::Connected,
        false,
        &caller.actor,
        &body,
    );
    let data = json!({"connector": row.id, "remote": remote});
    let mut tx = state.db.begin().await?;
    append(&mut tx, &with_data(happened, &data)).await?;
    caller
        .audit(&mut tx, state, "ticket.connect", ticket_key)
        .await?;
    tx.commit().await?;
    state.bundles.wake.call(outbox::JOB);
    Ok(())
}
