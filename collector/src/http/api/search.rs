//! `/api/v1/bundles/{id}/search`: a regular expression over the text of a bundle; hits are sent as they are found.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::bundles::load;
use crate::auth::Access;
use crate::bundles::Bundles;
use crate::bundles::browse::Which;
use crate::bundles::browse::search::{Hit, Search};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::customer::viewed;

/// Hits unless asked otherwise, and at most.
const HITS: usize = 1_000;
const HITS_MAX: usize = 100_000;
/// Hits that wait for a slow client.
const WAITING: usize = 256;

/// Its line in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/search", Access::Engineer, search)
        .doc(Op::new("Search the text of a bundle; one hit a line").query::<Asked>().raw(200, "application/x-ndjson").fails(&[400, 404]))
}

/// What is searched for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// A regular expression, matched line by line.
    pattern: String,
    /// Whether case is ignored.
    #[serde(default)]
    ignore_case: bool,
    /// Only files whose path begins so.
    #[serde(default)]
    below: String,
    /// Only the file of this number.
    file: Option<u64>,
    /// Hits at most.
    limit: Option<usize>,
}

/// Answers with one JSON object a line: file, path, line, offset, text; and at the end `{"done":true}`, or the fault.
async fn search(
    State(state): State<AppState>,
    State(bundles): State<Arc<Bundles>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let (id, row) = load(&bundles, &id).await?;
    viewed(&state, &caller, &row.id, &row.ticket_id).await?;
    let limit = asked.limit.unwrap_or(HITS).clamp(1, HITS_MAX);
    let mut search = Search::new(&asked.pattern, asked.ignore_case, limit)
        .map_err(|error| AppError::bad_request(error.to_string()))?;
    search.below = asked.below;
    if let Some(fid) = asked.file {
        bundles.browse.file(id, Which::Fid(fid)).await?;
        search = search.of_file(fid);
    }
    // A bundle without files to search is told before the answer begins.
    bundles.browse.searchable(id).await?;
    let (tell, hear) = mpsc::channel(WAITING);
    let (ended, end) = tokio::sync::oneshot::channel();
    state.tasks.spawn("search", async move {
        let done = bundles.browse.search(id, search, tell).await;
        // Nobody waits when the client has gone.
        let _ = ended.send(done.is_ok());
        if let Err(error) = done {
            tracing::error!(bundle.id = %id, error = %sitrep_shared::error::chain(&error), "a search broke off");
        }
    });
    let lines = stream::unfold((hear, Some(end)), |(mut hear, end)| async move {
        let line = match hear.recv().await {
            Some(hit) => json_line::<Hit>(&hit),
            None => {
                let done = end?.await.unwrap_or(false);
                return Some((
                    Ok(json_line(&serde_json::json!({ "done": done }))),
                    (hear, None),
                ));
            }
        };
        Some((Ok::<_, std::convert::Infallible>(line), (hear, end)))
    });
    let mut response = Body::from_stream(lines).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        "application/x-ndjson".parse().map_err(AppError::internal)?,
    );
    headers.insert(
        CACHE_CONTROL,
        "no-store".parse().map_err(AppError::internal)?,
    );
    Ok(response)
}

fn json_line<T: serde::Serialize>(value: &T) -> Bytes {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
