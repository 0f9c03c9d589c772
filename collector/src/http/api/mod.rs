//! The API's resources, one file each; and what they share: pages of lists, remembered answers.

pub mod audit;
pub mod body;
pub mod bundles;
pub mod codes;
mod draft;
pub mod health;
pub mod idempotency;
pub mod me;
pub mod notes;
pub mod search;
pub mod selection;
pub mod setup;
pub mod tickets;
pub mod tokens;
pub mod tus;
pub mod uploads;
pub mod users;

use crate::error::{AppError, AppResult};

/// An id of a path in its stored form; what is not an id does not exist.
pub fn id(what: &str, text: &str) -> AppResult<String> {
    uuid::Uuid::parse_str(text)
        .map(|id| id.to_string())
        .map_err(|_| AppError::not_found(what))
}
