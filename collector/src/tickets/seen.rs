//! What somebody saw of a ticket before they changed it: their change does not go over what another person has changed
//! since, which they cannot know of.

use sitrep_shared::time::UtcMs;
use sqlx::AnyConnection;

use super::Opened;
use super::solution::language_of;
use crate::db::users;
use crate::error::{AppError, AppResult};

/// The stable word of the refusal.
pub const MEANWHILE: &str = "changed_meanwhile";

/// A field that somebody changes, with the text that they saw in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Name of the field, as forms have it.
    pub field: &'static str,
    /// What was shown.
    pub was: String,
    /// What it is to be.
    pub new: String,
}

/// Refuses a change of fields in which meanwhile stands neither what was shown nor what is asked for.
pub(super) async fn check(
    conn: &mut AnyConnection,
    ticket: &Opened,
    seen: &[Seen],
) -> AppResult<()> {
    let mut others = Vec::new();
    for Seen { field, was, new } in seen {
        let stands = match *field {
            "owner" => login(conn, ticket.row.owner_id.as_deref()).await?,
            field => stands(ticket, field),
        };
        let stands = one_form(&stands);
        if stands != one_form(was) && stands != one_form(new) {
            others.push(*field);
        }
    }
    if others.is_empty() {
        return Ok(());
    }
    let what = others.join(", ");
    let refusal = AppError::conflict(
        MEANWHILE,
        format!("somebody else has changed this meanwhile, nothing was saved: {what}"),
    );
    Err(others.into_iter().fold(refusal, |error, field| {
        error.at(field, "was changed meanwhile")
    }))
}

/// A text as a field of one line sends it, so that what was only shown and sent back is not taken for a change.
pub fn one_form(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    text.trim().to_owned()
}

/// What a form shows of a time, to the minute.
pub fn input_time(ms: i64) -> String {
    UtcMs(ms).rfc3339().chars().take(16).collect()
}

/// The text that a form would show now.
fn stands(Opened { row, life }: &Opened, field: &str) -> String {
    match field {
        "status" => row.status.clone(),
        "priority" => row.priority.clone(),
        "team" => life.team.clone(),
        "product" => row.product.clone(),
        "category" => row.category.clone(),
        "contact" => row.contact.clone(),
        "language" => language_of(&row.language).to_owned(),
        "audience" => life.audience.clone(),
        "next_step" => life.next_step.clone(),
        "promised" => life.promised_ms.map(input_time).unwrap_or_default(),
        _ => String::new(),
    }
}

async fn login(conn: &mut AnyConnection, id: Option<&str>) -> AppResult<String> {
    let Some(id) = id else {
        return Ok(String::new());
    };
    let user = users::find(conn, id).await?;
    Ok(user.map(|user| user.login).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_field_of_one_line_makes_of_a_text_is_no_change() {
        for (text, expected) in [
            ("Exporter", "Exporter"),
            (" Exporter\r\n4 ", "Exporter4"),
            ("", ""),
        ] {
            assert_eq!(one_form(text), expected);
        }
        assert_eq!(input_time(0), "1970-01-01T00:00");
    }
}
