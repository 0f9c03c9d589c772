//! Receipts: what a sender can still do about a bundle.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Serialize;
use sitrep_shared::ids::{Receipt, UploadCode};
use sitrep_shared::protocol::Withdrawn;
use utoipa::ToSchema;

use crate::auth::Access;
use crate::auth::limits::{self, CODE_PER_HOUR, CODE_PER_MINUTE};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::ClientAddress;
use crate::http::guard;
use crate::http::openapi::Op;
use crate::state::AppState;

/// What is gone, and since when.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawnView {
    /// `sitrep.withdrawn/1`.
    schema: &'static str,
    /// `RCP-XXXX-XXXX`.
    receipt: String,
    /// Digest of the bundle that was there, hex.
    sha256: String,
    /// Its size.
    bytes: i64,
    /// UTC milliseconds.
    deleted_ms: i64,
}

/// The routes. The right to withdraw is the code that the sender kept, which no account has.
pub fn routes() -> Routes {
    Routes::default()
        .delete("/api/v1/receipts/{receipt}", Access::Public, withdraw)
        .doc(
            Op::new(
                "Delete a bundle for its sender, who gives the withdrawal code as a bearer token",
            )
            .returns::<WithdrawnView>(200)
            .fails(&[429]),
        )
}

/// `DELETE /api/v1/receipts/{receipt}`.
pub async fn withdraw(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    Path(receipt): Path<String>,
    headers: HeaderMap,
) -> AppResult<Json<WithdrawnView>> {
    let subject = limits::subject(address);
    let keys = vec![(CODE_PER_MINUTE, subject.clone()), (CODE_PER_HOUR, subject)];
    let turn = limits::admit(&state.db, keys, state.now_ms()).await?;
    let code = guard::bearer(&headers).and_then(|text| UploadCode::parse(text).ok());
    let asked = Receipt::parse(&receipt).ok().zip(code);
    let gone = match &asked {
        Some((receipt, code)) => {
            let (receipt, code) = (receipt.as_str(), code.canonical());
            state.bundles.withdraw(receipt, &code).await?
        }
        None => None,
    };
    let Some(row) = gone else {
        turn.failed(&state.db).await?;
        return Err(
            AppError::not_found("bundle with this receipt and this withdrawal code").hint(
                "it is deleted already, or it was sent from elsewhere: ask your support contact",
            ),
        );
    };
    Ok(Json(WithdrawnView {
        schema: Withdrawn::SCHEMA,
        receipt: row.receipt,
        sha256: row.sha256,
        bytes: row.bytes,
        deleted_ms: state.now_ms(),
    }))
}
