//! The API's resources, one file each; and what they share: pages of lists, remembered answers.

pub mod articles;
pub mod audit;
pub mod body;
pub mod bundles;
pub mod codes;
pub mod compare;
pub mod connectors;
pub mod desk;
mod draft;
pub mod find;
pub mod health;
pub mod holds;
pub mod idempotency;
pub mod lifecycle;
pub mod macros;
pub mod me;
pub mod notes;
pub mod packs;
pub mod place;
pub mod receipts;
pub mod redactions;
pub mod retro;
pub mod search;
pub mod selection;
pub mod setup;
pub mod signatures;
pub mod tags;
pub mod tickets;
pub mod timeline;
pub mod tokens;
pub mod tus;
pub mod unknown;
pub mod uploads;
pub mod users;

use crate::error::{AppError, AppResult};

/// A word of a path that names something; what no stored name can hold does not exist.
pub fn name<'a>(what: &str, text: &'a str) -> AppResult<&'a str> {
    if text.chars().any(char::is_control) {
        return Err(AppError::not_found(what));
    }
    Ok(text)
}

/// An id of a path in its stored form; what is not an id does not exist.
pub fn id(what: &str, text: &str) -> AppResult<String> {
    uuid::Uuid::parse_str(text)
        .map(|id| id.to_string())
        .map_err(|_| AppError::not_found(what))
}
