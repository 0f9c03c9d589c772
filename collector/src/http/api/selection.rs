//! `/api/v1/bundles/{id}/selection`: some files of a bundle as one archive, whole or by range.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::body::{self, Attachment, Conditions};
use super::bundles::load;
use crate::auth::Access;
use crate::bundles::browse::selection_range;
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;
use crate::tickets::Caller;
use crate::tickets::customer::downloaded;

/// Files of a selection at most.
const FILES_MAX: usize = 1_000;

/// Its line in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/selection", Access::Engineer, selection)
        .doc(Op::new("Some files of a bundle as a tar.gz").query::<Asked>().raw(200, "application/octet-stream").fails(&[400, 404, 412, 416]))
}

/// Which files.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct Asked {
    /// Numbers of the files, separated by commas.
    files: String,
}

async fn selection(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    conditions: Conditions,
) -> AppResult<Response> {
    let bundles = &state.bundles;
    let (id, row) = load(bundles, &id).await?;
    let files: Option<Vec<u64>> = asked
        .files
        .split(',')
        .map(|text| text.trim().parse().ok())
        .collect();
    let mut files = files
        .filter(|files| files.len() <= FILES_MAX)
        .ok_or_else(|| {
            AppError::bad_request(format!("1 to {FILES_MAX} numbers of files are taken"))
        })?;
    files.sort_unstable();
    files.dedup();
    let (archive, name, size) = bundles.browse.selection(id, files).await?;
    if conditions.begins() {
        downloaded(&state, &caller, &row.id, &row.ticket_id).await?;
    }
    let tag = format!("\"{}-{name}\"", row.sha256);
    let shown = format!("{}-selection.tar.gz", row.receipt);
    let attachment = Attachment {
        name: &shown,
        tag: &tag,
        size,
    };
    let (status, span) = match body::plan(&conditions, attachment) {
        Ok(plan) => plan,
        Err(response) => return Ok(*response),
    };
    let reader = selection_range(archive, span.from, span.bytes).map_err(AppError::internal)?;
    Ok(body::send(attachment, (status, span), reader))
}
