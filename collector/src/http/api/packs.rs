//! `/api/v1/signature-packs`: packs of signatures, taken in whole from one YAML file or an archive.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::idempotency;
use crate::auth::{Access, sha256_hex};
use crate::db::packs::{self as rows, PackRow};
use crate::error::{AppError, AppResult};
use crate::http::Routes;
use crate::http::extract::{Json, Path, Query};
use crate::http::openapi::Op;
use crate::signatures::files::unpack;
use crate::signatures::intake;
use crate::signatures::packs::{self, Label, UPLOAD_MAX_BYTES};
use crate::state::AppState;
use crate::tickets::Caller;

/// The routes.
#[rustfmt::skip]
pub fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/signature-packs", Access::Viewer, list)
        .doc(Op::new("List signature packs").returns::<PackList>(200))
        .post("/api/v1/signature-packs", Access::Lead, store)
        .streams()
        .doc(Op::new("Take a pack in: one YAML file, or a tar or zip archive of them").query::<NewPack>().raw_body("application/octet-stream").idempotent().returns::<PackView>(201))
        .patch("/api/v1/signature-packs/{name}", Access::Lead, enable)
        .doc(Op::new("Put a pack in force or out of it").body::<Enable>().returns::<PackView>(200))
        .delete("/api/v1/signature-packs/{name}", Access::Lead, remove)
        .doc(Op::new("Remove a pack; what it found stays").empty(204))
}

/// What the pack is called.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
pub struct NewPack {
    /// Lower-case word; a pack of that name is replaced.
    name: String,
    /// Version its maker gave it.
    #[serde(default)]
    version: String,
    /// Licence its maker gave it.
    #[serde(default)]
    licence: String,
    /// shadow or live: where its signatures are to stand. Without it where their files say.
    #[serde(default)]
    stand: Option<String>,
}

/// A pack as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PackView {
    name: String,
    version: String,
    licence: String,
    /// own, upload or folder.
    source: String,
    enabled: bool,
    signatures: i64,
    /// What could be better.
    remarks: Vec<String>,
    changed_by: String,
    changed_ms: i64,
}

/// Packs, by name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct PackList {
    items: Vec<PackView>,
}

/// Whether a pack is in force.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Enable {
    enabled: bool,
}

impl From<PackRow> for PackView {
    fn from(row: PackRow) -> Self {
        Self {
            remarks: serde_json::from_str(&row.remarks).unwrap_or_default(),
            enabled: row.enabled == 1,
            name: row.name,
            version: row.version,
            licence: row.licence,
            source: row.source,
            signatures: row.signatures,
            changed_by: row.changed_by,
            changed_ms: row.changed_ms,
        }
    }
}

async fn list(State(state): State<AppState>) -> AppResult<Answer<PackList>> {
    let items = rows::list(&mut *state.db.read().await?).await?;
    Ok(Answer(PackList {
        items: items.into_iter().map(Into::into).collect(),
    }))
}

async fn store(
    State(state): State<AppState>,
    caller: Caller,
    Query(new): Query<NewPack>,
    headers: HeaderMap,
    body: Body,
) -> AppResult<Response> {
    let bytes = axum::body::to_bytes(body, UPLOAD_MAX_BYTES).await;
    let bytes = bytes.map_err(|_| {
        AppError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the pack cannot be read, or is longer than {UPLOAD_MAX_BYTES} bytes"),
        )
    })?;
    let request = (new.clone(), sha256_hex(&bytes));
    let path = "/api/v1/signature-packs";
    let (key, known) = idempotency::begin(&state, &caller, &headers, path, &request).await?;
    if let Some(known) = known {
        return Ok(known);
    }
    let single = format!("{}.yaml", new.name);
    let files = tokio::task::spawn_blocking(move || unpack(&bytes, &single)).await;
    let files = files.map_err(AppError::internal)??;
    let label = Label {
        stand: new.stand.as_deref().map(intake::stand).transpose()?,
        name: new.name,
        version: new.version,
        licence: new.licence,
    };
    let row = packs::store(&state, &caller, (label, "upload"), files).await?;
    idempotency::answer(&state, key, StatusCode::CREATED, &PackView::from(row)).await
}

async fn enable(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<Enable>,
) -> AppResult<Answer<PackView>> {
    let row = packs::enable(
        &state,
        &caller,
        super::name("signature pack", &name)?,
        body.enabled,
    )
    .await?;
    Ok(Answer(row.into()))
}

async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<String>,
) -> AppResult<StatusCode> {
    packs::remove(&state, &caller, super::name("signature pack", &name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
