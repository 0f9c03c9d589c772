//! Text modules: written once, filled with what a ticket says.

use serde::{Deserialize, Serialize};

use super::{Caller, key, text};
use crate::db::macros::{self as rows, MacroRow};
use crate::db::tickets::TicketRow;
use crate::error::{AppError, AppResult};
use crate::state::{AppState, new_id};

/// What stands for something in a text module.
pub const PLACES: [&str; 6] = [
    "{ticket}",
    "{title}",
    "{customer}",
    "{contact}",
    "{me}",
    "{service}",
];

/// A text module as it is written.
#[derive(Debug, Clone, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMacro {
    /// Name in the list.
    #[schema(min_length = 1, max_length = 100)]
    pub title: String,
    /// English; `{ticket}`, `{title}`, `{customer}`, `{contact}`, `{me}` and `{service}` are filled in.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub body_en: String,
    /// Simplified Chinese.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub body_zh: String,
}

/// What can be changed on a text module; absent fields stay.
#[derive(Debug, Clone, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MacroChange {
    /// Name in the list.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub title: Option<String>,
    /// English.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub body_en: Option<String>,
    /// Simplified Chinese.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub body_zh: Option<String>,
}

/// Changes a text module.
pub async fn change(
    state: &AppState,
    caller: &Caller,
    id: &str,
    change: MacroChange,
) -> AppResult<MacroRow> {
    let found = rows::find(&mut *state.db.read().await?, id).await?;
    let row = found.ok_or_else(|| AppError::not_found("text module"))?;
    let new = NewMacro {
        title: change.title.unwrap_or(row.title),
        body_en: change.body_en.unwrap_or(row.body_en),
        body_zh: change.body_zh.unwrap_or(row.body_zh),
    };
    store(state, caller, Some(id), &new).await
}

/// Stores a text module, in the place of the one with its id if given.
pub async fn store(
    state: &AppState,
    caller: &Caller,
    id: Option<&str>,
    new: &NewMacro,
) -> AppResult<MacroRow> {
    let row = MacroRow {
        id: id.map_or_else(new_id, str::to_owned),
        title: text("title", &new.title, 1, 100)?,
        body_en: text("body_en", &new.body_en, 0, 10_000)?,
        body_zh: text("body_zh", &new.body_zh, 0, 10_000)?,
        changed_by: caller.actor.name().to_owned(),
        changed_ms: state.now_ms(),
    };
    if row.body_en.is_empty() && row.body_zh.is_empty() {
        return Err(AppError::invalid(
            "body_en",
            "one of the two texts is needed",
        ));
    }
    let mut tx = state.db.begin().await?;
    rows::put(&mut tx, &row).await?;
    caller
        .audit(&mut tx, state, "macro.store", &row.title)
        .await?;
    tx.commit().await?;
    Ok(row)
}

/// Removes a text module.
pub async fn remove(state: &AppState, caller: &Caller, id: &str) -> AppResult<()> {
    let mut tx = state.db.begin().await?;
    if !rows::remove(&mut tx, id).await? {
        return Err(AppError::not_found("text module"));
    }
    caller.audit(&mut tx, state, "macro.remove", id).await?;
    tx.commit().await?;
    Ok(())
}

/// The text for a ticket's customer: in their language if there is one, with what the ticket says filled in.
pub fn filled(row: &MacroRow, ticket: &TicketRow, me: &str, service: &str) -> String {
    let chinese = ticket.language.starts_with("zh");
    let body = match (chinese, row.body_zh.is_empty(), row.body_en.is_empty()) {
        (true, false, _) | (false, _, true) => &row.body_zh,
        _ => &row.body_en,
    };
    let key = key(ticket);
    let values = [
        &*key,
        &*ticket.title,
        &*ticket.customer,
        &*ticket.contact,
        me,
        service,
    ];
    // In one pass, so that what is filled in is never filled in again.
    let mut out = String::with_capacity(body.len());
    let mut rest = body.as_str();
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match PLACES.iter().position(|place| rest.starts_with(place)) {
            Some(n) => {
                out.push_str(values[n]);
                rest = &rest[PLACES[n].len()..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_ticket_says_is_filled_in_once() {
        let row = MacroRow {
            body_en: "Dear {contact}, {title} {x} – {me}".into(),
            body_zh: "{contact}您好".into(),
            ..MacroRow::default()
        };
        let mut ticket = TicketRow {
            contact: "{me}".into(),
            title: "T".into(),
            ..TicketRow::default()
        };
        assert_eq!(filled(&row, &ticket, "Lin", "S"), "Dear {me}, T {x} – Lin");
        ticket.language = "zh-CN".into();
        assert_eq!(filled(&row, &ticket, "Lin", "S"), "{me}您好");
    }
}
