//! The audit log, for auditors.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Access;
use crate::db::audit::after;
use crate::error::AppResult;
use crate::http::Routes;
use crate::http::extract::Query;
use crate::http::openapi::Op;
use crate::state::AppState;

/// One record.
#[derive(Serialize, ToSchema)]
struct AuditView {
    seq: i64,
    at_ms: i64,
    actor: String,
    action: String,
    object: String,
    address: String,
    /// Further values, such as a reason, as JSON.
    detail: String,
    /// SHA-256 over the previous hash and this record.
    hash: String,
}

/// Records in the order of the chain.
#[derive(Serialize, ToSchema)]
struct AuditList {
    items: Vec<AuditView>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Records after this place.
    #[serde(default)]
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/audit", Access::Auditor, list)
        .doc(
            Op::new("Read the audit log, 200 records at a time")
                .query::<AuditQuery>()
                .returns::<AuditList>(200),
        )
}

async fn list(
    State(state): State<AppState>,
    Query(query): Query<AuditQuery>,
) -> AppResult<axum::Json<AuditList>> {
    let rows = after(
        &mut *state.db.read().await?,
        query.after.unwrap_or(0).max(0),
        200,
    )
    .await?;
    let items = rows
        .into_iter()
        .map(|r| AuditView {
            seq: r.seq,
            at_ms: r.at_ms,
            actor: r.actor,
            action: r.action,
            object: r.object,
            address: r.address,
            detail: r.detail,
            hash: r.hash,
        })
        .collect();
    Ok(axum::Json(AuditList { items }))
}
