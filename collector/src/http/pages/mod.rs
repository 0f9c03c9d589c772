//! The pages, one file each, over the templates of `templates/`. They work without script.

pub mod account;
pub mod admin;
pub mod assets;
pub mod bundle;
pub mod bundles;
pub mod cases;
pub(crate) mod chart;
pub mod compare;
pub mod connectors;
pub mod customer;
pub mod error;
pub mod file;
pub mod findings;
pub mod intake;
pub mod kb;
pub mod login;
pub mod macros;
pub mod overview;
pub mod packs;
pub mod preferences;
pub mod redactions;
pub mod request;
pub mod search;
pub mod setup;
pub mod signature;
pub mod signatures;
pub mod stats;
pub mod tag_rules;
pub mod ticket;
pub mod tickets;
pub mod timeline;
mod typed;
pub mod upload;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};

use crate::auth::sessions::{SessionInfo, named_cookie};
use crate::auth::{Actor, Role};
use crate::error::{AppError, AppResult};
use crate::locale::Locale;
use crate::state::AppState;

/// The signed-in person, as the head of a page shows them.
#[derive(Clone)]
pub struct FrameUser {
    /// Name.
    pub name: String,
    /// The word of the widest role.
    pub role: String,
    /// Rights.
    pub roles: crate::auth::Roles,
}

/// What every page needs.
#[derive(Clone)]
pub struct Frame {
    /// Language.
    pub l: Locale,
    /// Name of the service.
    pub name: String,
    /// Who is signed in.
    pub user: Option<FrameUser>,
    /// Token for forms.
    pub csrf: String,
    /// Path of this page.
    pub path: String,
    /// `light`, `dark`, or empty for the system's choice.
    pub theme: String,
    /// What was typed into a form that was refused: keys of labels, and texts.
    pub typed: Vec<(&'static str, String)>,
}

impl Frame {
    /// The part that the request tells by itself.
    pub fn of_request(state: &AppState, headers: &HeaderMap, path: &str) -> Self {
        let accept = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|v| v.to_str().ok());
        let theme = named_cookie(headers, "theme").filter(|t| t == "light" || t == "dark");
        Self {
            l: Locale::choose(named_cookie(headers, "language").as_deref(), accept),
            name: state.config.name.clone(),
            user: None,
            csrf: String::new(),
            path: path.to_owned(),
            theme: theme.unwrap_or_default(),
            typed: Vec::new(),
        }
    }

    /// Whether the person has this right.
    pub fn may(&self, role: Role) -> bool {
        self.user
            .as_ref()
            .is_some_and(|user| user.roles.allow(role))
    }

    /// Whether the person may delete bundles.
    pub fn may_delete(&self) -> bool {
        self.may(Role::Lead)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Frame {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AppError> {
        let base = parts.extensions.get::<Self>().cloned();
        let mut frame = base.ok_or_else(|| AppError::internal("a page outside of the layers"))?;
        if let Some(session) = parts.extensions.get::<SessionInfo>() {
            frame.csrf.clone_from(&session.csrf);
        }
        if let Some(person) = parts.extensions.get::<Actor>().and_then(Actor::person) {
            let widest = [
                Role::Admin,
                Role::Lead,
                Role::Engineer,
                Role::Auditor,
                Role::Viewer,
            ];
            let role = widest
                .into_iter()
                .find(|r| person.roles.allow(*r))
                .map_or("", Role::word);
            frame.user = Some(FrameUser {
                name: person.name.clone(),
                role: role.to_owned(),
                roles: person.roles.clone(),
            });
        }
        Ok(frame)
    }
}

/// The address of a list, with what it is narrowed to.
fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    // Pairs of texts can always be written so.
    let query = serde_urlencoded::to_string(pairs.collect::<Vec<_>>()).unwrap_or_default();
    format!("{path}?{query}")
}

/// A rendered template.
pub(crate) fn html(page: &impl Template) -> AppResult<Response> {
    Ok(Html(page.render().map_err(AppError::internal)?).into_response())
}

/// A time as people read it.
pub(crate) fn time(ms: i64) -> String {
    let text = sitrep_shared::time::UtcMs(ms).rfc3339();
    let minutes = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minutes.replace('T', " "))
}

/// A span of time as people read it: the two largest units.
pub(crate) fn span(l: &Locale, ms: i64) -> String {
    let minutes = ms / 60_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = match (days, hours) {
        (0, 0) => vec![(minutes, l.t("span.minutes"))],
        (0, _) => vec![(hours, l.t("span.hours")), (minutes, l.t("span.minutes"))],
        _ => vec![(days, l.t("span.days")), (hours, l.t("span.hours"))],
    };
    let parts: Vec<String> = parts
        .iter()
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    parts.join(" ")
}

/// A sentence in pieces, true for those between backticks: commands and names, which are set as code.
pub(crate) fn spans(text: &str) -> Vec<(bool, &str)> {
    // A backtick without its partner is a character like any other.
    let closed = text.matches('`').count() / 2 * 2;
    text.splitn(closed + 1, '`')
        .enumerate()
        .map(|(place, part)| (place % 2 == 1, part))
        .filter(|(_, part)| !part.is_empty())
        .collect()
}

/// The status of a form that was refused and is shown again.
pub(crate) fn again(error: &AppError, page: AppResult<Response>) -> AppResult<Response> {
    page.map(|mut response| {
        *response.status_mut() = error.status();
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        for (text, expected) in [
            (
                "run `df -h` now",
                &[(false, "run "), (true, "df -h"), (false, " now")][..],
            ),
            ("`a``b`", &[(true, "a"), (true, "b")]),
            ("a ` alone", &[(false, "a ` alone")]),
            ("`a` and ` alone", &[(true, "a"), (false, " and ` alone")]),
            ("", &[]),
        ] {
            assert_eq!(spans(text), expected, "{text}");
        }
    }
}
