//! Upload codes: made for one ticket, shown once, write-only, slow to guess.

use std::net::IpAddr;

use axum::http::StatusCode;
use serde::Deserialize;

use super::model::Happened;
use super::{Caller, append, event, key};
use crate::auth::limits::{self, CODE_IN_ALL, CODE_PER_HOUR, CODE_PER_MINUTE, CODE_PER_SELECTOR};
use crate::auth::{random, same};
use crate::db::codes::{self as rows, CodeRow};
use crate::db::tickets;
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use sitrep_shared::ids::UploadCode;
use sitrep_shared::protocol::{CodeInfo, TicketBrief, problem::CODE_INVALID};

/// Longest lifetime of a code.
const MAX_HOURS: i64 = 7 * 24;

/// What a code is asked for.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCode {
    /// Profile to collect with.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9-]+$")]
    pub profile: Option<String>,
    /// Start of the time span, such as `24h` or RFC 3339.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub since: Option<String>,
    /// Bundles that may be sent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 20)]
    pub max_bundles: Option<i64>,
    /// Hours that the code is valid.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 168)]
    pub hours: Option<i64>,
}

/// What an authenticated code allows.
#[derive(Debug, Clone)]
pub struct CodeGrant {
    /// The code's row.
    pub code_id: String,
    /// Its ticket; uploads belong to it whatever they say.
    pub ticket_id: String,
    /// Largest upload.
    pub max_bytes: u64,
    /// Uploads that may still be begun; 0 for a code that is used up but whose uploads go on.
    pub uploads_left: u32,
    /// End of validity.
    pub expires_ms: i64,
    /// Profile asked for.
    pub profile: String,
    /// Time span asked for.
    pub since: Option<String>,
    /// Who asked.
    pub requested_by: String,
}

/// Makes a code; returns its row and, this once, the code.
pub async fn create(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    new: &NewCode,
) -> AppResult<(CodeRow, UploadCode)> {
    let ticket = super::load(state, ticket_key).await?;
    let mut row = checked(state, caller, new)?;
    row.ticket_id = ticket.id.clone();
    let mut tries = 0;
    loop {
        let code = UploadCode::generate(&random::<10>());
        row.selector = code.selector().to_owned();
        row.secret_hmac = state.pepper.seal(code.secret());
        let mut tx = state.db.begin().await?;
        match rows::insert(&mut tx, &row).await {
            // There are a million selectors; another try finds a free one.
            Err(error) if error.is_unique_violation() && tries < 50 => {
                tries += 1;
                continue;
            }
            other => other?,
        }
        let body = format!("{}-… · {}", row.selector, row.profile);
        append(
            &mut tx,
            &event(
                row.created_ms,
                &ticket.id,
                Happened::Code,
                true,
                &caller.actor,
                &body,
            ),
        )
        .await?;
        caller
            .audit(&mut tx, state, "code.create", &key(&ticket))
            .await?;
        tx.commit().await?;
        return Ok((row, code));
    }
}

fn checked(state: &AppState, caller: &Caller, new: &NewCode) -> AppResult<CodeRow> {
    let profile = new.profile.clone().unwrap_or_else(|| "standard".to_owned());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if profile.is_empty() || profile.len() > 64 || !profile.chars().all(plain) {
        return Err(AppError::invalid("profile", "use 1 to 64 of a-z 0-9 -"));
    }
    let since = new
        .since
        .as_deref()
        .map(|s| super::text("since", s, 0, 40))
        .transpose()?
        .filter(|s| !s.is_empty());
    let max_bundles = new.max_bundles.unwrap_or(1);
    if !(1..=20).contains(&max_bundles) {
        return Err(AppError::invalid("max_bundles", "must be 1 to 20"));
    }
    let default_hours = i64::try_from(state.config.code_lifetime.as_secs() / 3600).unwrap_or(72);
    let hours = new.hours.unwrap_or(default_hours);
    if !(1..=MAX_HOURS).contains(&hours) {
        return Err(AppError::invalid(
            "hours",
            format!("must be 1 to {MAX_HOURS}"),
        ));
    }
    let now = state.now_ms();
    Ok(CodeRow {
        id: new_id(),
        selector: String::new(),
        secret_hmac: String::new(),
        ticket_id: String::new(),
        profile,
        since,
        requested_by: caller.actor.name().to_owned(),
        created_ms: now,
        expires_ms: now + hours * 3_600_000,
        max_bytes: i64::try_from(state.config.max_upload_bytes).unwrap_or(i64::MAX),
        max_bundles,
        used_bundles: 0,
        used_ms: None,
        revoked_ms: None,
    })
}

/// The one answer for codes that are wrong, used, expired or revoked.
pub fn refused() -> AppError {
    AppError::new(
        StatusCode::UNAUTHORIZED,
        CODE_INVALID,
        "this upload code is not valid (any more)",
    )
    .hint("ask your support contact for a new code")
}

/// Checks a code. Failures are counted per address and per selector; a counter that is full answers
/// 429, also to a right code, so that pauses cannot be guessed through.
pub async fn authenticate(state: &AppState, bearer: &str, address: IpAddr) -> AppResult<CodeGrant> {
    let now = state.now_ms();
    let subject = limits::subject(address);
    let mut keys = vec![
        (CODE_PER_MINUTE, subject.clone()),
        (CODE_PER_HOUR, subject),
        (CODE_IN_ALL, limits::ALL.to_owned()),
    ];
    let code = UploadCode::parse(bearer).ok();
    if let Some(code) = &code {
        keys.push((CODE_PER_SELECTOR, code.selector().to_owned()));
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
        Some(row) if fits && row.revoked_ms.is_none() && row.expires_ms > now => Ok(grant(row)),
        _ => {
            turn.failed(&state.db).await?;
            Err(refused())
        }
    }
}

fn grant(row: CodeRow) -> CodeGrant {
    CodeGrant {
        code_id: row.id,
        ticket_id: row.ticket_id,
        max_bytes: row.max_bytes.unsigned_abs(),
        uploads_left: u32::try_from(row.max_bundles - row.used_bundles).unwrap_or(0),
        expires_ms: row.expires_ms,
        profile: row.profile,
        since: row.since,
        requested_by: row.requested_by,
    }
}

/// Revokes a code.
pub async fn revoke(
    state: &AppState,
    caller: &Caller,
    ticket_key: &str,
    id: &str,
) -> AppResult<()> {
    let ticket = super::load(state, ticket_key).await?;
    let mut tx = state.db.begin().await?;
    if !rows::revoke(&mut tx, id, &ticket.id, state.now_ms()).await? {
        return Err(AppError::not_found("upload code"));
    }
    caller
        .audit(&mut tx, state, "code.revoke", &key(&ticket))
        .await?;
    tx.commit().await?;
    Ok(())
}

/// What the agent and the upload page are told about a code.
pub async fn info(state: &AppState, grant: &CodeGrant) -> AppResult<CodeInfo> {
    if grant.uploads_left == 0 {
        return Err(refused());
    }
    let found = tickets::find(&mut *state.db.read().await?, &grant.ticket_id).await?;
    let ticket = found.ok_or_else(refused)?;
    Ok(CodeInfo {
        schema: CodeInfo::SCHEMA.to_owned(),
        ticket: TicketBrief {
            key: key(&ticket),
            title: ticket.title,
        },
        requested_by: Some(grant.requested_by.clone()),
        profile: grant.profile.clone(),
        since: grant.since.clone(),
        expires_ms: grant.expires_ms,
        max_bytes: grant.max_bytes,
        uploads_left: grant.uploads_left,
        collector_name: state.config.name.clone(),
        age_recipient: state.config.encryption.recipient.map(|key| key.to_string()),
    })
}
