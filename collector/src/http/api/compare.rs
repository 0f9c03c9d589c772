//! `/api/v1/bundles/{id}/comparison`: what differs between two bundles.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::bundles::load;
use crate::auth::Access;
use crate::bundles::compare::Comparison;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::{Path, Query};
use crate::http::openapi::Op;
use crate::state::AppState;

/// Its line in the registry.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/comparison", Access::Engineer, compare)
        .doc(Op::new("What differs between an earlier bundle and this one").query::<Asked>().returns::<Comparison>(200).fails(&[400, 404]))
}

/// With which bundle.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Id of the earlier bundle.
    before: String,
}

async fn compare(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> AppResult<Json<Comparison>> {
    let (_, after) = load(&state.bundles, &id).await?;
    let (_, before) = load(&state.bundles, &asked.before).await?;
    let told = state
        .bundles
        .compare((&before, &after), state.now_ms())
        .await?;
    Ok(Json(told))
}
