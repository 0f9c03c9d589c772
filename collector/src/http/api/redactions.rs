//! `/api/v1/bundles/{id}/redactions`: what redaction removed from a bundle, by rule, file and line.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::bundles::load;
use crate::auth::Access;
use crate::bundles::Bundles;
use crate::bundles::redactions::{self, Report};
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::Path;
use crate::http::openapi::Op;

/// Its line in the registry. It tells where, never what, so that viewers may see it.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/bundles/{id}/redactions", Access::Viewer, show)
        .doc(Op::new("What redaction removed from a bundle, by rule, file and line").returns::<Report>(200).fails(&[404]))
}

/// `GET /api/v1/bundles/{id}/redactions`.
async fn show(
    State(bundles): State<Arc<Bundles>>,
    Path(id): Path<String>,
) -> AppResult<Json<Report>> {
    let (id, _) = load(&bundles, &id).await?;
    Ok(Json(redactions::report(&bundles.browse, id).await?))
}
