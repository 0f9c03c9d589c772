//! `/api/v1/search`: one search over everything that is known.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::auth::Access;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::Query;
use crate::http::openapi::Op;
use crate::search::{self, Found};
use crate::state::AppState;

/// Longest text that is searched for, in characters.
pub const TEXT_MAX: usize = 1_000;

/// Its line in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/search", Access::Viewer, find)
        .doc(Op::new("Search tickets, bundles, signatures, findings and articles").query::<Asked>().returns::<Found>(200).fails(&[400]))
}

/// What is searched for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Words, all of which are wanted; or bounds of the numbers of hosts, such as `memory.total < 8 GiB disk.free < 5 %`.
    q: String,
    /// Language of articles' titles: `en` or `zh-CN`.
    #[serde(default)]
    language: String,
}

async fn find(State(state): State<AppState>, Query(asked): Query<Asked>) -> AppResult<Json<Found>> {
    if asked.q.chars().count() > TEXT_MAX {
        return Err(AppError::bad_request(format!(
            "q: at most {TEXT_MAX} characters are taken"
        )));
    }
    let language = crate::tickets::solution::language_of(&asked.language);
    Ok(Json(search::search(&state, &asked.q, language).await?))
}
