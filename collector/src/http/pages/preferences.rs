//! Language and theme, kept in cookies: no account and no script needed.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::auth::Access;
use crate::error::AppResult;
use crate::http::Routes;
use crate::locale::Locale;

#[derive(Deserialize)]
struct Preferences {
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    theme: Option<String>,
    #[serde(default)]
    back: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default().post("/preferences", Access::Public, set)
}

// A plain form without a token: nothing but the look changes, and the origin is checked.
async fn set(axum::Form(form): axum::Form<Preferences>) -> AppResult<Response> {
    let mut headers = HeaderMap::new();
    let language = form
        .language
        .filter(|code| Locale::by_code(code).is_some())
        .map(|code| ("language", code));
    let theme = form
        .theme
        .filter(|theme| theme == "light" || theme == "dark")
        .map(|theme| ("theme", theme));
    for (name, value) in language.into_iter().chain(theme) {
        let text = format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    let back = super::login::inside(&form.back);
    Ok((headers, Redirect::to(back)).into_response())
}
