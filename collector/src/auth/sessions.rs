//! Browser sessions: 256 random bits in a cookie, their digest in the database.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{Person, Roles, random_token, same, sha256_hex};
use crate::config::TlsMode;
use crate::db;
use crate::error::{AppError, AppResult};
use crate::state::AppState;

/// A session ends after this long without a request.
pub const IDLE_MS: i64 = 8 * 3_600_000;
/// A session ends this long after the login, whatever happens.
pub const ABSOLUTE_MS: i64 = 24 * 3_600_000;
/// The last use is written at most this often.
const TOUCH_MS: i64 = 60_000;

/// Cookie over TLS: the prefix makes browsers insist on Secure, Path=/ and no Domain.
const SECURE_NAME: &str = "__Host-sitrep";
/// Cookie over plain loopback HTTP, where the prefix is not allowed.
const PLAIN_NAME: &str = "sitrep";

/// What a request needs of its session.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Digest of the id, to end the session.
    pub id_sha256: String,
    /// Token that forms send back.
    pub csrf: String,
}

impl SessionInfo {
    /// Refuses a change whose token is not this session's.
    pub fn check_csrf(&self, sent: &str) -> AppResult<()> {
        if same(sent, &self.csrf) {
            return Ok(());
        }
        Err(AppError::forbidden("the form's token is missing or old")
            .hint("reload the page and send it again"))
    }
}

/// The session id in the request's cookies. Over TLS only the name that nobody else can set is heard.
pub fn cookie(state: &AppState, headers: &HeaderMap) -> Option<String> {
    named_cookie(headers, cookie_name(state))
}

fn cookie_name(state: &AppState) -> &'static str {
    // A proxy in front may speak TLS, which only the public URL tells.
    let public = state.config.public_url.as_deref();
    let secure =
        state.config.tls != TlsMode::Off || public.is_some_and(|url| url.starts_with("https:"));
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

/// The value of a cookie.
pub fn named_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok());
    let mut pairs = all
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value.to_owned())
}

/// Begins a session for a person who has just signed in, and ends the one of the browser's `old` id, whose cookie is
/// overwritten and which nobody could end any more; returns the Set-Cookie value.
pub async fn begin(
    state: &AppState,
    user_id: &str,
    address: &str,
    old: Option<String>,
) -> AppResult<HeaderValue> {
    let id = random_token();
    let mut tx = state.db.begin().await?;
    if let Some(old) = old {
        db::sessions::delete(&mut tx, &sha256_hex(old.as_bytes())).await?;
    }
    db::sessions::insert(
        &mut tx,
        &sha256_hex(id.as_bytes()),
        user_id,
        &random_token(),
        address,
        state.now_ms(),
    )
    .await?;
    tx.commit().await?;
    set_cookie(state, &id, ABSOLUTE_MS / 1000)
}

/// The session of an id, if it still runs, with its person.
pub async fn find(state: &AppState, id: &str) -> AppResult<Option<(Person, SessionInfo)>> {
    let id_sha256 = sha256_hex(id.as_bytes());
    let now = state.now_ms();
    let found = db::sessions::find(&mut *state.db.read().await?, &id_sha256).await?;
    let Some(row) = found else { return Ok(None) };
    let over = now - row.seen_ms > IDLE_MS || now - row.created_ms > ABSOLUTE_MS;
    if over || row.disabled == 1 {
        return Ok(None);
    }
    if now - row.seen_ms > TOUCH_MS {
        let mut tx = state.db.begin().await?;
        db::sessions::touch(&mut tx, &id_sha256, now).await?;
        tx.commit().await?;
    }
    let person = Person {
        id: row.user_id,
        login: row.login,
        name: row.name,
        roles: Roles::parse(&row.roles),
    };
    Ok(Some((
        person,
        SessionInfo {
            id_sha256,
            csrf: row.csrf,
        },
    )))
}

/// Ends a session; returns the Set-Cookie value that removes the cookie.
pub async fn end(state: &AppState, session: &SessionInfo) -> AppResult<HeaderValue> {
    let mut tx = state.db.begin().await?;
    db::sessions::delete(&mut tx, &session.id_sha256).await?;
    tx.commit().await?;
    set_cookie(state, "", 0)
}

fn set_cookie(state: &AppState, value: &str, max_age_s: i64) -> AppResult<HeaderValue> {
    let name = cookie_name(state);
    let secure = match name {
        SECURE_NAME => "; Secure",
        _ => "",
    };
    let text =
        format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).map_err(AppError::internal)
}
