//! What people say about findings: confirmed, or dismissed with a reason, which is taken back from the ticket and
//! counts into the signature's precision; and where a signature is to be silent for a time.

use serde::{Deserialize, Serialize};

use crate::auth::Actor;
use crate::db::findings::{self, FindingRow, Judged};
use crate::db::suppressions::{self, SuppressionRow};
use crate::db::tickets as ticket_rows;
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};
use crate::tickets::model::Happened;
use crate::tickets::{self, Caller, apply_findings, retract_findings, text};

/// A suppression ends by itself after this many days at most.
const DAYS_MAX: i64 = 3650;
const DAY_MS: i64 = 86_400_000;

/// What a person can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[schema(as = FindingVerdict)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is so.
    Confirmed,
    /// It is not so, or does not matter.
    Dismissed,
    /// As if nobody had said anything.
    Open,
}

/// Why a finding is dismissed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The signature matched what it does not mean.
    WrongMatch,
    /// True, but beside the point here; counts against the signature too.
    NotRelevant,
    /// True and accepted; counts for the signature.
    Accepted,
}

impl Reason {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::WrongMatch => "wrong_match",
            Self::NotRelevant => "not_relevant",
            Self::Accepted => "accepted",
        }
    }
}

/// A judgement.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// What is said.
    pub verdict: Verdict,
    /// Needed to dismiss.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// In own words.
    #[serde(default)]
    #[schema(max_length = 2_000)]
    pub note: String,
}

/// Judges a finding. A dismissed one is taken back from its ticket; one that is opened again is applied again.
///
/// # Errors
/// 404 without such a finding, 422 when a dismissal has no reason.
pub async fn judge(
    state: &AppState,
    caller: &Caller,
    finding_id: &str,
    judgement: &Judgement,
) -> AppResult<FindingRow> {
    let none = || AppError::not_found("finding");
    let note = text("note", &judgement.note, 0, 2_000)?;
    let reason = match (judgement.verdict, judgement.reason) {
        (Verdict::Dismissed, None) => {
            return Err(AppError::invalid(
                "reason",
                "say why: wrong_match, not_relevant or accepted",
            ));
        }
        (Verdict::Dismissed, Some(reason)) => Some(reason.word()),
        _ => None,
    };
    let verdict = match judgement.verdict {
        Verdict::Confirmed => Some("confirmed"),
        Verdict::Dismissed => Some("dismissed"),
        Verdict::Open => None,
    };
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    let before = findings::find(&mut tx, finding_id, now).await?;
    let before = before.ok_or_else(none)?;
    if before.verdict.as_deref() == verdict && before.verdict_reason.as_deref() == reason {
        return Ok(before);
    }
    let judged = Judged {
        verdict,
        reason,
        note: &note,
        by: caller.actor.name(),
        now_ms: now,
    };
    findings::judge(&mut tx, finding_id, &judged).await?;
    let after = findings::find(&mut tx, finding_id, now).await?;
    let after = after.ok_or_else(none)?;
    let gone = retract_findings(&mut tx, now, &after.ticket_id).await?;
    if after.stands() && !before.stands() {
        apply_findings(&mut tx, now, &after.ticket_id, std::slice::from_ref(&after)).await?;
    }
    let word = verdict.unwrap_or("open");
    let mut body = format!("{} {} {word}", after.signature_id, after.title);
    for more in [reason.unwrap_or_default(), &note] {
        if !more.is_empty() {
            body.push_str(&format!(" · {more}"));
        }
    }
    for tag in gone {
        body.push_str(&format!("\n−{tag}"));
    }
    let event = tickets::event(
        now,
        &after.ticket_id,
        Happened::Verdict,
        false,
        &caller.actor,
        &body,
    );
    tickets::append(&mut tx, &event).await?;
    let object = format!("{} {word}", after.id);
    caller
        .audit(&mut tx, state, "finding.judge", &object)
        .await?;
    tx.commit().await?;
    Ok(after)
}

/// Where a signature is to be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// On one ticket.
    Ticket,
    /// On all tickets of a customer.
    Customer,
    /// For all bundles of a host.
    Host,
}

/// A new suppression.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuppression {
    /// Where.
    pub scope: Scope,
    /// Key of the ticket, name of the customer or of the host.
    #[schema(min_length = 1, max_length = 300)]
    pub value: String,
    /// Why.
    #[schema(min_length = 1, max_length = 2_000)]
    pub reason: String,
    /// For how many days; without it until it is ended.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    pub days: Option<i64>,
}

/// Makes a signature silent somewhere. Findings that were there before are taken back from their tickets.
///
/// # Errors
/// 404 without the ticket, 422 for a wrong field.
pub async fn suppress(
    state: &AppState,
    caller: &Caller,
    signature_id: &str,
    new: &NewSuppression,
) -> AppResult<SuppressionRow> {
    let value = text("value", &new.value, 1, 300)?;
    if new.days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
        return Err(AppError::invalid("days", "must be from 1 to 3650"));
    }
    let (scope, value) = match new.scope {
        Scope::Ticket => ("ticket", tickets::load(state, &value).await?.id),
        Scope::Customer => ("customer", value),
        Scope::Host => ("host", value),
    };
    let now = state.now_ms();
    let row = SuppressionRow {
        id: new_id(),
        signature_id: signature_id.to_owned(),
        scope: scope.to_owned(),
        value,
        reason: text("reason", &new.reason, 1, 2_000)?,
        created_by: caller.actor.name().to_owned(),
        created_ms: now,
        expires_ms: new.days.map(|days| now + days * DAY_MS),
        ended_ms: None,
    };
    let mut tx = state.db.begin().await?;
    suppressions::insert(&mut tx, &row).await?;
    let said = findings::of_signature(&mut tx, signature_id, 1_000, now).await?;
    let mut done: Vec<&str> = Vec::new();
    for finding in &said {
        let ours = finding.suppressed.as_deref() == Some(&row.id);
        if !ours || done.contains(&finding.ticket_id.as_str()) {
            continue;
        }
        done.push(&finding.ticket_id);
        retract_findings(&mut tx, now, &finding.ticket_id).await?;
        if ticket_rows::find(&mut tx, &finding.ticket_id)
            .await?
            .is_some()
        {
            let body = format!("{} suppressed · {}", signature_id, row.reason);
            let event = tickets::event(
                now,
                &finding.ticket_id,
                Happened::Verdict,
                false,
                &Actor::System,
                &body,
            );
            tickets::append(&mut tx, &event).await?;
        }
    }
    let object = format!("{signature_id} {}", row.id);
    caller
        .audit(&mut tx, state, "signature.suppress", &object)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// Lets a signature speak again.
///
/// # Errors
/// 404 when there is no such suppression that holds.
pub async fn unsuppress(
    state: &AppState,
    caller: &Caller,
    signature_id: &str,
    id: &str,
) -> AppResult<()> {
    let now = state.now_ms();
    let mut tx = state.db.begin().await?;
    if !suppressions::end(&mut tx, signature_id, id, now).await? {
        return Err(AppError::not_found("suppression"));
    }
    let object = format!("{signature_id} {id}");
    caller
        .audit(&mut tx, state, "signature.unsuppress", &object)
        .await?;
    tx.commit().await?;
    Ok(())
}
