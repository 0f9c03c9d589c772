//! `/api/v1/bundles/{id}/timeline`: the lines of all logs of a bundle in a window of time.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::bundles::load;
use crate::auth::Access;
use crate::bundles::browse::{Timeline, Window};
use crate::db::bundles::BundleRow;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;

const HOUR_MS: i64 = 3_600_000;

/// Its line in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/timeline", Access::Engineer, timeline)
        .doc(Op::new("Lines of all logs of a bundle in a window of time").query::<Asked>().returns::<Timeline>(200).fails(&[400, 404]))
}

/// Which window; the day before the bundle was collected when nothing is said.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// Start, UTC milliseconds.
    from_ms: Option<i64>,
    /// End, UTC milliseconds, not included.
    to_ms: Option<i64>,
    /// Only lines that show an error.
    errors: bool,
}

impl Asked {
    /// The window of a bundle.
    pub(crate) fn window(&self, row: &BundleRow) -> Window {
        let collected_ms = row.collected_ms.unwrap_or(row.received_ms);
        let to_ms = self.to_ms.unwrap_or(collected_ms.saturating_add(HOUR_MS));
        Window {
            from_ms: self.from_ms.unwrap_or(to_ms.saturating_sub(25 * HOUR_MS)),
            to_ms,
            collected_ms,
            errors: self.errors,
        }
    }
}

async fn timeline(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> AppResult<Json<Timeline>> {
    let (id, row) = load(&state.bundles, &id).await?;
    let window = asked.window(&row);
    Ok(Json(state.bundles.browse.timeline(id, window).await?))
}
